"""What the person at the terminal sees while a run goes on; all of it on stderr."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from studyrun.diagnostics import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["OneBar", "Progress", "line_of"]

DELAY = 2.0
"""Seconds before a bar appears."""
URGENT = ("warning", "waiting", "damaged")
"""Shown even where progress is not wanted."""


class Progress:
    """A line per step, and a bar with rate and time left for whatever takes over two seconds.

    Bars need a terminal; elsewhere only the lines are written, and with `quiet` only warnings.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._quiet, self._stream = quiet, stream or sys.stderr
        self._bars = not quiet and self._stream.isatty()
        self._whole: tuple[str, Callable[[int], Any]] | None = None

    def show(self, event: Mapping[str, Any]) -> None:
        """Write the event's line, above a bar if there is one."""
        text = "\n".join(map(visible, line_of(event).splitlines()))
        if text and (not self._quiet or event["event"] in URGENT):
            self._write(text)

    def _write(self, text: str) -> None:
        if self._bars and "tqdm" in sys.modules:
            from tqdm import tqdm

            tqdm.write(text, file=self._stream)
        else:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    @contextmanager
    def bar(self, *, total: int | None, label: str, unit: str) -> Iterator[Callable[[int], Any]]:
        """A bar; call what is yielded with the number of items just done."""
        if self._whole is not None and self._whole[0] == unit:
            yield self._whole[1]
            return
        with self._bar(total, label, unit) as update:
            yield update

    @contextmanager
    def whole(self, *, total: int, done: int, label: str, unit: str) -> Iterator[None]:
        """One bar for all those of the same unit that are opened inside.

        Args:
            total: items in all.
            done: of which this run had no work.
            label: stands before the bar.
            unit: what is counted.
        """
        with self._bar(total, label, unit, done) as update:
            self._whole = unit, update
            try:
                yield
            finally:
                self._whole = None

    @contextmanager
    def _bar(
        self, total: int | None, label: str, unit: str, done: int = 0
    ) -> Iterator[Callable[[int], Any]]:
        if not self._bars:
            yield lambda _done: None
            return
        from tqdm import tqdm

        with tqdm(
            total=total,
            initial=done,
            desc=label,
            unit=f" {unit}",
            delay=DELAY,
            leave=False,
            dynamic_ncols=True,
            file=self._stream,
        ) as bar:
            yield bar.update

    def track(
        self, items: Iterable[Any], *, total: int | None, label: str, unit: str
    ) -> Iterator[Any]:
        """The items again, with a bar."""
        with self.bar(total=total, label=label, unit=unit) as update:
            for item in items:
                yield item
                update(1)


class OneBar(Progress):
    """Another's bars, one at a time: steps that are computed together may open one each."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._open = progress, False

    def show(self, event: Mapping[str, Any]) -> None:
        """Write the event's line."""
        self._progress.show(event)

    @contextmanager
    def whole(self, *, total: int, done: int, label: str, unit: str) -> Iterator[None]:  # noqa: ARG002
        """None: the bars inside are opened one after the other."""
        yield

    @contextmanager
    def bar(self, *, total: int | None, label: str, unit: str) -> Iterator[Callable[[int], Any]]:
        """A bar, or none while there is one."""
        if self._open:
            yield lambda _done: None
            return
        self._open = True
        try:
            with self._progress.bar(total=total, label=label, unit=unit) as done:
                yield done
        finally:
            self._open = False


def line_of(event: Mapping[str, Any]) -> str:
    """What to say of an event; empty where there is nothing worth a line."""
    where = "/".join(filter(None, [event.get("cell"), event.get("step")]))
    head = f"{where}: " if where else ""
    others = event.get("together", 1) - 1
    with_others = f", with {others} other{'s' * (others > 1)}" if others else ""
    match event["event"]:
        case "step-started":
            return f"{head}{event['component']} ({'; '.join(event['reasons'])}){with_others}"
        case "step-finished":
            return f"{head}done in {event['seconds']:.1f} s{with_others}"
        case "step-reused":
            return f"{head}reused"
        case "step-failed":
            return f"{head}failed"
        case "step-blocked":
            return f"{head}blocked ({'; '.join(event['reasons'])})"
        case "warning" | "waiting" | "damaged" as kind:
            return f"{kind}: {head}{event['message']}"
        case "note":
            return f"{head}{event['message']}"
    return ""
