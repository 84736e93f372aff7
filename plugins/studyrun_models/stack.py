"""A causal transformer, one segment of tokens after the other, in batches.

A row's result does not depend on its batch: padding stands on the left and is masked, position ids
are explicit. That leaves the rounding, which a recurrence amplifies: to 4e-5 at one of the sites of
100 problems. On CPU, in float32, even that is the same in every batch: rows of one length run
together (`Stack.alike`) and never too few (`Stack.lacking`), and every row is computed on one core
(`crew`).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from studyrun_models.blocks import SiteError, find_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["FEWEST", "Reading", "Stack", "greedy", "longest_first"]

FEWEST = 16
"""Tokens in a pass from which on a core's products have the same bits, however many there are.

Tried with MKL on two processors, 1 to 160 tokens, for widths of 64 to 8,192: with AVX-512 the bits
change up to 15 tokens, from 768 inputs on; on the other processor up to 3."""
LANES = 128
"""Bytes that a core takes at once where a function is applied to every number of a tensor. The
numbers left over at its end are rounded otherwise (silu: by 1e-7)."""


@dataclass(slots=True, eq=False)
class Reading:
    """Where a batch stands: everything that the next segment needs."""

    mask: Tensor
    """(rows, columns), True where later tokens may look."""
    next: Tensor
    """(rows, 1), the position id of the next token."""
    cache: Any
    """Keys and values of all columns; None if they were not kept."""
    states: Tensor
    """(rows, tokens, d_model), states of the newest segment after the final norm."""
    hidden: Tensor
    """(rows, d_model), the last token's state after the final norm."""

    def hide(self, columns: slice) -> None:
        """Keep later tokens from looking at some columns; their positions stay taken."""
        self.mask[:, columns] = False

    def repeat_last(self, times: int) -> None:
        """Add the last row so many times more."""
        if not times:
            return
        rows = torch.arange(len(self.mask), device=self.mask.device)
        rows = torch.cat([rows, rows[-1:].expand(times)])
        self.mask, self.next, self.hidden = self.mask[rows], self.next[rows], self.hidden[rows]
        self.states = self.states[rows]
        self.cache.batch_select_indices(rows)


