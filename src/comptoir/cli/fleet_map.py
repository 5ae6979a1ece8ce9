"""The fleet drawn in the terminal: a row a pod, each a map of its racks in their order.

Where a fleet has more pods than fit, rows are clusters, then sites; a cell is then several
racks. Colour adds and never carries meaning; what cannot show blocks gets plain letters.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from comptoir.cli.formats import counted, plain
from comptoir.cli.output import console, terminal_width

MOST_ROWS = 48
WIDEST_MAP = 64
LEVELS = ("site", "cluster", "pod", "rack")
_BLOCKS = {"leased": "█", "most": "▓", "some": "▒", "free": "░", "spare": "□",
           "out": "\N{MULTIPLICATION SIGN}"}  # fmt: skip
_LETTERS = {"leased": "#", "most": "+", "some": "-", "free": ".", "spare": "s", "out": "x"}
_STYLES = {"leased": "green", "most": "green", "some": "green", "free": "dim", "spare": "cyan",
           "out": "red"}  # fmt: skip
_WORDS = {"leased": "leased", "most": "mostly", "some": "partly", "free": "free",
          "spare": "spare", "out": "out of service"}  # fmt: skip
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Unit:
    """Accelerators of one kind in a smallest place that is known: its names, its counts."""

    place: tuple[str, ...]
    kind: str
    nodes: int
    accelerators: int
    leased: int
    out: int
    spare: int = 0


def draw(fleet: Mapping[str, Any], under: str = "", live: bool = True) -> None:
    """Print a fleet as `GET /v1/fleet` gives it, or the part of it below one place.

    Args:
        fleet: What there is.
        under: A place, such as "menlo/roce"; empty is all.
        live: Whether anything can be leased yet: a file is only a description.
    """
    wanted = tuple(part for part in under.split("/") if part)
    units = [u for u in _units(fleet["sites"], ()) if u.place[: len(wanted)] == wanted]
    out = console(terminal_width())
    entitled: dict[str, int] = {}
    for row in () if wanted else fleet.get("entitled", ()):
        entitled[row["kind"]] = entitled.get(row["kind"], 0) + row["accelerators"]
    for line in lines(units, fleet["clusters"], out.width, _signs(), live, entitled):
        out.print(line, soft_wrap=True)


def lines(
    units: Sequence[Unit],
    fabrics: Iterable[Mapping[str, Any]],
    width: int,
    signs: dict[str, str],
    live: bool = True,
    entitled: Mapping[str, int] | None = None,
) -> Iterator[Text]:
    """The drawing, line by line, none longer than `width`.

    Args:
        units: What there is.
        fabrics: What joins the nodes of each cluster.
        width: Of the terminal.
        signs: What a cell shows.
        live: Whether anything can be leased yet.
        entitled: Accelerators that teams are entitled to, by kind.
    """
    yield from _totals(units, live, width, entitled or {})
    depth = _depth(units)
    rows: dict[tuple[tuple[str, ...], str], list[Unit]] = {}
    for unit in units:
        rows.setdefault((unit.place[:depth], unit.kind), []).append(unit)
    joined = {(f["site"], f["cluster"]): f for f in fabrics}
    kinds = {unit.kind for unit in units}
    labels = {key: _label(*key, len(kinds) > 1) for key in rows}
    left = min(max((len(label) for label in labels.values()), default=0), max(width // 3, 8))
    right = max((len(_counts(own, live)) for own in rows.values()), default=0)
    cells = max(min(width - left - right - 6, WIDEST_MAP), 0)
    heading: tuple[str, ...] = ()
    for (place, kind), own in rows.items():
        if depth > 1 and place[: depth - 1] != heading:
            heading = place[: depth - 1]
            yield from _heading(heading, own, joined, width)
        row = Text(f"  {labels[place, kind]:{left}.{left}}  ")
        if cells >= 8:
            row += _map(own, cells, signs) + "  "
        yield row + f"{_counts(own, live):>{right}}"
    if live and rows and cells >= 8:
        shown = [name for name in _WORDS if name != "spare" or any(u.spare for u in units)]
        yield Text("  ".join(f"{signs[name]} {_WORDS[name]}" for name in shown), "dim")


def _units(places: Iterable[Mapping[str, Any]], above: tuple[str, ...]) -> Iterator[Unit]:
    """The smallest places of each branch, in the order in which people count."""
    for place in sorted(places, key=lambda one: natural(one["name"])):
        names = (*above, plain(place["name"]))
        if place["places"]:
            yield from _units(place["places"], names)
            continue
        for held in place["kinds"]:
            numbers = [
                held[name] for name in ("accelerators", "allocated", "out_of_service", "spare")
            ]
            yield Unit(names, held["kind"], held["nodes"], *numbers)


def natural(name: str) -> list[tuple[int, str]]:
    """A key that puts pod-2 before pod-10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _NUMBER.split(name)]


