"""Page templates by class: what a page of the plain corpus is drawn with, and what its shifted twin is.

A template draws one page on a sheet with a writer's text. A template listed twice is drawn twice as often. The shifted
twin has templates of its own and, less often, a plain one in the new look, so that layout alone tells nothing.
"""

from collections.abc import Callable

from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.templates import (
    advertisement,
    budget,
    email,
    file_folder,
    form,
    handwritten,
    invoice,
    letter,
    memo,
    news_article,
    presentation,
    questionnaire,
    resume,
    scientific_publication,
    scientific_report,
    specification,
)
from distildoc.data.corpus.writer import Writer

Template = Callable[[Sheet, Writer], None]

PLAIN: dict[str, tuple[Template, ...]] = {
    "letter": letter.PLAIN,
    "form": form.PLAIN,
    "email": email.PLAIN,
    "handwritten": handwritten.PLAIN,
    "advertisement": advertisement.PLAIN,
    "scientific_report": scientific_report.PLAIN,
    "scientific_publication": scientific_publication.PLAIN,
    "specification": specification.PLAIN,
    "file_folder": file_folder.PLAIN,
    "news_article": news_article.PLAIN,
    "budget": budget.PLAIN,
    "invoice": invoice.PLAIN,
    "presentation": presentation.PLAIN,
    "questionnaire": questionnaire.PLAIN,
    "resume": resume.PLAIN,
    "memo": memo.PLAIN,
}

SHIFTED: dict[str, tuple[Template, ...]] = {
    "letter": letter.SHIFTED,
    "form": form.SHIFTED,
    "email": email.SHIFTED,
    "handwritten": handwritten.SHIFTED,
    "advertisement": advertisement.SHIFTED,
    "scientific_report": scientific_report.SHIFTED,
    "scientific_publication": scientific_publication.SHIFTED,
    "specification": specification.SHIFTED,
    "file_folder": file_folder.SHIFTED,
    "news_article": news_article.SHIFTED,
    "budget": budget.SHIFTED,
    "invoice": invoice.SHIFTED,
    "presentation": presentation.SHIFTED,
    "questionnaire": questionnaire.SHIFTED,
    "resume": resume.SHIFTED,
    "memo": memo.SHIFTED,
}

__all__ = ["PLAIN", "SHIFTED", "Template"]
