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
from threading import local
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from studyrun_models.blocks import SiteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from studyrun_models.stack import Stack

__all__ = ["Memory", "Prefix", "shared_attention"]

NAME = "studyrun-shared"
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
    """(questions, kv_heads, runs, room, head_dim)."""
    values: Tensor
    length: int = 0


@dataclass(slots=True, eq=False)
class Memory:
    """Keys and values of a batch of runs, (questions, runs) of them."""

    runs: int
    """Runs of each question."""
    prefixes: list[Prefix] | None
    """One per block; None where the runs have nothing before them."""
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
        questions, heads, columns, dim = keys.shape
        tokens = columns // self.runs
        own = self.own.get(layer) or self._room_for(layer, keys, values)
        if own.length + tokens > own.keys.shape[3]:
            more = (0, 0, 0, own.length + tokens)
            own.keys, own.values = F.pad(own.keys, more), F.pad(own.values, more)
        new = slice(own.length, own.length + tokens)
        shape = (questions, heads, self.runs, tokens)
        own.keys[:, :, :, new] = keys.view(*shape, dim)
        own.values[:, :, :, new] = values.view(*shape, values.shape[-1])
        own.length += tokens

    def _room_for(self, layer: int, keys: Tensor, values: Tensor) -> _Own:
        sizes = (*keys.shape[:2], self.runs, self.room)
        new = _Own(keys.new_empty(*sizes, keys.shape[3]), values.new_empty(*sizes, values.shape[3]))
        self.own[layer] = new
        return new

    def drop(self, tokens: int) -> None:
        """Forget the newest tokens."""
        for own in self.own.values():
            own.length -= tokens
        end = self.seen.shape[1] - tokens
        self.seen, self.places = self.seen[:, :end], self.places[:, :end]

    def keep(self, questions: Tensor, runs: Tensor) -> Memory:
        """The memory of some runs alone, each as the only run of a question."""
        prefixes = self.prefixes and [prefix.of(questions) for prefix in self.prefixes]
        seen, places = self.seen[questions], self.places[questions]
        kept = Memory(1, prefixes, self.room, seen, places, self.padded)
        for layer, own in self.own.items():
            keys, values = own.keys[questions, :, runs], own.values[questions, :, runs]
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
    """Let every pass of the model in the body attend to a `Memory`, then as before again."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attend)
    before = stack.model.config._attn_implementation
    stack.model.set_attn_implementation(NAME)
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
    prefix = memory.prefixes[module.layer_idx] if memory.prefixes else None
    questions, heads, columns, dim = query.shape
    kv_heads, tokens = own.keys.shape[1], columns // memory.runs
    query = query * (dim**-0.5 if scaling is None else scaling)
    # (questions, kv_heads, heads of each, runs, tokens, head_dim)
    grouped = query.reshape(questions, kv_heads, heads // kv_heads, memory.runs, tokens, dim)
    scores = _own_scores(grouped, own)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    scores = _masked(scores, _own_mask(memory, own.length, tokens, sliding_window))
    if prefix is None:
        mixed = _own_mix(scores.float().softmax(-1).to(query.dtype), own)
    else:
        mixed = _with_prefix(grouped, scores, own, prefix, softcap, _window(memory, sliding_window))
    out = mixed.reshape(questions, heads, columns, own.values.shape[-1])
    return out.transpose(1, 2).contiguous(), None


def _with_prefix(
    query: Tensor,
    own_scores: Tensor,
    own: _Own,
    prefix: Prefix,
    softcap: float | None,
    window: tuple[Tensor, int] | None,
) -> Tensor:
    """The values mixed by one softmax over the shared and the own columns."""
    questions, kv_heads, group, runs, tokens, dim = query.shape
    columns = prefix.keys.shape[2]
    flat = query.reshape(questions, kv_heads, group * runs * tokens, dim)
    scores = (flat @ prefix.keys.transpose(2, 3)).view(*query.shape[:-1], columns)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    scores = _masked(scores, _prefix_mask(prefix, window, tokens))
    both = torch.cat([scores, own_scores], -1).float().softmax(-1).to(query.dtype)
    shared = both[..., :columns].reshape(*flat.shape[:3], columns) @ prefix.values
    return shared.view(*query.shape[:-1], -1).add_(_own_mix(both[..., columns:], own))


def _own_scores(query: Tensor, own: _Own) -> Tensor:
    """(questions, kv_heads, heads of each, runs, tokens, own tokens)."""
    questions, kv_heads, group, runs, tokens, dim = query.shape
    keys = own.keys[:, :, :, : own.length]
    turned = query.transpose(2, 3).reshape(questions, kv_heads, runs, group * tokens, dim)
    scores = turned @ keys.transpose(3, 4)
    return scores.view(questions, kv_heads, runs, group, tokens, own.length).transpose(2, 3)


def _own_mix(weights: Tensor, own: _Own) -> Tensor:
    """Own values in the weights' proportions, in the order of the query."""
    questions, kv_heads, group, runs, tokens, n = weights.shape
    values = own.values[:, :, :, :n]
    turned = weights.transpose(2, 3).reshape(questions, kv_heads, runs, group * tokens, n)
    if group * tokens == 1:  # a product of vectors; twice as fast as a batch of tiny matrices
        mixed = (turned.transpose(3, 4) * values).sum(3, keepdim=True)
    else:
        mixed = turned @ values
    return mixed.view(questions, kv_heads, runs, group, tokens, -1).transpose(2, 3)


def _masked(scores: Tensor, allowed: Tensor | None) -> Tensor:
    return scores if allowed is None else scores.masked_fill(~allowed, float("-inf"))


def _own_mask(memory: Memory, n: int, tokens: int, sliding_window: int | None) -> Tensor | None:
    """Causal, without padding, within the window; None where all n own tokens may be looked at."""
    device = memory.seen.device
    allowed: Tensor | None = None
    if tokens > 1:
        allowed = torch.ones(tokens, n, dtype=torch.bool, device=device).tril(n - tokens)
    if memory.padded:
        # a token may look at itself, or a row of padding would have nothing to look at
        itself = torch.eye(n, dtype=torch.bool, device=device)[-tokens:]
        padding = (memory.seen[:, None, -n:] | itself)[:, None, None, None]
        allowed = padding if allowed is None else allowed & padding
    if window := _window(memory, sliding_window):
        near = window[0][:, -tokens:, None] - memory.places[:, None, -n:] < window[1]
        near = near[:, None, None, None]
        allowed = near if allowed is None else allowed & near
    return allowed


def _prefix_mask(prefix: Prefix, window: tuple[Tensor, int] | None, tokens: int) -> Tensor | None:
    allowed: Tensor | None = None
    if prefix.padded:
        allowed = prefix.seen[:, None, None, None, None, :]
    if window:
        near = window[0][:, -tokens:, None] - prefix.places[:, None, :] < window[1]
        near = near[:, None, None, None]
        allowed = near if allowed is None else allowed & near
    return allowed


def _window(memory: Memory, size: int | None) -> tuple[Tensor, int] | None:
    """The places of the runs' own tokens and how far back they look, if that limits anything."""
    if size is None or int(memory.places.max()) < size:
        return None
    return memory.places, size
