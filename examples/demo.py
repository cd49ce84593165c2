"""The main job on generated pages: corpus, teacher, two students, report, prediction of a PDF.

    python examples/demo.py [FOLDER]      (about 5 minutes on 2 cores; FOLDER defaults to demo)

Each step is a command that also works by hand; the script prints it, runs it and stops at the first error.
"""

import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
RUNS = ("teacher", "supervised", "kd")
PAGES = 1280


def distildoc(*words: str | Path) -> None:
    """Run one command, as a person would type it."""
    shown = " ".join(str(word) for word in words)
    print(f"\n$ distildoc {shown}", flush=True)
    command = Path(sys.executable).with_name("distildoc")
    subprocess.run([str(command), *map(str, words)], check=True, cwd=ROOT)


def print_table(runs: list[Path]) -> None:
    """Scores of every run with 95 % intervals, as the report shows them."""
    table = Table(title="Test pages of the corpus, 95 % bootstrap intervals")
    for column in ("run", "accuracy", "AURC", "ECE", "parameters", "latency, 1 page"):
        table.add_column(column, justify="left" if column == "run" else "right")
    for run in runs:
        report = json.loads((run / "evaluation" / "report.json").read_text())
        cells = [_interval(report["scores"][name]) for name in ("accuracy", "aurc", "ece")]
        cost = report["cost"]
        table.add_row(run.name, *cells, f"{int(cost['parameters']):,}", f"{cost['latency_ms']:.1f} ms")
    Console().print(table)


def _interval(score: dict[str, float]) -> str:
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def main() -> None:
    start = time.monotonic()
    folder = ROOT / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    demo = Path("demo")
    distildoc("corpus", "make", demo / "corpus", "--pages", str(PAGES), "--seed", "0")
    for name in RUNS:
        distildoc("run", f"configs/demo/{name}.yaml", "-o", demo / name)
    distildoc("report", *(demo / name for name in RUNS), "-o", demo / "report.html")
    sample = sorted((folder / "corpus" / "pdf").glob("*.pdf"))[0].relative_to(ROOT)
    distildoc("predict", demo / "kd" / "bundle", sample, "-o", demo / "prediction")
    print_table([folder / name for name in RUNS])
    with (folder / "prediction" / "predictions.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    print(f"report      {demo / 'report.html'}")
    print(f"bundle      {demo / 'kd' / 'bundle' / 'bundle.json'}")
    print(f"prediction  {demo / 'prediction' / 'predictions.json'}: {sample} -> {first}")
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
