"""The page that shows runs side by side, made by the component `comparison`; a matrix has one.

A matrix' page is stored like any artifact, by a key of everything that it is made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from studyrun.artifacts import Manifest, Result
from studyrun.comparing import Compared, compared
from studyrun.errors import ArtifactDamaged, PluginError, StudyError
from studyrun.keys import KEY_FORMAT, key_of
from studyrun.running.history import RUNS_OWN
from studyrun.storing import contents
from studyrun.storing.files import copy_file, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from studyrun.contracts import Bound
    from studyrun.registry import Registry
    from studyrun.runs import Run
    from studyrun.store import Store

__all__ = ["COMPARISON", "PAGE", "Index", "comparison_files"]

COMPARISON: Final = "comparison"
"""The kind, the name of the component that is taken, and the type of what is stored."""
PAGE = "report.html"


def comparison_files(registry: Registry, runs: Sequence[Compared]) -> dict[str, bytes]:
    """The files of the page that shows these side by side.

    Raises:
        UsageError: nothing is installed that makes one.
        PluginError: what is installed fails, or breaks its contract.
    """
    return _files(registry.bind(COMPARISON, COMPARISON), runs)


def _files(bound: Bound, runs: Sequence[Compared]) -> dict[str, bytes]:
    try:
        made = bound.load()(bound.params, runs)
    except StudyError:
        raise
    except (Exception, SystemExit) as error:  # a plugin's code: it may raise anything
        said = f"{COMPARISON}: {type(error).__name__}: {error}"
        raise PluginError(bound.owner, said) from error
    fault = _fault_of(made)
    if fault:
        raise PluginError(bound.owner, f"{COMPARISON}: {fault}")
    return dict(made)


def _fault_of(made: Any) -> str | None:
    try:
        files = dict(made)
    except (TypeError, ValueError):
        return f"returned {type(made).__name__}, not files by name"
    if PAGE not in files:
        return f"made no {PAGE}"
    taken = [name for name in RUNS_OWN if name in files]
    if taken:
        return f"made {taken[0]}, which is the run's own"
    return contents.fault_of_files(files)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """The page over the cells of one run."""

    folder: Path
    """The run's."""
    runs: tuple[Compared, ...]
    """Its cells; those that failed have no page."""
    registry: Registry
    store: Store
    bound: Bound

    @classmethod
    def of(cls, run: Run, registry: Registry, store: Store) -> Index | None:
        """None where there is nothing to show side by side, or nothing that would.

        Raises:
            PluginError: what would is announced, but cannot be used.
        """
        cells = [cell for name, cell in run.cells.items() if name]
        fault = registry.fault(COMPARISON, COMPARISON)
        offered = fault is not None or registry.find(COMPARISON, COMPARISON) is not None
        if len(cells) < 2 or not offered or not any(map(_page, cells)):
            return None
        runs = compared(cells, _page)
        bound = registry.bind(COMPARISON, COMPARISON)
        return cls(run.folder, runs, registry, store, bound) if runs[0].differences else None

    def show(self, wait: float, note: Callable[[str], None]) -> str:
        """Put the page and what belongs to it at the top of the run's folder; its key.

        Args:
            wait: seconds that another run, which makes the same page, is waited for.
            note: told what is being made.

        Raises:
            StudyError: it cannot be made, or not be written.
        """
        key = key_of(self._recipe())
        for last in (False, True):
            with self.store.lock(key, wait):
                if self.store.state(key) != "stored":
                    note(f"comparing {len(self.runs)} cells")
                    self._make(key)
            try:
                self._copy(key)
                break
            except ArtifactDamaged:
                if last:
                    raise
        return key

    def _recipe(self) -> dict[str, Any]:
        component = self.bound.component
        return {
            "format": KEY_FORMAT,
            "kind": component.kind,
            "use": component.name,
            "version": component.version,
            "with": self.registry.canonical(self.bound),
            "runs": [
                [each.name, list(each.differences.items()), each.page, _steps(each.run)]
                for each in self.runs
            ],
        }

    def _make(self, key: str) -> None:
        component = self.bound.component
        sources = {f"{component.kind} {component.name}": self.registry.source_digest(component)}
        maker = f"{component.name} {component.version}"
        result = Result(files=_files(self.bound, self.runs))
        self.store.put(Manifest(key, COMPARISON, maker, {}, {}, sources), result)

    def _copy(self, key: str) -> None:
        stored = self.store.open(key)
        with writing(self.folder):
            for name in stored.manifest.files:
                copy_file(stored.file(name), self.folder / name)


def _page(cell: Run) -> str:
    """Where its page lies, seen from the page over all cells; empty if it has none."""
    there = (cell.folder / cell.cell / PAGE).exists()
    return f"{cell.cell}/{PAGE}" if there else ""


def _steps(cell: Run) -> dict[str, Any]:
    """Of every step its key, or why it has no artifact."""
    steps = cell.record["cells"][cell.cell]["steps"]
    return {
        name: entry["key"] if name in cell else [entry["status"], entry.get("error")]
        for name, entry in steps.items()
    }
