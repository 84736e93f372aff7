"""What plugin authors test with: the laws of interventions and classifiers, a tiny model, a study.

@pytest.mark.parametrize("case", laws_of("clamp"), ids=str)
def test_law(case):
check_law(case)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from studyrun.contracts import Component, Law
from studyrun.errors import UsageError
from studyrun.faults.suggest import did_you_mean
from studyrun.launch import run
from studyrun.registry import Registry
from studyrun.runs import Run
from studyrun.trying.laws import (
    CLASSIFIER_LAWS,
    LAWS,
    UNIVERSAL,
    UNIVERSAL_OF_CLASSIFIERS,
    LawBroken,
)
from studyrun.trying.specimen import tiny_study, write_problems, write_tiny_codi

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hypothesis.strategies import DataObject, SearchStrategy

    from studyrun.analysis import Evidence
    from studyrun.sections import Findings
    from studyrun.trying.trials import Subject

__all__ = [
    "CLASSIFIER_LAWS",
    "LAWS",
    "LawBroken",
    "LawCase",
    "check_law",
    "check_tables",
    "findings_of",
    "laws_of",
    "run_study",
    "sample_evidence",
    "tiny_study",
    "write_problems",
    "write_tiny_codi",
]


@dataclass(frozen=True, eq=False)
class LawCase:
    """One law of one component; `str` is its name in a test report."""

    law: Law
    component: Component
    registry: Registry
    params: Sequence[Any] | None = None

    def __str__(self) -> str:
        parts = (self.component.name, self.law.name, self.law.parameter, self.law.other)
        return "-".join(part for part in parts if part)


def laws_of(
    name: str,
    *,
    kind: Literal["intervention", "classifier"] = "intervention",
    modules: Sequence[str] = (),
    params: Sequence[Any] | None = None,
) -> list[LawCase]:
    """Every law that binds an intervention or a classifier, then those it declares.

    Args:
        name: as a study would `use` it.
        kind: which of the two it is.
        modules: plugins that are not installed, as with `-p`.
        params: parameter objects to try; drawn from the parameters' annotations if left out.

    Raises:
        UsageError: there is no such component, or it declares a law that does not exist.
    """
    registry = Registry.load(modules)
    registry.demand()
    component = registry.get(kind, name)
    known = LAWS if kind == "intervention" else CLASSIFIER_LAWS
    for law in component.laws:
        if law.name not in known:
            raise UsageError(f"{name} declares the law {law.name!r}{did_you_mean(law.name, known)}")
    laws = (*(Law(law) for law in _universal(component)), *component.laws)
    return [LawCase(law, component, registry, params) for law in laws]


def _universal(component: Component) -> list[str]:
    if component.kind == "classifier":
        return list(UNIVERSAL_OF_CLASSIFIERS)
    return [law for law in UNIVERSAL if component.arity == 1 or law != "features-are-a-set"]


def check_law(case: LawCase, *, examples: int | None = None) -> None:
    """Nothing, if the law holds on so many drawn examples, the same ones each time.

    Args:
        case: one of `laws_of`.
        examples: how many; 100 for an intervention and 10 for a classifier if left out.

    Raises:
        LawBroken: it does not; the message names the law, the component and the smallest example
            found.
        UsageError: hypothesis is not installed.
    """
    try:
        from studyrun.trying.attempt import attempt
    except ModuleNotFoundError as error:
        raise UsageError("the laws need hypothesis: pip install 'studyrun[test]'") from error
    if case.component.kind == "classifier":
        attempt(_of_classifier(case), examples or 10)
    else:
        attempt(_of_intervention(case), examples or 100)


def check_tables(run: Run, *, modules: Sequence[str] = ()) -> None:
    """Nothing, if every step of a run stored the tables that it tells of, with those columns.

    Args:
        run: of a study that uses your step, e.g. from `run_study`; not of a matrix.
        modules: plugins that are not installed, as with `-p`.

    Raises:
        AssertionError: some did not; the message says which column of which table is wrong.
    """
    from studyrun.trying.told import broken_promises

    wrong = list(broken_promises(run, Registry.load(modules)))
    if wrong:
        raise AssertionError("\n".join(wrong))


def findings_of(run: Run) -> Findings:
    """What a section of the report is given of a run, to call one's own with.

    Args:
        run: of a study that uses what the section shows, e.g. from `run_study`; not of a matrix.
    """
    from studyrun.trying.found import Found

    return Found(run)


def sample_evidence(problems: int = 120, features: int = 6, *, seed: int = 0) -> Evidence:
    """What a classifier is given, made up; which feature follows which concept is known.

    The concepts are `uses +`, `uses *` and the pattern `+ then *`. Feature 0 follows `uses +`, 1
    is never active, 2 always and stronger where `uses *` holds, 3 follows `+ then *`, 4 is active
    by chance, 5 on two problems; 6 is like 0, and so on.

    Args:
        problems: how many, at least one; their numbers have gaps, as in a split.
        features: how many, at least one.
        seed: everything follows from it.
    """
    from studyrun.trying.evidence import sample_evidence

    return sample_evidence(problems, features, seed=seed)


def run_study(text: str, folder: Path, *, modules: Sequence[str] = ()) -> Run:
    """Run a study given as YAML in `folder`, where its files and its outputs lie.

    `run_study(tiny_study(tmp_path, "clamped: {use: clamp}"), tmp_path)["clamped"].table`

    Args:
        text: the study.
        folder: a test's own, such as pytest's `tmp_path`.
        modules: plugins that are not installed, as with `-p`.

    Raises:
        StudyError: the study is wrong, or a step failed.
    """
    file = folder / "study.yaml"
    file.write_text(text, encoding="utf-8")
    return run(file, out=folder / "outputs", plugins=modules, progress=False)


def _of_classifier(case: LawCase) -> Callable[[DataObject], None]:
    from studyrun.trying.labelling import labelling

    component, params = case.component, _params(case)
    classifier = case.registry.function(component, component.target)

    def check(data: DataObject) -> None:
        example = labelling(component.name, classifier, case.law, params, data)
        CLASSIFIER_LAWS[case.law.name](example)

    return check


def _of_intervention(case: LawCase) -> Callable[[DataObject], None]:
    from studyrun.trying.trials import trial

    subject = _subject(case)

    def check(data: DataObject) -> None:
        LAWS[case.law.name](trial(subject, case.law, data))

    return check


def _params(case: LawCase) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    from studyrun.trying.samples import params_of

    given = case.params
    return params_of(case.component.params) if given is None else st.sampled_from(given)


def _subject(case: LawCase) -> Subject:
    from studyrun.trying.trials import Subject

    component = case.component
    other = case.registry.get("intervention", case.law.other) if case.law.other else None
    return Subject(
        name=component.name,
        function=case.registry.function(component, component.target),
        arity=component.arity,
        params=_params(case),
        other=None if other is None else _subject(LawCase(Law(""), other, case.registry)),
        takes_reference=bool(component.reference),
    )
