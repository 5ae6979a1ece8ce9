"""Plots as inline SVG, from numbers alone: areas over time, curves, ranges, bars.

Colours are classes of the page's style sheet, so that light and dark are the reader's choice;
every mark has a title that says its number. Nothing here is random: same numbers, same text.
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from math import log10

WIDTH, HEIGHT = 880, 300
LEFT, RIGHT, TOP, BOTTOM = 102, 20, 38, 66
"""So wide that letters have room that are twice as large, on a phone."""
MOST_POINTS = 720
_LADDER_S = (
    (10, "10 s"), (60, "1 min"), (600, "10 min"), (3_600, "1 h"), (21_600, "6 h"),
    (86_400, "1 d"), (604_800, "1 w"), (2_592_000, "30 d"),
)  # fmt: skip
_STEPS_DAYS = (0.25, 0.5, 1, 2, 7, 14, 30, 60, 90, 180, 365, 730)

Series = Sequence[float]


def _svg(body: str, label: str, height: int = HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">{body}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, name: str = "grid") -> str:
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str = "middle", name: str = "") -> str:
    kind = f' class="{name}"' if name else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _above(words: str) -> str:
    """What the values of a plot are, over their axis."""
    return _text(LEFT, 25, words, "start", "axis")


def _below(words: str, height: int) -> str:
    """What is along a plot, under its axis."""
    return _text((LEFT + WIDTH - RIGHT) / 2, height - 8, words, "middle", "axis")


def _across(at: float, most: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (at / most if most else 0)


def _up(value: float, most: float, height: int = HEIGHT) -> float:
    return height - BOTTOM - (height - TOP - BOTTOM) * (value / most if most else 0)


def _anchor(number: int) -> str:
    """How a mark's word stands under it; the first one's leaves room to the other axis."""
    return "middle" if number else "start"


def _days_below(days: float, height: int = HEIGHT) -> str:
    """The axis of time, in days of the replay."""
    step = next((step for step in _STEPS_DAYS if days / step <= 12), days)
    marks = [step * n for n in range(int(days / step) + 1)]
    return _below("days since the trace began", height) + "".join(
        _line(_across(at, days), TOP, _across(at, days), height - BOTTOM)
        + _text(_across(at, days), height - BOTTOM + 26, f"{at:g}", _anchor(n), "odd" * (n % 2))
        for n, at in enumerate(marks)
    )


def _beside(most: float, what: str, said: Callable[[float], str], height: int = HEIGHT) -> str:
    """The axis of values, and what they are: quarters of the most."""
    return _above(what) + "".join(
        _line(LEFT, _up(part, most, height), WIDTH - RIGHT, _up(part, most, height))
        + _text(LEFT - 6, _up(part, most, height) + 4, said(part), "end")
        for part in (most * n / 4 for n in range(5))
    )


def _thinned(values: Series) -> list[float]:
    """At most so many points as can be seen: means of neighbours."""
    step = max(-(-len(values) // MOST_POINTS), 1)
    return [
        sum(part) / len(part)
        for part in (values[n : n + step] for n in range(0, len(values), step))
    ]


def areas(named: Mapping[str, Series], every_s: float, label: str) -> str:
    """Shares of the fleet over time, one on another; the top of the plot is all of it."""
    longest = max((len(values) for values in named.values()), default=0)
    if not longest:
        return ""
    days = longest * every_s / 86_400
    below = [0.0] * len(_thinned([0.0] * longest))
    body = _beside(1, "share of the fleet", lambda part: f"{part:.0%}") + _days_below(days)
    for name, values in named.items():
        padded = _thinned([*values, *[0.0] * (longest - len(values))])
        above = [low + more for low, more in zip(below, padded, strict=True)]
        points = [*_steps(above, days), *reversed(_steps(below, days))]
        mean = sum(values) / longest
        body += (
            f'<polygon class="fill {name}" points="{_points(points)}">'
            f"<title>{escape(_said(name))}: {mean:.1%} of the fleet on average</title></polygon>"
        )
        below = above
    return _svg(body, label)


def _steps(values: Series, days: float) -> list[tuple[float, float]]:
    width = days / len(values)
    return [
        (_across(x, days), _up(min(value, 1), 1))
        for n, value in enumerate(values)
        for x in (n * width, (n + 1) * width)
    ]


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _said(name: str) -> str:
    return name.replace("_", "-")


def lines(
    named: Mapping[str, Series], every_s: float, said: Callable[[float], str], label: str
) -> str:
    """Values over time as lines from zero."""
    longest = max((len(values) for values in named.values()), default=0)
    if not longest:
        return ""
    height, days = 240, longest * every_s / 86_400
    most = _round_up(max(max(values, default=0) for values in named.values()))
    body = _beside(most, label, said, height) + _days_below(days, height)
    for name, values in named.items():
        thin = _thinned(values)
        end = len(values) * every_s / 86_400
        points = [
            (_across(end * n / max(len(thin) - 1, 1), days), _up(value, most, height))
            for n, value in enumerate(thin)
        ]
        body += (
            f'<polyline class="stroke {name}" points="{_points(points)}">'
            f"<title>{escape(_said(name))}: at most {said(max(values))}</title></polyline>"
        )
    return _svg(body, label, height)


def _round_up(value: float) -> float:
    """A round number that is no less: 1, 2, 4, 5 or 8 of its size, so that quarters are round."""
    if value <= 0:
        return 1
    size = 10.0 ** int(log10(value) // 1)
    return next(size * n for n in (1, 2, 4, 8, 10) if value <= size * n)


def _log_across(seconds: float, most_s: float) -> float:
    """Seconds on a logarithmic axis that has a place for none at its left."""
    low, high = 0.5, max(most_s, 60)
    return _across(log10(max(seconds, low) / low), log10(high / low))


def _seconds_below(most_s: float, height: int) -> str:
    marks = [(0.5, "none"), *(mark for mark in _LADDER_S if mark[0] <= max(most_s, 60))]
    return _below("time waited, on a logarithm", height) + "".join(
        _line(_log_across(at, most_s), TOP, _log_across(at, most_s), height - BOTTOM)
        + _text(_log_across(at, most_s), height - BOTTOM + 26, words, _anchor(n), "odd" * (n % 2))
        for n, (at, words) in enumerate(marks)
    )


def curves(named: Mapping[str, Sequence[Sequence[float]]], label: str) -> str:
    """Of each class, which share waited no longer: per cents over a logarithm of seconds."""
    most_s = max((points[-1][1] for points in named.values() if points), default=0)
    body = _beside(1, "share of jobs that had begun by then", lambda part: f"{part:.0%}")
    body += _seconds_below(most_s, HEIGHT)
    for name, found in named.items():
        points: list[tuple[float, float]] = []
        for per_cent, seconds in found:
            x, y = _log_across(seconds, most_s), _up(per_cent / 100, 1)
            if points:
                points.append((x, points[-1][1]))
            points.append((x, y))
        half = next((seconds for per_cent, seconds in found if per_cent >= 50), 0)
        body += (
            f'<polyline class="stroke {name}" points="{_points(points)}">'
            f"<title>{escape(_said(name))}: half waited {duration(half)} or less</title></polyline>"
        )
    return _svg(body, label)


def ranges(rows: Sequence[tuple[str, str, Mapping[str, float]]], label: str) -> str:
    """A row for each group: from p50 to p99 of its waits, with p90 between, on a logarithm."""
    if not rows:
        return ""
    height = TOP + BOTTOM + 30 * len(rows)
    most_s = max(row["p99"] for _, _, row in rows)
    body = _above("accelerators asked for") + _seconds_below(most_s, height)
    for n, (words, name, row) in enumerate(rows):
        y = TOP + 30 * n + 15
        ends = [_log_across(row[one], most_s) for one in ("p50", "p90", "p99")]
        said = ", ".join(f"{one} {duration(row[one])}" for one in ("p50", "p90", "p99"))
        body += (
            f"<g><title>{escape(words)}: {int(row['jobs']):,} jobs, {said}</title>"
            f"{_line(ends[0], y, ends[2], y, f'range {name}')}"
            f'<circle class="fill {name}" cx="{ends[0]:.1f}" cy="{y}" r="5"/>'
            f'<circle class="fill {name}" cx="{ends[1]:.1f}" cy="{y}" r="3.5"/>'
            f'<rect class="fill {name}" x="{ends[2] - 2:.1f}" y="{y - 6}" width="4" height="12"/>'
            f"{_text(LEFT - 6, y + 4, words, 'end')}</g>"
        )
    return _svg(body, label, height)


def bars(values: Series, every_s: float, days: float, name: str, label: str) -> str:
    """Counts over time as bars."""
    height = 210
    step = max(-(-len(values) // 240), 1)
    sums = [sum(values[n : n + step]) for n in range(0, len(values), step)]
    most = _round_up(max(sums, default=0))
    wide = step * every_s / 86_400
    what = f"{label} every {duration(wide * 86_400)}"
    body = _beside(most, what, lambda part: f"{part:,.0f}", height) + _days_below(days, height)
    for n, value in enumerate(sums):
        if value:
            x, end = _across(n * wide, days), _across(min((n + 1) * wide, days), days)
            y = _up(value, most, height)
            body += (
                f'<rect class="fill {name}" x="{x:.1f}" y="{y:.1f}" '
                f'width="{max(end - x - 0.5, 0.8):.1f}" height="{height - BOTTOM - y:.1f}">'
                f"<title>day {n * wide:.1f}: {value:,.0f}</title></rect>"
            )
    return _svg(body, label, height)


def money_bars(rows: Sequence[tuple[str, str, float]], currency: str, label: str) -> str:
    """A row for each amount, to the right of zero what comes in, to the left what goes out."""
    top = 14
    height = top + 36 * len(rows)
    low = min([0.0, *(amount for _, _, amount in rows)])
    high = max([0.0, *(amount for _, _, amount in rows)])
    span = (high - low) or 1
    left, right = 260, WIDTH - 230

    def at(amount: float) -> float:
        return left + (right - left) * (amount - low) / span

    body = _line(at(0), top - 6, at(0), height, "zero")
    for n, (words, name, amount) in enumerate(rows):
        y = top + 36 * n
        x, wide = min(at(0), at(amount)), abs(at(amount) - at(0))
        body += (
            f'<rect class="fill {name}" x="{x:.1f}" y="{y}" width="{max(wide, 1):.1f}" '
            f'height="24" rx="2"/>{_text(left - 10, y + 17, words, "end")}'
            f"{_text(max(at(amount), at(0)) + 8, y + 17, f'{amount:,.0f} {currency}', 'start')}"
        )
    return _svg(body, label, height)


def duration(seconds: float) -> str:
    """Seconds for people: "none", "45 s", "6 min", "3.3 h", "2.1 d"."""
    if seconds < 0.5:
        return "none"
    for most, unit, words in ((60, 1, "s"), (3_600, 60, "min"), (86_400, 3_600, "h")):
        if seconds < most:
            amount = seconds / unit
            return f"{amount:.1f} {words}" if words == "h" else f"{amount:.0f} {words}"
    return f"{seconds / 86_400:.1f} d"
