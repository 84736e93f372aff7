"""The colours of the pictures, on paper and on a dark screen; the page's names for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from studyrun_classify.kinds import UNSPECIFIC

__all__ = ["CONTRARY", "GRID", "INK", "IN_TURN", "KINDS", "MUTED", "OTHER_KINDS", "PAGE", "SCALE",
           "SERIES", "TWO_SIDED", "Tone", "kind_colours", "ordered", "style",
           "variables"]  # fmt: skip


class Tone(NamedTuple):
    """One colour in both themes."""

    light: str
    """In the pictures' files, in print and on a light page."""
    dark: str


KINDS = {
    "operation": Tone("#1f5f8b", "#6aaad3"),
    "operation-value": Tone("#5587f2", "#98faf1"),
    "value": Tone("#b8641b", "#e0944f"),
    "steps": Tone("#328c6f", "#44d29e"),
    "answer": Tone("#61520a", "#eef161"),
    "pattern": Tone("#501578", "#974fb1"),
    "free": Tone("#9c2564", "#d85759"),
    "combination": Tone("#a964af", "#e0b9fe"),
    "mixed": Tone("#6c0814", "#198a30"),
    "general": Tone("#93a0ac", "#77848f"),
    "insufficient": Tone("#d3d9df", "#3d4750"),
    "unknown": Tone("#c2b280", "#5f5330"),
}
"""The kinds of this project's own labels: apart from each other, also for colour-blind readers.
Greys and sand stand for what is no label."""
OTHER_KINDS = (
    Tone("#2d7d5b", "#63b892"),
    Tone("#a63d62", "#e0809f"),
    Tone("#7d7420", "#c9be5c"),
    Tone("#2a7f8e", "#62b7c6"),
)
"""What kinds of third parties take in turns."""
IN_TURN = tuple(
    KINDS[kind]
    for kind in ("operation", "value", "steps", "pattern", "free", "combination", "answer",
                 "operation-value")
)  # fmt: skip
"""What things of which any number may stand in one picture take in turns."""
SCALE = (
    Tone("#eef3f7", "#1e2a33"),
    Tone("#cfe0ec", "#24445a"),
    Tone("#a4c6de", "#2c6083"),
    Tone("#6fa5c9", "#3b80ab"),
    Tone("#3f82b0", "#62a3cc"),
    Tone("#1c6193", "#98c7e5"),
    Tone("#0f3f66", "#d6ebf9"),
)
"""From little to much: heatmaps and whatever else is ordered. Steps, because a colour between two
of these would be the same in both themes; `alt.Scale(type="quantize", range=[...])` takes them."""
TWO_SIDED = (
    Tone("#8c3b0c", "#f6b98e"),
    Tone("#cf7a3c", "#d07f45"),
    Tone("#f0c7a3", "#74431f"),
    Tone("#f3f4f5", "#23292e"),
    Tone("#aecbe3", "#264c68"),
    Tone("#5792be", "#4d91c0"),
    Tone("#134e7d", "#b2d8f3"),
)
"""From far below zero over none to far above it."""
PAGE = {
    "--paper": Tone("#ffffff", "#14181c"),
    "--raised": Tone("#f5f7f9", "#1b2126"),
    "--hover": Tone("#eef2f5", "#222a31"),
    "--ink": Tone("#20262d", "#e4e8eb"),
    "--muted": Tone("#5b6671", "#9aa6b1"),
    "--line": Tone("#d8dee3", "#333c44"),
    "--field": Tone("#7d8994", "#76828d"),
    "--grid": Tone("#e3e7eb", "#2c343b"),
    "--axis": Tone("#6b7681", "#8a96a1"),
    "--accent": Tone("#1a5a88", "#7fb8dd"),
    "--mark": Tone("#dcebf6", "#1f3a4d"),
    "--supported": Tone("#17693f", "#6fc798"),
    "--refuted": Tone("#a8261f", "#f0918a"),
    "--inconclusive": Tone("#6f5600", "#d9bb5c"),
}
"""The page's own colours. `--field` borders what can be typed into, 3 to 1 at least to paper."""
INK, MUTED, GRID = (PAGE[name].light for name in ("--ink", "--axis", "--grid"))
SERIES, CONTRARY = KINDS["operation"].light, KINDS["value"].light
"""What is shown, and the same below zero."""
SURFACES = {INK: "--ink", MUTED: "--axis", GRID: "--grid", "white": "--paper"}
"""Colours of pictures that are the page's own."""


def ordered(kinds: Iterable[str]) -> list[str]:
    """The kinds as they stand beside each other: labels, those of third parties, no labels."""
    silent = [kind for kind in KINDS if kind in UNSPECIFIC]
    known = [kind for kind in KINDS if kind not in UNSPECIFIC]
    every = dict.fromkeys(kinds)
    others = [kind for kind in every if kind not in KINDS]
    return [kind for kind in (*known, *others, *silent) if kind in every]


def kind_colours(kinds: Sequence[str]) -> list[str]:
    """A colour for each kind; kinds of third parties take turns."""
    others = [kind for kind in kinds if kind not in KINDS]
    own = {kind: OTHER_KINDS[i % len(OTHER_KINDS)] for i, kind in enumerate(others)}
    return [(KINDS.get(kind) or own[kind]).light for kind in kinds]


def _named() -> dict[str, Tone]:
    """CSS variable -> tone, for the colours that only pictures have."""
    several = {"other": OTHER_KINDS, "scale": SCALE, "two-sided": TWO_SIDED}
    numbered = {
        f"--{name}-{number}": tone
        for name, tones in several.items()
        for number, tone in enumerate(tones, 1)
    }
    return {f"--kind-{kind}": tone for kind, tone in KINDS.items()} | numbered


def variables() -> Mapping[str, str]:
    """Colour -> the CSS variable that replaces it on the page, where dark mode may change it."""
    return SURFACES | {tone.light: name for name, tone in _named().items()}


def style() -> str:
    """The style sheet that gives every variable its value in both themes.

    The reader's choice (`data-theme`) goes before what the system prefers; paper is always light.
    """
    tones = PAGE | _named()
    light, dark = (
        " ".join(f"{name}: {tone[theme]};" for name, tone in tones.items()) for theme in (0, 1)
    )
    return (
        f":root {{ color-scheme: light; {light} }}\n"
        "@media screen and (prefers-color-scheme: dark) { :root:not([data-theme=light]) "
        f"{{ color-scheme: dark; {dark} }} }}\n"
        f"@media screen {{ :root[data-theme=dark] {{ color-scheme: dark; {dark} }} }}\n"
    )
