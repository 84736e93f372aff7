"""What files of somebody else's are held to before anything is made of them; light.

Readers of these formats take the last of two equal keys, unpack what is compressed to any size, and
give tensors that repeat one number a billion times. None of that is what a tool saves.
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

__all__ = ["FLOATS", "Entry", "archive_objection", "entries", "json_of", "tensor_objection"]

LONGEST = 100_000_000
"""Bytes of a header; safetensors itself reads no longer one."""
FLOATS = ("float64", "float32", "float16", "bfloat16")
"""Types of numbers that mean what they say; smaller ones need a scale from elsewhere."""
BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16}
"""Of the same in safetensors."""
METADATA = "__metadata__"


@dataclass(frozen=True)
class Entry:
    """A tensor in the header of a safetensors file."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def json_of(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none, has a key twice, or is nested without end.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"key {name!r} stands there twice")
    return found


def entries(file: Path) -> tuple[dict[str, Entry], dict[str, str], int]:
    """(tensors, metadata, where the data begin) of a safetensors file.

    Raises:
        OSError: it cannot be opened.
        ValueError: it has no such header, or is not as long as that says.
    """
    with file.open("rb") as stream:
        size = file.stat().st_size
        length = int.from_bytes(stream.read(8), "little")
        if not 0 < length <= min(size - 8, LONGEST):
            raise ValueError("has no header of safetensors")
        text = stream.read(length)
    try:
        known = msgspec.convert(json_of(text), dict[str, Any])
        told = msgspec.convert(known.pop(METADATA, {}), dict[str, str])
        found = msgspec.convert(known, dict[str, Entry])
    except (ValueError, msgspec.ValidationError) as error:
        raise ValueError(f"has no header of safetensors ({error})") from error
    begin = 8 + length
    _demand_laid_out(found, size - begin, begin)
    return found, told, begin


def _demand_laid_out(found: Mapping[str, Entry], size: int, begin: int) -> None:
    """Nothing, if the tensors lie one after the other to the end of the file."""
    places = sorted(entry.data_offsets for entry in found.values())
    end = max((last for _, last in places), default=0)
    if end != size:
        raise ValueError(f"is not whole: {begin + size} bytes of {begin + end}")
    joints = [(0, 0), *places]
    if any(first > last for first, last in places) or any(
        one[1] != other[0] for one, other in pairwise(joints)
    ):
        raise ValueError("has no header of safetensors (its tensors overlap or leave gaps)")
    for name, entry in found.items():
        bits, (first, last) = BITS.get(entry.dtype), entry.data_offsets
        wrong = bits is not None and prod(entry.shape) * bits != 8 * (last - first)
        if wrong or any(axis < 0 for axis in entry.shape):
            what = f"{name} of shape {tuple(entry.shape)} in {last - first} bytes"
            raise ValueError(f"has no header of safetensors ({what})")


def archive_objection(file: Path) -> str:
    """Why a file of `torch.save` is not opened; empty where it may be.

    A few kB that are compressed may unpack to more than any memory holds.
    """
    if not file.is_file() or not zipfile.is_zipfile(file):
        return ""
    try:
        with zipfile.ZipFile(file) as archive:
            packed = [each.filename for each in archive.infolist() if each.compress_type]
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return ""  # not whole, which torch says
    return f"holds {packed[0]} compressed, as torch.save never writes it" if packed else ""


def tensor_objection(tensor: Tensor, *, whole_numbers: bool = False) -> str:
    """Why a tensor is no plain array of numbers; empty where it is one.

    Args:
        tensor: as somebody's file has it.
        whole_numbers: whether they are no reason either.
    """
    kind = str(tensor.dtype).removeprefix("torch.")
    layout = str(tensor.layout).removeprefix("torch.")
    if tensor.is_nested or layout != "strided" or tensor.is_quantized or tensor.is_complex():
        what = "nested" if tensor.is_nested else kind if layout == "strided" else layout
        return f"is no tensor of real numbers, but {what}"
    if tensor.device.type != "cpu":
        return "has no numbers, but a shape alone"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return f"repeats {tensor.untyped_storage().nbytes()} bytes as {tuple(tensor.shape)}"
    integer = not tensor.is_floating_point() and kind != "bool"
    if kind in FLOATS or (whole_numbers and integer):
        return ""
    return f"is of {kind}, whose numbers mean nothing without a scale"
