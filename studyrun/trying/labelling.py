"""Putting laws of classifiers to examples: evidence made up from a size and a seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from studyrun.trying.evidence import sample_evidence
from studyrun.trying.laws import CLASSIFIER_LAWS, LawBroken

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject, SearchStrategy

    from studyrun.analysis import Classification, Classifier, Evidence
    from studyrun.contracts import Law

__all__ = ["Labelling", "labelling"]

UNSPECIFIC = ("general", "insufficient", "unknown")
"""Kinds that are no label."""
LARGEST = 100
"""Most problems of an example: enough for tests to find something."""


@dataclass(eq=False)
class Labelling:
    """One example that a law is put to."""

    name: str
    classifier: Classifier
    law: Law
    params: Any
    evidence: Evidence
    example: dict[str, Any] = field(default_factory=dict)
    """How it was made, for the message."""

    # What the law speaks of

    def classified(self, evidence: Evidence | None = None) -> Classification:
        """C(e), e being this example's evidence where none is given."""
        try:
            return self.classifier(self.evidence if evidence is None else evidence, self.params)
        except Exception as error:  # whatever a plugin's function raises breaks the law
            raise self._broken({"raised": error}) from error

    def labels(self, evidence: Evidence | None = None) -> pl.DataFrame:
        """The labels of C(e), by feature."""
        found = self.classified(evidence).labels
        missing = [n for n in ("feature", "label", "kind", "verdict") if n not in found.columns]
        self.expect(not missing, missing=missing)
        return found.cast({"feature": pl.UInt32}).sort("feature")

    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables of e by name."""
        names = ("problems", "activations", "features", "membership")
        return {name: getattr(self.evidence, name) for name in names}

    def shuffled(self) -> Evidence:
        """The same evidence with the rows of activations and memberships in another order."""
        e = self.evidence
        activations, membership = (
            frame.sample(fraction=1, shuffle=True, seed=1)
            for frame in (e.activations, e.membership)
        )
        return replace(e, activations=activations, membership=membership)

    def renumbered(self, column: str) -> tuple[pl.Expr, Evidence]:
        """Other numbers for features, or for problems; and the evidence with them.

        Features exchange numbers and keep their ranks; problems keep their order.
        """
        n, number = self.evidence.features.height, pl.col(column)
        other = (number + n // 2 + 1) % n if column == "feature" else 2 * number + 3
        changed: dict[str, Any] = {
            name: frame.with_columns(other.cast(pl.UInt32).alias(column))
            for name, frame in self.tables().items()
            if column in frame.columns
        }
        return other.cast(pl.UInt32), replace(self.evidence, **changed)

    # The verdict

    def equal(self, found: pl.DataFrame, expected: pl.DataFrame, *, nearly: bool = False) -> None:
        """Break the law unless the two are equal; `nearly`: floats to five digits."""
        try:
            assert_frame_equal(found, expected, check_exact=not nearly)
        except AssertionError as difference:
            raise self._broken({"difference": difference}) from None

    def unlabelled_below(self, n_active: int) -> None:
        """Break the law unless features with fewer active problems than that have no label."""
        features = self.evidence.features
        few = features.filter(pl.col("n_active") < n_active).select("feature", "n_active")
        named = self.labels().filter(~pl.col("kind").is_in(UNSPECIFIC))
        wrong = named.select("feature", "label", "kind").join(few, on="feature")
        self.expect(wrong.is_empty(), found=wrong.to_dicts())

    def expect(self, holds: bool, **facts: Any) -> None:
        """Break the law, with those facts, unless it holds."""
        if not holds:
            raise self._broken(facts)

    def _broken(self, facts: dict[str, Any]) -> LawBroken:
        sentence = (CLASSIFIER_LAWS[self.law.name].__doc__ or "").partition("\n")[0].rstrip(".")
        return LawBroken(self.law.name, self.name, sentence, self.example | facts)


def labelling(
    name: str, classifier: Classifier, law: Law, params: SearchStrategy[Any], data: DataObject
) -> Labelling:
    """An example for a law of a classifier."""
    problems, features = data.draw(st.integers(1, LARGEST)), data.draw(st.integers(1, 6))
    seed, chosen = data.draw(st.integers(0, 999)), data.draw(params)
    made = Made(f"sample_evidence({problems}, {features}, seed={seed})")
    evidence = sample_evidence(problems, features, seed=seed)
    return Labelling(name, classifier, law, chosen, evidence, {"e": made, "params": chosen})


class Made(str):
    """How something is made, shown without quotation marks."""

    __slots__ = ()
    __repr__ = str.__str__
