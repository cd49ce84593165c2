"""The `distildoc` command: errors a user can act on are one line, and the exit code is 2."""

import errno
import logging
import signal
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.logging import RichHandler
from typer.core import TyperGroup

import distildoc
from distildoc.cli import corpus, listing, predict, report, runs, study
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
    "timm": "timm",
    "tokenizers": "text",
    "datasets": "data",
    "pyarrow": "data",
    "tensorboard": "track",
    "filelock": "train",
    "optuna": "study",
    "pandas": "study",
    "ray": "study",
}
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # typer carries its own click and names only this one

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """A KeyboardInterrupt on its way through typer, which would swallow its words."""


class Verbs(TyperGroup):
    """The commands; lets Ctrl-C through with what it has to say."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Stopped from error


app = typer.Typer(
    name="distildoc",
    cls=Verbs,
    help="Turn a heavy document model into a small one that runs on a laptop CPU, and say what was lost.",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(corpus.app, name="corpus")
app.add_typer(study.app, name="study")
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


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"distildoc {distildoc.__version__}")
        raise typer.Exit


@app.callback()
def options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every step, and where an error arose.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=Console(stderr=True), show_path=False, show_time=False, show_level=verbose)],
    )
    logging.getLogger("distildoc").setLevel(logging.DEBUG if verbose else logging.INFO)


def main() -> None:
    """Run the command line: what a user can mend is one line and exit code 2, Ctrl-C is 130, a bug is a traceback."""
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], prog_name="distildoc", standalone_mode=False) or 0)
    except UsageError as error:
        _fail(_usage(error))
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
        _fail(_os_error(error))
    except Stopped as error:
        cause = error.__cause__
        typer.echo(f"\n{cause}" if str(cause) else "\nstopped", err=True)
        sys.exit(128 + int(getattr(cause, "signal", signal.SIGINT)))


def _usage(error: Any) -> str:
    """What was typed wrongly, and where the help is."""
    verb = error.ctx.command_path if error.ctx is not None else "distildoc"
    message = error.format_message().strip().rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; see '{verb} --help'"


def _os_error(error: OSError) -> str:
    """A full disk, or a file that the system does not let us use; anything else is a bug and raised again."""
    where = f"'{error.filename}'" if error.filename else "output"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full while writing {where}; free some space and run again"
    if error.filename is None or error.strerror is None:
        raise error
    return f"cannot use {where}: {error.strerror.lower()}"


def _fail(message: str) -> NoReturn:
    logger.debug("where the error arose", exc_info=True)
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(2)
