"""What the run of the small study left: its record, and what in it a test looks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def record(folder: Path) -> dict[str, Any]:
    """`report.json` as the run's folder shows it."""
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def features(folder: Path) -> dict[str, Any]:
    """The block with every feature."""
    blocks = [block for section in record(folder)["sections"] for block in section["blocks"]]
    return next(block for block in blocks if block["type"] == "features")


def labelled(folder: Path) -> dict[str, Any]:
    """The page of a feature with a label, an interval and problems."""
    return next(page for page in features(folder)["pages"] if page.get("label"))


def column(block: dict[str, Any], name: str) -> int:
    """The place of a column."""
    return [each["name"] for each in block["columns"]].index(name)
