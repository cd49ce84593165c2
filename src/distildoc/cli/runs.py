"""The stages of a run: check, cache, train, evaluate, export, verify, or all of them with `run`."""

from pathlib import Path
from typing import Annotated

import typer

from distildoc.cli.progress import bar

RunFile = Annotated[Path, typer.Argument(help="Run file (YAML).")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key.key=value, replaces what the file says.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Run folder; default: runs/NAME.")]
RunFolder = Annotated[Path, typer.Argument(help="Run folder.")]


def check(run_file: RunFile, overrides: Overrides = None) -> None:
    """Build everything a run needs and say what would stop it, without training."""
    from distildoc.recipes import stages
    from distildoc.recipes.files import read_run_file

    for line in stages.check(read_run_file(run_file, overrides or ())):
        typer.echo(line)


def cache(run_file: RunFile, overrides: Overrides = None) -> None:
    """Write the teacher's outputs for every page and augmentation, once."""
    from distildoc.recipes import stages
    from distildoc.recipes.files import read_run_file

    with bar("cache") as advance:
        typer.echo(stages.cache(read_run_file(run_file, overrides or ()), progress=advance))


def train(run_file: RunFile, overrides: Overrides = None, out: Out = None) -> None:
    """Train a model, or distil one where the run file names a teacher; goes on where it was stopped."""
    from distildoc.recipes import stages
    from distildoc.recipes.files import read_run_file

    config = read_run_file(run_file, overrides or ())
    typer.echo(stages.train(config, out or Path("runs") / config.name))


def run(run_file: RunFile, overrides: Overrides = None, out: Out = None) -> None:
    """All stages in turn: cache, train, evaluate, export, verify."""
    from distildoc.recipes import stages
    from distildoc.recipes.files import read_run_file

    config = read_run_file(run_file, overrides or ())
    with bar("cache") as advance:
        stages.run(config, out or Path("runs") / config.name, say=typer.echo, progress=advance)


def evaluate(
    target: Annotated[Path, typer.Argument(help="Run folder or bundle.")],
    pages: Annotated[
        Path | None, typer.Option("--pages", help="Folder with one folder of pages a class; default: the run's test.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; needed with --pages.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out unreadable pages and count them.")] = False,
) -> None:
    """Score a run's student, or a bundle, on labelled pages."""
    from distildoc.recipes import stages

    if pages is None:
        typer.echo(stages.evaluate(target))
    else:
        typer.echo(stages.evaluate_on(target, pages, out=out, skip_bad=skip_bad))


def export(run_folder: RunFolder) -> None:
    """Write the student as a bundle that runs without torch."""
    from distildoc.recipes import stages

    typer.echo(stages.export(run_folder))


def verify(run_folder: RunFolder) -> None:
    """Compare the bundle with the student it came from, on the run's validation pages; fails on drift."""
    from distildoc.recipes import stages

    typer.echo(stages.verify(run_folder))
