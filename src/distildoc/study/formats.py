"""Numbers as people read them."""

import math


def count(value: float | None) -> str:
    """Thousands, millions, billions to three digits.

    >>> count(41_234), count(2_310_000), count(None)
    ('41.2 k', '2.31 M', '–')
    """
    if value is None:
        return "–"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{_three(value / size)} {unit}"
    return f"{value:.0f}"


def milliseconds(value: float | None) -> str:
    """Three digits; the unit stands in the head of the column.

    >>> milliseconds(4.1234), milliseconds(0.0471)
    ('4.12', '0.0471')
    """
    return "–" if value is None else _three(value)


def megabytes(value: float | None) -> str:
    """Of 10^6 bytes.

    >>> megabytes(1_234_567)
    '1.23 MB'
    """
    return "–" if value is None else f"{_three(value / 1e6)} MB"


def points(difference: float) -> str:
    """Percentage points with a sign, one decimal.

    >>> points(0.0321), points(-0.0046), points(0.0)
    ('+3.2', '−0.5', '0.0')
    """
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def places(value: float | None, digits: int = 3) -> str:
    """Fixed decimals.

    >>> places(0.12345), places(0.12345, 2), places(float("nan")), places(None)
    ('0.123', '0.12', '–', '–')
    """
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _three(value: float) -> str:
    if value <= 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(value) + 1e-12))
    return f"{value:.{digits}f}"
