"""`distildoc corpus make`: generated pages of the 16 RVL-CDIP classes, with words and layout regions."""

from pathlib import Path
from typing import Annotated

import typer

from distildoc.cli.progress import bar

app = typer.Typer(help="The built-in corpus of generated pages.")


@app.callback()
def _group() -> None:
    """The built-in corpus of generated pages."""


@app.command()
def make(
    folder: Annotated[Path, typer.Argument(help="New folder to write.")],
    pages: Annotated[int, typer.Option(min=1, help="How many pages, classes in turn.")] = 1600,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same pages.")] = 0,
    shift: Annotated[
        bool, typer.Option("--shift", help="The covariate-shifted twin: same classes, another look.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")] = None,
) -> None:
    """Generate document pages with classes, words and layout boxes."""
    from distildoc.data.corpus import make_corpus

    with bar("corpus") as advance:
        make_corpus(folder, pages=pages, seed=seed, shift=shift, workers=workers, progress=advance)
    typer.echo(f"{pages} pages in {folder}")
