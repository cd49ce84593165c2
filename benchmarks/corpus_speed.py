"""How fast the built-in corpus is made: pages a second with two worker processes, and CPU seconds a page.

    OMP_NUM_THREADS=1 python benchmarks/corpus_speed.py                   (about a minute)

Wall time includes starting the workers and writing every file. CPU seconds are those of the workers and of this
process; two workers on two idle cores give at most 2 / (CPU seconds a page) pages a second, whatever else ran here.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import write_result

from distildoc.data.corpus.make import make_corpus

WORKERS = 2


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def one(pages: int, *, seed: int, shift: bool) -> dict[str, float]:
    """Make a corpus and throw it away."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), cpu_seconds()
        made = make_corpus(Path(folder) / "corpus", pages=pages, seed=seed, shift=shift, workers=WORKERS)
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
        size = sum(path.stat().st_size for path in made.folder.rglob("*") if path.is_file())
    return {
        "seed": seed,
        "wall_s": round(wall, 2),
        "pages_per_s": round(pages / wall, 2),
        "cpu_s_per_page": round(cpu / pages, 4),
        "pages_per_s_if_cores_were_idle": round(WORKERS * pages / cpu, 2),
        "kib_per_page": round(size / 1024 / pages, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=320)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    facts: dict[str, Any] = {"workers": WORKERS, "pages": options.pages}
    for name, shift in (("plain", False), ("shifted", True)):
        facts[name] = [one(options.pages, seed=seed, shift=shift) for seed in options.seeds]
        for found in facts[name]:
            print(name, found, flush=True)
    software = ("distildoc", "numpy", "Pillow", "reportlab", "pypdfium2")
    print(write_result("corpus_speed", facts, seeds=options.seeds, software=software))


if __name__ == "__main__":
    main()
