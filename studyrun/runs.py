"""A run as a value: artifacts by step name, verdicts, and SQL over every table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studyrun.artifacts import Artifact
from studyrun.errors import UsageError
from studyrun.faults.suggest import did_you_mean
from studyrun.reading import sql
from studyrun.registry import Registry
from studyrun.running import tables
from studyrun.running.execution import view_of
from studyrun.running.history import RECORD, STORE, read_record, resolve
from studyrun.store import Store
from studyrun.study import Study
from studyrun.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from studyrun.artifacts import Manifest

__all__ = ["Explanation", "Run", "explain", "open_run"]

AVAILABLE = ("done", "reused")


class Run(Mapping[str, Artifact]):
    """One cell of a run (the whole run where the study has no matrix): artifacts by step name.

    A run of a matrix holds no steps itself; its `cells` do.
    """

    def __init__(
        self, folder: Path, record: Mapping[str, Any], registry: Registry, cell: str = ""
    ) -> None:
        self.folder, self.record, self.cell = folder, record, cell
        self._registry = registry
        self._store = Store(folder.parent.parent / STORE)
        self._steps: Mapping[str, Any] = record["cells"].get(cell, {}).get("steps", {})

    def __getitem__(self, step: str) -> Artifact:
        """The artifact of a step, in its typed view.

        Raises:
            KeyError: there is none; the message says why, and what there is.
            UsageError: the store no longer has it.
            ArtifactDamaged: it is not as it was written.
        """
        manifest = self._manifest(step)
        return self._store.open(manifest.key, view_of(self._registry, manifest.type))

    def _manifest(self, step: str) -> Manifest:
        entry = self._steps.get(step)
        if entry is None:
            raise KeyError(self._unknown(step))
        if entry["status"] not in AVAILABLE:
            why = entry.get("error") or "; ".join(entry["reasons"])
            raise KeyError(f"step {step!r} has no artifact: it is {entry['status']} ({why})")
        key = entry["key"]
        if self._store.state(key) == "absent":
            where = self._store.folder
            raise UsageError(f"the artifact of {step!r} is not in {where}; run the study again")
        return self._store.manifest(key)

    def __contains__(self, step: object) -> bool:
        """Whether the step has an artifact; opens none, because a typed view may import torch."""
        return any(step == name for name in self)

    def __iter__(self) -> Iterator[str]:
        """The steps that have an artifact, in study order."""
        return (name for name, entry in self._steps.items() if entry["status"] in AVAILABLE)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        what = f"{len(self.cells)} cells" if len(self.cells) > 1 else ", ".join(self)
        cell = f" {self.cell}" if self.cell else ""
        return f"<Run {self.record['study']} {self.record['run']}{cell} {self.status}: {what}>"

    @property
    def status(self) -> str:
        """`done`, `failed`, `interrupted`, or `running` (which a killed run says, too)."""
        return str(self.record["status"])

    @property
    def failed(self) -> dict[str, str]:
        """The steps that failed, and what they said."""
        steps = self._steps.items()
        return {name: entry["error"] for name, entry in steps if entry["status"] == "failed"}

    @property
    def cells(self) -> dict[str, Run]:
        """Every cell of the study's matrix by name; `{"": itself}` where there is none."""
        names = self.record["cells"]
        if self.cell or list(names) == [""]:
            return {self.cell: self}
        return {name: self._of(name) for name in names}

    @property
    def plain(self) -> dict[str, Artifact]:
        """The same artifacts without their typed views: tables and files, and nothing imported.

        Raises:
            UsageError: the store no longer has one of them.
            ArtifactDamaged: one is not as it was written.
        """
        return {step: self._store.open(self._manifest(step).key) for step in self}

    @property
    def study(self) -> Study:
        """The study that was run, resolved; of a matrix, its first cell's."""
        cells = self.record["cells"]
        return Study.from_plain(cells.get(self.cell, next(iter(cells.values())))["study"])

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdict on every hypothesis, by name; empty where the study has none."""
        if "verdicts" not in self:
            return {}
        rows = [Verdict(**row) for row in self["verdicts"].meta["verdicts"]]
        return {row.hypothesis: row for row in rows}

    def sql(self, query: str) -> pl.DataFrame:
        """What a SELECT over the run's tables finds; they are named as in hypotheses."""
        import polars as pl

        frames = tables.read(self.plain, sql.tables_named(query))
        with pl.SQLContext(frames, eager=True) as context:
            found: pl.DataFrame = context.execute(query)
        return found

    def _of(self, cell: str) -> Run:
        return Run(self.folder, self.record, self._registry, cell)

    def _unknown(self, step: str) -> str:
        if not self._steps:
            return f"this run has a matrix; choose a cell: .cells[{next(iter(self.cells))!r}]"
        near = did_you_mean(step, self._steps)
        return f"no step {step!r} among {', '.join(self._steps)}{near}"


def open_run(path: str | Path, plugins: Sequence[str] = ()) -> Run:
    """A run by its folder: `outputs/<study>/latest`, one with a run's name, or a cell's in it.

    Args:
        path: the folder, or the `run.json` in it.
        plugins: local plugins whose typed views are wanted, as in `-p`.

    Raises:
        UsageError: there is no run.
    """
    folder = resolve(Path(path))
    registry = Registry.load(plugins)
    outer = folder.parent
    if not (folder / RECORD).exists() and (outer / RECORD).exists():
        record = read_record(outer)
        if folder.name in record["cells"]:
            return Run(outer, record, registry, folder.name)
    return Run(folder, read_record(folder), registry)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a step of a run ran or was reused, as the run recorded it."""

    cell: str
    step: str
    component: str
    plugin: str
    status: str
    action: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    key: str
    recipe: Mapping[str, Any]
    seconds: float | None = None
    together: int = 1
    """How many steps were made at once with it, which share their time; itself among them."""
    error: str | None = None


def explain(run: Run, step: str) -> tuple[Explanation, ...]:
    """What is known of a step, for every cell that has it.

    Raises:
        UsageError: no cell has it.
    """
    found = tuple(
        _explanation(cell, step, entry["steps"][step])
        for cell, entry in run.record["cells"].items()
        if step in entry["steps"] and run.cell in ("", cell)
    )
    if not found:
        names = dict.fromkeys(name for e in run.record["cells"].values() for name in e["steps"])
        raise UsageError(
            f"the run has no step {step!r}{did_you_mean(step, names)} (it has {', '.join(names)})"
        )
    return found


def _explanation(cell: str, step: str, entry: Mapping[str, Any]) -> Explanation:
    known = {field.name: entry[field.name] for field in fields(Explanation) if field.name in entry}
    lists = {name: tuple(known[name]) for name in ("reasons", "warnings")}
    return Explanation(cell=cell, step=step, **{**known, **lists})
