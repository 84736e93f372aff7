"""Checked by value when a model is loaded: sites, padding and head are what they are taken for."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import torch

from studyrun import Runs, SiteEdits
from studyrun_models.blocks import Hooks, SiteError, recorded
from studyrun_models.replay import Passes, Replaying
from studyrun_models.siblings import leading, siblings_called
from studyrun_models.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from studyrun import Context, Position, Read

__all__ = ["replay_fault", "some_ids", "verify"]

READ: tuple[Read, ...] = ("logits",)
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-10, torch.float16: 0.02, torch.bfloat16: 0.1}
"""Relative difference that padding may make; a wrong position makes one near 1."""


@torch.inference_mode()
def verify(stack: Stack, vocabulary: int) -> None:
    """Nothing, if the stack reads what it says it reads.

    Raises:
        SiteError: a hooked residual differs from transformers' own `hidden_states`, padding
            changes a row, or the head's best token is not the model's.
    """
    ids = some_ids(vocabulary)[0]
    _sites(stack, ids)
    _padding(stack, ids)
    _head(stack, ids)


def some_ids(vocabulary: int) -> list[list[int]]:
    """Two rows of token ids, of different lengths."""
    ids = [1 + i * (vocabulary - 2) // 7 for i in range(8)]
    return [ids, ids[:5]]


def replay_fault(passes: Passes, positions: Sequence[Position], context: Context) -> str:
    """Why edited runs of the model must be run in full; empty if replaying comes to the same.

    Both are done for no edit and for one, in the middle of the model, and compared by value.
    """
    if passes.full_because:
        return passes.full_because
    layer = (len(passes.stack.blocks) - 1) // 2
    replaying = Replaying(passes, layer, context)
    try:
        differences = [_replay_difference(replaying, position) for position in positions]
    except Exception as error:  # noqa: BLE001 - whatever a foreign model's code objects to
        fault = f"{_name(passes.stack)} cannot attend to shared keys and values ({error})"
    else:
        tolerance = 10 * TOLERANCE[next(passes.stack.model.parameters()).dtype]
        if max(differences) <= tolerance:
            return ""
        fault = f"{_name(passes.stack)} replayed differs by {max(differences):.1e}"
    context.note(f"edits are run in full: {fault}")
    return fault


@torch.inference_mode()
def _replay_difference(replaying: Replaying, position: Position) -> float:
    """The largest relative difference of the scores, replayed and re-run, unedited and edited."""
    found: list[dict[int, Tensor]] = []
    for run in (replaying.run, replaying.rerun):
        scores: dict[int, Tensor] = {}

        def receive(runs: Runs, scores: dict[int, Tensor] = scores) -> None:
            assert runs.logits is not None
            scores.update(zip(runs.index.tolist(), runs.logits.double(), strict=True))

        run(_edits(replaying, position), READ, receive)
        found.append(scores)
    pairs = ((found[0][i], found[1][i]) for i in range(4))
    differences = [((one - other).norm() / other.norm()).item() for one, other in pairs]
    return max(float("inf") if isnan(each) else each for each in differences)


def _edits(replaying: Replaying, position: Position) -> SiteEdits:
    """No edit and one as large as a usual residual, of two questions."""
    weights = next(replaying.stack.model.parameters())
    size = replaying.stack.model.get_input_embeddings().weight.shape[1]
    size = getattr(replaying.stack.model.config, "hidden_size", size)
    generator = torch.Generator().manual_seed(0)
    delta = torch.randn(4, size, generator=generator).to(weights.device)
    delta[:2] = 0
    at = torch.zeros(4, dtype=torch.int64)
    return SiteEdits(torch.tensor([0, 1, 0, 1]), (position,), at, lambda runs: delta[runs])


def _sites(stack: Stack, ids: list[int]) -> None:
    """hidden_states[i + 1] is the stream after block i, but the last one is after the norm."""
    n = len(stack.blocks)
    columns = torch.arange(len(ids))[None]

    def note(_block: Any, _args: Any, output: Any) -> None:
        stack.returns_tuples = isinstance(output, tuple)

    handle = stack.blocks[0].register_forward_hook(note)
    with (
        Hooks(stack.blocks, range(n)) as hooks,
        recorded(hooks, columns) as seen,
        siblings_called(stack) as calls,
    ):
        tokens = torch.tensor([ids], device=stack.device)
        theirs = stack.base(input_ids=tokens, output_hidden_states=True).hidden_states
    handle.remove()
    wrong = [i for i in range(n - 1) if not torch.equal(seen[i], theirs[i + 1])]
    if len(theirs) != n + 1 or wrong:
        raise SiteError(f"{_name(stack)}: the streams after blocks {wrong} are not hidden_states")
    if leading(calls, seen[n - 1], theirs[-1]) is None:
        raise SiteError(f"{_name(stack)}: the last hidden state does not follow from block {n - 1}")


def _padding(stack: Stack, ids: list[int]) -> None:
    """A short row beside a long one has the same streams as alone."""
    n = len(stack.blocks)
    short = ids[:3]
    column = torch.tensor([[-1]])
    with Hooks(stack.blocks, range(n)) as hooks:
        with recorded(hooks, column) as alone:
            stack.read([short], keep=False)
        with recorded(hooks, column.expand(2, 1)) as beside:
            stack.read([ids, short], keep=False)
    for layer in range(n):
        one, other = alone[layer][0].float(), beside[layer][1].float()
        if not (one - other).norm() <= TOLERANCE[alone[layer].dtype] * one.norm():
            raise SiteError(
                f"{_name(stack)}: padding changes the stream after block {layer}; "
                "this architecture cannot be run in batches"
            )


def _head(stack: Stack, ids: list[int]) -> None:
    tokens = torch.tensor([ids], device=stack.device)
    theirs = stack.model(input_ids=tokens).logits[0, -1]
    ours = int(stack.logits(stack.read([ids], keep=False).hidden)[0].argmax(-1))
    if not torch.isclose(theirs[ours], theirs.max()):
        raise SiteError(f"{_name(stack)}: the head's best token is not the model's")


def _name(stack: Stack) -> str:
    return type(stack.model).__name__
