"""Reading and editing the residual stream by hooks on a transformer's blocks.

Every hook set here is removed here, nobody else's is touched, and each must fire exactly once in a
pass. Threads may run passes of their own at the same time.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from threading import local
from typing import TYPE_CHECKING, Any

import torch

from studyrun import StudyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor, nn

    from studyrun import SiteEdit

__all__ = [
    "Hooks",
    "Recording",
    "SiteError",
    "edit_of",
    "edited",
    "find_blocks",
    "moved_by",
    "recorded",
    "stream_of",
    "with_stream",
]


class SiteError(StudyError):
    """A site of a model cannot be read or edited as it must be."""


class _Enough(Exception):  # noqa: N818 - not an error: ends a forward pass early
    """Everything that was wanted has been computed."""


def find_blocks(model: nn.Module, n_layers: int) -> list[nn.Module]:
    """The model's blocks: the outermost list of `n_layers` modules.

    Raises:
        SiteError: there is none, or there are several.
    """
    from torch import nn

    lists = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == n_layers
    }
    depth = min((name.count(".") for name in lists), default=0)
    outermost = [name for name in lists if name.count(".") == depth]
    if len(outermost) != 1:
        found = ", ".join(outermost) or "none"
        raise SiteError(f"{type(model).__name__}: cannot tell which are its blocks ({found})")
    return list(lists[outermost[0]])


def stream_of(output: Any) -> Tensor:
    """The residual stream (rows, tokens, d_model) in a block's output: a tensor, or a tuple."""
    stream = output[0] if isinstance(output, tuple) and output else output
    if not isinstance(stream, torch.Tensor) or stream.ndim != 3:
        raise SiteError(f"a block returned {type(output).__name__}, not a residual stream")
    return stream


def with_stream(output: Any, stream: Tensor) -> Any:
    """A block's output with the residual stream replaced, in the shape that it came in."""
    return (stream, *output[1:]) if isinstance(output, tuple) else stream


@dataclass(slots=True)
class _Pass:
    """What the hooks do in the pass that a thread is running."""

    act: Callable[[int, Any], Any]
    """(layer, the block's output) -> another output, or None to leave it."""
    fired: dict[int, int]
    """How often, by layer."""


class Hooks:
    """Hooks on some blocks, idle except in a thread that is inside `during`."""

    def __init__(self, blocks: Sequence[nn.Module], layers: Sequence[int]) -> None:
        for layer in layers:
            if not 0 <= layer < len(blocks):
                raise SiteError(f"there is no block {layer}; the model has 0..{len(blocks) - 1}")
        self.layers = tuple(dict.fromkeys(layers))
        self._blocks, self._thread = blocks, local()
        self._handles: list[Any] = []

    def __enter__(self) -> Hooks:
        self._handles = [
            self._blocks[layer].register_forward_hook(partial(self._fire, layer))
            for layer in self.layers
        ]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    @contextmanager
    def during(self, act: Callable[[int, Any], Any]) -> Iterator[None]:
        """Let the hooks do `act` while this thread runs one pass.

        Raises:
            SiteError: a block did not run exactly once.
        """
        self._thread.now = now = _Pass(act, dict.fromkeys(self.layers, 0))
        try:
            yield
        finally:
            self._thread.now = None
        for layer, times in now.fired.items():
            if times != 1:
                raise SiteError(f"block {layer} ran {times} times in one pass, not once")

    def _fire(self, layer: int, _module: nn.Module, _args: Any, output: Any) -> Any:
        now: _Pass | None = getattr(self._thread, "now", None)
        if now is None:
            return None
        now.fired[layer] += 1
        return now.act(layer, output)


class Recording:
    """Residuals that one forward pass has left, by layer."""

    def __init__(self, layers: Sequence[int], columns: Tensor) -> None:
        self.streams = torch.empty(0)
        """(rows, layers, n, d_model), where the first of the blocks is."""
        self._place = {layer: place for place, layer in enumerate(layers)}
        self._columns = columns
        same = bool((columns == columns[:1]).all())
        self._shared: list[int] | None = columns[0].tolist() if same else None

    def __getitem__(self, layer: int) -> Tensor:
        """(rows, n, d_model) after a block."""
        return self.streams[:, self._place[layer]]

    def keep(self, layer: int, stream: Tensor) -> None:
        """Copy what stands at the columns; much faster where all rows share them."""
        if not len(self.streams):
            rows, n = self._columns.shape
            self.streams = stream.new_empty(rows, len(self._place), n, stream.shape[-1])
        room = self[layer]
        if self._shared is None:
            each = torch.arange(len(stream), device=stream.device)[:, None]
            room.copy_(stream[each, self._columns.to(stream.device)])
            return
        for number, column in enumerate(self._shared):
            room[:, number].copy_(stream[:, column])


@contextmanager
def recorded(hooks: Hooks, columns: Tensor, *, stop: bool = False) -> Iterator[Recording]:
    """Collect residuals while the body runs one forward pass.

    Args:
        hooks: on the blocks after which to read.
        columns: (rows, n), which tokens to read in every row.
        stop: end the pass, and with it the body, once the deepest layer is read.

    Raises:
        SiteError: a block did not run exactly once.
    """
    seen = Recording(hooks.layers, columns)
    deepest = max(hooks.layers)

    def keep(layer: int, output: Any) -> None:
        seen.keep(layer, stream_of(output))
        if stop and layer == deepest:
            raise _Enough

    with hooks.during(keep), suppress(_Enough):
        yield seen


@contextmanager
def edited(hooks: Hooks, columns: Tensor, delta: Tensor) -> Iterator[list[Tensor]]:
    """Add `delta` (rows, d_model) after the hooked block at `columns` (rows,) in one pass.

    The list then holds one tensor, how far each row was moved (`moved_by`).

    Raises:
        SiteError: the block did not run exactly once, or with another number of rows.
    """

    def add(_layer: int, output: Any) -> Any:
        stream = stream_of(output)
        if len(stream) != len(delta):
            raise SiteError(f"{len(delta)} edits for a pass of {len(stream)} rows")
        site = (torch.arange(len(stream), device=stream.device), columns.to(stream.device))
        new = stream.clone()
        new[site] += delta.to(stream)
        moved.append(moved_by(new[site], stream[site]))
        return with_stream(output, new)

    moved: list[Tensor] = []
    with hooks.during(add):
        yield moved


def moved_by(edited: Tensor, clean: Tensor) -> Tensor:
    """|x' - x| / |x| of the last dimension, flattened, float64, CPU; 0 where x stays as it was."""
    before = torch.linalg.vector_norm(clean.double(), dim=-1)
    far = torch.linalg.vector_norm(edited.double() - clean.double(), dim=-1)
    return torch.where(far == 0, 0.0, far / before).flatten().cpu()


def edit_of(edit: SiteEdit | None, rows: Sequence[int], of: int) -> SiteEdit | None:
    """The part of an edit that concerns some of its rows, `of` being how many it must have.

    Raises:
        SiteError: it has another number of rows.
    """
    if edit is None:
        return None
    if len(edit.delta) != of:
        raise SiteError(f"{len(edit.delta)} edits for {of} questions")
    return replace(edit, delta=edit.delta[list(rows)])
