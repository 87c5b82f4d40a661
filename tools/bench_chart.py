"""Line charts as SVG text, with nothing but this file: a report must open anywhere."""

import math
from html import escape

WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 230, 30, 40
LEGEND_STEP = 15
COLOURS = ("#1b6ca8", "#c8553d", "#2e8b57", "#8e5ea2", "#b8860b", "#3c3c3c", "#d45087", "#00838f")
DASHES = ("", "6 3", "2 3")


def _ticks(low, high):
    """1, 2, 5, 10, … from at most `low` to at least `high`, two at least."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 2)
    marks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    first = max(i for i, mark in enumerate(marks) if mark <= low)
    last = min(i for i, mark in enumerate(marks) if mark >= high)
    return marks[first : max(last, first + 1) + 1]


def line_chart(title, x_labels, series, y_label):
    """An SVG element. series: {name: a value per label, None where there is none}; y is logarithmic.

    "" when there is nothing to draw.
    """
    drawn = {n: values for n, values in series.items() if any(v and v > 0 for v in values)}
    if not drawn:
        return ""
    present = [v for values in drawn.values() for v in values if v and v > 0]
    ticks = _ticks(min(present), max(present))
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])

    def x(index):
        return LEFT + (WIDTH - LEFT - RIGHT) * (index + 0.5) / len(x_labels)

    def y(value):
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (math.log10(value) - low) / (high - low))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        f'<text x="{LEFT}" y="16" class="title">{escape(title)}</text>',
    ]
    for tick in ticks:
        at = f"{y(tick):.1f}"
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}" class="grid"/>'
            f'<text x="{LEFT - 6}" y="{at}" dy="4" class="end">{tick:g}</text>'
        )
    for index, label in enumerate(x_labels):
        parts.append(
            f'<text x="{x(index):.1f}" y="{HEIGHT - BOTTOM + 16}" class="middle">'
            f"{escape(str(label))}</text>"
        )
    parts.append(f'<text x="4" y="{HEIGHT - 8}">{escape(y_label)}</text>')
    for number, (name, values) in enumerate(drawn.items()):
        parts.append(_line(number, name, values, x, y))
    return "\n".join([*parts, "</svg>"])


def _line(number, name, values, x, y):
    style = (
        f'stroke="{COLOURS[number % len(COLOURS)]}" '
        f'stroke-dasharray="{DASHES[number // len(COLOURS) % len(DASHES)]}"'
    )
    points = [(x(i), y(value)) for i, value in enumerate(values) if value and value > 0]
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
    dots = "".join(
        f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.5" fill="{COLOURS[number % len(COLOURS)]}"/>'
        for px, py in points
    )
    at = TOP + 6 + number * LEGEND_STEP
    left = WIDTH - RIGHT + 10
    return (
        f'<polyline points="{path}" fill="none" stroke-width="1.6" {style}/>{dots}'
        f'<line x1="{left}" x2="{left + 22}" y1="{at}" y2="{at}" stroke-width="2" {style}/>'
        f'<text x="{left + 28}" y="{at + 4}">{escape(name)}</text>'
    )
