"""The `distildoc` command: errors a user can act on are one line, and the exit code is 2."""

import errno
import logging
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from distildoc.cli import corpus, listing, predict, report, runs
from distildoc.schema.errors import InputError

EXTRA_OF = {
    "torch": "train",
    "transformers": "train",
    "accelerate": "train",
    "safetensors": "train",
    "pydantic": "train",
    "yaml": "train",
    "onnx": "train",
    "onnxscript": "train",
    "matplotlib": "train",
    "jinja2": "train",
    "reportlab": "corpus",
}

app = typer.Typer(
    name="distildoc",
    help="Turn a heavy document model into a small one that runs on a laptop CPU, and say what was lost.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(corpus.app, name="corpus")
for verb in (
    runs.check,
    runs.cache,
    runs.train,
    runs.run,
    runs.evaluate,
    runs.export,
    runs.verify,
    predict.predict,
    report.report,
    listing.methods,
    listing.models,
):
    app.command()(verb)


@app.callback()
def options(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every step.")] = False) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=Console(stderr=True), show_path=False, show_time=False)],
    )
    logging.getLogger("distildoc").setLevel(logging.DEBUG if verbose else logging.INFO)


def main() -> None:
    """Run the command line; InputError, a missing extra and a full disk end with one line and code 2."""
    try:
        app()
    except InputError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        extra = EXTRA_OF.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        _fail(f"this command needs {error.name}: pip install 'distildoc[{extra}]'")
    except ImportError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _fail(f"the disk is full while writing {error.filename or 'output'}; free some space and run again")
    except KeyboardInterrupt:
        typer.echo("stopped; run the same command again to go on from the last checkpoint", err=True)
        sys.exit(130)


def _fail(message: str) -> None:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(2)
