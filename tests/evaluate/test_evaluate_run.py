import json

import numpy as np
import pytest

from distildoc.evaluate import PageTable, evaluate, report_of
from distildoc.schema.errors import InputError
from distildoc.schema.report import report_from_json

ANSWERS = {
    "page0": [0.8, 0.1, 0.1],  # letter, right
    "page1": [0.6, 0.3, 0.1],  # memo, called a letter
    "page2": [0.1, 0.7, 0.2],  # memo, right
    "page3": [0.2, 0.2, 0.6],  # form, right
}
TRUE = ("letter", "memo", "memo", "form")


@pytest.fixture
def pages(page):
    return [page(number, label) for number, label in enumerate(TRUE)]


def test_report_holds_the_scores_of_the_predictions(said, pages):
    report = evaluate(said(ANSWERS), pages).report
    assert (report.pages, report.failed, report.labels) == (4, 0, ("letter", "memo", "form"))
    assert report.scores["accuracy"].value == 0.75
    assert report.scores["nll"].value == pytest.approx(-np.log([0.8, 0.3, 0.7, 0.6]).mean(), abs=1e-6)
    # from most confident: 0.8 right, 0.7 right, 0.6 wrong and 0.6 right of equal confidence
    assert report.scores["aurc"].value == pytest.approx((0 + 0 + (1 / 3 + 0) / 2 + 1 / 4) / 4)
    assert report.confusion == ((1, 0, 0), (1, 1, 0), (0, 0, 1))
    assert report.slices["class: memo"]["recall"].value == 0.5
    assert report.slices["class: memo"]["precision"].value == 1.0
    assert sum(b.pages for b in report.reliability) == 4
    assert report.risk_coverage[0].risk == 0.25


def test_report_survives_json(said, pages):
    report = evaluate(said(ANSWERS), pages, slices={"parity": lambda page: str(page.number)}).report
    assert report_from_json(json.loads(json.dumps(report.to_json())), "here") == report


def test_table_keeps_pages_in_order_with_their_probabilities(said, pages):
    table = evaluate(said(ANSWERS), pages).table
    assert table.pages == ("page0", "page1", "page2", "page3")
    assert table.targets.tolist() == [0, 1, 1, 2]
    assert table.probabilities.tolist() == np.array(list(ANSWERS.values()), np.float32).tolist()


def test_classes_are_aligned_by_name_where_the_predictor_has_another_order(said, pages):
    turned = {page: [row[2], row[0], row[1]] for page, row in ANSWERS.items()}
    report = evaluate(said(turned, ("form", "letter", "memo")), pages).report
    assert report.scores["accuracy"].value == 0.75
    assert report.confusion == ((1, 0, 0), (0, 1, 0), (0, 1, 1))


def test_unreadable_page_is_an_error_that_names_it(said, pages):
    with pytest.raises(InputError, match="page2: cut short; leave out what cannot be read with --skip-bad"):
        evaluate(said({**ANSWERS, "page2": None}), pages)


def test_unreadable_page_is_counted_and_left_out_on_request(said, pages):
    evaluation = evaluate(said({**ANSWERS, "page2": None}), pages, skip_bad=True)
    assert (evaluation.report.pages, evaluation.report.failed) == (3, 1)
    assert [failed.id for failed in evaluation.failed] == ["page2"]
    assert evaluation.table.pages == ("page0", "page1", "page3")
    assert evaluation.report.scores["accuracy"].value == pytest.approx(2 / 3)


def test_unreadable_page_needs_no_class(said, page):
    some = [page(0, "letter"), page(1, "form"), page(2, None), page(3, "memo")]
    evaluation = evaluate(said({**ANSWERS, "page2": None}), some, skip_bad=True)
    assert [failed.id for failed in evaluation.failed] == ["page2"]
    assert evaluation.table.pages == ("page0", "page1", "page3")


def test_slices_score_groups_of_pages_on_their_own(said, pages):
    report = evaluate(
        said(ANSWERS), pages, slices={"half": lambda page: "late" if page.id > "page1" else "early"}
    ).report
    assert report.slices["half: early"]["accuracy"].value == 0.5
    assert report.slices["half: late"]["accuracy"].value == 1.0
    assert report.slices["half: late"]["nll"].value == pytest.approx(-np.log([0.7, 0.6]).mean(), abs=1e-6)


def test_a_slice_by_page_is_refused(table):
    many = {"page": [str(number) for number in range(60)]}
    assert len(report_of(table, groups=many).slices) == 63
    large = PageTable(
        tuple(map(str, range(240))), table.labels, np.tile(table.targets, 4), np.tile(table.probabilities, (4, 1))
    )
    with pytest.raises(ValueError, match="slice 'page' has 240 groups"):
        report_of(large, groups={"page": [str(number) for number in range(240)]})


def test_class_without_pages_has_no_recall(said, pages):
    report = evaluate(said(ANSWERS), pages[:3]).report
    assert "recall" not in report.slices["class: form"]
    assert set(report.slices["class: letter"]) == {"recall", "precision", "f1"}


def test_same_seed_gives_the_same_report(table):
    first, again, other = (report_of(table, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.scores["nll"] != other.scores["nll"]
    assert (first.source["bootstrap_seed"], other.source["bootstrap_seed"]) == ("1", "2")


def test_hash_of_the_pages_ignores_their_order_and_sees_their_labels(said, page, pages):
    def found(some):
        return evaluate(said(ANSWERS), some).report.source["pages_hash"]

    assert found(pages) == found(pages[::-1])
    assert found(pages) != found(pages[:3])
    assert found(pages) != found([*pages[:3], page(3, "memo")])


def test_source_is_kept(said, pages):
    assert evaluate(said(ANSWERS), pages, source={"data": "val"}).report.source["data"] == "val"


@pytest.mark.parametrize(
    ("label", "said_why"),
    [
        (None, "page 'page1' has no label; .* use `predict`"),
        ("mem", "page 'page1': unknown class 'mem'; closest: memo"),
    ],
)
def test_page_that_cannot_be_scored_is_refused(said, page, label, said_why):
    with pytest.raises(InputError, match=said_why):
        evaluate(said(ANSWERS), [page(0, "letter"), page(1, label)])


def test_page_given_twice_is_refused(said, page):
    with pytest.raises(InputError, match="page 'page0' comes twice"):
        evaluate(said(ANSWERS), [page(0, "letter"), page(0, "letter")])


def test_no_page_is_refused(said, page):
    with pytest.raises(InputError, match="no page to evaluate: of 0 given"):
        evaluate(said({}), [])
    with pytest.raises(InputError, match="of 1 given, 1 could not be read"):
        evaluate(said({"page0": None}), [page(0, "letter")], skip_bad=True)


def test_predictor_that_swallows_pages_is_refused(said, pages):
    class Lazy(said):
        def __call__(self, pages):
            yield from list(super().__call__(pages))[:2]

    with pytest.raises(InputError, match="gave 2 answers for 4 pages"):
        evaluate(Lazy(ANSWERS), pages)