class Stack:
    """The blocks of a causal language model, without its head unless asked."""

    def __init__(self, model: Any, n_layers: int) -> None:
        self.model = model
        self.base = model.base_model
        self.blocks = find_blocks(self.base, n_layers)
        self.device = next(model.parameters()).device
        self.even = _even(model) if self.device.type == "cpu" else 1
        """Tokens of which whole multiples have the same bits, wherever in a pass they stand."""
        self._accepts = set(inspect.signature(self.base.forward).parameters)
        self.writable: int | None = None
        """Greedy tokens are of the vocabulary's first so many; None if of all."""
        self.returns_tuples = False
        """Whether a block returns its stream in a tuple; known once the model is verified."""

    def alike(self, ids: Sequence[Sequence[int]]) -> Callable[[int], int] | None:
        """What rows have in common that run together, where rounding must not depend on the others.

        On CPU it is their length; elsewhere kernels differ anyway, and it is None.
        """
        return (lambda row: len(ids[row])) if self.device.type == "cpu" else None

    def lacking(self, rows: int, tokens: int) -> int:
        """How many rows of so many tokens are to be added so that the others' bits are the usual.

        They fill a pass up to FEWEST tokens and whole LANES; none but on CPU.
        """
        if self.device.type != "cpu":
            return 0
        least = max(rows, -(-FEWEST // tokens))
        step = self.even // gcd(self.even, tokens)
        return -(-least // step) * step - rows

    def read(
        self,
        ids: Sequence[Sequence[int]],
        *,
        keep: bool = True,
        count_padding: bool = False,
        pad: int = 0,
    ) -> Reading:
        """Run the first segment.

        Args:
            ids: token ids per row, of any lengths.
            keep: whether further segments will follow, so that keys and values are kept.
            count_padding: number the positions from the padding on (only to reproduce others).
            pad: stands before a row that is shorter than others; nothing looks at it here.
        """
        width = max(map(len, ids))
        padded = [[pad] * (width - len(row)) + list(row) for row in ids]
        tokens = torch.tensor(padded, device=self.device)
        lengths = torch.tensor([[len(row)] for row in ids], device=self.device)
        columns = torch.arange(width, device=self.device)
        mask = columns >= width - lengths
        places = columns.expand_as(mask) if count_padding else mask.cumsum(1).sub(1).clamp_min(0)
        cache = self._new_cache() if keep else None
        states = self._run(mask, places, cache, input_ids=tokens)
        return Reading(mask, places[:, -1:] + 1, cache, states, states[:, -1])

    def extend(
        self, reading: Reading, *, ids: Tensor | None = None, embeds: Tensor | None = None
    ) -> None:
        """Run a further segment: `ids` (rows, tokens) or `embeds` (rows, tokens, d_model)."""
        inputs = {"input_ids": ids} if embeds is None else {"inputs_embeds": embeds}
        segment = next(iter(inputs.values()))
        assert segment is not None, "give ids or embeds"
        n = segment.shape[1]
        places = reading.next + torch.arange(n, device=self.device)
        reading.mask = F.pad(reading.mask, (0, n), value=True)
        reading.next = reading.next + n
        reading.states = self._run(reading.mask, places, reading.cache, **inputs)
        reading.hidden = reading.states[:, -1]

    def run_with(
        self, cache: Any, places: Tensor, ids: Tensor | None, embeds: Tensor | None
    ) -> Tensor:
        """States (rows, tokens, d_model) of a segment that attends as `cache` has it, unmasked."""
        inputs = {"input_ids": ids} if embeds is None else {"inputs_embeds": embeds}
        options = {"position_ids": places, "past_key_values": cache, "use_cache": True}
        states: Tensor = self.base(**inputs, **options).last_hidden_state
        return states

    def greedy(self, reading: Reading, stop: Collection[int], limit: int) -> list[list[int]]:
        """The most likely next tokens, one by one, until one of `stop` (left out) or `limit`."""

        def fed(tokens: Tensor) -> Tensor:
            self.extend(reading, ids=tokens[:, None])
            return self.best(self.logits(reading.hidden))

        return greedy(self.best(self.logits(reading.hidden)), fed, stop, limit)

    def best(self, logits: Tensor) -> Tensor:
        """The token (...) of the highest score (..., vocabulary) that may be written."""
        return logits[..., : self.writable].argmax(-1)

    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token scores of states after the final norm (up to a monotone map per row)."""
        hidden = hidden.contiguous()  # of a slice by tokens the product would be much slower
        scores: Tensor = self.model.get_output_embeddings()(hidden)
        return scores

    def _run(self, mask: Tensor, places: Tensor, cache: Any, **inputs: Tensor | None) -> Tensor:
        """The states after the final norm, (rows, tokens, d_model)."""
        options = {
            "attention_mask": mask.long(),
            "position_ids": places,
            "past_key_values": cache,
            "use_cache": cache is not None,
        }
        known = {name: value for name, value in options.items() if name in self._accepts}
        states: Tensor = self.base(**inputs, **known).last_hidden_state
        return states

    def _new_cache(self) -> Any:
        from studyrun_models.kv_cache import roomy_cache

        if "past_key_values" not in self._accepts:
            raise SiteError(f"{type(self.model).__name__} keeps no keys and values: cannot go on")
        return roomy_cache(self.model.config)


def _even(model: Any) -> int:
    """How many rows leave nothing over (`LANES`), however wide the model is at any place."""
    head = model.get_output_embeddings()
    sizes = {
        size
        for module in model.modules()
        if module is not head and not isinstance(module, nn.Embedding)
        for weight in module.parameters(recurse=False)
        if weight.ndim > 1
        for size in weight.shape
    }
    numbers: int = LANES // next(model.parameters()).element_size()
    return numbers // gcd(numbers, *sizes)


def longest_first(ids: Sequence[Sequence[int]]) -> list[int]:
    """Row numbers by falling length, so that a batch needs little padding and the first most."""
    return sorted(range(len(ids)), key=lambda row: (-len(ids[row]), row))


def greedy(
    first: Tensor, following: Callable[[Tensor], Tensor], stop: Collection[int], limit: int
) -> list[list[int]]:
    """`first` (rows,) and the tokens after it, until one of `stop` (left out) or `limit`.

    Args:
        first: ids of the first tokens.
        following: the next ones (rows,), once these (rows,) are read.
        stop: ids that end a row.
        limit: tokens at most.
    """
    ends = torch.tensor(sorted(stop), device=first.device)
    columns, done = [first], torch.isin(first, ends)
    while len(columns) < limit and not bool(done.all()):
        columns.append(following(columns[-1]))
        done |= torch.isin(columns[-1], ends)
    return [_until(row, stop) for row in torch.stack(columns, dim=1).tolist()]


def _until(row: list[int], stop: Collection[int]) -> list[int]:
    """The ids before the first of `stop`."""
    end = next((i for i, token in enumerate(row) if token in stop), len(row))
    return row[:end]
