"""Named label sets and the maps between them."""

import itertools

import pytest

from distildoc.data.corpus.classes import REGION_CLASSES
from distildoc.schema.errors import InputError
from distildoc.schema.taxonomies import _MAPS, TAXONOMIES, taxonomy_map, whole_map

SIZES = {  # as published
    "doclaynet": 11,
    "publaynet": 5,
    "d4la": 27,
    "docling": 17,
    "prima": 6,
    "pp_doclayout": 23,
    "pp_doclayout_v2": 25,
    "docstructbench": 10,
}


def test_label_sets_have_the_published_sizes_and_no_name_twice() -> None:
    assert {name: len(set(labels)) for name, labels in TAXONOMIES.items()} == SIZES
    assert all(len(labels) == SIZES[name] for name, labels in TAXONOMIES.items())


def test_doclaynet_is_the_set_of_the_corpus_in_its_order() -> None:
    assert TAXONOMIES["doclaynet"] == tuple(REGION_CLASSES)


def test_docling_begins_with_doclaynet_in_the_order_of_its_ids() -> None:
    assert TAXONOMIES["docling"][:11] == TAXONOMIES["doclaynet"]


def test_every_table_covers_its_source_and_stays_within_its_target() -> None:
    assert len(_MAPS) >= 11
    for (source, target), table in _MAPS.items():
        assert set(table) == set(TAXONOMIES[source]), (source, target)
        assert {new for new in table.values() if new} <= set(TAXONOMIES[target]), (source, target)


@pytest.mark.parametrize("target", ["doclaynet", "publaynet", "prima", "docling"])
@pytest.mark.parametrize("source", TAXONOMIES)
def test_every_set_has_a_map_to_the_four_that_students_speak(source: str, target: str) -> None:
    labels = whole_map(source, target)
    assert set(labels.rename) | set(labels.drop) == set(TAXONOMIES[source])
    assert set(labels.rename.values()) <= set(TAXONOMIES[target])


def test_a_set_maps_to_itself_without_change() -> None:
    for name, labels in TAXONOMIES.items():
        assert [whole_map(name, name)(label) for label in labels] == list(labels)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("publaynet->doclaynet", "title", "Section-header"),
        ("doclaynet->publaynet", "Page-header", None),
        ("d4la->docling", "Catalog", "Document Index"),
        ("pp_doclayout_v2->docling", "algorithm", "Code"),
        ("pp_doclayout_v2->doclaynet", "reference", None),
        ("docstructbench -> publaynet", "table_footnote", "text"),
        ("d4la->prima", "LetterHead", "TextRegion"),
    ],
)
def test_a_named_map_says_what_its_table_says(text: str, old: str, new: str | None) -> None:
    assert taxonomy_map(text, [old])(old) == new


def test_a_way_that_would_split_classes_is_refused() -> None:
    with pytest.raises(InputError, match="no label map from 'publaynet' to 'd4la': its classes cannot be split"):
        whole_map("publaynet", "d4la")
    refused = 0
    for source, target in itertools.permutations(TAXONOMIES, 2):
        if target in ("d4la", "docstructbench", "pp_doclayout", "pp_doclayout_v2"):
            with pytest.raises(InputError):
                whole_map(source, target)
            refused += 1
    assert refused == 4 * 7


def test_a_misspelt_set_or_map_is_answered_with_the_way_out() -> None:
    with pytest.raises(InputError, match="unknown label set 'publaynt'; closest: publaynet"):
        whole_map("publaynt", "doclaynet")
    with pytest.raises(InputError, match="write it as SOURCE->TARGET"):
        taxonomy_map("publaynet", [])


def test_a_map_for_some_classes_speaks_of_those_alone_and_refuses_others() -> None:
    labels = taxonomy_map("docstructbench->doclaynet", ("table", "abandon"))
    assert labels.rename == {"table": "Table"} and labels.drop == ("abandon",)
    with pytest.raises(InputError, match="docstructbench has no class 'tables'; closest: table"):
        taxonomy_map("docstructbench->doclaynet", ("tables",))
