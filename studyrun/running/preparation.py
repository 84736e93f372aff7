"""From a study's file to a plan and everything that is needed to execute it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studyrun.errors import InvalidStudy
from studyrun.faults.findings import ABSENT, located
from studyrun.plan import Plan, plan
from studyrun.reading.checking import check_study
from studyrun.reading.drafts import read_draft
from studyrun.reading.overrides import setting
from studyrun.running.history import STORE, History
from studyrun.store import Store
from studyrun.validation import in_order
from studyrun.wiring import VERDICTS, wire_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studyrun.diagnostics import Diagnostic
    from studyrun.plan import PlannedStep
    from studyrun.reading.document import Node
    from studyrun.registry import Registry

__all__ = ["Prepared", "prepare"]

OUT = "outputs"
"""Where results go if nobody says otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A plan with what it takes to execute it. Nothing has been written yet."""

    plan: Plan
    registry: Registry
    store: Store
    runs: Path
    """`<out>/<study>/`, where the runs of the study are."""
    file: Path
    """The study's."""
    documents: Mapping[str, Node]
    """The document of every cell, by the cell's name."""
    rerun: str
    """The command that prepares and runs the same again, from the same folder."""
    absent: tuple[Diagnostic, ...]
    """What the study names rightly and this machine has not."""

    def rehearse(self, *, keep_going: bool = False) -> None:
        """Nothing, if all that is needed is here and polars can ask what is still to be judged.

        Imports polars, which a run that judges anything does anyway.

        Args:
            keep_going: whether a run may do without what is absent.

        Raises:
            InvalidStudy: with everything that blocks a step, or that cannot be asked.
            PluginError: a component tells of tables what cannot be.
        """
        if self.absent and not keep_going and any(_is_blocked(step) for step in self.plan.steps):
            raise InvalidStudy([replace(each, severity="error") for each in self.absent])
        judging = [step.cell for step in self.plan.steps if _judges(step)]
        if not judging:
            return
        from studyrun.rehearsal import Rehearsal

        rehearsal = Rehearsal(self.registry)
        found = [
            located(finding, self.documents[cell])
            for cell in judging
            for finding in rehearsal.findings(self.plan.cells[cell])
        ]
        if found:
            raise InvalidStudy(in_order(each for each in found if each is not None))

    def lines(self) -> dict[str, str]:
        """Where every step stands in the study's file, `study.yaml:12:3`, for messages."""
        root = read_draft(self.file).root
        steps = root.get("steps") if root else None
        return (
            {name: str(entry.key.place) for name, entry in steps.entries.items()} if steps else {}
        )


def prepare(
    study: str | Path,
    *,
    settings: Sequence[str] | Mapping[str, Any] = (),
    out: str | Path = OUT,
    plugins: Sequence[str] = (),
) -> Prepared:
    """Check a study and plan it; writes nothing.

    Args:
        study: the YAML file.
        settings: `path=value` texts as in `--set`, or a mapping of dotted paths to values.
        out: the folder for the store and the runs.
        plugins: local plugins, as in `-p`.

    Raises:
        InvalidStudy: with every fault.
        PluginError: a plugin that was asked for cannot be loaded.
        UsageError: a plugin that was asked for does not exist.
    """
    if isinstance(settings, Mapping):
        settings = [setting(path, value) for path, value in settings.items()]
    checked = check_study(study, settings, modules=plugins)
    if checked.registry is not None:
        checked.registry.demand()
    if checked.cells is None or checked.registry is None:
        raise InvalidStudy(checked.diagnostics)
    registry, name, folder = checked.registry, checked.cells[0].name, Path(out)
    cells = wire_cells(checked.cells, registry)
    store = Store(folder / STORE)
    planned = plan(cells, registry, store, History.of(folder / name))
    documents = {
        cell.cell: document for cell, document in zip(checked.cells, checked.documents, strict=True)
    }
    rerun = _command(Path(study), settings, plugins, folder)
    absent = tuple(each for each in checked.diagnostics if each.code == ABSENT)
    return Prepared(planned, registry, store, folder / name, Path(study), documents, rerun, absent)


def _command(study: Path, settings: Sequence[str], plugins: Sequence[str], out: Path) -> str:
    try:
        study = Path(os.path.relpath(study))
    except ValueError:  # on another drive
        study = study.absolute()
    words = ["studyrun", study.as_posix()]
    words += [word for each in settings for word in ("--set", each)]
    words += [word for each in plugins for word in ("-p", each)]
    words += ["--out", str(out)] if out != Path(OUT) else []
    return shlex.join(words)


def _is_blocked(step: PlannedStep) -> bool:
    return step.action == "blocked"


def _judges(step: PlannedStep) -> bool:
    return step.name == VERDICTS and step.action == "run"
