"""Attention of many edited runs that share what came before them.

Runs of one question lie beside each other as tokens of one row. All of them look at the keys and
values that the question left (stored once), and each at what it has computed itself: scores over
both are put side by side, so one softmax covers them, exactly as in the model's own attention.

transformers' blocks call this function by its name in the configuration (`AttentionInterface`), so
whatever else an architecture does (norms, rotary positions, projections) is its own code.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import local
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from studyrun_models.blocks import SiteError
from studyrun_models.weights import quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from studyrun_models.stack import Stack

__all__ = ["Memory", "Prefix", "shared_attention"]

FEW = 16
"""Values of one run that are added up one by one."""
NAME = "studyrun-shared"
NARROW = 4
"""Columns from which on all rows of a product are rounded alike (tried with MKL)."""
_THREAD = local()


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """The keys and values that runs of one question share, in one block."""

    keys: Tensor
    """(questions, kv_heads, columns, head_dim)."""
    values: Tensor
    """Likewise."""
    seen: Tensor
    """(questions, columns), False where nobody may look (padding)."""
    places: Tensor
    """(questions, columns), position ids."""
    padded: bool
    """Whether `seen` is False anywhere."""

    def of(self, questions: Tensor) -> Prefix:
        """That of some questions."""
        parts = (self.keys, self.values, self.seen, self.places)
        keys, values, seen, places = (part[questions] for part in parts)
        return Prefix(keys, values, seen, places, self.padded)


@dataclass(slots=True, eq=False)
class _Own:
    """What the runs of a batch have computed themselves, in one block, in order."""

    keys: Tensor
    """(room, questions, runs, kv_heads, head_dim): a token's lie together, as they are computed."""
    values: Tensor
    length: int = 0


