"""`distildoc methods` and `distildoc models`: what can be named in a run file."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def methods(as_json: AsJson = False) -> None:
    """List the distillation methods: paper, what they compare and need, their cost, where they helped."""
    from distildoc.recipes.listing import method_rows

    rows = method_rows()
    if not as_json:
        rows = [{**row, "helped here": _gains(row)} for row in rows]
    _show(rows, ("name", "kind", "paper", "needs", "cost", "helped here"), as_json)


def models(as_json: AsJson = False) -> None:
    """List the model presets."""
    from distildoc.recipes.listing import model_rows

    _show(model_rows(), ("name", "task", "model"), as_json)


def _show(rows: Sequence[Mapping[str, object]], columns: Sequence[str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column == "name", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    Console().print(table)


def _gains(row: Mapping[str, object]) -> str:
    """The first gain with its baseline and place, and in how many results there was one."""
    helped, results = row["helped"], row["results"]
    if row["name"] == "supervised":
        return "the baseline"
    if not isinstance(helped, list) or not isinstance(results, dict):
        return "not tried"
    if not helped:
        return f"no gain shown in {results['tried']} results" if results["tried"] else "no gain shown"
    most = helped[0]
    place = ", ".join(part for part in (most["study"], most["where"]) if part)
    count = f"gains in {results['helped']} of {results['tried']} results"
    return f"{most['score']} {most['points']:+.1f} over {most['over']} ({place}); {count}"


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return f"time x{value['time']:.2g}, memory x{value['memory']:.2g} of {value['over']}"
    return "-" if value is None else str(value)
