"""Batches of runs in flight: each can be fed further tokens, taken back and thinned out.

A `Line` holds runs that share what came before them (`attention.Memory`); a `FullLine` holds runs
that were each computed from the beginning, with a hook. Whoever follows a run need not know which.
"""

from __future__ import annotations

from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from threading import local
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from studyrun_models.attention import Memory, Prefix
from studyrun_models.blocks import SiteError, moved_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from studyrun_models.stack import Reading, Stack

__all__ = ["Clean", "Follows", "FullLine", "Line", "Skips"]


ROOM = 16
"""Tokens that an edited run is expected to be fed; there is more room where that is too little."""


class Follows(Protocol):
    """Runs that can be followed; rows are runs."""

    @property
    def hidden(self) -> Tensor:
        """(rows, d_model), the newest token's state after the final norm."""

    @property
    def site(self) -> Tensor:
        """(rows, d_model), the edited token's state after the final norm."""

    @property
    def moved(self) -> Tensor:
        """(rows,), |x' - x| / |x| of the residual at the site."""

    def feed(self, *, ids: Tensor | None = None, embeds: Tensor | None = None) -> Tensor:
        """States (rows, tokens, d_model) at new tokens: (rows, tokens) ids, or embeddings."""

    def mark(self) -> Any:
        """What `rewind` needs to come back to here."""

    def rewind(self, mark: Any) -> None:
        """Forget what was fed since the mark; `hidden` stays what it was."""

    def keep(self, rows: Tensor) -> None:
        """Go on with some rows only."""


class Skips:
    """Blocks that need not run, because what leaves the last of them is known.

    While it is open every block asks, and only in a thread inside `from_site` is told not to run.
    """

    def __init__(self, stack: Stack) -> None:
        self._blocks, self._thread = stack.blocks, local()
        self._tuples = stack.returns_tuples
        self._own: list[Any] = []

    def __enter__(self) -> Skips:
        for layer, block in enumerate(self._blocks):
            self._own.append(block.__dict__.get("forward"))
            block.forward = partial(self._forward, layer, block.forward)
        return self

    def __exit__(self, *error: object) -> None:
        for block, own in zip(self._blocks, self._own, strict=True):
            if own is None:
                del block.forward
            else:
                block.forward = own
        self._own = []

    @contextmanager
    def from_site(self, layer: int, stream: Tensor) -> Iterator[None]:
        """Let blocks 0..layer pass on `stream` instead of running, in this thread's one pass.

        Raises:
            SiteError: block `layer` did not pass on the stream exactly once.
        """
        self._thread.site, self._thread.stream, self._thread.fired = layer, stream, 0
        try:
            yield
        finally:
            self._thread.stream = None
        if self._thread.fired != 1:
            raise SiteError(f"the edit fired {self._thread.fired} times in its pass, not once")

    def _forward(self, layer: int, forward: Any, *args: Any, **kwargs: Any) -> Any:
        stream = getattr(self._thread, "stream", None)
        if stream is None or layer > self._thread.site:
            return forward(*args, **kwargs)
        if layer == self._thread.site:
            self._thread.fired += 1
            return (stream,) if self._tuples else stream
        hidden = args[0] if args else kwargs["hidden_states"]
        return (hidden,) if self._tuples else hidden


