"""The active pairs of rows, without the dense z.

On CPU numpy does what comes after the product, some rows at a time: they stay in the processor's
cache, and torch's other threads are not woken for what one has done meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from studyrun_sae.architectures import AbsTopK, Architecture, KSparse, TopK
from studyrun_sae.blocks import BLOCK
from studyrun_sae.sae import SAE

__all__ = ["Encoder", "Pairs", "largest"]

Array = NDArray[Any]
PIECE = 2**18
"""Pre-activations that numpy looks at together: a megabyte."""
GRAIN = 2**15
"""The same for torch, which shares out more than that among threads."""
SHORT = 1024
"""Numbers up to which numpy sorts a row faster than it finds one place of it."""
GROUPS = 16
"""Groups of features for each of the k that are looked for."""
SIZE: Mapping[type[Architecture], Callable[[Array], Array]] = {TopK: np.asarray, AbsTopK: np.abs}
"""Those that keep the k largest, and of what."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Which features are active on which row, and how strongly."""

    row: Int[Tensor, " pairs"]
    feature: Int[Tensor, " pairs"]
    activation: Float[Tensor, " pairs"]
    """Never 0."""

    @classmethod
    def of(cls, z: Float[Tensor, "rows d_sae"]) -> Pairs:
        """Those of a dense z."""
        row, feature = z.nonzero(as_tuple=True)
        return cls(row, feature, z[row, feature])


class Encoder:
    """An SAE that encodes at most BLOCK rows at a time, on CPU in memory that all of them share."""

    def __init__(self, sae: SAE) -> None:
        """Of an SAE whose weights stay as they are."""
        self.sae = sae
        self._room: tuple[Tensor, Tensor] | None = None
        self._ordered = np.empty(PIECE, np.float32)

    def pairs(self, x: Float[Tensor, "rows d_in"]) -> Pairs:
        """Where sae.encode(x) is not 0, row after row."""
        if x.device.type == "cpu" and x.dtype == self.sae.W_enc.dtype == torch.float32:
            return self._on_cpu(x)
        architecture, pre_acts = self.sae.architecture, self.sae.pre_acts(x)
        if not isinstance(architecture, KSparse):
            return Pairs.of(architecture.activate(pre_acts))
        active = architecture.select(pre_acts)
        found = Pairs.of(active.values)
        return Pairs(found.row, active.features[found.row, found.feature], found.activation)

    def _on_cpu(self, x: Float[Tensor, "rows d_in"]) -> Pairs:
        product, b_enc = self._product(x).numpy(), self.sae.b_enc.numpy()
        rows, d_sae = product.shape
        found = []
        for piece in _pieces(rows, d_sae, PIECE if type(self.sae.architecture) in SIZE else GRAIN):
            h = product[piece]
            h += b_enc
            place, activation = _active(self.sae.architecture, h, self._ordered)
            place = place.astype(np.int32)  # divides three times as fast
            row = place // d_sae
            found.append((row + piece.start, place - row * d_sae, activation))
        parts = found[0] if len(found) == 1 else map(np.concatenate, zip(*found, strict=True))
        return Pairs(*map(torch.from_numpy, parts))

    def _product(self, x: Float[Tensor, "rows d_in"]) -> Float[Tensor, "rows d_sae"]:
        """The pre-activations without b_enc; the next call's take their place."""
        sae = self.sae
        if self._room is None:
            self._room = x.new_empty(BLOCK, sae.d_in), x.new_empty(BLOCK, sae.d_sae)
        centred, product = (room[: len(x)] for room in self._room)
        if sae.architecture.pre_bias:
            x = torch.sub(x, sae.b_dec, out=centred)
        return torch.mm(x, sae.W_enc, out=product)


def _pieces(rows: int, d_sae: int, size: int) -> Iterator[slice]:
    """Consecutive slices of the rows, about `size` pre-activations each."""
    step = max(1, size // d_sae)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _active(architecture: Architecture, h: Array, room: Array) -> tuple[Array, Array]:
    """Where activate(h) is not 0, counted through all rows, and what it is there."""
    size = SIZE.get(type(architecture))
    if size is not None and isinstance(architecture, KSparse):
        places = largest(size(h), architecture.k, room)
        if places is not None:
            z = h.reshape(-1)[places]
            on = z > 0 if isinstance(architecture, TopK) else z != 0
            return (places, z) if on.all() else (places[on], z[on])
    dense = architecture.activate(torch.from_numpy(h)).numpy().reshape(-1)
    places = np.flatnonzero(dense != 0)
    return places, dense[places]


def largest(size: Array, k: int, room: Array) -> Array | None:
    """Where the k largest of each row are, counted through all rows.

    None where they are not certain: of several that equal the k-th, torch.topk has its choice.
    `room`, for at least as many numbers, or SHORT for a single row, is written over.

    k of many groups of features have a largest entry that is at least the k-th of those; so the
    k largest of all are at least that, and little else is.
    """
    rows, d_sae = size.shape
    width = d_sae // (GROUPS * k)
    if width > 1:
        whole = d_sae - d_sae % width
        bound = _kth(size[:, :whole].reshape(rows, width, -1).max(axis=1), k, room)
    else:
        bound = _kth(size, k, room)
    places = np.flatnonzero(size >= bound)
    if len(places) != k * rows:
        places = _of_candidates(size, places, k, room)
    if len(places) != k * rows:
        return None
    start = np.arange(0, rows * d_sae, d_sae)
    first, last = places[::k], places[k - 1 :: k]
    return places if bool(((start <= first) & (last < start + d_sae)).all()) else None


def _of_candidates(size: Array, places: Array, k: int, room: Array) -> Array:
    """Those among the places that are at least their row's k-th largest."""
    row = places // size.shape[1]
    count = np.bincount(row, minlength=len(size))
    if count.min() < k:  # not a number
        return places[:0]
    found = np.full((len(size), count.max()), -np.inf, size.dtype)
    among = np.arange(count.max()) < count[:, None]
    found[among] = size.reshape(-1)[places]
    return places[(found >= _kth(found, k, room))[among]]


def _kth(size: Array, k: int, room: Array) -> Array:
    """(rows, 1): the k-th largest of each row."""
    at = size.shape[1] - k
    if size.shape[1] > SHORT:
        ordered = np.partition(size, at, axis=1)
    else:
        ordered = room[: size.size].reshape(size.shape)
        np.copyto(ordered, size)
        ordered.sort(axis=1)
    return ordered[:, at, None]
