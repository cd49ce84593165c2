"""`distildoc predict`: a bundle on people's files. Never imports torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distildoc.cli.progress import bar

if TYPE_CHECKING:
    from distildoc.predict.abstaining import Choice
    from distildoc.predict.files import Summary


def predict(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder (with bundle.json).")],
    files: Annotated[
        list[Path], typer.Argument(help="Images, TIFFs, PDFs, or folders of them; for texts .txt, .tsv, .csv.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    pages: Annotated[str | None, typer.Option("--pages", help="Pages of each file, as in 1-3,7 or 10-.")] = None,
    password: Annotated[str | None, typer.Option(help="Password of encrypted PDFs.")] = None,
    recursive: Annotated[bool, typer.Option(help="Look into subfolders.")] = True,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", help="Classes: json, csv. Layouts: json, coco, markdown, hocr, overlay. Default: all."
        ),
    ] = None,
    thresholds: Annotated[
        list[str] | None, typer.Option("--threshold", help="Layouts: least score, as in 0.4 or Table=0.6.")
    ] = None,
    max_error: Annotated[
        float | None,
        typer.Option("--max-error", help="Classes: answer only as far as this error rate is kept, as in 0.02."),
    ] = None,
    sure: Annotated[
        float | None,
        typer.Option(
            "--sure", help="Classes: keep that rate with this probability, as in 0.95, not just on validation."
        ),
    ] = None,
    others: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            help="Layouts: another bundle to fuse regions with; scores fall where they disagree, so set --threshold.",
        ),
    ] = None,
    ocr: Annotated[bool, typer.Option("--ocr", help="Layouts: read pages without text (extra ocr).")] = False,
    column: Annotated[str, typer.Option("--column", help="Texts: the column of a table that holds them.")] = "text",
    batch: Annotated[int | None, typer.Option(min=1, help="Pages a batch; default: 8, layouts 1.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on past what cannot be read, and count it.")] = False,
) -> None:
    """Say what pages are, or what lies where on them: JSON, CSV, COCO, Markdown, hOCR, pictures."""
    from distildoc.predict.files import predict_files

    with bar("predict") as advance:
        summary = predict_files(
            bundle,
            files,
            out,
            pages=pages,
            password=password,
            recursive=recursive,
            formats=formats,
            batch=batch,
            threads=threads,
            thresholds=thresholds or (),
            max_error=max_error,
            sure=sure,
            ocr=ocr,
            column=column,
            others=others or (),
            skip_bad=skip_bad,
            progress=advance,
        )
    failed = f", {summary.failed} could not be read" if summary.failed else ""
    typer.echo(f"{summary.pages} {summary.noun}{failed}")
    if summary.choice is not None:
        for line in _abstaining(summary, summary.choice):
            typer.echo(line)
    for path in summary.written:
        typer.echo(path)


def _abstaining(summary: "Summary", choice: "Choice") -> list[str]:
    """How many pages or texts were answered, and what the threshold for that rests on."""
    point = choice.point
    means = f"for {summary.noun} like these" if choice.guaranteed else "had the threshold been fixed beforehand"
    return [
        f"{summary.pages - summary.abstained} answered, {summary.abstained} abstained (confidence below "
        f"{point.threshold:g})",
        f"that threshold answered {point.answered} of {choice.pages} validation {summary.noun}, {point.errors} wrongly "
        f"({point.rate:.2%}); the error rate is at most {choice.bound:.2%} with {100 * choice.sure:g} % confidence, "
        f"{means}",
    ]
