"""A study run from Python: checked, planned, executed and opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studyrun.runner import Options, execute
from studyrun.running.history import read_record
from studyrun.running.preparation import prepare
from studyrun.running.progress import Progress
from studyrun.runs import Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["run"]


def run(
    study: str | Path,
    *,
    set: Mapping[str, Any] | None = None,
    out: str | Path = "outputs",
    plugins: Sequence[str] = (),
    keep_going: bool = False,
    progress: bool = True,
) -> Run:
    """Run a study and open the run; what is stored already is reused.

    Args:
        study: the YAML file.
        set: dotted path -> value, as in `--set`: `{"steps.sae.with.k": 64}`.
        out: the folder for the store and the runs.
        plugins: local plugins, as in `-p`.
        keep_going: after a failure run what does not need it; the run says what `failed`.
        progress: whether to write lines and bars to stderr.

    Raises:
        InvalidStudy: the study is wrong, with every fault.
        StepFailed: a step failed (not with `keep_going`).
        StudyError: anything else that studyrun says on purpose.
    """
    prepared = prepare(study, settings=set or {}, out=out, plugins=plugins)
    prepared.rehearse(keep_going=keep_going)
    options = Options(
        keep_going=keep_going,
        progress=Progress(quiet=not progress),
        study_file=prepared.file,
        lines=prepared.lines(),
        rerun=prepared.rerun,
    )
    outcome = execute(prepared.plan, prepared.registry, prepared.store, prepared.runs, options)
    if outcome.errors and not keep_going:
        raise outcome.errors[0]
    return Run(outcome.folder, read_record(outcome.folder), prepared.registry)
