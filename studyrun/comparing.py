"""Runs side by side, aligned by what differs between their resolved studies.

A component of kind `comparison` makes the page from that; the core knows only the alignment.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from studyrun.errors import UsageError
from studyrun.keys import canonical_json
from studyrun.running.settings import Settings, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from studyrun.runs import Run

__all__ = ["Compared", "Comparison", "compared"]

SILENT = ("steps", "with", "use")
"""Parts of a path that its title does without."""
VAGUE = ("version", "content")
"""Parts that say nothing without the one before."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One study that was run: a run, or a cell of a run's matrix."""

    name: str
    """Unique among those compared, for people: `k=16`, `layer14_pos3`."""
    run: Run
    """One cell: `run[step]` opens artifacts, beside `run.study`, `run.verdicts`, `run.record`."""
    differences: Mapping[str, Any] = field(default_factory=dict)
    """Title -> the study's value, JSON, for everything in which those compared differ: the same
    titles in the same order in all of them (`k`, `d_sae`, `layer`); None where it has none. A list
    of one is its item where that holds in all."""
    page: str = ""
    """A link to its page, relative to the comparison's; empty where it has none."""


class Comparison(Protocol):
    """kind `comparison`: what shows runs side by side; a pure function of what they stored.

    `studyrun compare` and the index of a matrix take the component named `comparison`.
    """

    def __call__(self, params: Any, compared: Sequence[Compared]) -> Mapping[str, bytes]:
        """Files by name, equal bytes for equal runs.

        The page is `report.html`; `comparison.json` may hold `summary`, what a terminal shows:
        `{"columns": ["EV", ...], "rows": [["0.93", ...], ...]}`, texts, a row each in the order of
        `compared`, without their names and differences, which stand before them.
        """


def compared(
    runs: Iterable[Run], page: Callable[[Run], str] = lambda _run: ""
) -> tuple[Compared, ...]:
    """Every cell of every run, in order, with what differs between them.

    Not compared are names and texts, hypotheses, and what can change no result: reports, the
    device, where files lie. Parameters are compared among those that use the same component.

    Args:
        runs: of any studies.
        page: the link to a cell's page.

    Raises:
        UsageError: there are not two, or one is given twice.
    """
    cells = [cell for run in runs for cell in run.cells.values()]
    _must_be_several(cells)
    found = _differences([settings_of(_entry(cell)) for cell in cells])
    names = _names(cells)
    titles = _titles(list(found))
    rows = [
        {titles[path]: values[place] for path, values in found.items()}
        for place in range(len(cells))
    ]
    return tuple(
        Compared(name, cell, row, page(cell))
        for name, cell, row in zip(names, cells, rows, strict=True)
    )


# What differs


Path = tuple[str, ...]


def _differences(all_settings: Sequence[Settings]) -> dict[Path, list[Any]]:
    """Path -> its value in each, for every path whose values differ."""
    found: dict[Path, list[Any]] = {}
    for owner, path in _places(all_settings):
        having = [each for each in all_settings if owner in each.owners]
        values = [each.values.get((owner, path)) for each in having]
        if _all_the_same(values):
            continue
        row = found.setdefault(path, [None] * len(all_settings))
        for number, each in enumerate(all_settings):
            if (owner, path) in each.values:
                row[number] = each.shown(owner, path)
    return dict(_short(path, values, found) for path, values in found.items())


def _places(all_settings: Sequence[Settings]) -> Iterator[tuple[Path, Path]]:
    """Every place that any of them has, in the order of the studies."""
    yield from dict.fromkeys(place for each in all_settings for place in each.values)


def _all_the_same(values: Sequence[Any]) -> bool:
    return len({canonical_json(value) for value in values}) < 2


def _short(path: Path, values: Sequence[Any], others: Container[Path]) -> tuple[Path, list[Any]]:
    """Lists of one as their items (`layers` as `layer`), components by name if it tells all."""
    there = [value for value in values if value is not None]
    if all(isinstance(value, list) and len(value) == 1 for value in there):
        values = [value if value is None else value[0] for value in values]
        one = (*path[:-1], path[-1].removesuffix("s"))
        path = path if one in others else one
    named = [_named(value) for value in values]
    return path, named if _classes(named) == _classes(values) else list(values)


def _named(value: Any) -> Any:
    match value:
        case {"use": str(name)}:
            return name
        case list():
            return [_named(item) for item in value]
    return value


def _classes(values: Sequence[Any]) -> list[int]:
    """For each value the place of the first one like it."""
    written = [canonical_json(value) for value in values]
    return [written.index(each) for each in written]


# What it is called


def _titles(paths: Sequence[Path]) -> dict[Path, str]:
    """Path -> the end of it that no other path has, as short as can be."""
    parts = {path: _speaking(path) for path in paths}
    lengths = {path: 2 if parts[path][-1] in VAGUE else 1 for path in paths}
    while True:
        titles = {path: ".".join(parts[path][-lengths[path] :]) for path in paths}
        often = Counter(titles.values())
        unclear = [path for path in paths if often[titles[path]] > 1]
        longer = [path for path in unclear if lengths[path] < len(parts[path])]
        if not longer:
            return {path: ".".join(path) if path in unclear else titles[path] for path in paths}
        for path in longer:
            lengths[path] += 1


def _speaking(path: Path) -> Path:
    return tuple(part for part in path if part not in SILENT) or path


def _names(cells: Sequence[Run]) -> list[str]:
    """A name for each, as short as keeps it apart from the others."""
    one_run = len({cell.folder for cell in cells}) == 1
    ways: tuple[Callable[[Run], str], ...] = (
        lambda cell: cell.cell if one_run else "",
        lambda cell: _joined(cell.record["study"], cell.cell),
        lambda cell: _joined(cell.record["study"], cell.record["run"], cell.cell),
        lambda cell: _joined(str(cell.folder), cell.cell),
    )
    names = [ways[0](cell) for cell in cells]
    for way in ways[1:]:
        often = Counter(names)
        again = [not name or often[name] > 1 for name in names]
        names = [
            way(cell) if unclear else name
            for cell, name, unclear in zip(cells, names, again, strict=True)
        ]
    return names


def _joined(*parts: str) -> str:
    return "/".join(filter(None, parts))


def _entry(cell: Run) -> Mapping[str, Any]:
    entry: Mapping[str, Any] = cell.record["cells"][cell.cell]
    return entry


def _must_be_several(cells: Sequence[Run]) -> None:
    often = Counter((cell.folder.resolve(), cell.cell) for cell in cells)
    for (folder, name), times in often.items():
        if times > 1:
            raise UsageError(f"{_joined(str(folder), name)} is given {times} times; give each once")
    if len(cells) < 2:
        raise UsageError("there is nothing to compare it with: give two runs, or one of a matrix")
