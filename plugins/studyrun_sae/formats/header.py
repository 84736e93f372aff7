"""What is known of an SAE's files without reading a tensor; imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from studyrun import Position
from studyrun_extract.foreign import wrong
from studyrun_models.untrusted import json_of

__all__ = [
    "FINGERPRINT",
    "OWN_POSITION",
    "Header",
    "fingerprint_file",
    "plain",
    "read_config",
    "residual_layer",
]

FINGERPRINT = "fingerprint.safetensors"
"""What `sae-save` puts beside the files of a format: rows with the z and x_hat they must give."""
OWN_POSITION = "studyrun_position"
"""A key of our own for what no tool's configuration has a place for."""
BLOCK = re.compile(r"(?:.*\.)?(?:layers|h|blocks)\.(\d+)$")
"""A module path that ends at a block, whose output is the residual stream after it."""
LENS = re.compile(r"blocks\.(\d+)\.hook_resid_(pre|post)$")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Header:
    """The files of an SAE, and what they say of it."""

    format: str
    files: tuple[Path, ...]
    """Every file that a reader opens, the one with the weights first."""
    d_in: int | None = None
    d_sae: int | None = None
    architecture: str | None = None
    """As `SaeWeights` calls it."""
    layer: int | None = None
    position: Position | None = None
    hook: str = ""
    """What the file says of its place, where that is no layer of the residual stream."""
    model: str = ""
    complete: bool = True
    """False where the file may say more than can be known without reading it."""


def read_config(file: Path, into: type[T], tool: str) -> T:
    """A JSON file as a dataclass; what the dataclass does not name is left out.

    Raises:
        StudyError: it cannot be read, is not JSON or lacks something.
    """
    try:
        raw = json_of(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise wrong(file, f"cannot be read ({error.strerror})", f"a {tool} SAE has it") from error
    except ValueError as error:
        raise wrong(file, f"is not JSON ({error})", f"save the SAE again with {tool}") from error
    try:
        return msgspec.convert(raw, into)
    except msgspec.ValidationError as error:
        cure = f"is it a configuration of {tool}?"
        raise wrong(file, str(error).replace("$.", ""), cure) from error


def residual_layer(hook: str) -> int | None:
    """The layer whose output a hook names; None where it is no residual stream after a block."""
    lens, block = LENS.fullmatch(hook), BLOCK.fullmatch(hook)
    if lens is not None:
        layer = int(lens[1]) - (lens[2] == "pre")
        return layer if layer >= 0 else None
    return int(block[1]) if block else None


def fingerprint_file(path: Path) -> Path | None:
    """The fingerprint that `sae-save` put beside an SAE, if there is one."""
    if path.is_dir():
        candidates = [path / FINGERPRINT]
    else:
        candidates = [path.with_name(f"{path.name}.{FINGERPRINT}"), path.with_name(FINGERPRINT)]
    return next((file for file in candidates if file.is_file()), None)


def plain(value: Any) -> str:
    """Text of a configuration's value; empty for None."""
    return "" if value is None else str(value)
