"""The colours of the pictures, and the style sheet's names for them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["GRID", "INK", "MUTED", "SERIES", "VARIABLES", "kind_colours"]

INK, MUTED, GRID, SERIES = "#20262d", "#6b7681", "#e3e7eb", "#1f5f8b"
KINDS = {
    "operation": "#1f5f8b",
    "value": "#b8641b",
    "pattern": "#6d4a9c",
    "general": "#93a0ac",
    "insufficient": "#d3d9df",
}
OTHER_KINDS = ("#2d7d5b", "#a63d62", "#7d7420", "#2a7f8e")
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    SERIES: "--operation",
    KINDS["value"]: "--value",
    KINDS["pattern"]: "--pattern",
    KINDS["general"]: "--general",
    KINDS["insufficient"]: "--insufficient",
    "white": "--paper",
}
"""Colour -> the CSS variable that replaces it on the page, where dark mode may change it."""


def kind_colours(kinds: Sequence[str]) -> list[str]:
    """A colour for each kind; kinds of third parties take turns."""
    others = [kind for kind in kinds if kind not in KINDS]
    own = {kind: OTHER_KINDS[i % len(OTHER_KINDS)] for i, kind in enumerate(others)}
    return [KINDS.get(kind) or own[kind] for kind in kinds]
