"""`distildoc methods` and `distildoc models`: what can be named in a run file."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def methods(as_json: AsJson = False) -> None:
    """List the distillation methods."""
    from distildoc.recipes.listing import method_rows

    _show("methods", method_rows(), as_json)


def models(as_json: AsJson = False) -> None:
    """List the model presets."""
    from distildoc.recipes.listing import model_rows

    _show("models", model_rows(), as_json)


def _show(title: str, rows: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)
