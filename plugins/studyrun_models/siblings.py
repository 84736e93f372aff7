"""What stands beside the blocks: the modules between the last block and the head."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from studyrun_models.blocks import Hooks, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from studyrun_models.stack import Stack

__all__ = ["after_the_blocks", "leading", "siblings_called"]

Call = tuple["nn.Module", "Tensor", "Tensor"]
"""A module, what it was given and what it returned."""


@contextmanager
def siblings_called(stack: Stack) -> Iterator[list[Call]]:
    """Every call, while the body runs, of the modules beside the list of blocks."""
    calls: list[Call] = []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        if args and isinstance(args[0], torch.Tensor) and isinstance(output, torch.Tensor):
            calls.append((module, args[0], output))

    handles = [module.register_forward_hook(note) for module in _siblings(stack)]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def leading(calls: list[Call], first: Tensor, last: Tensor) -> list[nn.Module] | None:
    """The modules that, one after the other, turned `first` into `last`; None if none did."""
    chain = []
    for module, given, returned in calls:
        if given.shape == first.shape and torch.equal(given, first):
            first = returned
            chain.append(module)
    return chain if first.shape == last.shape and torch.equal(first, last) else None


@torch.inference_mode()
def after_the_blocks(stack: Stack, ids: list[int]) -> tuple[list[nn.Module] | None, Tensor]:
    """The modules between the last block and the head, and the stream that they were given.

    None where the head's states do not follow from the last block by modules beside the blocks.

    Args:
        stack: the model.
        ids: some tokens, to see what is called.
    """
    last = len(stack.blocks) - 1
    columns = torch.arange(len(ids))[None]
    with (
        Hooks(stack.blocks, [last]) as hooks,
        recorded(hooks, columns) as seen,
        siblings_called(stack) as calls,
    ):
        states = stack.read([ids], keep=False).states
    return leading(calls, seen[last], states), seen[last][0]


def _siblings(stack: Stack) -> list[nn.Module]:
    parent = next(
        module
        for module in stack.base.modules()
        if any(stack.blocks[0] in child.children() for child in module.children())
    )
    return [m for m in parent.children() if stack.blocks[0] not in m.children()]
