"""Advertisements: large type, pictures, prices, coupons."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.fonts import Font, family
from distildoc.data.corpus.marks import logo
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.templates.blocks import centred, photo, product_photo
from distildoc.data.corpus.writer import Writer, money

_BRANDS = (
    "Novella",
    "Brisko",
    "Tamaro",
    "Lumeo",
    "Quillon",
    "Pervanta",
    "Orsino",
    "Veldora",
    "Kasimo",
    "Zephra",
)


def _brand(sheet: Sheet, writer: Writer) -> str:
    return sheet.fact("brand", writer.rng.choice(_BRANDS))


def _display(sheet: Sheet, size: float, ink: tuple[float, float, float] | None = None) -> Font:
    names = (
        ("fredoka", "manrope", "amatic") if sheet.look.shifted else ("times", "helvetica", "caladea", "source_serif")
    )
    chosen = family(sheet.rng.choice(names))
    return Font(chosen.bold, size, ink or sheet.look.accent)


def _price(writer: Writer) -> str:
    return money(writer.rng.randint(3, 400) * 100 - 1, "$")


def picture_advertisement(sheet: Sheet, writer: Writer) -> None:
    """A slogan, a large picture, some copy, the brand."""
    rng, look, margin = writer.rng, sheet.look, sheet.rng.uniform(40, 70)
    width = sheet.width - 2 * margin
    slogan, brand = sheet.fact("slogan", writer.line(grammar.SLOGANS)), _brand(sheet, writer)
    font = _display(sheet, rng.uniform(30, 44))
    top = margin
    if rng.random() < 0.5:
        top = centred(sheet, top, slogan, font, "Title", width) + 14
    high = rng.uniform(300, 380)
    photo(sheet, (margin, top, margin + width, top + high))
    y = top + high + 14
    if top == margin:
        y = centred(sheet, y, slogan, font, "Title", width) + 8
    copy = Column(sheet, margin + 40, y, width - 80, sheet.height - 130)
    copy.set(" ".join(writer.lines(grammar.SLOGANS, 4)), Setting(look.text(1.15), 1.3, "center"))
    copy.gap(10)
    foot = max(copy.y + 44, sheet.height - rng.uniform(70, 110))
    with sheet.region("Title"):
        sheet.text(sheet.width / 2, min(foot, sheet.height - 60), brand, _display(sheet, 40), align="center")
    with sheet.region("Page-footer"):
        sheet.text(
            sheet.width / 2,
            sheet.height - 36,
            f"{writer.company()}, {writer.address()[1]}",
            look.label(0.78),
            align="center",
        )


def coupon_advertisement(sheet: Sheet, writer: Writer) -> None:
    """Copy in two columns beside a picture, and a coupon to cut out."""
    rng, look = writer.rng, sheet.look
    brand = _brand(sheet, writer)
    column = Column(sheet, 56, 52, sheet.width - 112, sheet.height - 226)
    column.set(
        sheet.fact("slogan", writer.line(grammar.SLOGANS)),
        Setting(_display(sheet, rng.uniform(34, 46)), 1.06),
        "Title",
    )
    column.gap(12)
    half = (column.width - 20) / 2
    bottom = column.bottom - 12
    left = Column(sheet, column.x, column.y, half, bottom)
    left.set(f"Introducing {brand}. {writer.paragraph(grammar.SLOGANS, 3, 5)}", Setting(look.text(1.25), 1.4))
    left.gap(8)
    left.set(writer.paragraph(grammar.NEWS, 2, 3), Setting(look.text(1.2), 1.38))
    left.gap(10)
    left.items(writer.lines(grammar.SHORT, rng.randint(3, 5)), Setting(look.text(1.1), 1.3), bullet="disc")
    photo(
        sheet,
        (
            column.x + half + 20,
            column.y + 4,
            column.x + column.width,
            min(bottom, column.y + rng.uniform(290, 400)),
        ),
    )
    _coupon(sheet, writer, brand)


def _coupon(sheet: Sheet, writer: Writer, brand: str) -> None:
    look, x, y = sheet.look, 56.0, sheet.height - 200
    sheet.canvas.setDash(5, 3)
    sheet.rect((x, y, sheet.width - x, sheet.height - 50), thick=1.2)
    sheet.canvas.setDash()
    price = sheet.fact("offer", _price(writer))
    with sheet.region("Section-header"):
        sheet.text(x + 16, y + 26, f"Save {price} on {brand}", look.head(1.5))
    with sheet.region("Text"):
        for row, name in enumerate(("Name", "Street", "Town")):
            base = y + 54 + 22 * row
            wide = sheet.text(x + 16, base, name, look.text())
            sheet.rule(x + 22 + wide, base + 2, x + 300, base + 2, thick=0.5)
    with sheet.region("Text"):
        sheet.text(
            x + 16,
            y + 136,
            f"Send to {writer.company()}, {writer.address()[1]}. Valid until {writer.date()}.",
            look.text(0.82),
        )
    seal_x, seal_y = sheet.width - x - 74, y + 66
    with sheet.region("Picture"):
        sheet.oval((seal_x - 44, seal_y - 44, seal_x + 44, seal_y + 44), fill=look.accent, edge=None)
        sheet.text(seal_x, seal_y - 4, "only", look.bold(1.1).inked((1, 1, 1)), align="center")
        sheet.text(seal_x, seal_y + 16, price, look.bold(1.6).inked((1, 1, 1)), align="center")


def poster(sheet: Sheet, writer: Writer) -> None:
    """A dark or tinted poster: huge type, one picture, a line of particulars."""
    rng, look = writer.rng, sheet.look
    dark = rng.random() < 0.5
    ground, ink = ((0.1, 0.1, 0.12), (1.0, 1.0, 1.0)) if dark else (look.tint, look.ink)
    sheet.rect((0, 0, sheet.width, sheet.height), fill=ground, edge=None)
    y = centred(
        sheet,
        60,
        sheet.fact("brand", writer.rng.choice(_BRANDS).upper()),
        _display(sheet, 72, ink),
        "Title",
        sheet.width - 80,
    )
    x = rng.uniform(60, 110)
    high = rng.uniform(340, 420)
    photo(sheet, (x, y + 20, sheet.width - x, y + 20 + high))
    y = centred(
        sheet,
        y + high + 34,
        sheet.fact("slogan", writer.line(grammar.SLOGANS)),
        _display(sheet, 30, ink),
        "Section-header",
        sheet.width - 120,
    )
    if rng.random() < 0.7:
        y = centred(sheet, y + 6, sheet.fact("offer", _price(writer)), look.head(2.6).inked(ink), "Text", 300)
    with sheet.region("Page-footer"):
        sheet.text(
            sheet.width / 2,
            sheet.height - 44,
            f"{writer.date()}  {writer.address()[0]}  {writer.phone()}",
            look.text(0.95).inked(ink),
            align="center",
        )


def price_list(sheet: Sheet, writer: Writer) -> None:
    """A leaflet: coloured head, nine products with pictures and prices."""
    rng, look = writer.rng, sheet.look
    white = (1.0, 1.0, 1.0)
    sheet.rect((0, 0, sheet.width, 118), fill=look.accent, edge=None)
    logo_size = 46
    sheet.rect((40, 34, 40 + logo_size + 12, 92), fill=white, edge=None)
    logo(sheet, 46, 40, logo_size, sheet.rng)
    with sheet.region("Title"):
        sheet.text(118, 66, f"{_brand(sheet, writer)} week", _display(sheet, 36, white))
        sheet.text(118, 94, writer.line(grammar.SLOGANS), look.text(1.3).inked(white))
    wide, high = (sheet.width - 80 - 2 * 16) / 3, (sheet.height - 200) / 3
    for number, name in enumerate(rng.sample(writer.domain.things, 9)):
        x, y = 40 + (number % 3) * (wide + 16), 134 + (number // 3) * (high + 8)
        product_photo(sheet, (x, y, x + wide, y + 112))
        part = Column(sheet, x, y + 114, wide, y + high)
        part.set(name[0].upper() + name[1:], Setting(look.bold(1.15)), "Section-header")
        part.set(writer.line(grammar.SHORT), Setting(look.text(0.92)))
        price = _price(writer)
        sheet.facts.setdefault(f"price of {name}", price)
        part.gap(4)
        part.set(price, Setting(look.head(1.9)), "Text")
    with sheet.region("Page-footer"):
        sheet.text(
            sheet.width / 2,
            sheet.height - 36,
            f"Offers valid until {writer.date()} while stocks last.",
            look.label(0.85),
            align="center",
        )


def half_page(sheet: Sheet, writer: Writer) -> None:
    """Copy above, picture below, a rule between; the type does the work."""
    rng, look = writer.rng, sheet.look
    column = Column(sheet, 64, rng.uniform(60, 90), sheet.width - 128, 0.55 * sheet.height)
    column.set(sheet.fact("slogan", writer.line(grammar.SLOGANS)), Setting(_display(sheet, 48), 1.05), "Title")
    column.gap(16)
    column.set(writer.paragraph(grammar.NEWS, 2, 3), Setting(look.text(1.25), 1.4, "justify"))
    column.gap(12)
    sheet.rule(column.x, column.y, column.x + column.width, column.y, thick=2.0, ink=look.accent)
    y = max(column.y + 20, 0.5 * sheet.height)
    photo(sheet, (64, y, 64 + column.width * rng.uniform(0.55, 0.7), sheet.height - 70))
    brand = Column(sheet, 64 + 0.73 * column.width, y + 40, 0.27 * column.width, sheet.height - 70)
    brand.set(_brand(sheet, writer), Setting(look.head(2.0)), "Section-header")
    brand.gap(8)
    brand.set(f"{writer.company()} {writer.phone()}", Setting(look.text(0.95), 1.3))


PLAIN = (picture_advertisement, coupon_advertisement, half_page)
SHIFTED = (poster, price_list)
