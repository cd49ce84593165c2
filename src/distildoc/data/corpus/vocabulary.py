"""Word lists of the text generator: twelve fields of work and the words all of them share.

The lists are our own. Surnames and company names are put together from syllables so that they name nobody.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """A field of work: what it is called, its things, its materials, its measures with units, its activities."""

    name: str
    things: tuple[str, ...]
    materials: tuple[str, ...]
    measures: tuple[tuple[str, str], ...]
    tasks: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _measures(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (part.strip().rsplit(" ", 1) for part in text.split(","))
    return tuple((name, unit) for name, unit in pairs)


DOMAINS: tuple[Domain, ...] = (
    Domain(
        "water treatment",
        _words(
            "filter bed, settling tank, dosing pump, intake screen, sand filter, control valve, sampling point, "
            "sludge press, clear well, pressure main, chlorine cell, membrane rack"
        ),
        _words("raw water, alum, activated carbon, lime slurry, backwash water, resin, filtered water"),
        _measures("turbidity NTU, flow rate m3/h, residual chlorine mg/l, head loss kPa, contact time min"),
        _words("backwashing, coagulation, disinfection, flow balancing, leak detection, sludge drying"),
    ),
    Domain(
        "packaging",
        _words(
            "folding carton, sealing bar, glue unit, case packer, film roll, label head, conveyor, shrink tunnel, "
            "blister die, inspection camera, pallet wrapper, test carton"
        ),
        _words("coated board, stretch film, hot melt, recycled fibre, foil laminate, varnish, kraft paper"),
        _measures("burst strength kPa, seal width mm, line speed m/min, basis weight g/m2, scrap rate %"),
        _words("changeover, drop testing, print registration, leak testing, palletising, coating"),
    ),
    Domain(
        "solar power",
        _words(
            "inverter, mounting rail, panel string, junction box, tracker, battery cabinet, transformer, combiner, "
            "monitoring gateway, roof array, charge controller, disconnect switch"
        ),
        _words("silicon wafer, tempered glass, copper ribbon, encapsulant, aluminium frame, back sheet"),
        _measures("peak power kW, irradiance W/m2, cell temperature C, yield kWh, mismatch loss %"),
        _words("commissioning, string testing, soiling inspection, thermal imaging, grid connection"),
    ),
    Domain(
        "food safety",
        _words(
            "chill room, metal detector, retort, slicing line, sample batch, cooling tunnel, allergen swab, mixer, "
            "storage silo, hygiene lock, filling head, date coder"
        ),
        _words("skim milk, rye flour, tomato paste, brine, rapeseed oil, pectin, whole egg"),
        _measures("core temperature C, water content %, salt content %, shelf life d, plate count cfu/g"),
        _words("pasteurisation, recall drills, swab testing, shelf-life trials, batch tracing, cleaning"),
    ),
    Domain(
        "rail operations",
        _words(
            "signal box, axle counter, platform edge, brake unit, points motor, depot road, ticket gate, bogie, "
            "overhead line, timetable slot, level crossing, track circuit"
        ),
        _words("ballast, rail steel, brake dust, grease, sleeper concrete, contact wire"),
        _measures("headway min, axle load t, gauge wear mm, average delay min, stopping distance m"),
        _words("track renewal, crew rostering, brake testing, timetable planning, wheel turning"),
    ),
    Domain(
        "acoustics",
        _words(
            "test chamber, absorber panel, microphone array, ceiling baffle, duct silencer, calibrator, partition, "
            "floor sample, loudspeaker, impulse source, door seal, listening room"
        ),
        _words("mineral wool, perforated steel, gypsum board, open foam, felt, damping sheet"),
        _measures("sound level dB, reverberation time s, insertion loss dB, frequency Hz, flow resistivity kPa"),
        _words("calibration, level mapping, airtightness checks, impact testing, speech tests"),
    ),
    Domain(
        "textiles",
        _words(
            "loom, spinning frame, dye bath, stenter, yarn package, colour sample, seam, fabric roll, warp beam, "
            "cutting table, finishing line, knitting head"
        ),
        _words("combed cotton, wool blend, reactive dye, viscose, sizing agent, polyester yarn"),
        _measures("thread count n/cm, shrinkage %, tensile strength N, bath temperature C, yarn twist t/m"),
        _words("colour matching, finishing, yarn grading, wash testing, pattern cutting"),
    ),
    Domain(
        "library services",
        _words(
            "reading room, loan desk, catalogue record, archive box, book trolley, scanner, periodical shelf, "
            "study space, deposit copy, map drawer, return slot, reference desk"
        ),
        _words("acid-free paper, binding cloth, microfilm, parchment, shelf labels, repair tissue"),
        _measures(
            "loan count items/day, shelf length m, relative humidity %, visitor count people/day, waiting time min"
        ),
        _words("cataloguing, stocktaking, digitisation, conservation, user training"),
    ),
    Domain(
        "medical devices",
        _words(
            "infusion pump, catheter tip, test bench, sterile pouch, sensor strip, battery pack, guide wire, "
            "display module, alarm circuit, clean room, valve assembly, reference unit"
        ),
        _words("silicone tubing, saline, medical steel, sealant, polycarbonate, reagent"),
        _measures("flow error %, leak rate ml/min, burst pressure kPa, battery life h, response time ms"),
        _words("sterilisation, risk analysis, bench testing, complaint handling, ageing studies"),
    ),
    Domain(
        "crop research",
        _words(
            "field plot, greenhouse bay, seed lot, drip line, soil probe, harvest trial, leaf sample, spray boom, "
            "control strip, weather mast, grain bin, cover crop"
        ),
        _words("winter barley, compost, clay loam, potash, clover, seed coating, leaf extract"),
        _measures("yield t/ha, soil moisture %, nitrogen kg/ha, plant height cm, germination %"),
        _words("sowing, soil sampling, irrigation, disease scoring, variety trials"),
    ),
    Domain(
        "wood coatings",
        _words(
            "spray booth, curing oven, test panel, curtain coater, sanding belt, drum pump, colour card, hot box, "
            "mixing vessel, drying rack, gloss meter, veneer sheet"
        ),
        _words("acrylic binder, beech veneer, matting agent, hardener, oak panel, white spirit"),
        _measures("film thickness um, gloss level GU, viscosity mPas, drying time min, solids %"),
        _words("sanding, spray application, adhesion testing, colour drift checks, curing"),
    ),
    Domain(
        "retail logistics",
        _words(
            "loading dock, pick station, roll cage, sorter, delivery van, cross dock, cold store, route plan, "
            "returns cage, dispatch desk, barcode reader, order tote"
        ),
        _words("mixed pallets, chilled goods, cartons, returns stock, bulk freight, spare crates"),
        _measures("fill rate %, pick rate lines/h, route length km, dwell time min, stock value kEUR"),
        _words("route planning, stock counts, night picking, returns handling, dock scheduling"),
    ),
)

FIRST_NAMES = _words(
    "Alva, Benno, Carla, Dario, Edda, Ferris, Gitta, Harlan, Ilse, Joris, Kaya, Lennart, Mirel, Nadja, Orrin, Petra, "
    "Quentin, Runa, Silas, Tamsin, Ulrik, Vera, Willem, Xenia, Yorick, Zelda, Corin, Leda, Marlo, Odile"
)
SURNAME_STARTS = _words(
    "Bren, Cald, Dorn, Fen, Hal, Kest, Lind, Marl, Nor, Ost, Pell, Quin, Rav, Sten, Thorn, Vask, Wel"
)
SURNAME_ENDS = _words("by, dale, ford, gate, ham, ley, mere, nik, over, ridge, sen, ton, vik, well, wick, worth")
COMPANY_ENDS = _words(
    "Works, Group, Laboratories, Associates, Supply Co., Systems, Industries, Institute, Partners, Ltd."
)
COMPANY_HEADS = _words(
    "Aldermoor, Brightwell, Corvane, Dunmarsh, Eastholm, Farrowby, Glenhurst, Harrowgate Sample, "
    "Inverlith, Juniper Hill, Kestrel Bay, Lowmoor, Millbrae, Northfold, Oakhaven, Penwick"
)
STREETS = _words(
    "Canal Street, Mill Lane, Station Road, Harbour Row, Orchard Way, Foundry Street, Chapel Hill, Park Avenue"
)
TOWNS = _words(
    "Aldermoor, Brightwell, Dunmarsh, Eastholm, Farrowby, Glenhurst, Inverlith, Lowmoor, Millbrae, Northfold"
)
ROLES = _words(
    "Research Manager, Head of Operations, Senior Engineer, Purchasing Officer, Quality Director, Project Lead, "
    "Laboratory Supervisor, Communications Officer, Finance Controller, Technical Editor, Planning Assistant"
)
DEPARTMENTS = _words(
    "Research and Development, Quality Assurance, Purchasing, Operations, Finance, Public Affairs, "
    "Engineering Services, Human Resources, Product Safety, Planning"
)
MONTHS = _words("January, February, March, April, May, June, July, August, September, October, November, December")
