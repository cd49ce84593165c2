"""Retrieval scores: hand values, the definition in plain Python over random pages, and what must not change them."""

import numpy as np
import pytest

from distildoc.metrics.retrieval import (
    DISTANCES,
    Vectors,
    answered,
    cosine_distance,
    euclidean_distance,
    retrieval,
)


def pages(rows, classes, name="page") -> Vectors:
    rows = np.asarray(rows, float)
    return Vectors(tuple(f"{name}{i}" for i in range(len(rows))), np.asarray(classes), rows)


def plain_average_precision(relevant) -> float:
    """The textbook's sum, one rank after the other."""
    hits, total = 0, 0.0
    for rank, one in enumerate(relevant, start=1):
        if one:
            hits += 1
            total += hits / rank
    return total / hits


def test_average_precision_and_precision_are_the_hand_values():
    database = pages([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]], [7, 0, 7, 0, 0, 7], "d")
    found = answered(pages([[0.0]], [7]), database, distance=euclidean_distance, at=(1, 2, 4, 6))
    assert found.average_precision[0] == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    assert {k: values[0] for k, values in found.precision.items()} == {1: 1.0, 2: 0.5, 4: 0.5, 6: 0.5}


@pytest.mark.parametrize("name", DISTANCES)
def test_equals_the_definition_in_plain_python(name):
    draw = np.random.default_rng(0)
    queries = pages(draw.normal(size=(9, 4)), draw.integers(0, 3, 9), "q")
    database = pages(draw.normal(size=(25, 4)), draw.integers(0, 3, 25), "d")
    found = answered(queries, database, distance=DISTANCES[name], at=(5,))
    for i, (row, own) in enumerate(zip(queries.rows, queries.classes, strict=True)):
        if name == "euclidean":
            far = [np.linalg.norm(row - other) for other in database.rows]
        else:
            far = [-np.dot(row, o) / np.linalg.norm(row) / np.linalg.norm(o) for o in database.rows]
        relevant = [database.classes[j] == own for j in sorted(range(25), key=far.__getitem__)]
        assert found.average_precision[i] == pytest.approx(plain_average_precision(relevant))
        assert found.precision[5][i] == pytest.approx(np.mean(relevant[:5]))


def test_a_page_never_finds_itself_and_one_that_is_alone_in_its_class_does_not_count():
    everything = pages([[0.0], [0.1], [5.0], [9.0]], [0, 0, 1, 0])
    found = answered(everything, everything, distance=euclidean_distance, at=(1, 3))
    assert found.ids == ("page0", "page1", "page3")
    assert found.average_precision == pytest.approx([(1 + 2 / 3) / 2, (1 + 2 / 3) / 2, (1 / 2 + 2 / 3) / 2])
    assert list(found.precision[1]) == [1, 1, 0]


def test_cosine_is_blind_to_length_and_rows_of_zeros_are_at_one():
    rows = np.array([[1.0, 0.0], [0.0, 0.0], [-2.0, 0.0], [3.0, 3.0]])
    expected = [0, 1, 2, 1 - 1 / np.sqrt(2)]
    assert cosine_distance(rows[:1], rows)[0] == pytest.approx(expected)
    assert cosine_distance(7 * rows[:1], rows)[0] == pytest.approx(expected)


def test_pages_at_the_same_distance_come_in_the_order_of_the_database():
    query = pages([[0.0]], [1], "q")
    for classes, expected in (([1, 0], 1.0), ([0, 1], 0.5)):
        database = pages([[1.0], [1.0]], classes, "d")
        assert answered(query, database, distance=euclidean_distance, at=(1,)).average_precision[0] == expected


def test_scores_are_means_over_queries_within_their_intervals():
    draw = np.random.default_rng(1)
    everything = pages(draw.normal(size=(40, 3)), np.arange(40) % 4)
    found = answered(everything, everything, distance=cosine_distance, at=(1, 10))
    scores = retrieval(found)
    assert list(scores) == ["map", "precision@1", "precision@10"]
    assert scores["map"].value == pytest.approx(found.average_precision.mean())
    assert scores["precision@10"].value == pytest.approx(found.precision[10].mean())
    assert all(score.low < score.value < score.high for score in scores.values())


def test_without_any_query_there_are_no_scores():
    alone = pages([[0.0], [1.0]], [0, 1])
    assert retrieval(answered(alone, alone, distance=cosine_distance, at=(1,))) == {}


@pytest.mark.parametrize("k", [0, 4])
def test_a_k_beyond_the_database_is_an_error(k):
    everything = pages([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    with pytest.raises(ValueError, match=rf"precision at \[{k}\].*3 others"):
        answered(everything, everything, distance=cosine_distance, at=(k,))