def _depth(units: Sequence[Unit]) -> int:
    """How many names of a place make a row: pods, unless they are too many."""
    deepest = min((len(unit.place) for unit in units), default=1)
    for depth in range(min(deepest, 3), 1, -1):
        if len({(unit.place[:depth], unit.kind) for unit in units}) <= MOST_ROWS:
            return depth
    return 1


def _totals(
    units: Sequence[Unit], live: bool, width: int, entitled: Mapping[str, int]
) -> Iterator[Text]:
    for kind in sorted({unit.kind for unit in units}):
        whole, leased, out, spare = _sums(unit for unit in units if unit.kind == kind)
        words = [f"{whole:,} x {kind}"]
        if live:
            percent = round(100 * leased / whole) if whole else 0
            words += [f"{leased:,} leased ({percent} %)", f"{whole - leased - out - spare:,} free"]
            words += [f"{spare:,} spare"] if spare else []
            words += [f"{out:,} out of service"] if out else []
            words += [f"{entitled[kind]:,} entitled"] if kind in entitled else []
        said = "   ".join(words)
        if len(said) <= width:
            yield Text(said, "bold")
        else:
            yield from (Text(word, "bold") for word in words)


def _heading(
    place: tuple[str, ...],
    own: Sequence[Unit],
    joined: Mapping[tuple[str, str], Mapping[str, Any]],
    width: int,
) -> Iterator[Text]:
    """A cluster's name with what joins its nodes."""
    words = ["/".join(place)]
    fabric = joined.get((place[0], place[1])) if len(place) > 1 else None
    if fabric:
        words.append(plain(fabric["name"]))
        words += [f"{fabric['gbps']} Gb/s"] if fabric["gbps"] else []
        for name in ("racks", "pods"):
            ratio = fabric[f"between_{name}"]
            words += [f"{ratio} between {name}"] if ratio else []
    said = "   ".join(words)
    yield Text("")
    yield Text(said if len(said) <= width else f"{said[: width - 1]}…", "bold")


def _label(place: tuple[str, ...], kind: str, several_kinds: bool) -> str:
    return f"{place[-1]} {kind}" if several_kinds else place[-1]


def _counts(own: Sequence[Unit], live: bool) -> str:
    whole, leased, *_ = _sums(own)
    nodes = counted(sum(unit.nodes for unit in own), "node")
    return f"{leased:,} of {whole:,} leased, {nodes}" if live else f"{whole:,} in {nodes}"


def _sums(units: Iterable[Unit]) -> tuple[int, int, int, int]:
    whole = leased = out = spare = 0
    for unit in units:
        whole, leased = whole + unit.accelerators, leased + unit.leased
        out, spare = out + unit.out, spare + unit.spare
    return whole, leased, out, spare


def _map(units: Sequence[Unit], cells: int, signs: dict[str, str]) -> Text:
    """The units in their order over so many cells: several a cell, or several cells each."""
    drawn = Text()
    if len(units) >= cells:
        for cell in range(cells):
            own = units[cell * len(units) // cells : (cell + 1) * len(units) // cells]
            _put(drawn, _shade(*_sums(own)), 1, signs)
    else:
        each = cells // len(units)
        for unit in units:
            whole, leased, out, spare = _sums([unit])
            if each == 1:
                _put(drawn, _shade(whole, leased, out, spare), 1, signs)
                continue
            left = each
            counts = dict.fromkeys(("leased", "free", "spare", "out"), 0)
            for name, part in (("leased", leased), ("out", out), ("spare", spare)):
                counts[name] = min(_share(part, whole, each), left)
                left -= counts[name]
            counts["free"] = left
            for name, count in counts.items():
                _put(drawn, name, count, signs)
    return drawn + " " * (cells - len(drawn))


def _share(part: int, whole: int, cells: int) -> int:
    """Cells of a part; what there is, however little, is seen, and so is what is left."""
    if part in (0, whole):
        return cells if part else 0
    return min(max(round(part * cells / whole), 1), cells - 1)


def _shade(whole: int, leased: int, out: int, spare: int) -> str:
    if out + spare and out + spare >= whole - leased:
        return "out" if out else "spare"
    if leased >= whole:
        return "leased"
    return "most" if 2 * leased >= whole else "some" if leased else "free"


def _put(drawn: Text, name: str, count: int, signs: dict[str, str]) -> None:
    drawn.append(signs[name] * count, _STYLES[name])


def _signs() -> dict[str, str]:
    try:
        "".join(_BLOCKS.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeError, LookupError):
        return _LETTERS
    return _BLOCKS
