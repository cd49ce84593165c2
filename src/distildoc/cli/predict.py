"""`distildoc predict`: a bundle on people's files. Never imports torch."""

from pathlib import Path
from typing import Annotated

import typer

from distildoc.cli.progress import bar


def predict(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder (with bundle.json).")],
    files: Annotated[list[Path], typer.Argument(help="Images, multi-page TIFFs, PDFs, or folders of them.")],
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
    ocr: Annotated[bool, typer.Option("--ocr", help="Layouts: read pages without text (extra ocr).")] = False,
    batch: Annotated[int | None, typer.Option(min=1, help="Pages a batch; default: 8, layouts 1.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on past unreadable pages and count them.")] = False,
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
            ocr=ocr,
            skip_bad=skip_bad,
            progress=advance,
        )
    failed = f", {summary.failed} could not be read" if summary.failed else ""
    typer.echo(f"{summary.pages} pages{failed}")
    for path in summary.written:
        typer.echo(path)
