"""Write docs/methods/*.md from the docstrings, settings and needs of the methods.

python docs/make_methods.py [FOLDER]      (default: docs/methods)
"""

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, get_args, get_origin

from distildoc.core.method import Paper
from distildoc.methods import METHODS, method_module
from distildoc.recipes.listing import method_rows
from distildoc.schema.writing import new_file

HERE = Path(__file__).parent / "methods"
BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def page(row: dict[str, Any], module: ModuleType) -> str:
    """One method: its idea and formula, where it is from, its settings and needs."""
    paper = getattr(module, "PAPER", None)
    idea, _, rest = (module.__doc__ or "").strip().partition("\n")
    source = f"[{paper.title}]({paper.url}), {paper}." if isinstance(paper, Paper) else "None."
    parts = [
        f"# {row['name']}",
        idea,
        as_markdown(rest),
        f"**Paper.** {source}",
        f"**Compares** {row['kind']}. **Needs** {'; '.join(row['needs']) or 'no teacher'} (with the default settings).",
        f"## Settings\n\n{settings(module)}",
        f"## In a run file\n\n```yaml\nterms:\n  - {example(row['name'], module)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def as_markdown(text: str) -> str:
    """Indented lines, formulas and lists alike, stay as they are set."""
    lines = (f"  {line}" if re.match(r" {2,3}\S", line) else line for line in text.strip("\n").splitlines())
    return "\n".join(lines)


def settings(module: ModuleType) -> str:
    """A table of the keyword-only arguments of `build`, and what its docstring says of them."""
    rows = [
        f"| `{setting.name}` | {type_in_words(setting.annotation)} | `{in_yaml(setting.default)}` |"
        for setting in _settings(module)
    ]
    about = " ".join((module.build.__doc__ or "").split())
    return "\n".join(["| key | values | default |", "|---|---|---|", *rows, "", about]) if rows else "None. " + about


def type_in_words(annotation: Any) -> str:
    """What a setting may be: `float > 0`, `` `a` or `b` ``."""
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {type_in_words(get_args(annotation)[0])}"
    if get_origin(annotation) is Annotated:
        kind, *limits = get_args(annotation)
        bounds = [
            f"{sign} {value}"
            for limit in limits
            for key, sign in BOUNDS.items()
            if (value := getattr(limit, key, None)) is not None
        ]
        return " ".join([kind.__name__, *bounds])
    if get_origin(annotation) is tuple:
        return f"list of {type_in_words(get_args(annotation)[0])}"
    return str(getattr(annotation, "__name__", annotation))


def in_yaml(default: object) -> str:
    """A default as a run file has it."""
    return f"[{', '.join(map(str, default))}]" if isinstance(default, tuple) else str(default)


def example(name: str, module: ModuleType) -> str:
    """The term with its defaults written out."""
    known = [setting for setting in _settings(module) if setting.default is not None]
    given = "".join(f", {setting.name}: {in_yaml(setting.default)}" for setting in known)
    return f"{{method: {name}{given}}}"


def index(rows: list[dict[str, Any]]) -> str:
    """The table of all methods."""
    lines = ["# Methods", "", "Made from the docstrings by `python docs/make_methods.py`; do not edit these pages.", ""]
    lines += ["| method | year | compares | needs | idea |", "|---|---|---|---|---|"]
    for row in rows:
        needs = "; ".join(row["needs"]) or "no teacher"
        name = f"[{row['name']}]({row['name']}.md)"
        lines.append(f"| {name} | {row['year'] or '-'} | {row['kind']} | {needs} | {row['idea']} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name to content, of our own methods and the index."""
    rows = [dict(row) for row in method_rows() if row["name"] in METHODS]
    found = {f"{row['name']}.md": page(row, method_module(str(row["name"]))) for row in rows}
    return {"README.md": index(rows), **found}


def main(folder: Path) -> None:
    for name, text in pages().items():
        with new_file(folder / name) as part:
            part.write_text(text, encoding="utf-8")


def _settings(module: ModuleType) -> list[inspect.Parameter]:
    parameters = inspect.signature(module.build, eval_str=True).parameters.values()
    return [parameter for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
