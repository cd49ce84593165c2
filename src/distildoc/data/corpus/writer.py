"""Writes the text of a page: sentences from patterns, people, companies, addresses, dates and money."""

import datetime
import random
import re
from functools import cache

from distildoc.data.corpus import grammar
from distildoc.data.corpus.vocabulary import (
    COMPANY_ENDS,
    COMPANY_HEADS,
    DEPARTMENTS,
    DOMAINS,
    FIRST_NAMES,
    MONTHS,
    ROLES,
    STREETS,
    SURNAME_ENDS,
    SURNAME_STARTS,
    TOWNS,
)

_SLOT = re.compile(r"\{(\w+)\}")


@cache
def _pieces(pattern: str) -> tuple[str, ...]:
    """Literal text and slot names in turn, starting with text."""
    return tuple(_SLOT.split(pattern))


def money(cents: int, sign: str = "") -> str:
    """An amount such as 1,234.50, from cents.

    >>> money(123450, "$")
    '$1,234.50'
    """
    return f"{sign}{cents // 100:,}.{cents % 100:02d}"


class Writer:
    """The author of one page: one field of work, one random stream, one cast; its year is `since` or later."""

    def __init__(self, rng: random.Random, since: int = 1968) -> None:
        self.rng = rng
        self.domain = rng.choice(DOMAINS)
        self.year = rng.randint(since, 2024)
        self.cast = [self._new_person() for _ in range(6)]
        self._levels = {name: rng.choice((0.8, 4, 12, 35, 60, 90, 240)) for name, _ in self.domain.measures}
        self._measure = self.domain.measures[0]

    def _new_person(self) -> str:
        rng = self.rng
        initial = f" {rng.choice('ABCDEFGHJKLMNPRSTW')}." if rng.random() < 0.4 else ""
        return f"{rng.choice(FIRST_NAMES)}{initial} {rng.choice(SURNAME_STARTS)}{rng.choice(SURNAME_ENDS)}"

    def person(self) -> str:
        """The name of somebody on this page; names recur, as they do in documents."""
        return self.rng.choice(self.cast)

    def stranger(self) -> str:
        """A name not met on this page so far."""
        return self._new_person()

    def company(self) -> str:
        """A company name."""
        middle = self.rng.choice(("", "", " Filter", " Print", " Field", " Union", " Applied"))
        return f"{self.rng.choice(COMPANY_HEADS)}{middle} {self.rng.choice(COMPANY_ENDS)}"

    def role(self) -> str:
        """A job title."""
        return self.rng.choice(ROLES)

    def department(self) -> str:
        """The name of a department."""
        return self.rng.choice(DEPARTMENTS)

    def address(self) -> list[str]:
        """Street line and town line."""
        rng = self.rng
        return [
            f"{rng.randint(1, 980)} {rng.choice(STREETS)}",
            f"{rng.choice(TOWNS)}, {rng.randint(10000, 99999)}",
        ]

    def email(self, name: str) -> str:
        """An address of that person under a domain reserved for examples."""
        parts = name.lower().replace(".", "").split()
        host = self.rng.choice(("example.org", "example.com", "mail.example.net"))
        return f"{parts[0]}.{parts[-1]}@{host}"

    def phone(self) -> str:
        """A telephone number of the range kept for fiction."""
        return f"({self.rng.randint(201, 989)}) 555-01{self.rng.randint(0, 99):02d}"

    def date(self) -> str:
        """A date of the page's year in one of the usual spellings."""
        return _spelled(self._day(), self.rng.randrange(4))

    def date_and_due(self, days: int) -> tuple[str, str]:
        """A date and the one so many days later, spelled alike."""
        start, spelling = self._day(), self.rng.randrange(4)
        return _spelled(start, spelling), _spelled(start + datetime.timedelta(days=days), spelling)

    def _day(self) -> datetime.date:
        return datetime.date(self.year, self.rng.randint(1, 12), self.rng.randint(1, 28))

    def code(self, prefix: str, digits: int = 5) -> str:
        """A reference such as INV-20417."""
        return f"{prefix}-{self.rng.randrange(10 ** (digits - 1), 10**digits)}"

    def quantity(self) -> str:
        """A value of the measure that the current sentence is about, with its unit."""
        name, unit = self._measure
        value = self._levels[name] * self.rng.uniform(0.6, 1.5)
        return f"{value:.0f} {unit}" if value >= 20 else f"{value:.1f} {unit}"

    def fill(self, pattern: str) -> str:
        """Replace the slots of a pattern; a capitalised slot gets a capital."""
        pieces = _pieces(pattern)
        self._measure = self.rng.choice(self.domain.measures)  # one measure a sentence, so that units agree
        out: list[str] = []
        for number, piece in enumerate(pieces):
            if number % 2 == 0:
                out.append(piece)
                continue
            word = self._slot(piece.lower())
            out.append(word[0].upper() + word[1:] if piece[0].isupper() else word)
        return _article("".join(out))

    def _slot(self, slot: str) -> str:
        rng, domain = self.rng, self.domain
        if slot in grammar.SLOTS:
            return rng.choice(grammar.SLOTS[slot])
        if slot == "thing":
            return rng.choice(domain.things)
        if slot == "things":
            return _plural(rng.choice(domain.things))
        if slot == "material":
            return rng.choice(domain.materials)
        if slot == "measure":
            return self._measure[0]
        if slot == "task":
            return rng.choice(domain.tasks)
        return self._name_or_number(slot)

    def _name_or_number(self, slot: str) -> str:
        rng = self.rng
        if slot == "number":
            return self.quantity()
        if slot == "percent":
            return f"{rng.randint(2, 48)}%" if rng.random() < 0.6 else f"{rng.uniform(0.5, 20):.1f} percent"
        if slot == "count":
            return str(rng.randint(6, 240))
        if slot == "month":
            return rng.choice(MONTHS)
        if slot == "year":
            return str(self.year - rng.randint(0, 2))
        if slot == "person":
            return self.person()
        if slot == "town":
            return rng.choice(TOWNS)
        if slot == "field":
            return self.domain.name
        raise KeyError(slot)

    def line(self, patterns: tuple[str, ...]) -> str:
        """One filled pattern."""
        return self.fill(self.rng.choice(patterns))

    def lines(self, patterns: tuple[str, ...], count: int) -> list[str]:
        """Several filled patterns, no pattern twice while there are others."""
        order: list[str] = []
        while len(order) < count:
            order += self.rng.sample(patterns, len(patterns))
        return [self.fill(pattern) for pattern in order[:count]]

    def paragraph(self, patterns: tuple[str, ...], low: int = 3, high: int = 6) -> str:
        """A paragraph of low to high sentences."""
        return " ".join(self.lines(patterns, self.rng.randint(low, high)))


def _spelled(day: datetime.date, spelling: int) -> str:
    month = MONTHS[day.month - 1]
    return (
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month} {day.year}",
        f"{day.month:02d}/{day.day:02d}/{day.year}",
        f"{month[:3]} {day.day}, {day.year}",
    )[spelling]


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])(?!uni|Uni|use)")


def _article(text: str) -> str:
    return _ARTICLE.sub(lambda found: f"{found[1]}n ", text)
