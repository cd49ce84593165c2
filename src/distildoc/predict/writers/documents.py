"""One file a document, for formats that are read by people: pages of a document come one after another."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from distildoc.predict.reading import Reading
from distildoc.schema.pages import FailedPage

Opens = Callable[[TextIO, str], AbstractContextManager[Callable[[Reading | FailedPage], None]]]


def document_of(page_id: str, number: int) -> str:
    """The id of the file that a page is from.

    >>> document_of("letters/contract.pdf#3", 3), document_of("scan#3.png", 1)
    ('letters/contract.pdf', 'scan#3.png')
    """
    return page_id.removesuffix(f"#{number}")


def path_below(folder: Path, name: str) -> Path:
    """A path for something of that name, in sub-folders as the name has them, never outside of `folder`.

    >>> path_below(Path("out"), "a/../../b.pdf").as_posix()
    'out/a/b.pdf'
    """
    return folder.joinpath(*(part for part in name.split("/") if part not in ("", ".", "..")))


@contextmanager
def writing_documents(folder: Path, suffix: str, opened: Opens) -> Iterator[Callable[[Reading | FailedPage], None]]:
    """Give the function that writes one page into the file of its document, one of which is open at a time.

    opened  gets the open file and the document's id; a context that gives the function which writes one page.

    A file that could not be read at all has no pages, and no file here.
    """
    folder.mkdir()
    writes: dict[str, Callable[[Reading | FailedPage], None]] = {}  # of the document that is open
    with ExitStack() as stack:

        def write(page: Reading | FailedPage) -> None:
            where = page if isinstance(page, FailedPage) else page.page
            if where.number == 0:
                return
            name = document_of(where.id, where.number)
            if name not in writes:
                stack.close()
                writes.clear()
                path = path_below(folder, name + suffix)
                path.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(path.open("w", encoding="utf-8", errors="backslashreplace"))
                writes[name] = stack.enter_context(opened(file, name))
            writes[name](page)

        yield write
