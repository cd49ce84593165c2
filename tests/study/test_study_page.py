import re
from html.parser import HTMLParser

import pytest

from distildoc.schema.errors import InputError
from distildoc.study import write_page

VOID = {"meta", "br", "line", "circle", "polyline"}


class Tags(HTMLParser):
    """Collects tags, and checks that each is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def page(make_run, tmp_path):
    def make(*folders):
        return write_page(folders, tmp_path / "out" / "report.html").read_text(encoding="utf-8")

    return make


@pytest.fixture
def three(make_run):
    teacher, base = make_run("teacher", 36, method="supervised"), make_run("base", 24, method="supervised")
    return teacher, base, make_run("kd", 32, versions={"torch": "2.13.0"}, stages={"train": {"model": "fingerprint77"}})


def words(html):
    return " ".join(" ".join(Tags(html).text).split())


def test_page_says_who_is_best_by_how_much_and_at_what_cost(page, three):
    text = words(page(*three))
    assert "Of 2 students, kd is the most accurate: 0.800 on 40 pages" in text
    assert "That is +20.0 points against the supervised student" in text
    assert "The teacher reaches 0.900, so kd is at −10.0 points from it" in text


def test_table_has_every_score_and_cost_of_a_run(page, three):
    html = page(*three)
    row = re.search(r"<tr[^>]*>\s*<th[^>]*><span class=\"dot\"></span>kd.*?</tr>", html, re.S)[0]
    cells = words(row)
    for part in ("0.800", "+20.0", "41.0 k", "9.10 M", "1.90"):
        assert part in cells
    assert row.count("★") == 3  # accuracy, AURC and ECE


def test_hashes_versions_and_run_file_are_there(page, three):
    text = words(page(*three))
    for part in ("0f3a77b2", "2.13.0", "fingerprint77", "evaluation pages_hash", "terms: - {method: kd}"):
        assert part in text


def test_page_is_well_formed_and_has_four_charts(page, three):
    for folder in three:
        (folder / "records.jsonl").write_text('{"kind": "validation", "step": 1, "epoch": 1, "score": 0.5}\n')
    tags = Tags(page(*three)).seen
    assert tags.count("figure") == 4
    assert tags.count("table") == 2 + 1 + 3 + 3  # scores, all scores, recall, confusions, facts


def test_page_needs_nothing_from_elsewhere(page, three):
    html = page(*three)
    assert "default-src 'none'" in html
    for mark in ("<script", "<link", "<img", "src=", "href=", "@import", "url(", "http://", "https://"):
        assert mark not in html.replace("http-equiv", "")


def test_everything_from_a_run_is_escaped(page, make_run):
    nasty = '"><script>alert(1)</script>&'
    folder = make_run("kd", 30, name=nasty, method=nasty, hardware=nasty)
    (folder / "config.yaml").write_text(f"# {nasty}\n")
    (folder / "bundle").mkdir()
    (folder / "bundle" / "bundle.json").write_text('{"labels": ["</pre><script>"]}')
    html = page(folder)
    assert "<script" not in html
    assert "script" not in Tags(html).seen
    assert nasty in "".join(Tags(html).text)


def test_runs_that_are_not_finished_are_shown_as_such(page, make_run):
    text = words(page(make_run("kd", None), make_run("nkd", 20)))
    assert "Not evaluated yet: kd." in text
    assert "nkd is scored: 0.500" in text


def test_no_evaluated_run_still_makes_a_page(page, make_run):
    assert "No student has been evaluated yet." in words(page(make_run("kd", None)))


def test_other_pages_are_warned_about(page, make_run, with_right, rescore):
    folder = make_run("kd", 30)
    rescore(folder, with_right(20, pages=38))
    assert "were not scored on the same pages" in words(page(folder, make_run("nkd", 20)))


def test_same_pages_bring_no_warning(page, three):
    assert 'class="warning"' not in page(*three)


def test_gain_that_may_be_chance_is_called_that(page, make_run):
    text = words(page(make_run("supervised", 24, method="supervised"), make_run("kd", 25)))
    assert "these pages do not tell the two apart" in text


def test_loss_to_the_supervised_student_is_said(page, make_run):
    text = words(page(make_run("supervised", 30, method="supervised"), make_run("kd", 20)))
    assert "supervised is the most accurate" in text
    assert "No distilled student beats the one that learnt from labels alone." in text


def test_seeds_stand_in_one_row(page, make_run):
    html = page(*(make_run(f"kd-s{seed}", 28 + seed, seed=seed) for seed in range(3)), make_run("nkd", 20))
    text = words(html)
    assert "2 settings compared, 4 runs" in text
    assert "kd student, 3 seeds ★ 0.725" in text
    assert "0.700 – 0.750" in text


def test_folder_without_run_leaves_no_page(tmp_path):
    with pytest.raises(InputError, match="no run there"):
        write_page([tmp_path], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
