"""Plots as SVG text that stands inside a page; colours are classes and variables of the page's style sheet.

Every mark has a <title>, which browsers show on hovering and screen readers read.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

Json = dict[str, Any]
_WIDTH, _LEFT, _TOP = 720, 44, 14


def bars(groups: Sequence[tuple[str, Sequence[tuple[str, float | None]]]]) -> str:
    """Groups of bars of shares in 0..1: (group, [(series, share)]), the series in one order everywhere."""
    height, floor = 220, 186
    wide = (_WIDTH - _LEFT) / max(len(groups), 1)
    parts = [_shares(floor)]
    for place, (group, values) in enumerate(groups):
        left, each = _LEFT + place * wide + wide * 0.1, wide * 0.8 / max(len(values), 1)
        for n, (series, share) in enumerate(values):
            tall = (share or 0.0) * (floor - _TOP)
            parts.append(
                f'<rect class="s{n}" x="{left + n * each:.1f}" y="{floor - tall:.1f}" width="{each * 0.86:.1f}" '
                f'height="{max(tall, 0.5):.1f}">{_title(f"{group}, {series}: {_share(share)}")}</rect>'
            )
        parts.append(_text(left + wide * 0.4, floor + 18, group, "middle"))
    return _svg(height, "".join(parts))


def legend(series: Sequence[str]) -> str:
    """Names beside the colours of `bars` and `curves`."""
    items = (f'<span><i class="s{n}"></i>{escape(name)}</span>' for n, name in enumerate(series))
    return f'<p class="legend">{"".join(items)}</p>'


def strip(faults: Sequence[Json], incidents: Sequence[Json]) -> str:
    """Faults above, incidents below, along one axis of time; incidents that match no fault stand out."""
    low = min(item["start"] for item in [*faults, *incidents])
    high = max(item["end"] for item in [*faults, *incidents])
    scale = (_WIDTH - _LEFT - 8) / max(high - low, 1.0)

    def mark(item: Json, y: float, kind: str, title: str) -> str:
        wide = max((item["end"] - item["start"]) * scale, 2.0)
        return (
            f'<rect class="{kind}" x="{_LEFT + (item["start"] - low) * scale:.1f}" y="{y:.1f}" width="{wide:.1f}" '
            f'height="9">{_title(title)}</rect>'
        )

    rows = _rows(incidents)
    parts = [
        mark(fault, _TOP, "fault", f"fault {fault['name']}, {fault['end'] - fault['start']:.0f} s") for fault in faults
    ]
    for incident, row in zip(incidents, rows, strict=True):
        kind = "matched" if incident["matched"] else "false"
        parts.append(mark(incident, _TOP + 18 + row * 11, kind, f"{incident['severity']}: {incident['title']}"))
    bottom = _TOP + 18 + (max(rows, default=0) + 1) * 11 + 4
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{bottom}" y2="{bottom}"/>')
    parts += [
        _text(_LEFT + share * (high - low) * scale, bottom + 14, f"{share * (high - low) / 3600:.1f} h", "middle")
        for share in (0.0, 0.25, 0.5, 0.75)
    ]
    parts += [_text(_LEFT - 6, _TOP + 8, "faults", "end"), _text(_LEFT - 6, _TOP + 27, "inc.", "end")]
    return _svg(bottom + 20, "".join(parts))


def _rows(items: Sequence[Json]) -> list[int]:
    """The first row in which each item overlaps none that began before it."""
    ends: list[float] = []
    rows: dict[int, int] = {}
    for place in sorted(range(len(items)), key=lambda n: items[n]["start"]):
        row = next((n for n, end in enumerate(ends) if end < items[place]["start"]), len(ends))
        ends[row : row + 1] = [items[place]["end"]]
        rows[place] = row
    return [rows[place] for place in range(len(items))]


def curves(found: Sequence[Json]) -> str:
    """Reliability curves: frequency of being right over confidence, points as large as they have answers."""
    side, floor = 300, 314

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + x * side, floor - y * side

    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    parts = [
        f'<rect class="frame" x="{x0}" y="{y1}" width="{side}" height="{side}"/>',
        f'<line class="ideal" x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}">{_title("confidence equals frequency")}</line>',
    ]
    for n, curve in enumerate(found):
        points = [(at(b["confidence"], b["frequency"]), b) for b in curve["bins"]]
        line = " ".join(f"{x:.1f},{y:.1f}" for (x, y), _ in points)
        parts.append(f'<polyline class="line l{n}" points="{line}"/>')
        for (x, y), held in points:
            about = (
                f"{curve['name']}: {held['answers']} answers, confidence {held['confidence']:.2f}, "
                f"right {held['frequency']:.2f}"
            )
            size = 2.5 + held["answers"] ** 0.5
            parts.append(f'<circle class="s{n}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}">{_title(about)}</circle>')
    for share in (0.0, 0.5, 1.0):
        parts.append(_text(*at(share, -0.06), f"{share:.1f}", "middle"))
        parts.append(_text(_LEFT - 6, at(0, share)[1] + 4, f"{share:.1f}", "end"))
    parts.append(_text(_LEFT + side / 2, floor + 34, "confidence", "middle"))
    parts.append(_text(_LEFT + side + 12, floor - side + 10, "right", "start"))
    return _svg(360, "".join(parts))


def differences(rows: Sequence[tuple[str, float | None]]) -> str:
    """What each part being off changed: bars from a middle line, left for worse."""
    most = max((abs(change) for _, change in rows if change is not None), default=0.0) or 0.1
    middle, reach, step = 400.0, 270.0, 20
    parts = []
    for place, (name, change) in enumerate(rows):
        y, size = _TOP + place * step, (change or 0.0) / most * reach
        parts.append(_text(118, y + 10, name, "end"))
        parts.append(
            f'<rect class="{"worse" if size < 0 else "better"}" x="{middle + min(size, 0.0):.1f}" y="{y}" '
            f'width="{max(abs(size), 0.5):.1f}" height="13">{_title(f"without {name}: {_signed(change)}")}</rect>'
        )
        parts.append(
            _text(middle + size + (6 if size >= 0 else -6), y + 10, _signed(change), "start" if size >= 0 else "end")
        )
    bottom = _TOP + len(rows) * step
    parts.append(f'<line class="axis" x1="{middle}" x2="{middle}" y1="{_TOP - 4}" y2="{bottom}"/>')
    return _svg(bottom + 6, "".join(parts))


def _shares(floor: float) -> str:
    """Lines across at quarters of 0..1, with their labels."""
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = floor - share * (floor - _TOP)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 6, y + 4, f"{share:.2f}", "end"))
    return "".join(parts)


def _svg(height: float, inside: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img">{inside}</svg>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>"


def _share(share: float | None) -> str:
    return "not known" if share is None else f"{share:.3f}"


def _signed(change: float | None) -> str:
    return "-" if change is None else f"{change:+.3f}"
