"""The tensors of a file: read without running anything, taken one by one, known to be sound."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cosine_similarity

from studyrun_extract.foreign import AGAIN, first_line, named_code, wrong
from studyrun_models.untrusted import FLOATS, archive_objection, entries, tensor_objection

__all__ = [
    "UNSET",
    "Tensors",
    "demand_mapping",
    "demand_rows",
    "demand_threshold",
    "load_pickled",
    "pickled",
    "whole_numbers",
]

UNSET = -1.0
"""What a threshold is before it is learnt."""
NEAR = 1e-2
"""How far from 1 norms may be that were set to 1, in half precision."""
MARGIN = 0.2
"""Mean cosine, beyond what chance gives, that tells along which axis an encoder points."""
ENOUGH = 16
"""Features from which on chance does not look like a transposed decoder."""


@dataclass(frozen=True, eq=False)
class Tensors:
    """What a file holds by key; `take` hands it out, `demand_done` misses nothing."""

    file: Path
    found: Mapping[str, Any]
    claim: str
    """Who says which shapes are right: `cfg.json`."""
    _taken: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, file: Path, claim: str) -> Tensors:
        """Those of a safetensors file.

        Raises:
            StudyError: it cannot be read.
        """
        try:
            entries(file)  # of two equal keys, load_file would take the last
            return cls(file, load_file(file), claim)
        except (SafetensorError, OSError, ValueError) as error:
            what = f"is no complete safetensors file ({first_line(error)})"
            raise wrong(file, what, AGAIN) from error

    def take(self, key: str, *shape: int) -> Tensor:
        """The tensor of that key, float32.

        Raises:
            StudyError: it is missing, is of another shape, or holds what is no finite number.
        """
        if key not in self.found:
            held = ", ".join(self.found) or "nothing"
            raise wrong(self.file, f"has no key {key!r}; it has {held}", self._claimed())
        tensor = self.found[key]
        self._taken.add(key)
        if not isinstance(tensor, Tensor):
            raise wrong(self.file, f"{key} is no tensor of real numbers", self._claimed())
        objection = tensor_objection(tensor, whole_numbers=tensor.is_nested or tensor.ndim < 2)
        if objection:
            cure = f"save a plain tensor of {', '.join(FLOATS)}, with .clone()"
            raise wrong(self.file, f"{key} {objection}", cure)
        if tuple(tensor.shape) != shape:
            raise wrong(self.file, self._misshapen(key, tensor, shape), self._claimed())
        values = tensor.to(torch.float32).contiguous()  # what float64 alone holds is not finite
        if not bool(values.isfinite().all()):
            bad = int((~values.isfinite()).sum())
            what = f"{key} has {bad} of {values.numel()} values that are not finite"
            raise wrong(self.file, what, "train it again, or take an earlier checkpoint")
        return values

    def demand_done(self, ignored: Collection[str] = ()) -> None:
        """Nothing, if every key was taken.

        Raises:
            StudyError: some were not; what they would have done is not known.
        """
        left = sorted({*self.found} - self._taken - {*ignored})
        if left:
            raise wrong(self.file, f"has keys that this SAE does not: {', '.join(left)}",
                        self._claimed())  # fmt: skip

    def _misshapen(self, key: str, tensor: Tensor, shape: tuple[int, ...]) -> str:
        found = tuple(tensor.shape)
        turned = ", which is it transposed" if len(shape) == 2 and found == shape[::-1] else ""
        return f"{key} is {found}{turned}, not {shape} as {self.claim} says"

    def _claimed(self) -> str:
        return f"the file and {self.claim} do not belong together"


def demand_rows(W_dec: Float[Tensor, "d_sae d_in"], W_enc: Tensor, file: Path, key: str) -> None:
    """Nothing, unless the numbers show that one is empty, or a square decoder transposed.

    Shapes cannot tell. Two things can: norms that were set to 1 are those of features, and an
    encoder column points along its feature's decoder row far more than along another direction.

    Args:
        W_dec: rows are features.
        W_enc: (d_in, d_sae), columns are features.
        file: and
        key: where the decoder was found.

    Raises:
        StudyError: one of them is 0, columns have norm 1 and rows have not, or the encoder fits the
            columns alone.
    """
    for what, matrix in ((key, W_dec), ("the encoder", W_enc)):
        if not bool(matrix.any()):
            raise wrong(file, f"{what} is 0 everywhere: it was never filled", AGAIN)
    d = len(W_dec)
    if W_dec.shape[1] != d or d < ENOUGH:
        return
    off_rows, off_columns = (float((W_dec.norm(dim=axis) - 1).abs().max()) for axis in (1, 0))
    as_is = float(cosine_similarity(W_enc.T, W_dec, dim=1).mean())
    turned = float(cosine_similarity(W_enc.T, W_dec.T, dim=1).mean())
    what = ""
    if off_columns < NEAR < off_rows:
        what = "norm 1 is not that of its features, but of its other axis"
    elif as_is < d**-0.5 < turned - MARGIN:
        what = f"the encoder points along its other axis (cosine {turned:.2f}, not {as_is:.2f})"
    if what:
        raise wrong(file, f"{key} is transposed: {what}", "transpose it")


def demand_threshold(threshold: Tensor, file: Path, key: str, cure: str) -> Tensor:
    """The threshold or thresholds, if they were learnt.

    Raises:
        StudyError: none is above 0, or some are what they were before.
    """
    if not bool((threshold > 0).any()):
        most = "" if threshold.ndim == 0 else " at most"
        what = f"{key} is {float(threshold.max()):g}{most}, with which it would be a dense ReLU"
        raise wrong(file, what, cure)
    unset = int((threshold == UNSET).sum())
    if unset:
        what = f"{key} is {UNSET:g} for {unset} of {threshold.numel()} features, so not learnt"
        raise wrong(file, what, cure)
    return threshold


def whole_numbers(tensor: Tensor, file: Path, key: str) -> list[int]:
    """The numbers of a tensor, which count something.

    Raises:
        StudyError: some are not whole, or below 1.
    """
    numbers = tensor.reshape(-1).tolist()
    if any(number < 1 or number != int(number) for number in numbers):
        shown = ", ".join(f"{number:g}" for number in numbers[:8])
        raise wrong(file, f"{key} is {shown}: whole numbers above 0 are needed", AGAIN)
    return [int(number) for number in numbers]


def load_pickled(file: Path) -> Any:
    """What `torch.save` wrote, if that is tensors, numbers, text, lists and mappings alone.

    Nothing of the file is run.

    Raises:
        StudyError: it is something else, or cannot be read.
    """
    objection = archive_objection(file)
    if objection:
        raise wrong(file, objection, "save it again with torch.save")
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a broken or hostile pickle raises whatever it likes
        code = named_code(error)
        if code:
            what = f"names {code}, which is code and no tensor (nothing of it was run)"
            cure = "get it as tensors, numbers and text alone, best as safetensors"
            raise wrong(file, what, cure) from error
        what = f"is no complete file of torch.save ({first_line(error)})"
        raise wrong(file, what, AGAIN) from error


def pickled(value: Any) -> bytes:
    """The bytes of `torch.save`."""
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def demand_mapping(value: Any, file: Path, what: str) -> Mapping[str, Any]:
    """The value, if it is a mapping with text as keys.

    Raises:
        StudyError: it is none.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise wrong(file, f"{what} is no mapping of names", "is it another tool's file?")
    return value
