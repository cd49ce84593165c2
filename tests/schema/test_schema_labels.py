"""Label maps."""

import pytest

from distildoc.schema.errors import InputError
from distildoc.schema.labels import LabelMap, align

MAP = LabelMap({"title": "Heading", "header": "Heading", "plain": "Text"}, drop=("seal",))


def test_a_map_renames_drops_and_keeps() -> None:
    assert [MAP(name) for name in ("title", "plain", "seal", "Table")] == ["Heading", "Text", None, "Table"]


def test_a_map_within_some_classes_speaks_of_those_alone() -> None:
    assert MAP.within(["plain", "Table"]) == LabelMap({"plain": "Text"})
    assert MAP.within(["seal"]) == LabelMap({}, ("seal",))


def test_columns_of_a_teacher_are_found_by_name_and_left_over_classes_are_named() -> None:
    assert align(["b", "c", "a"], ["a", "b", "c"]) == [2, 0, 1]
    with pytest.raises(InputError, match=r"only the student has \['a'\], only the teacher has \['b'\]"):
        align(["b"], ["a"])
