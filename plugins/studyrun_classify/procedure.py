"""The classifiers of a step as procedures: the same call for the data and for every control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from studyrun import Bound, Classification, Classifier, Context, Evidence, Ref, StudyError
from studyrun_classify.labels import labels_table

__all__ = ["Procedure", "procedures"]


@dataclass(frozen=True, slots=True, eq=False)
class Procedure:
    """A classifier with its parameters, under the name that tables know it by."""

    name: str
    version: str
    classifier: Classifier
    params: Any

    def __call__(self, evidence: Evidence) -> Classification:
        """What the classifier says, its labels completed by `labels_table`.

        Raises:
            StudyError: it did not return one row per feature with the columns of a label.
        """
        found = self.classifier(evidence, self.params)
        return Classification(labels_table(evidence, found.labels, self.name), found.associations)


def procedures(refs: Sequence[Ref], context: Context) -> list[Procedure]:
    """The classifiers named, in order.

    Raises:
        StudyError: two of them are the same, parameters included.
    """
    bound = [context.bind("classifier", ref) for ref in refs]
    names = _names(bound)
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise StudyError(f"compare: {twice[0]!r} would be compared with itself; name it once")
    return [
        Procedure(name, each.component.version, each.load(), each.params)
        for name, each in zip(names, bound, strict=True)
    ]


def _names(bound: Sequence[Bound]) -> list[str]:
    """Their names; with the parameters in which they differ where several have one name."""
    shared = Counter(each.component.name for each in bound)
    return [
        each.component.name + _differences(each, bound) * (shared[each.component.name] > 1)
        for each in bound
    ]


def _differences(one: Bound, bound: Sequence[Bound]) -> str:
    alike = [other.params for other in bound if other.component.name == one.component.name]
    told = [
        f"{field.name}={getattr(one.params, field.name)}"
        for field in fields(one.component.params)
        if any(getattr(params, field.name) != getattr(one.params, field.name) for params in alike)
    ]
    return f" ({', '.join(told)})" if told else ""