@dataclass(frozen=True, slots=True, eq=False)
class Clean:
    """What a pass without an edit left behind, for a batch of questions of any lengths.

    Columns are the tokens of the questions (padded on the left), then the thoughts if there are
    any. Whatever an edit at a column does not reach is taken from here.
    """

    keys: list[Tensor]
    """Per block, (questions, kv_heads, columns, head_dim); of all questions, see `rows`."""
    values: list[Tensor]
    streams: Tensor
    """(questions, columns, d_model) residuals after `layer`, from column `first` on."""
    layer: int
    first: int
    """The column that `streams` begin with."""
    seen: Tensor
    """(questions, columns), False for padding."""
    places: Tensor
    """(questions, columns), position ids."""
    padded: bool
    rows: Tensor | slice | None = None
    """Which of the keys and values are of these questions, if not all; few blocks may need them."""

    @property
    def bytes(self) -> int:
        """Memory that it holds."""
        tensors = [*self.keys, *self.values, self.streams]
        return sum(tensor.nbytes for tensor in tensors)

    def at(self, questions: Tensor) -> Clean:
        """That of some questions, which may repeat."""
        rows = _sliced(questions, self.seen.device)
        streams, seen, places = (part[rows] for part in (self.streams, self.seen, self.places))
        return replace(self, streams=streams, seen=seen, places=places, rows=rows)

    def before(self, column: int, tokens: int) -> Callable[[int], Prefix]:
        """What runs share, in a block, that are edited at `column` and run `tokens` from there on.

        Above the edited layer these are the columns before it; up to the layer also the run's own,
        which the edit leaves as they were.
        """

        @cache
        def prefix(layer: int) -> Prefix:
            end = column + tokens * (layer <= self.layer)
            keys, values = self.keys[layer], self.values[layer]
            if self.rows is not None:
                keys, values = keys[self.rows], values[self.rows]
            return Prefix(
                keys[:, :, :end],
                values[:, :, :end],
                self.seen[:, :end],
                self.places[:, :end],
                self.padded,
            )

        return prefix


def _sliced(questions: Tensor, device: torch.device) -> Tensor | slice:
    """The same as an index; questions one after the other as a slice, which copies nothing."""
    first, n = int(questions[0]), len(questions)
    if torch.equal(questions, torch.arange(first, first + n)):
        return slice(first, first + n)
    return questions.to(device)


class Line:
    """Runs of some questions side by side, each with what it has computed itself."""

    def __init__(self, stack: Stack, memory: Memory, place: Tensor) -> None:
        self.stack, self.memory = stack, memory
        self._place = place
        """(questions, 1), the position id of the next token."""
        self.hidden = self.site = self.moved = torch.empty(0)

    @classmethod
    def fresh(cls, stack: Stack, ids: Tensor, seen: Tensor, room: int) -> Line:
        """Questions (rows, tokens) read from the beginning, one run each; `seen` is no padding."""
        places = seen.cumsum(1).sub(1).clamp_min(0)
        padded = not bool(seen.all())
        memory = Memory(1, None, ids.shape[1] + room, seen, places, padded)
        line = cls(stack, memory, places[:, -1:] + 1)
        line._pass(places, ids=ids)
        return line

    @classmethod
    def edited(
        cls, skips: Skips, stack: Stack, clean: Clean, delta: Tensor, columns: tuple[int, int]
    ) -> Line:
        """Runs (questions, runs) that went through their edited site.

        Args:
            skips: open ones of the stack.
            stack: the model.
            clean: of the questions.
            delta: (questions, runs, d_model), added at the first of `columns`.
            columns: the first column of `clean` that is run again, with its clean stream, and how
                many are.
        """
        column, tokens = columns
        questions, runs = delta.shape[:2]
        own = slice(column, column + tokens)
        memory = Memory(
            runs, clean.before(column, tokens), tokens + ROOM, clean.seen[:, own],
            clean.places[:, own],
        )  # fmt: skip
        line = cls(stack, memory, clean.places[:, own][:, -1:] + 1)
        start = column - clean.first
        stream = clean.streams[:, None, start : start + tokens].expand(-1, runs, -1, -1).clone()
        stream[:, :, 0] += delta.to(stream)
        dummy = torch.zeros(questions, runs * tokens, dtype=torch.long, device=stream.device)
        with skips.from_site(clean.layer, stream.flatten(1, 2)):
            line.site = line._pass(memory.places, ids=dummy)[:, 0]
        line.moved = moved_by(stream[:, :, 0], clean.streams[:, None, start])
        return line

    def left(self, streams: Tensor, layer: int, first: int) -> Clean:
        """What runs without an edit, one per question, leave behind; see `Clean`."""
        memory = self.memory
        own = [memory.own[i] for i in range(len(self.stack.blocks))]
        return Clean(
            keys=[_by_column(each.keys[: each.length, :, 0]) for each in own],
            values=[_by_column(each.values[: each.length, :, 0]) for each in own],
            streams=streams,
            layer=layer,
            first=first,
            seen=memory.seen,
            places=memory.places,
            padded=memory.padded,
        )

    def feed(self, *, ids: Tensor | None = None, embeds: Tensor | None = None) -> Tensor:
        """States (rows, tokens, d_model) at new tokens; see `Follows`."""
        new = ids if embeds is None else embeds
        assert new is not None, "give ids or embeds"
        tokens = new.shape[1]
        places = self._place + torch.arange(tokens, device=new.device)
        memory = self.memory
        memory.seen = torch.cat([memory.seen, torch.ones_like(places, dtype=torch.bool)], 1)
        memory.places = torch.cat([memory.places, places], 1)
        self._place = self._place + tokens
        questions = len(places)
        if embeds is not None:
            embeds = embeds.reshape(questions, -1, embeds.shape[-1])
        ids = ids.reshape(questions, -1) if ids is not None else None
        return self._pass(places, ids=ids, embeds=embeds)

    def mark(self) -> int:
        """What `rewind` needs: how many tokens there are."""
        return self.memory.seen.shape[1]

    def rewind(self, mark: int) -> None:
        """Forget the tokens since the mark."""
        tokens = self.mark() - mark
        self.memory.drop(tokens)
        self._place = self._place - tokens

    def keep(self, rows: Tensor) -> None:
        """Go on with some rows only, each as the only run of its question."""
        questions, runs = rows // self.memory.runs, rows % self.memory.runs
        self.memory = self.memory.keep(questions, runs)
        self._place, self.hidden = self._place[questions], self.hidden[rows]

    def _pass(
        self, places: Tensor, *, ids: Tensor | None = None, embeds: Tensor | None = None
    ) -> Tensor:
        runs = self.memory.runs
        with self.memory.attended():
            states = self.stack.run_with(_cache(self.memory), places.repeat(1, runs), ids, embeds)
        states = states.view(len(places) * runs, places.shape[1], states.shape[-1])
        self.hidden = states[:, -1]
        return states


