"""`distildoc report`: one self-contained HTML page about some runs."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path("report.html"),
) -> None:
    """Compare runs: table with intervals, plots, configs, hashes."""
    from distildoc.study import write_page

    write_page(runs, out)
    typer.echo(out)
