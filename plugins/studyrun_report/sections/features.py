"""Specialised features: every label with what it rests on, beside what stands against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Section, Table, Text
from studyrun_report.labels import NEEDED, labelled, shortage, with_odds
from studyrun_report.sections.portraits import portraits
from studyrun_report.source import Source, Stored
from studyrun_report.tables import Spec, first_of, table_of
from studyrun_report.text import harmless, share

__all__ = ["section"]

CONTROLS = "Controls"
ALONE = Spec("base_rate", "Base rate", "share", "Share of all problems that have the concept")
LABELS = (
    Spec("rank", "Rank", "count",
         "By frequency, 1 is the most frequent feature; below it the share of all problems of the "
         "split on which it is active", beneath=("frequency", "share", "on {}")),
    Spec("label", "Label"),
    Spec("kind", "Kind"),
    Spec("rate", "Rate", "share",
         "Share of the feature's active problems that have the concept, and how many they are",
         of="n_with/n"),
    Spec("expected_rate", "Expected", "share",
         "The rate that the feature's problems would have if only what the problems were compared "
         "within mattered, such as their number of steps; below it that of all problems",
         beneath=("base_rate", "share", "all {}")),
    ALONE,
    Spec("auroc", "AUROC", "number",
         "For features active nearly everywhere: how often a problem with the concept has the "
         "larger activation of two"),
    Spec("odds", "Odds ratio", "number",
         "Odds of the concept among active against inactive problems that are otherwise alike, "
         "with its 95 % interval; for an AUROC its odds", ends=("odds_low", "odds_high")),
    Spec("q", "q", "probability",
         "p-value after Benjamini-Hochberg; below it the half of the problems that confirmed what "
         "the other one found, on which all these numbers were counted",
         beneath=("half", "text", "{}")),
    Spec("permuted_rate", "Permuted", "share",
         "Share of the runs with labels permuted in which this feature is labelled all the same",
         group=CONTROLS),
    Spec("matched_rate", "Matched", "share",
         "The same for a random feature that is active as often as this one", group=CONTROLS),
    Spec("stability", "Stable", "share",
         "Share of SAEs with other seeds whose most similar feature has the same label, and the "
         "mean cosine of the two decoder directions", group=CONTROLS,
         beneath=("match_cosine", "number", "cosine {}")),
)  # fmt: skip
MEANINGS = {
    "enriched": "labelled: found on one half of the problems and confirmed on the other",
    "untested": "labelled or not by shares; nothing was tested",
    "weak": "associated with a concept, but too weakly for a label",
    "not-confirmed": "associated with a concept, but one half does not confirm the other",
    "explained": "associated with a concept, but not among comparable problems",
    "not-enriched": "there were problems enough, and nothing was found",
    "not-selected": "the probes do without it; it may say the same as other features",
    "insufficient": "too few problems to say",
}
"""What the verdicts of the built-in classifiers mean."""
VERDICTS = (
    Spec("verdict", "Verdict"),
    Spec("features", "Features", "count"),
    Spec("meaning", "Meaning"),
)
COMMON: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "verdict": ("verdict {}", str),
    "evidence": ("counted on: {}", str),
    "untrained_rate": ("of the untrained model's features {} are labelled", share),
}
"""What is said once below a table all of whose rows have one value there."""


def section(source: Source) -> Section | None:
    """The labelled features of every labelling of the study."""
    blocks = tuple(_blocks(source))
    lead = (
        "A label is worth what it rests on. Beside each stand the rate among the feature's "
        "problems against that of comparable problems and of all, and how often the same "
        "procedure labels what should have no label."
    )
    return Section("features", "Specialised features", blocks, lead) if blocks else None


def _blocks(source: Source) -> Iterator[Block]:
    for stored in source.of_type("labels"):
        if stored.has(*NEEDED) and stored.table is not None:
            yield from _labelling(source, stored, stored.table)


def _labelling(source: Source, stored: Stored, labels: pl.DataFrame) -> Iterator[Block]:
    named = labelled(labels)
    meta = stored.artifact.meta
    by = f" by {meta['classifier']}" if "classifier" in meta else ""
    many = f"{named.height} of {labels.height} features are labelled{by}"
    on = f" on {meta['n_problems']} {meta['split']} problems" if "n_problems" in meta else ""
    yield Text(harmless(source.named(stored, f"{many}{on}") + "."))
    yield from _short(labels)
    yield from _verdicts(source, stored, labels)
    shown = _with_half(with_odds(named.head(source.params.features)))
    if shown.is_empty():
        return
    first = Spec("feature", "Feature", "count", link=f"{stored.slug}-feature-")
    caption = source.named(stored, "Labelled features with their evidence and their controls")
    specs = (first, *_specs(shown))
    identity = f"{stored.slug}-table"
    table = table_of(shown, specs, id=identity, caption=caption, note=_common(shown))
    yield first_of(table, named.height)
    yield from portraits(source, stored, shown)


def _specs(shown: pl.DataFrame) -> list[Spec]:
    """All of `LABELS`; the base rate for itself only where no expected rate stands above it."""
    expected = "expected_rate" in shown.columns and shown["expected_rate"].is_not_null().any()
    return [spec for spec in LABELS if not (expected and spec is ALONE)]


def _with_half(shown: pl.DataFrame) -> pl.DataFrame:
    """With `half`, the first words of `evidence` where they differ; else the note says them."""
    if "evidence" not in shown.columns or shown["evidence"].n_unique() < 2:
        return shown
    return shown.with_columns(half=pl.col("evidence").str.split(",").list.first())


def _short(labels: pl.DataFrame) -> Iterator[Text]:
    """The `insufficient` ones, summed up with what it would take."""
    found = shortage(labels)
    if found is None or not found.n:
        return
    several = f"{found.n} features are active on too few problems to say what they encode"
    silent = f"{found.silent} of them on none at all" if found.silent else ""
    needed = (
        f"those that are active need {found.active_needed} active problems in the median, or "
        f"{found.problems_needed} problems in all at the frequencies seen"
        if found.active_needed is not None and found.problems_needed is not None
        else ""
    )
    yield Text("; ".join(part for part in (several, silent, needed) if part) + " (see Limits).")


def _common(shown: pl.DataFrame) -> str:
    """What holds of all features shown."""
    said = [
        words.format(write(shown[name][0]))
        for name, (words, write) in COMMON.items()
        if name in shown.columns and shown[name].n_unique() == 1 and shown[name][0] is not None
    ]
    return harmless(f"All of them: {'; '.join(said)}.") if said else ""


def _verdicts(source: Source, stored: Stored, labels: pl.DataFrame) -> Iterator[Table]:
    """How many features came to each verdict, labelled or not."""
    if "verdict" not in labels.columns or labels.is_empty():
        return
    order = pl.col("verdict").replace_strict(
        dict(zip(MEANINGS, range(99), strict=False)), default=99
    )
    counts = labels.group_by("verdict").len("features").sort(order, "verdict")
    meaning = pl.col("verdict").replace_strict(MEANINGS, default=None, return_dtype=pl.String)
    caption = source.named(stored, "Features by verdict")
    frame = counts.with_columns(meaning=meaning)
    yield table_of(frame, VERDICTS, id=f"{stored.slug}-verdicts", caption=caption)
