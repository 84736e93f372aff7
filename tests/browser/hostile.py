"""A report in which every string that others could have written is an attack."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import polars as pl

sys.path.append(str(Path(__file__).parents[1] / "report"))

from staged import STUDY, staged
from written import report

from shelf import Shelf
from studyrun import Artifact, Inputs, Result
from studyrun_report.shown import show

ATTACKS = (
    "</script><script>window.hit = 1; alert(1)</script>",
    "<img src=x onerror='window.hit = 2; alert(2)'>",
    "\"'><svg onload=alert(3)>",
    "<!--<script>",
    "<a href='javascript:alert(4)'>a</a> javascript:alert(5)",
    "${alert(6)} {{ 7 * 7 }} {% raw %} <%= 1 %>",
    '=HYPERLINK("http://example.invalid", "+1")',
    "\u202egnitseretni\u202c \u2067rtl\u2069 \u05e9\u05dc\u05d5\u05dd",
    "\x00\x07\x1b[31m\x7f\u2028\ufeff\U0001f600",
    "a\u0301" * 3 + "\u0489" * 40,
    "W" * 300,
    "x" * 1_000_000,
)
"""One is a million characters long, another three hundred without a place to break."""
FORMULA = ATTACKS[6]
TENSORS = "tensors.safetensors"
KEPT = {"kind", "verdict", "ranks", "split", "status", "quantity", "part", "section", "group"}
"""Columns whose values decide what is shown; only studyrun writes them."""


def hostile(folder: Path) -> Path:
    """The folder with the report, as a run would show it."""
    inputs = staged(folder / "store", d_sae=64, n_problems=200)
    shelf = Shelf(folder / "spoiled")
    steps = {name: _spoiled(shelf, artifact) for name, artifact in inputs.by_step.items()}
    odd = Result(tables={"table": pl.DataFrame({each[:200]: [each] for each in ATTACKS[:9]})})
    steps[ATTACKS[0]] = shelf.put("weather", odd, f"{ATTACKS[1]} 1")
    files = report(Inputs({}, steps, _study()), title="".join(ATTACKS[:3]))
    shown = {name: _bytes(content) for name, content in files.items()}
    shown |= show(shown, _run(), "")
    for name, content in shown.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _spoiled(shelf: Shelf, artifact: Artifact) -> Artifact:
    """The artifact with an attack in place of every string of its tables."""
    tables = {name: _attacked(artifact.read_table(name)) for name in artifact.table_names}
    tensors = artifact.tensors() if TENSORS in artifact.manifest.files else {}
    meta = {**artifact.meta, "reason": ATTACKS[0]}
    result = Result(tables=tables, tensors=tensors, meta=meta)
    return shelf.put(artifact.manifest.type, result, f"{ATTACKS[1]} 1")


def _attacked(table: pl.DataFrame) -> pl.DataFrame:
    """Every attack in turn; ids stay apart, so that what belongs together is still found."""
    strings = [name for name, type_ in table.schema.items() if type_ == pl.String]
    changed = [
        pl.Series(name, [_attack(name, text, at) for at, text in enumerate(table[name])], pl.String)
        for name in strings
        if name not in KEPT
    ]
    return table.with_columns(changed)


def _attack(name: str, text: str | None, at: int) -> str | None:
    if text is None:
        return None
    attack = ATTACKS[at % (len(ATTACKS) if name == "question" else len(ATTACKS) - 1)]
    return f"{attack} {text}" if name == "id" else attack


def _study() -> dict[str, Any]:
    hypotheses = {attack[:60]: {"claim": attack, "expect": attack} for attack in ATTACKS[:8]}
    steps = {attack[:60]: {"use": attack, "version": "1", "with": {attack[:60]: attack}}
             for attack in ATTACKS[:8]}  # fmt: skip
    return {**STUDY, "study": ATTACKS[0], "about": "".join(ATTACKS), "hypotheses": hypotheses,
            "steps": {**STUDY["steps"], **steps}}  # fmt: skip


def _run() -> dict[str, Any]:
    """The record of a run whose steps, reasons and machine are attacks."""
    few = ATTACKS[:8]
    steps = {
        attack[:60]: {"component": f"{attack} 1", "status": "done", "reasons": [attack],
                      "seconds": 1.5, "key": str(place),
                      "recipe": {"inputs": {"x": str(place - 1)} if place else {}}}
        for place, attack in enumerate(few)
    }  # fmt: skip
    return {
        "run": ATTACKS[0], "study": ATTACKS[0], "command": list(few), "status": "done",
        "started": ATTACKS[1], "ended": ATTACKS[7], "seconds": 9.0, "error": ATTACKS[0],
        "hardware": {"machine": ATTACKS[0], "cpu": ATTACKS[1], "gpus": list(few)},
        "versions": {attack[:60]: attack for attack in few},
        "plugins": [{"name": each, "owner": each, "version": each} for each in few],
        "git": {"commit": ATTACKS[1], "dirty": True}, "peak_memory": {"cpu_bytes": 1000},
        "cells": {"": {"steps": steps}},
    }  # fmt: skip
