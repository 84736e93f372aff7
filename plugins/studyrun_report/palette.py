"""The colours of the pictures, on paper and on a dark screen; the page's names for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from studyrun_classify.kinds import UNSPECIFIC

__all__ = ["CONTRARY", "GRID", "INK", "IN_TURN", "KINDS", "MUTED", "OTHER_KINDS", "SERIES", "Tone",
           "kind_colours", "ordered", "style", "variables"]  # fmt: skip


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
INK, MUTED, GRID = "#20262d", "#6b7681", "#e3e7eb"
SERIES, CONTRARY = KINDS["operation"].light, KINDS["value"].light
"""What is shown, and the same below zero."""
SURFACES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", "white": "--paper"}
"""Colours that the style sheet itself has names and values for."""


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
    """CSS variable -> tone."""
    others = {f"--other-{number}": tone for number, tone in enumerate(OTHER_KINDS, 1)}
    return {f"--kind-{kind}": tone for kind, tone in KINDS.items()} | others


def variables() -> Mapping[str, str]:
    """Colour -> the CSS variable that replaces it on the page, where dark mode may change it."""
    return SURFACES | {tone.light: name for name, tone in _named().items()}


def style() -> str:
    """The style sheet that gives the variables of the kinds their values in both themes."""
    light, dark = (
        " ".join(f"{name}: {tone[theme]};" for name, tone in _named().items()) for theme in (0, 1)
    )
    screen = "@media screen and (prefers-color-scheme: dark)"
    return f":root {{ {light} }}\n{screen} {{ :root {{ {dark} }} }}\n"
