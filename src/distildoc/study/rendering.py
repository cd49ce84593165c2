"""The templates of the pages, and how values become text in them."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from distildoc.study import formats


def templates() -> Environment:
    """Everything that is put into a page is escaped, and a name that is not there is an error."""
    environment = Environment(
        loader=PackageLoader("distildoc.study"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = formats.points
    environment.filters["places"] = formats.places
    return environment
