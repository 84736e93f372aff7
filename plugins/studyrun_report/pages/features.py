"""All features of a labelling: a row each, and everything that is known of each on its page."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import FeaturePage, Features, Samples, changed
from studyrun_report.effects.feature_effects import headline, largest, of_features
from studyrun_report.effects.quantities import Quantity
from studyrun_report.labelling import Labelling
from studyrun_report.pages import sentences
from studyrun_report.pages.concepts import concepts
from studyrun_report.pages.effects import effects
from studyrun_report.pages.neighbours import neighbours, partners
from studyrun_report.pages.parts import Part
from studyrun_report.pages.portrait import histograms, measures, splits_of, terms
from studyrun_report.pages.samples import samples
from studyrun_report.pages.seeds import seeds
from studyrun_report.pages.tokens import tokens
from studyrun_report.writing.tables import Spec, cells, columns, used
from studyrun_report.writing.text import harmless

__all__ = ["features"]

CONTROLS = "Controls"
ALONE = Spec("base_rate", "Base rate", "share", "Share of all problems that have the concept")
ROWS = (
    Spec("rank", "Rank", "count", "By frequency, 1 is the most frequent feature"),
    Spec("frequency", "Frequency", "share", "Share of the problems on which it is active",
         filter="range"),
    Spec("mean_active", "Mean activation", "number", "Over the problems on which it is active; "
         "below it the largest", beneath=("max", "number", "at most {}")),
    Spec("max_cosine", "Nearest", "number", "Cosine of its decoder direction with the nearest "
         "other one, and whose that is", beneath=("nearest", "count", "feature {}")),
    Spec("label", "Label"),
    Spec("kind", "Kind", filter="choice"),
    Spec("verdict", "Verdict", filter="choice"),
    Spec("rate", "Rate", "share",
         "Share of the feature's active problems that have the concept that is most associated, "
         "and how many they are", of="n_with/n"),
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
         "p-value after Benjamini-Hochberg; below it the problems on which all these numbers were "
         "counted: for a label the half that confirmed what the other one found",
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


def features(of: Labelling, *, note: str = "") -> Features:
    """The block: labelled features first, most certain first, then the others by rank."""
    found = of_features(of)
    frame, of_effects = _with_effect(_with_half(of.table), found)
    expected = "expected_rate" in frame.columns and frame["expected_rate"].is_not_null().any()
    rows = (spec for spec in ROWS if not (expected and spec is ALONE))
    evidence = " with its evidence and its controls" if of.labelled else ""
    specs = used(frame, (Spec("feature", "Feature", "count", link=of.link), *rows, *of_effects))
    block = Features(
        id=f"{of.stored.slug}-features",
        caption=of.source.named(of.stored, f"Every feature{evidence}"),
        columns=columns(specs),
        rows=cells(frame, specs),
        note=" ".join(filter(None, (note, _counted_on(of)))),
    )
    return _with_pages(block, of, found) if of.source.params.pages else block


def _counted_on(of: Labelling) -> str:
    """Of which problems the pages speak, and why they have no logit lens."""
    if of.portraits is None or not of.source.params.pages:
        return ""
    said = f"Histograms and samples are of {of.portraits.problems}."
    without = of.portraits.artifact.meta.get("no_tokens")
    return harmless(f"{said} No logit lens: {without}." if without else said)


def _with_half(table: pl.DataFrame) -> pl.DataFrame:
    """With `half`, the first words of `evidence` where they differ; else the note says them."""
    if "evidence" not in table.columns or table["evidence"].n_unique() < 2:
        return table
    return table.with_columns(half=pl.col("evidence").str.split(",").list.first())


def _with_effect(table: pl.DataFrame, found: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Spec, ...]]:
    """With each feature's largest effect of the quantity that is known of most features."""
    name = headline(found)
    if not name:
        return table, ()
    first = largest(found, name)
    of = Quantity(name, first["title"][0], first["form"][0])
    own = first.select(
        pl.col("feature").cast(table.schema["feature"]),
        effect="size", effect_random="random", effect_verdict="verdict", effect_step="step",
    )  # fmt: skip
    group = of.title
    specs = (
        Spec("effect", "Effect", of.form, "Mean size of what editing this feature changes; the "
             "largest of all steps and scales, and the step", group=group, filter="range",
             beneath=("effect_step", "text", "{}")),
        Spec("effect_random", "Random", of.form, "The same differences turned into random "
             "directions of their norm", group=group),
        Spec("effect_verdict", "Effect called", about="Whether it is larger than in a random "
             "direction and above the noise", group=group, filter="choice"),
    )  # fmt: skip
    kept = table.drop("effect", "effect_random", "effect_verdict", "effect_step", strict=False)
    return kept.join(own, on="feature", how="left", maintain_order="left"), specs


# Pages


def _with_pages(block: Features, of: Labelling, found: pl.DataFrame) -> Features:
    every = (concepts(of), effects(found), partners(of), neighbours(of), tokens(of), seeds(of))
    parts = [part for part in every if part is not None]
    shown = samples(of)
    return changed(
        block,
        layouts=tuple(part.layout for part in parts),
        problems=shown.problems,
        pages=tuple(_pages(of, parts, shown.samples)),
    )


def _pages(
    of: Labelling, parts: list[Part], samples: dict[int, tuple[Samples, ...]]
) -> Iterator[FeaturePage]:
    measured, bars, splits = measures(of), histograms(of), splits_of(of)
    total = of.table.height
    for row in of.table.iter_rows(named=True):
        feature = row["feature"]
        yield FeaturePage(
            id=f"{of.prefix}{feature}",
            feature=feature,
            label=harmless(row["label"] or ""),
            kind=harmless(row["kind"] or ""),
            verdict=harmless(row.get("verdict") or ""),
            terms=tuple(terms(row, measured.get(feature, {}), total, splits)),
            evidence=sentences.evidence(row),
            controls=sentences.controls(row),
            histogram=bars.get(feature),
            samples=samples.get(feature, ()),
            tables={part.layout.name: part.rows[feature] for part in parts if feature in part.rows},
        )