@dataclass(slots=True, eq=False)
class Memory:
    """Keys and values of a batch of runs, (questions, runs) of them."""

    runs: int
    """Runs of each question."""
    prefix: Callable[[int], Prefix] | None
    """Of a block; None where the runs have nothing before them."""
    room: int
    """Tokens that a run is expected to need; more are made room for."""
    seen: Tensor
    """(questions, tokens), False where a run's own token is padding."""
    places: Tensor
    """(questions, tokens), position ids of the runs' own tokens."""
    padded: bool = False
    """Whether `seen` is False anywhere."""
    own: dict[int, _Own] = field(default_factory=dict)

    def put(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Store what the newest tokens gave, (questions, kv_heads, runs * tokens, head_dim)."""
        keys, values = self._by_token(keys), self._by_token(values)
        own = self.own.get(layer)
        if own is None:
            room = [part.new_empty(self.room, *part.shape[1:]) for part in (keys, values)]
            own = self.own[layer] = _Own(room[0], room[1])
        end = own.length + len(keys)
        if end > len(own.keys):
            more = (0, 0) * 4 + (0, end)
            own.keys, own.values = F.pad(own.keys, more), F.pad(own.values, more)
        own.keys[own.length : end], own.values[own.length : end] = keys, values
        own.length = end

    def _by_token(self, part: Tensor) -> Tensor:
        """(tokens, questions, runs, kv_heads, head_dim)."""
        questions, heads, columns, dim = part.shape
        shape = (questions, self.runs, columns // self.runs, heads, dim)
        return part.transpose(1, 2).reshape(shape).movedim(2, 0)

    def drop(self, tokens: int) -> None:
        """Forget the newest tokens."""
        for own in self.own.values():
            own.length -= tokens
        end = self.seen.shape[1] - tokens
        self.seen, self.places = self.seen[:, :end], self.places[:, :end]

    def keep(self, questions: Tensor, runs: Tensor) -> Memory:
        """The memory of some runs alone, each as the only run of a question."""
        before = self.prefix
        prefix = before and cache(lambda layer: before(layer).of(questions))
        seen, places = self.seen[questions], self.places[questions]
        kept = Memory(1, prefix, self.room, seen, places, self.padded)
        for layer, own in self.own.items():
            keys, values = (p[: own.length, questions, runs] for p in (own.keys, own.values))
            kept.own[layer] = _Own(keys[:, :, None], values[:, :, None], own.length)
        return kept

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Let `shared_attention` work on this memory while this thread runs one pass."""
        _THREAD.memory = self
        try:
            yield
        finally:
            _THREAD.memory = None


@contextmanager
def shared_attention(stack: Stack) -> Iterator[None]:
    """Let every pass of the model in the body attend to a `Memory`, then as before again.

    Raises:
        SiteError: the model does not let its attention be chosen.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attend)
    before = stack.model.config._attn_implementation
    with quiet():
        stack.model.set_attn_implementation(NAME)
    if stack.model.config._attn_implementation != NAME:
        raise SiteError("its attention cannot be chosen")
    try:
        yield
    finally:
        stack.model.set_attn_implementation(before)


def _attend(
    module: Any,
    query: Tensor,
    _key: Tensor,
    _value: Tensor,
    _mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    sliding_window: int | None = None,
    **_others: Any,
) -> tuple[Tensor, None]:
    """(questions, runs * tokens, heads, head_dim): softmax over what is shared and what is own."""
    memory: Memory | None = getattr(_THREAD, "memory", None)
    if memory is None:
        raise SiteError("a pass without a memory while runs are replayed")
    own = memory.own[module.layer_idx]
    prefix = memory.prefix and memory.prefix(module.layer_idx)
    questions, heads, columns, dim = query.shape
    kv_heads, tokens = own.keys.shape[3], columns // memory.runs
    query = query.transpose(1, 2) * (dim**-0.5 if scaling is None else scaling)
    query = query.reshape(questions, memory.runs, tokens, kv_heads, heads // kv_heads, dim)
    scores = _capped(_own_scores(query, own), softcap)
    scores = _masked(scores, _own_mask(memory, own.length, tokens, sliding_window))
    if prefix is not None:
        shared = _capped(_shared_scores(query, prefix), softcap)
        shared = _masked(shared, _prefix_mask(prefix, _window(memory, sliding_window), tokens))
        scores = torch.cat([shared, scores], -1)
    weights = scores.float().softmax(-1).to(query.dtype)
    mixed = _own_mix(weights[..., -own.length :], own)
    if prefix is not None:
        mixed += _shared_mix(weights[..., : -own.length], prefix)
    return mixed.transpose(2, 3).flatten(3, 4).flatten(1, 2), None


# Queries are (questions, runs, tokens, kv_heads, heads of each, head_dim).
# Scores and weights are (questions, kv_heads, runs, tokens, heads of each, columns); mixed values
# (questions, runs, kv_heads, tokens, heads of each, head_dim).


def _shared_scores(query: Tensor, prefix: Prefix) -> Tensor:
    """Of every run's query with the shared keys: one product for a question and head."""
    by_head = query.movedim(3, 1)
    flat, keys = by_head.flatten(2, 4), prefix.keys
    if keys.shape[2] < NARROW:
        scores = (flat[:, :, :, None] * keys[:, :, None]).sum(-1)
    else:
        scores = flat @ keys.transpose(2, 3)
    return scores.view(*by_head.shape[:-1], keys.shape[2])


def _shared_mix(weights: Tensor, prefix: Prefix) -> Tensor:
    """Shared values in the weights' proportions."""
    mixed = weights.flatten(2, 4) @ prefix.values
    return mixed.view(*weights.shape[:-1], -1).transpose(1, 2)


def _own_scores(query: Tensor, own: _Own) -> Tensor:
    """Of every run's query with its own keys: one product for a run and head."""
    by_run = query.transpose(2, 3)
    scores = by_run.flatten(3, 4) @ own.keys[: own.length].movedim(0, 4)
    return scores.view(*by_run.shape[:-1], -1).transpose(1, 2)


def _own_mix(weights: Tensor, own: _Own) -> Tensor:
    """Own values in the weights' proportions."""
    by_run = weights.transpose(1, 2)
    values = own.values[: own.length, ..., None, None, :]
    if not _few(by_run):
        mixed = by_run.flatten(3, 4) @ own.values[: own.length].movedim(0, 3)
        return mixed.view(*by_run.shape[:-1], -1)
    mixed = values[0] * by_run[..., :1]
    for token in range(1, own.length):
        mixed.addcmul_(values[token], by_run[..., token, None])
    return mixed


def _few(by_run: Tensor) -> bool:
    """Whether values are added up faster one by one than by many products of tiny matrices."""
    tokens, group, n = by_run.shape[3:]
    exact = by_run.device.type == "cpu" and by_run.dtype == torch.float32
    return n == 1 or (exact and tokens * group == 1 and n <= FEW)


def _capped(scores: Tensor, softcap: float | None) -> Tensor:
    return scores if softcap is None else softcap * torch.tanh(scores / softcap)


def _masked(scores: Tensor, allowed: Tensor | None) -> Tensor:
    """The scores, changed in place; to add is much faster than to fill."""
    if allowed is None:
        return scores
    return scores.add_(scores.new_zeros(allowed.shape).masked_fill_(~allowed, float("-inf")))


def _own_mask(memory: Memory, n: int, tokens: int, sliding_window: int | None) -> Tensor | None:
    """Causal, without padding, within the window; None where all n own tokens may be looked at."""
    device = memory.seen.device
    allowed: Tensor | None = None
    if tokens > 1:
        allowed = torch.ones(tokens, n, dtype=torch.bool, device=device).tril(n - tokens)
    if memory.padded:
        # a token may look at itself, or a row of padding would have nothing to look at
        itself = torch.eye(n, dtype=torch.bool, device=device)[-tokens:]
        padding = (memory.seen[:, None, -n:] | itself)[:, None, None]
        allowed = padding if allowed is None else allowed & padding
    if window := _window(memory, sliding_window):
        near = window[0][:, -tokens:, None] - memory.places[:, None, -n:] < window[1]
        near = near[:, None, None]
        allowed = near if allowed is None else allowed & near
    return None if allowed is None else allowed[..., None, :]


def _prefix_mask(prefix: Prefix, window: tuple[Tensor, int] | None, tokens: int) -> Tensor | None:
    allowed: Tensor | None = None
    if prefix.padded:
        allowed = prefix.seen[:, None, None, None, None]
    if window:
        near = window[0][:, -tokens:, None] - prefix.places[:, None, :] < window[1]
        near = near[:, None, None, :, None]
        allowed = near if allowed is None else allowed & near
    return allowed


def _window(memory: Memory, size: int | None) -> tuple[Tensor, int] | None:
    """The places of the runs' own tokens and how far back they look, if that limits anything."""
    if size is None or int(memory.places.max()) < size:
        return None
    return memory.places, size
