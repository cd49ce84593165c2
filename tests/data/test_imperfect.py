"""Wrong classes and rare ones, by their counts."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from distildoc.data.imperfect import imbalanced, with_wrong_labels
from distildoc.data.pageset import PageSet
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Page

LABELS = ("letter", "memo", "email", "form", "invoice")


def pages(each: int = 200) -> PageSet:
    made = [
        Page(f"{label}-{i}", f"{label}-{i}", 1, lambda longest_px: Image.new("L", (8, 8)), label)
        for label in LABELS
        for i in range(each)
    ]
    return PageSet(tuple(made), LABELS, "made")


def changed(before: PageSet, after: PageSet) -> list[tuple[str | None, str | None]]:
    both = zip(before.pages, after.pages, strict=True)
    return [(old.label, new.label) for old, new in both if old.label != new.label]


def test_the_share_asked_for_gets_another_class_and_nothing_else_changes() -> None:
    before = pages()
    after = with_wrong_labels(before, 0.4, seed=0)
    assert len(changed(before, after)) == 400
    assert [page.id for page in after.pages] == [page.id for page in before.pages]
    assert after.labels == before.labels
    assert after.fingerprint != before.fingerprint


def test_noise_is_symmetric() -> None:
    moves = Counter(changed(pages(2000), with_wrong_labels(pages(2000), 0.5, seed=0)))
    assert len(moves) == 20  # every class to every other one
    assert list(moves.values()) == pytest.approx([250] * 20, rel=0.25)  # a binomial's standard deviation is 15


def test_noise_follows_from_seed_and_ids_alone() -> None:
    before = pages(20)
    turned = replace(before, pages=before.pages[::-1])
    by_id = {page.id: page.label for page in with_wrong_labels(before, 0.4, seed=1).pages}
    assert {page.id: page.label for page in with_wrong_labels(turned, 0.4, seed=1).pages} == by_id
    assert {page.id: page.label for page in with_wrong_labels(before, 0.4, seed=2).pages} != by_id


def test_more_noise_keeps_the_wrong_labels_of_less() -> None:
    little, much = (with_wrong_labels(pages(), share, seed=0) for share in (0.2, 0.6))
    few = {new.id: new.label for old, new in zip(pages().pages, little.pages, strict=True) if old.label != new.label}
    assert len(few) == 200
    assert all(page.label == few[page.id] for page in much.pages if page.id in few)


def test_pages_without_a_class_stay_without() -> None:
    before = pages(4)
    bare = replace(before, pages=(*before.pages, replace(before.pages[0], id="bare", label=None)))
    after = with_wrong_labels(bare, 1.0, seed=0)
    assert after.pages[-1].label is None
    assert len(changed(bare, after)) == 20


def test_classes_become_rare_exponentially() -> None:
    counts = sorted(imbalanced(pages(), 20, seed=0).counts().values(), reverse=True)
    assert counts == [round(200 * 20 ** (-c / 4)) for c in range(5)]  # 200, 95, 45, 21, 10
    assert counts[0] / counts[-1] == 20


def test_the_seed_says_which_classes_are_rare() -> None:
    rarest = {
        min((n, label) for label, n in imbalanced(pages(), 10, seed=seed).counts().items())[1] for seed in range(20)
    }
    assert len(rarest) > 2
    assert imbalanced(pages(), 10, seed=3).fingerprint == imbalanced(pages(), 10, seed=3).fingerprint


def test_the_class_with_fewest_pages_sets_the_number_and_each_class_keeps_one() -> None:
    uneven = pages(30)
    uneven = replace(
        uneven, pages=tuple(page for page in uneven.pages if page.label != "memo")[:120] + uneven.pages[30:40]
    )
    counts = sorted(imbalanced(uneven, 1000, seed=0).counts().values(), reverse=True)
    assert counts == [10, 2, 1, 1, 1]  # 10 x 1000^(-c/4): 10, 1.8, 0.3, 0.06, 0.01, at least 1


def test_a_ratio_of_one_balances() -> None:
    assert set(imbalanced(pages(7), 1, seed=0).counts().values()) == {7}


def test_the_order_of_the_pages_stays() -> None:
    kept = [page.id for page in imbalanced(pages(), 5, seed=0).pages]
    places = {page.id: place for place, page in enumerate(pages().pages)}
    assert (np.diff([places[id] for id in kept]) > 0).all()


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_out_of_range_is_an_error(share: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        with_wrong_labels(pages(2), share, seed=0)


def test_a_single_class_is_an_error() -> None:
    one = pages(3)
    one = replace(one, pages=one.pages[:3])
    for made in (lambda: with_wrong_labels(one, 0.5, seed=0), lambda: imbalanced(one, 2, seed=0)):
        with pytest.raises(InputError, match="two classes at least"):
            made()