def _by_column(tokens: Tensor) -> Tensor:
    """(questions, kv_heads, tokens, head_dim) of (tokens, questions, kv_heads, head_dim)."""
    return tokens.permute(1, 2, 0, 3).contiguous()


@cache
def _handing() -> Any:
    """A cache as transformers' blocks hand their keys and values to."""
    from transformers import DynamicCache

    class Handing(DynamicCache):
        memory: Memory

        def update(
            self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
        ) -> tuple[Tensor, Tensor]:
            self.memory.put(layer_idx, key_states, value_states)
            return key_states, value_states

    return Handing


def _cache(memory: Memory) -> Any:
    handing = _handing()()
    handing.memory = memory
    return handing


class FullLine:
    """Runs that were each read from the beginning; the slow way that needs nothing of a model."""

    def __init__(self, stack: Stack, reading: Reading, site: Tensor, moved: Tensor) -> None:
        self.stack, self._reading = stack, reading
        self.site, self.moved = site, moved

    @property
    def hidden(self) -> Tensor:
        """(rows, d_model), the newest token's state."""
        return self._reading.hidden

    def feed(self, *, ids: Tensor | None = None, embeds: Tensor | None = None) -> Tensor:
        """States (rows, tokens, d_model) at new tokens; see `Follows`."""
        self.stack.extend(self._reading, ids=ids, embeds=embeds)
        return self._reading.states

    def mark(self) -> Reading:
        """What `rewind` needs: a copy, since not every cache can be cropped."""
        return deepcopy(self._reading)

    def rewind(self, mark: Reading) -> None:
        """Back to the mark."""
        self._reading = mark

    def keep(self, rows: Tensor) -> None:
        """Go on with some rows only."""
        reading = self._reading
        reading.cache.batch_select_indices(rows)
        reading.mask, reading.next = reading.mask[rows], reading.next[rows]
        reading.hidden = reading.hidden[rows]
