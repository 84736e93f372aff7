"""What plugin authors test with: the laws of interventions, a tiny model, a whole small study.

@pytest.mark.parametrize("case", laws_of("clamp"), ids=str)
def test_law(case):
check_law(case)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studyrun.contracts import Component, Law
from studyrun.errors import UsageError
from studyrun.faults.suggest import did_you_mean
from studyrun.registry import Registry
from studyrun.runs import Run, run
from studyrun.trying.laws import LAWS, UNIVERSAL, LawBroken
from studyrun.trying.specimen import tiny_study, write_problems, write_tiny_codi

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from studyrun.trying.trials import Subject

__all__ = [
    "LAWS",
    "LawBroken",
    "LawCase",
    "check_law",
    "laws_of",
    "run_study",
    "tiny_study",
    "write_problems",
    "write_tiny_codi",
]


@dataclass(frozen=True, eq=False)
class LawCase:
    """One law of one intervention; `str` is its name in a test report."""

    law: Law
    component: Component
    registry: Registry
    params: Sequence[Any] | None = None

    def __str__(self) -> str:
        parts = (self.component.name, self.law.name, self.law.parameter, self.law.other)
        return "-".join(part for part in parts if part)


def laws_of(
    name: str, *, modules: Sequence[str] = (), params: Sequence[Any] | None = None
) -> list[LawCase]:
    """Every law that binds an intervention: the universal ones, then those it declares.

    Args:
        name: the intervention, as a study would `use` it.
        modules: plugins that are not installed, as with `-p`.
        params: parameter objects to try; drawn from the parameters' annotations if left out.

    Raises:
        UsageError: there is no such intervention, or it declares a law that does not exist.
    """
    registry = Registry.load(modules)
    registry.demand()
    component = registry.get("intervention", name)
    bound = [Law(law) for law in UNIVERSAL if component.arity == 1 or law != "features-are-a-set"]
    for law in component.laws:
        if law.name not in LAWS:
            raise UsageError(f"{name} declares the law {law.name!r}{did_you_mean(law.name, LAWS)}")
    return [LawCase(law, component, registry, params) for law in (*bound, *component.laws)]


def check_law(case: LawCase, *, examples: int = 100) -> None:
    """Nothing, if the law holds on `examples` drawn examples, the same ones each time.

    Raises:
        LawBroken: it does not; the message names the law, the intervention and the smallest
            example found.
        UsageError: hypothesis is not installed.
    """
    try:
        from studyrun.trying.trials import attempt
    except ModuleNotFoundError as error:
        raise UsageError("the laws need hypothesis: pip install 'studyrun[test]'") from error
    attempt(_subject(case), case.law, examples)


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


def _subject(case: LawCase) -> Subject:
    from hypothesis import strategies as st

    from studyrun.trying.samples import params_of
    from studyrun.trying.trials import Subject

    component, params = case.component, case.params
    other = case.registry.get("intervention", case.law.other) if case.law.other else None
    return Subject(
        name=component.name,
        function=case.registry.function(component, component.target),
        arity=component.arity,
        params=params_of(component.params) if params is None else st.sampled_from(params),
        other=None if other is None else _subject(LawCase(Law(""), other, case.registry)),
    )
