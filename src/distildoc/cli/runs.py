"""The stages of a run: check, cache, train, evaluate, export, verify, or all of them with `run`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distildoc.cli.progress import bar

if TYPE_CHECKING:
    from distildoc.recipes.config import RunConfig
    from distildoc.recipes.screen import Screen

RunFile = Annotated[Path, typer.Argument(help="Run file (YAML).")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key.key=value replaces what the file says.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Run folder; default: runs/NAME.")]
RunFolder = Annotated[Path, typer.Argument(help="Run folder, as `distildoc train` wrote it.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out what cannot be read, and count it.")]


def check(run_file: RunFile, overrides: Overrides = None, skip_bad: SkipBad = False) -> None:
    """Build everything a run needs and say what would stop it, without training."""
    from distildoc.recipes import stages

    for line in stages.check(_config(run_file, overrides, skip_bad), _screen()):
        typer.echo(line)


def cache(run_file: RunFile, overrides: Overrides = None, skip_bad: SkipBad = False) -> None:
    """Write the teacher's outputs for every page and augmentation, once; goes on where it was stopped."""
    from distildoc.recipes import stages

    typer.echo(stages.cache(_config(run_file, overrides, skip_bad), _screen()))


def train(run_file: RunFile, overrides: Overrides = None, out: Out = None, skip_bad: SkipBad = False) -> None:
    """Train a model, or distil one where the run file names a teacher; goes on where it was stopped."""
    from distildoc.recipes import stages

    config = _config(run_file, overrides, skip_bad)
    if line := stages.train(config, out or Path("runs") / config.name, _screen()):
        typer.echo(line)


def run(run_file: RunFile, overrides: Overrides = None, out: Out = None, skip_bad: SkipBad = False) -> None:
    """All stages in turn: cache, train, evaluate, export, verify; finished ones are passed over."""
    from distildoc.recipes import stages

    config = _config(run_file, overrides, skip_bad)
    stages.run(config, out or Path("runs") / config.name, _screen())


def evaluate(
    target: Annotated[Path, typer.Argument(help="Run folder or bundle.")],
    pages: Annotated[
        Path | None,
        typer.Option(
            "--pages",
            help="Folder with one folder of pages a class, table of texts, COCO file; default: the run's test.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; goes with --pages.")] = None,
    text: Annotated[str | None, typer.Option("--column", help="Table: the column of the texts [text].")] = None,
    label: Annotated[str | None, typer.Option("--label-column", help="Table: that of the classes [label].")] = None,
    names: Annotated[
        list[str] | None, typer.Option("--name", help="Table: what a class is called there, as in 0=negative.")
    ] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Score a run's student, or a bundle, on labelled pages."""
    from distildoc.recipes import stages

    columns = {"text": text, "label": label, "names": _pairs(names)}
    given = {name: value for name, value in columns.items() if value is not None}
    if pages is not None:
        typer.echo(stages.evaluate_on(target, pages, out=out, skip_bad=skip_bad, columns=given, screen=_screen()))
    elif out is not None:
        raise typer.BadParameter("without --pages the scores go into the run folder", param_hint="--out")
    elif given:
        raise typer.BadParameter(
            "columns are named for a table, with --pages", param_hint="--column, --label-column, --name"
        )
    else:
        typer.echo(stages.evaluate(target, skip_bad=skip_bad, screen=_screen()))


def export(run_folder: RunFolder) -> None:
    """Write the student as a bundle that runs without torch."""
    from distildoc.recipes import stages

    typer.echo(stages.export(run_folder))


def verify(run_folder: RunFolder) -> None:
    """Compare the bundle with the student it came from, on the run's validation pages; fails on drift."""
    from distildoc.recipes import stages

    typer.echo(stages.verify(run_folder, _screen()))


def _config(run_file: Path, overrides: Sequence[str] | None, skip_bad: bool) -> "RunConfig":
    from distildoc.recipes.files import read_run_file

    return read_run_file(run_file, [*(overrides or ()), *(["data.skip_bad=true"] if skip_bad else [])])


def _pairs(given: Sequence[str] | None) -> dict[str, str] | None:
    """What stands on either side of an equals sign."""
    found: dict[str, str] = {}
    for one in given or ():
        there, _, here = (part.strip() for part in one.partition("="))
        if not there or not here:
            raise typer.BadParameter(f"'{one}' is not written as 0=negative", param_hint="--name")
        if there in found:
            raise typer.BadParameter(f"'{there}' is named twice, {found[there]} and {here}", param_hint="--name")
        found[there] = here
    return found or None


def _screen() -> "Screen":
    from distildoc.recipes.screen import Screen

    return Screen(typer.echo, bar)
