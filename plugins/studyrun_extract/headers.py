"""What a file of activations says of itself, without reading a number; imports nothing heavy."""

from __future__ import annotations

import ast
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import IO, Any

from studyrun import Position
from studyrun_extract.foreign import AGAIN, wrong
from studyrun_models.untrusted import entries, json_of

__all__ = ["SUFFIXES", "Header", "Ids", "header_of", "ids_in", "sites", "width"]

Ids = list[str] | list[int]
"""Problems by id, or by number counted from 0."""
SUFFIXES = (".safetensors", ".npy", ".pt", ".pth")
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Bytes of the types of safetensors that are read."""
NPY_MAGIC = b"\x93NUMPY"
NPY_NUMBERS = re.compile(r"[<=|]f([248])")


@dataclass(frozen=True, slots=True)
class Header:
    """The tensor, and what is said of its axes; None for what shows only when it is read."""

    shape: tuple[int, ...] | None = None
    layers: list[int] | None = None
    positions: list[Position] | None = None
    ids: Ids | None = None
    dtype: str = ""
    """As safetensors calls it."""
    offset: int = 0
    """The byte of a file of safetensors at which the tensor begins."""


def header_of(file: Path, tensor: str) -> Header:
    """What the file says of the tensor of that name.

    Raises:
        StudyError: it is of no known sort, not whole, or has no such tensor.
    """
    if file.suffix not in SUFFIXES:
        what = f"{file.suffix or 'no suffix'} is not known"
        raise wrong(file, what, f"known are {', '.join(SUFFIXES)}")
    try:
        if file.suffix == ".safetensors":
            return _safetensors(file, tensor)
        with file.open("rb") as stream:
            size = file.stat().st_size
            if file.suffix == ".npy":
                return _npy(file, stream, size)
            return _pt(file, stream)
    except OSError as error:
        raise wrong(file, f"cannot be read ({error.strerror})", "is the path right?") from error


def sites(
    file: Path, said: tuple[list[int] | None, list[Position] | None], header: Header
) -> tuple[list[int], list[Position]]:
    """Layers and positions, as the study or the file says them.

    Raises:
        StudyError: neither does, or the two differ.
    """
    _demand_distinct(file, "layers", header.layers, int)
    _demand_distinct(file, "positions", header.positions, int | str)
    layers = _agreed(file, "layers", said[0], header.layers, "14")
    positions = _agreed(file, "positions", said[1], header.positions, "3")
    return layers, positions


def width(file: Path, shape: Sequence[int], layers: int, positions: int) -> int:
    """d_model, where the axes are (rows, layers, positions, d_model); those of length 1 may lack.

    Raises:
        StudyError: they are not.
    """
    inner = [size for size in shape[1:-1] if size != 1]
    if not 2 <= len(shape) <= 4 or inner != [size for size in (layers, positions) if size != 1]:
        wanted = f"(rows, {layers}, {positions}, d_model)"
        raise wrong(file, f"its shape is {tuple(shape)}, not {wanted}", "correct layers, positions")
    if 0 in shape:
        raise wrong(file, f"its shape is {tuple(shape)}: there is nothing in it", AGAIN)
    return shape[-1]


def ids_in(value: Any, file: Path, what: str) -> Ids:
    """Ids or numbers of problems.

    Raises:
        StudyError: they are something else, or one of them stands there twice.
    """
    if not isinstance(value, list) or not (
        all(type(each) is int for each in value) or all(isinstance(each, str) for each in value)
    ):
        raise wrong(file, f"{what} is no list of ids or of numbers", 'e.g. ["p1", "p2"], [0, 1]')
    first: dict[Any, int] = {}
    for row, each in enumerate(value):
        if first.setdefault(each, row) != row:
            what = f"{what} has {each!r} at {first[each]} and at {row}"
            raise wrong(file, what, "keep one row of every problem")
    return value


def _demand_distinct(file: Path, name: str, told: Any, kind: Any) -> None:
    """Nothing, if the file says of an axis what an axis can be, or nothing."""
    if told is None:
        return
    is_list = isinstance(told, list) and bool(told)
    if not is_list or any(isinstance(e, bool) or not isinstance(e, kind) for e in told):
        what = f"says {name} {told!r}"[:160]
        raise wrong(file, f"{what}, which is no list of {name}", f"save them as e.g. {name}: [3]")
    below = name == "layers" and min(told) < 0
    if below or len(set(told)) != len(told):
        what = "below 0" if below else "twice"
        raise wrong(file, f"says {name} {told}, one of them {what}", "correct what it says")


def _agreed(file: Path, name: str, said: Any, told: Any, example: str) -> Any:
    if said is None and told is None:
        raise wrong(file, f"does not say its {name}", f"say them, e.g. {name}: [{example}]")
    if said is not None and told is not None and said != told:
        raise wrong(file, f"says {name} {told}, the study {said}", "leave them out of the study")
    return told if said is None else said


def _safetensors(file: Path, tensor: str) -> Header:
    try:
        known, told, begin = entries(file)
    except ValueError as error:
        raise wrong(file, str(error), AGAIN) from error
    if tensor not in known:
        held = ", ".join(sorted(known)[:8])
        raise wrong(file, f"has no tensor {tensor!r}", f"say which (tensor: ...): {held}")
    entry = known[tensor]
    if entry.dtype not in SIZES:
        raise wrong(file, f"{tensor} is of {entry.dtype}", f"only {', '.join(SIZES)} are read")
    offset = begin + entry.data_offsets[0]
    return replace(_told(file, told), shape=tuple(entry.shape), dtype=entry.dtype, offset=offset)


def _told(file: Path, metadata: Mapping[str, str]) -> Header:
    """What the metadata of a safetensors file say: texts, in which JSON stands."""
    found: dict[str, Any] = {}
    for name in ("layers", "positions", "problem_ids"):
        try:
            found[name] = json_of(metadata[name]) if name in metadata else None
        except ValueError as error:
            raise wrong(file, f"metadata {name} is not JSON", "e.g. '[14]'") from error
    ids = found["problem_ids"]
    known = None if ids is None else ids_in(ids, file, "metadata problem_ids")
    return Header(None, found["layers"], found["positions"], known)


def _npy(file: Path, stream: IO[bytes], size: int) -> Header:
    start = stream.read(8)
    wide = 2 if start[6:7] == b"\x01" else 4
    length = int.from_bytes(stream.read(wide), "little")
    try:
        facts = ast.literal_eval(stream.read(min(length, size)).decode("latin-1"))
        descr, shape = str(facts["descr"]), tuple(facts["shape"])
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise wrong(file, "is no array of numpy", AGAIN) from error
    if not start.startswith(NPY_MAGIC) or any(type(n) is not int or n < 0 for n in shape):
        raise wrong(file, "is no array of numpy", AGAIN)
    if descr.endswith("O"):
        raise wrong(file, "holds Python objects, which are code and no numbers", "save floats")
    numbers = NPY_NUMBERS.fullmatch(descr)
    if numbers is None:
        raise wrong(file, f"holds {descr}", "only little-endian f2, f4 and f8 are read")
    end = 8 + wide + length + prod(shape) * int(numbers[1])
    if end != size:
        raise wrong(file, f"is not whole: {size} bytes of {end}", AGAIN)
    return Header(shape)


def _pt(file: Path, stream: IO[bytes]) -> Header:
    """Nothing but that it may be one: what stands in it shows when torch reads it."""
    if not zipfile.is_zipfile(stream):
        old = "one of before torch 1.6 has to be saved again"
        raise wrong(file, "is no whole file of torch.save", f"{AGAIN}; {old}")
    return Header()
