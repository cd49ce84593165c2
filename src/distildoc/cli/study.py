"""`distildoc study`: many runs, compared."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distildoc.cli.progress import bar

if TYPE_CHECKING:
    from distildoc.recipes.screen import Screen

app = typer.Typer(help="Grids of runs, or searches, and what came out of them.", no_args_is_help=True)

StudyFile = Annotated[Path, typer.Argument(help="Study file (YAML).")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key.key=value replaces what the file says.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Study folder; default: runs/NAME.")]
Folder = Annotated[Path, typer.Argument(help="Study folder, as `distildoc study run` wrote it.")]


@app.command()
def check(study_file: StudyFile, overrides: Overrides = None, out: Out = None) -> None:
    """Say what a study comes to and what would stop it, without running anything."""
    from distildoc.study.config import read_study
    from distildoc.study.jobs import plan
    from distildoc.study.run import plan_lines

    study = read_study(study_file, overrides or ())
    for line in plan_lines(plan(study, out or Path("runs") / study.name)):
        typer.echo(line)


@app.command()
def run(
    study_file: StudyFile,
    overrides: Overrides = None,
    out: Out = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Cells side by side, a process each.")] = None,
    ray: Annotated[str | None, typer.Option("--ray", help="Address of a Ray cluster to run the cells on.")] = None,
    cpus: Annotated[float, typer.Option(min=0.1, help="With --ray: processors a cell takes.")] = 1.0,
) -> None:
    """Do whatever is missing of a study: finished cells are passed over, stopped ones go on."""
    from distildoc.study.config import read_study
    from distildoc.study.pools import pool_of
    from distildoc.study.run import run_study

    if ray is not None and processes is not None:
        raise typer.BadParameter("cells run either in processes here or on a cluster", param_hint="--processes, --ray")
    study = read_study(study_file, overrides or ())
    folder = out or Path("runs") / study.name
    with pool_of(folder, processes=processes, ray=ray, cpus=cpus, screen=_screen()) as pool:
        failed = run_study(study, folder, pool, typer.echo)
    for name, cause in failed.items():
        typer.echo(f"failed: {name}: {cause}", err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def cell(folder: Folder, key: Annotated[str, typer.Argument(help="Key of a job, as in cells.json.")]) -> None:
    """Do one job of a study that `run` or another scheduler has planned; its last line says what came out."""
    from distildoc.study.perform import perform

    typer.echo(perform(folder, key, _screen()))


@app.command()
def report(
    folder: Folder,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; default: FOLDER/report.")] = None,
) -> None:
    """Tables, paired differences and plots of a study: HTML, CSV, LaTeX, SVG."""
    from distildoc.study import write_report

    for path in write_report(folder, out):
        typer.echo(path)


def _screen() -> "Screen":
    from distildoc.recipes.screen import Screen

    return Screen(lambda line: typer.echo(line, err=True), bar)
