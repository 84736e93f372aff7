"""Keys and values with room for further tokens, so that none are copied when a token is added.

transformers' own layer copies all of them for every token: with one token a pass and short
questions that is an eighth of a pass.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

__all__ = ["RoomyLayer", "roomy_cache"]

ROOM = 8
"""Columns at least that a layer has left over whenever it takes new memory."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """`DynamicLayer` whose `keys` and `values` are the filled part of larger tensors."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rooms: list[Tensor] = []
        """Of keys and of values, (rows, heads, columns, d_head)."""

    def update(
        self,
        key_states: Tensor,
        value_states: Tensor,
        *args: Any,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Add the states of further tokens; all so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        news = (key_states, value_states)
        n = self.get_seq_length()
        end = n + key_states.shape[-2]
        if not self._has_room(end):
            old, self._rooms = (self.keys, self.values), [_room(each, end) for each in news]
            for room, before in zip(self._rooms, old, strict=True):
                if n and before is not None:
                    room[..., :n, :] = before
        for room, new in zip(self._rooms, news, strict=True):
            room[..., n:end, :] = new
        self.keys, self.values = (room[..., :end, :] for room in self._rooms)
        return self.keys, self.values

    def _has_room(self, end: int) -> bool:
        """Whether `keys` are still the filled part (rows may have been chosen) and more fits in."""
        if not self._rooms or self.keys is None:
            return False
        room = self._rooms[0]
        return room.data_ptr() == self.keys.data_ptr() and end <= room.shape[-2]


def _room(states: Tensor, end: int) -> Tensor:
    rows, heads, _, size = states.shape
    return states.new_empty(rows, heads, end + max(ROOM, end // 4), size)


def roomy_cache(config: Any) -> DynamicCache:
    """A model's cache; layers of another kind (with a sliding window) stay transformers' own."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(each) is DynamicLayer else each for each in cache.layers]
    return cache
