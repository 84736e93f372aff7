"""Activations in files, mapped into memory: nothing is read before it is asked for.

Nothing of a file is run either: `.npy` without objects, `.pt` with `weights_only`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studyrun_extract.foreign import AGAIN, first_line, named_code, wrong
from studyrun_extract.headers import Header, Ids, header_of, ids_in, sites, width
from studyrun_extract.mapped import Mapped, mapped
from studyrun_extract.params import LoadParams
from studyrun_models.untrusted import FLOATS, archive_objection, json_of, tensor_objection

__all__ = ["Held", "held"]


@dataclass(frozen=True, eq=False)
class Held:
    """What a file holds."""

    x: Mapped
    """(rows, layers, positions, d_model) but for axes of length 1."""
    row: tuple[int, int, int]
    """layers, positions, d_model."""
    layers: list[int]
    positions: list[Any]
    ids: Ids | None


def held(params: LoadParams) -> Held:
    """The activations, and what is known of their axes.

    Raises:
        StudyError: the file is not what it must be; one line with file, key and cure.
    """
    file = Path(params.path)
    x, header = READ[file.suffix](file, params.tensor, header_of(file, params.tensor))
    layers, positions = sites(file, (params.layers, params.positions), header)
    row = len(layers), len(positions), width(file, x.shape, len(layers), len(positions))
    ids = header.ids
    if params.ids is not None:
        ids = _listed(Path(params.ids))
    if ids is not None and len(ids) != len(x):
        what = f"has {len(x)} rows, but {len(ids)} problem ids"
        raise wrong(file, what, "the two do not belong together")
    return Held(x, row, layers, positions, ids)


def _safetensors(file: Path, name: str, header: Header) -> tuple[Mapped, Header]:
    return mapped(file, name, header), header


def _npy(file: Path, name: str, header: Header) -> tuple[Mapped, Header]:  # noqa: ARG001  # alike
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, TypeError, OSError) as error:
        raise wrong(file, f"is no whole array of numpy ({first_line(error)})", AGAIN) from error
    return Mapped(array, torch.from_numpy(np.empty(0, array.dtype)).dtype), header


def _pt(file: Path, name: str, header: Header) -> tuple[Mapped, Header]:
    found = _unpickled(file)
    if isinstance(found, Tensor):
        return _floating(file, name, found), header
    if not isinstance(found, Mapping) or name not in found:
        keys = ", ".join(map(str, found))[:200] if isinstance(found, Mapping) else type(found)
        raise wrong(file, f"has no {name!r}", f"say which tensor is meant (tensor: ...): {keys}")
    if not isinstance(found[name], Tensor):
        what = f"{name} is a {type(found[name]).__name__}, not a tensor"
        raise wrong(file, what, "save one tensor (rows, layers, positions, d_model)")
    told = found.get("metadata", {})
    if not isinstance(told, Mapping):
        raise wrong(file, "metadata is no mapping of names", "save it as a dict")
    ids = told.get("problem_ids")
    return _floating(file, name, found[name]), Header(
        layers=_plain(told.get("layers")),
        positions=_plain(told.get("positions")),
        ids=None if ids is None else ids_in(_plain(ids), file, "metadata.problem_ids"),
    )


def _floating(file: Path, name: str, tensor: Tensor) -> Mapped:
    if not tensor.is_floating_point():
        what = f"{name} is of {str(tensor.dtype).removeprefix('torch.')}"
        raise wrong(file, what, "only floating-point numbers are read")
    objection = tensor_objection(tensor)
    if objection:
        cure = f"save a plain tensor of {', '.join(FLOATS)}, with .clone()"
        raise wrong(file, f"{name} {objection}", cure)
    return Mapped(tensor, tensor.dtype)


def _unpickled(file: Path) -> Any:
    """What `torch.save` wrote, mapped; nothing of it is run."""
    objection = archive_objection(file)
    if objection:
        raise wrong(file, objection, "save it again with torch.save")
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except MemoryError:
        raise
    except Exception as error:  # a broken or hostile pickle raises whatever it likes
        code = named_code(error)
        if code:
            what = f"names {code}, which is code and no tensor (nothing of it was run)"
            cure = "save tensors, numbers, text, lists and dicts alone"
            raise wrong(file, what, cure) from error
        if "Cannot allocate memory" in str(error):
            cure = "save it as .safetensors or .npy, which may be of any size"
            raise wrong(file, "is larger than the memory", cure) from error
        raise wrong(file, f"is no whole file of torch.save ({first_line(error)})", AGAIN) from error


READ: dict[str, Callable[[Path, str, Header], tuple[Mapped, Header]]] = {
    ".safetensors": _safetensors,
    ".npy": _npy,
    ".pt": _pt,
    ".pth": _pt,
}


def _listed(file: Path) -> Ids:
    try:
        found = json_of(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        what = f"is no readable JSON file ({error})"
        raise wrong(file, what, "is it the list of ids?") from error
    return ids_in(found, file, "it")


def _plain(value: Any) -> Any:
    """Lists where somebody saved tensors, tuples or ranges."""
    if isinstance(value, Tensor):
        return value.tolist()
    return list(value) if isinstance(value, tuple | range) else value
