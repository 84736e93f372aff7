"""The table of labels: its order, its odds, what its verdicts mean, where problems are too few."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from studyrun_classify.kinds import is_labelled

__all__ = ["MEANINGS", "NEEDED", "Shortage", "labelled", "ordered", "shortage", "too_few",
           "with_odds"]  # fmt: skip

NEEDED = ("feature", "label", "kind")
"""Columns without which a table is no table of labels."""
MEANINGS = {
    "enriched": "labelled: found on one half of the problems and confirmed on the other",
    "untested": "labelled or not by shares; nothing was tested",
    "weak": "associated with a concept, but too weakly for a label",
    "not-confirmed": "associated with a concept, but one half of the problems does not confirm "
    "what the other one shows",
    "explained": "associated with a concept, but not among comparable problems",
    "not-enriched": "there were problems enough, and nothing was found",
    "not-selected": "the probes do without it; it may say the same as other features",
    "insufficient": "too few problems to say",
}
"""What the verdicts of the built-in classifiers mean."""
TOO_FEW = ("n_active", "n_total", "n_needed")


@dataclass(frozen=True, slots=True)
class Shortage:
    """The features of which too few active problems are known."""

    features: pl.DataFrame
    """Those that are active at all, with `problems_needed`; the closest to a label first."""
    silent: int
    """How many more are active on no problem."""
    active_needed: int | None
    """Active problems that they need, in the median; None where unknown."""
    problems_needed: int | None
    """Problems in all that they need, in the median."""

    @property
    def n(self) -> int:
        """How many features there are in all."""
        return self.features.height + self.silent


def labelled(labels: pl.DataFrame) -> pl.DataFrame:
    """The features with a label, most certain first."""
    named = labels.filter(is_labelled())
    order = [name for name in ("q", "rank", "feature") if name in named.columns]
    return named.sort(order, nulls_last=True)


def ordered(labels: pl.DataFrame) -> pl.DataFrame:
    """Every feature: those with a label first, most certain first, then the others by rank."""
    named = labelled(labels)
    others = labels.filter(~is_labelled())
    order = [name for name in ("rank", "feature") if name in others.columns]
    return pl.concat([named, others.sort(order, nulls_last=True)])


def with_odds(labels: pl.DataFrame) -> pl.DataFrame:
    """With `odds`, `odds_low` and `odds_high` where their logarithms are there."""
    logs = {"log_odds": "odds", "ci_low": "odds_low", "ci_high": "odds_high"}
    known = {odds: pl.col(log).exp() for log, odds in logs.items() if log in labels.columns}
    return labels.with_columns(**known)


def shortage(labels: pl.DataFrame) -> Shortage | None:
    """What is called `insufficient`; None where it is not said how many problems it would take."""
    if not {*NEEDED, *TOO_FEW} <= set(labels.columns):
        return None
    short = labels.filter(pl.col("kind") == "insufficient")
    active = short.filter(pl.col("n_active") > 0).with_columns(problems_needed=_problems_needed())
    order = [name for name in ("q", "n_needed", "feature") if name in active.columns]
    return Shortage(
        features=active.sort(order, nulls_last=True),
        silent=short.height - active.height,
        active_needed=_half(active["n_needed"]),
        problems_needed=_half(active["problems_needed"]),
    )


def too_few(found: Shortage, labels: pl.DataFrame) -> str:
    """How many features there are too few problems for, by verdict, and what they would take."""
    said = [f"For {found.n} of {labels.height} features there are too few problems to say what "
            "they encode"]  # fmt: skip
    if "verdict" in labels.columns:
        short = labels.filter(pl.col("kind") == "insufficient")
        counts = dict(short["verdict"].drop_nulls().value_counts().iter_rows())
        others = sorted({*counts} - {*MEANINGS})
        by = [f"{counts[name]} {name}" for name in (*MEANINGS, *others) if name in counts]
        said[0] += f" (verdicts: {', '.join(by)})" if len(by) > 1 else ""
    if found.silent:
        are = "is" if found.silent == 1 else "are"
        said.append(f"{found.silent} of them {are} active on no problem")
    if found.active_needed is not None and found.problems_needed is not None:
        said.append(
            f"those that are active need {found.active_needed} active problems in the median, or "
            f"{found.problems_needed} problems in all at the frequencies seen"
        )
    return "; ".join(said) + "."


def _problems_needed() -> pl.Expr:
    """Problems with which so many would be active, at the frequency seen."""
    needed = pl.col("n_needed") * pl.col("n_total") / pl.col("n_active")
    return needed.ceil().cast(pl.Int64)


def _half(needed: pl.Series) -> int | None:
    """The median, one of the values."""
    value = needed.drop_nulls().quantile(0.5, interpolation="higher")
    return None if value is None else int(value)
