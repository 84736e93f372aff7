"""Draw the training curves as one SVG picture."""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "curves"
WIDTH, HEIGHT = 860, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 200, 36, 40
SERIES = {
    "drill_exact": ("plain calculations", "#999999"),
    "result0_exact": ("1st result, in the thoughts", "#9ecae1"),
    "result1_exact": ("2nd result", "#4292c6"),
    "result2_exact": ("3rd result", "#084594"),
    "student_exact": ("answer, training", "#fdae6b"),
    "held_out_six": ("answer, held out: six thoughts", "#d94801"),
    "held_out_hidden": ("thoughts hidden", "#74c476"),
    "held_out_other": ("another problem's thoughts", "#006d2c"),
}


@dataclass(frozen=True, slots=True)
class Curves:
    """What a CSV file of the training holds."""

    lines: dict[str, list[tuple[float, float]]]
    """Name -> (minutes since the start, value)."""
    stages: dict[str, float]
    """Stage -> minutes at its start."""
    minutes: float


def read_curves(path: Path) -> Curves:
    """All curves, with the stages one after another."""
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    stages: dict[str, float] = {}
    now = 0.0
    with path.open(newline="") as file:
        for stage, _, seconds, name, value in csv.reader(file):
            if stage not in stages:
                stages[stage] = now
            now = stages[stage] + float(seconds) / 60
            lines[name].append((now, float(value)))
    return Curves(lines, stages, now)


def _x(curves: Curves, minutes: float) -> float:
    """Horizontal place of a time."""
    return LEFT + (WIDTH - LEFT - RIGHT) * minutes / curves.minutes


def _y(value: float) -> float:
    """Vertical place of a share."""
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value


def _text(x: float, y: float, text: str, colour: str = "#444", anchor: str = "start") -> str:
    """A label."""
    place = f'x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {place}>{text}</text>"


def _frame(curves: Curves) -> list[str]:
    """Axes, stages and minutes."""
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{share:.2f}", anchor="end"))
    for i, (stage, start) in enumerate(curves.stages.items()):
        x = _x(curves, start)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#bbb"/>')
        parts.append(_text(x + 3, TOP - (22 if i % 2 else 8), stage))
    for minutes in range(0, int(curves.minutes) + 1, 10):
        parts.append(
            _text(_x(curves, minutes), HEIGHT - BOTTOM + 16, str(minutes), "#444", "middle")
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(_text(middle, HEIGHT - 6, "minutes", anchor="middle"))
    return parts


def draw(curves: Curves) -> str:
    """The picture as SVG text."""
    parts = _frame(curves)
    for i, (name, (label, colour)) in enumerate(SERIES.items()):
        points = curves.lines.get(name, [])
        path = "L".join(f"{_x(curves, t):.1f} {_y(v):.1f}" for t, v in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(_text(WIDTH - RIGHT + 8, TOP + 14 + 20 * i, label, colour))
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    style = 'font-family="sans-serif" font-size="11"'
    back = '<rect width="100%" height="100%" fill="white"/>'
    body = "\n".join([back, *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{body}\n</svg>\n'


def main() -> None:
    """Draw from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path, nargs="?", default=FOLDER / "curves.csv")
    parser.add_argument("svg", type=Path, nargs="?", default=FOLDER / "curves.svg")
    args = parser.parse_args()
    args.svg.write_text(draw(read_curves(args.csv)))


if __name__ == "__main__":
    main()
