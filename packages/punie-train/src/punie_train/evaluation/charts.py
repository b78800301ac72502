"""Charts as inline SVG that follows the page's colours; no script, no request.

Covered: bars with intervals, loss curves, horizontal bars of amounts. Not covered: anything interactive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 720


@dataclass(frozen=True)
class Bar:
    """A share with its interval.

    Attributes:
        label: what the bar is about.
        series: which colour it has, from 0.
        share: from 0 to 1.
        low: lower end of the interval.
        high: upper end of the interval.
        text: written at its end.
    """

    label: str
    series: int
    share: float
    low: float
    high: float
    text: str


def interval_bars(groups: Sequence[tuple[str, Sequence[Bar]]], title: str) -> str:
    """Draw groups of bars from 0 to 100 %, each with a whisker for its interval.

    Args:
        groups: the name of each group and its bars.
        title: what a screen reader says.
    """
    longest = max(len(name) for name, _ in groups)
    left, right, bar, gap, group_gap, top = max(150, 8 * longest + 24), 58, 15, 5, 20, 26
    inner = WIDTH - left - right
    height = top + sum(len(bars) * (bar + gap) - gap + group_gap for _, bars in groups) + 6
    parts = [_open(height, title)]
    for percent in (0, 25, 50, 75, 100):
        x = left + inner * percent / 100
        parts.append(
            f'<line class="grid" x1="{x:.1f}" y1="{top - 6}" x2="{x:.1f}" y2="{height - 14}"/>'
        )
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{top - 12}" text-anchor="middle">{percent}%</text>'
        )
    y = float(top)
    for name, bars in groups:
        middle = y + (len(bars) * (bar + gap) - gap) / 2
        parts.append(
            f'<text class="group" x="{left - 12}" y="{middle + 4:.1f}" text-anchor="end">'
            f"{escape(name)}</text>"
        )
        for item in bars:
            parts += _interval_bar(item, left, inner, y, bar)
            y += bar + gap
        y += group_gap - gap
    return "".join([*parts, "</svg>"])


def _interval_bar(item: Bar, left: float, inner: float, y: float, bar: float) -> list[str]:
    low, high = left + inner * item.low, left + inner * item.high
    middle = y + bar / 2
    width = max(inner * item.share, 1.5)
    tip = f"{item.label}: {item.text}, interval {100 * item.low:.0f} to {100 * item.high:.0f} %"
    return [
        f"<g><title>{escape(tip)}</title>",
        f'<rect class="track" x="{left}" y="{y:.1f}" width="{inner}" height="{bar}" rx="3"/>',
        f'<rect class="s{item.series}" x="{left}" y="{y:.1f}" width="{width:.1f}" height="{bar}" rx="3"/>',
        (
            f'<path class="whisker" d="M{low:.1f} {middle:.1f}H{high:.1f}'
            f'M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8"/>'
        ),
        f'<text class="value" x="{left + inner + 8}" y="{middle + 4:.1f}">{escape(item.text)}</text></g>',
    ]


def curves(
    lines: Sequence[tuple[str, int, Sequence[tuple[float, float]]]], title: str, unit: str
) -> str:
    """Draw lines over steps on a logarithmic scale, which suits losses.

    Args:
        lines: the name, the series and the points (step, value) of each line.
        title: what a screen reader says.
        unit: written at the vertical axis.
    """
    points = [point for _, _, line in lines for point in line if point[1] > 0]
    if not points:
        return ""
    left, right, top, bottom, height = 64, 92, 22, 34, 300
    steps = max(step for step, _ in points) or 1.0
    low = math.log10(min(value for _, value in points)) - 0.05
    high = math.log10(max(value for _, value in points)) + 0.05

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = left + (WIDTH - left - right) * point[0] / steps
        y = top + (height - top - bottom) * (high - math.log10(point[1])) / (high - low)
        return x, y

    parts = [_open(height, title)]
    for value in _ticks(low, high):
        _, y = place((0, value))
        parts.append(
            f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{WIDTH - right}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for part in range(5):
        step = steps * part / 4
        x, _ = place((step, 1))
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{height - 12}" text-anchor="middle">{step:.0f}</text>'
        )
    parts.append(
        f'<text class="tick" x="{left - 8}" y="{top - 8}" text-anchor="end">{escape(unit)}</text>'
    )
    labels: list[float] = []
    for name, series, line in lines:
        kept = [place(point) for point in line if point[1] > 0]
        if not kept:
            continue
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in kept)
        parts.append(f'<path class="line l{series}" d="{path}"/>')
        if len(kept) <= 40:
            parts += [
                f'<circle class="s{series}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in kept
            ]
        x, y = kept[-1]
        y = min((y, y - 8, y + 8), key=lambda at: any(abs(at - other) < 13 for other in labels))
        labels.append(y)
        parts.append(
            f'<text class="value t{series}" x="{x + 8:.1f}" y="{y + 4:.1f}">{escape(name)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _ticks(low: float, high: float) -> list[float]:
    chosen = (1.0, 2.0, 5.0) if high - low < 2.5 else (1.0,)
    values = [m * 10**e for e in range(math.floor(low) - 1, math.ceil(high) + 1) for m in chosen]
    return [value for value in values if low <= math.log10(value) <= high]


def amounts(rows: Sequence[tuple[str, float, str]], title: str) -> str:
    """Draw one bar a row, the longest over the whole width.

    Args:
        rows: the label, the amount and its text.
        title: what a screen reader says.
    """
    if not rows:
        return ""
    left, right, bar, gap = 110, 190, 16, 8
    inner = WIDTH - left - right
    most = max(amount for _, amount, _ in rows) or 1.0
    height = len(rows) * (bar + gap) + 6
    parts = [_open(height, title)]
    for number, (label, amount, text) in enumerate(rows):
        y = 3 + number * (bar + gap)
        width = max(inner * amount / most, 1.5)
        parts.append(
            f'<text class="group" x="{left - 12}" y="{y + 12}" text-anchor="end">{escape(label)}</text>'
        )
        parts.append(
            f'<rect class="s3" x="{left}" y="{y}" width="{width:.1f}" height="{bar}" rx="3"/>'
        )
        parts.append(
            f'<text class="value" x="{left + width + 8:.1f}" y="{y + 12}">{escape(text)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _open(height: float, title: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title, quote=True)}">'
