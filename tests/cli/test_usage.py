"""Help, usage errors, lists, and what the command line does without."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distildoc.methods import METHODS
from distildoc.models.presets import MODELS

Distildoc = Callable[..., Any]
VERBS = (
    *("check", "cache", "train", "run", "evaluate", "export", "verify"),
    *("predict", "report", "methods", "models", "corpus"),
)


def python(code: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=60)


def test_help_lists_every_verb_and_is_what_no_words_give(distildoc: Distildoc) -> None:
    helped = distildoc("--help")
    assert helped.code == 0 and distildoc().out == helped.out
    assert [verb for verb in VERBS if f" {verb} " not in helped.out] == []


@pytest.mark.parametrize("verb", [*VERBS, "corpus make"])
def test_help_of_a_verb_has_a_line_for_every_word_it_takes(verb: str, distildoc: Distildoc) -> None:
    helped = distildoc(*verb.split(), "--help")
    assert helped.code == 0 and f"Usage: distildoc {verb}" in helped.out
    options = [line for line in helped.out.splitlines() if line.lstrip("│ *").startswith("-")]
    assert options and all(len(line.strip("│ ").split("  ")) > 1 for line in options)


def test_help_imports_no_torch_and_takes_little_time() -> None:
    code = (
        "import sys, time; start = time.process_time()\n"
        "from distildoc.cli.main import main\n"
        "sys.argv = ['distildoc', 'train', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'matplotlib'} & set(sys.modules)\n"
        "print('\\n', sorted(heavy), time.process_time() - start)"
    )
    last = python(code).stdout.splitlines()[-1].split()
    assert last[0] == "[]"
    assert float(last[1]) < 1.0  # about 0.2 s where nothing else runs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nope", "no such command 'nope'"),
        ("train", "missing argument 'run_file'"),
        ("train x.yaml --fast", "no such option: --fast"),
        ("corpus", "missing command"),
        ("corpus mak", "'make'"),
        ("predict bundle page.png", "missing option '--out'"),
        ("predict bundle page.png -o out --batch 0", "'--batch'"),
        ("predict bundle page.png -o out --batch many", "'--batch'"),
        ("evaluate run --out scores", "--out"),
        ("report", "missing argument 'runs'"),
    ],
)
def test_wrong_words_are_one_line_that_names_the_help(words: str, said: str, distildoc: Distildoc) -> None:
    found = distildoc(*words.split())
    found.one_line(said, " --help'")
    assert found.out == ""


@pytest.mark.parametrize("library", ["torch", pytest.param("transformers", marks=pytest.mark.slow), "yaml"])
def test_missing_training_libraries_are_named_with_their_extra(library: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("name: a\n")
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "sys.argv = ['distildoc', 'train', sys.argv[1]]\n"
        "from distildoc.cli.main import main; main()"
    )
    found = python(code, tmp_path / "run.yaml")
    assert found.returncode == 2
    assert found.stderr == f"error: this command needs {library}: pip install 'distildoc[train]'\n"


COLUMNS = {"name", "tasks", "idea", "paper", "year", "kind", "needs", "cost", "helped", "results", "module"}


def test_methods_as_json_have_paper_year_kind_and_needs(distildoc: Distildoc) -> None:
    rows = json.loads(distildoc("methods", "--json").out)
    assert [row["name"] for row in rows] == list(METHODS)
    assert all(row.keys() == COLUMNS for row in rows)
    by_name = {row["name"]: row for row in rows}
    assert (by_name["kd"]["year"], by_name["kd"]["kind"]) == (2015, "logits")
    assert "arXiv:1503.02531" in by_name["kd"]["paper"]
    assert by_name["supervised"]["paper"] is None and by_name["supervised"]["needs"] == []
    assert by_name["fitnet"]["needs"] == ["teacher features: middle"]
    assert "changes the student" in by_name["simkd"]["needs"]


def test_lists_for_people_name_everything(distildoc: Distildoc) -> None:
    for verb, names in (("methods", METHODS), ("models", MODELS)):
        shown = distildoc(verb)
        assert shown.code == 0 and [name for name in names if name not in shown.out] == []
