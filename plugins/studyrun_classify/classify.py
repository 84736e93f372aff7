"""The step `classify`: concepts bound and counted, classifiers called, their labels stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun import Artifact, Concept, Context, Evidence, Inputs, Result, StudyError
from studyrun_classify.controls.agreement import agreement, compared
from studyrun_classify.controls.exchange import control_runs
from studyrun_classify.controls.rates import control_table, labelled_by
from studyrun_classify.controls.stability import SCHEMA as MATCHES
from studyrun_classify.controls.stability import best_matches, matches
from studyrun_classify.controls.swap_pairs import swap_pairs
from studyrun_classify.distribution import distribution
from studyrun_classify.evidence import (
    evidence_of,
    labelled_problems,
    labelling_concepts,
    membership,
)
from studyrun_classify.features import top_problems
from studyrun_classify.labels import with_measured
from studyrun_classify.occurrences import occurrences
from studyrun_classify.params import ClassifyParams
from studyrun_classify.procedure import Procedure, procedures
from studyrun_classify.ranks import Ranks, faults, parse
from studyrun_classify.statistics.incidence import incidence_of
from studyrun_classify.variants import UNTRAINED, seeds

__all__ = ["run"]

SITE = ("layer", "position", "d_sae")


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """What is asked of features, whichever they are: do they follow the study's concepts?"""

    problems: pl.DataFrame
    split: str
    concepts: Sequence[Concept]
    seed: int

    def of(self, acts: Artifact) -> Evidence:
        """The evidence of these feature activations."""
        problems = labelled_problems(self.problems, acts.read_table("rows"), self.split)
        return evidence_of(problems, acts, self.concepts, self.seed)

    def on_every_problem(self, evidence: Evidence, acts: Artifact) -> Evidence:
        """With all encoded problems, whatever their split, and what holds of them."""
        problems = labelled_problems(self.problems, acts.read_table("rows"), "all")
        held = membership(problems, evidence.concepts)
        return replace(evidence, problems=problems, membership=held)


def run(params: ClassifyParams, inputs: Inputs, context: Context) -> Result:
    """Label every feature of the SAE, and whatever its labels are to be compared with.

    Raises:
        StudyError: no problem of the split was encoded, a rank range ends beyond the SAE, a concept
            is no yes/no property, the problems have no such column as `strata` names, a classifier
            did not return one row per feature or is compared with itself, an SAE is not that of its
            feature activations, or has the seed of one that it is compared with.
    """
    ranges = _ranges(params.ranks, inputs["feature-acts"].meta["d_sae"])
    every = procedures([params.classifier, *params.compare], context)
    question = _question(params, inputs, context)
    evidence = question.of(inputs["feature-acts"])
    incidence = incidence_of(evidence, params.strata)
    found = {each.name: each(evidence) for each in every}
    labels = {name: each.labels for name, each in found.items()}
    controls = chain(
        control_runs(evidence, incidence.stratum, params.permutations, params.matched),
        _untrained(params, inputs, question),
    )
    total = params.permutations + params.matched + params.untrained
    tracked = context.track(controls, total=total, label="labelling controls", unit="runs")
    labelled = labelled_by(every, labels, tracked)
    main = every[0].name
    again = _matches(params, inputs, context, question, every[0], labels[main])
    top = top_problems(evidence.activations, evidence.problems, params.top)
    table = with_measured(labels[main], labelled[main], again, top)
    swaps = swap_pairs(table, incidence, params.swaps)
    held = labelling_concepts(evidence, table)
    whole = question.on_every_problem(evidence, inputs["feature-acts"])
    return Result(
        tables={
            "table": table,
            "associations": found[main].associations,
            "distribution": distribution(table, ranges),
            "top_problems": top,
            "compared": compared(labels),
            "agreement": agreement(labels),
            "controls": control_table(labelled),
            "matches": again,
            "swap_pairs": swaps.table,
            "membership": held,
            "occurrences": occurrences(whole, labelling_concepts(whole, table)),
        },
        meta=_meta(params, inputs, evidence, every, ranges) | {"swap_pairs": swaps.summary},
    )


def _ranges(texts: Sequence[str], d_sae: int) -> list[Ranks]:
    """The study's ranges, or one over all features.

    Raises:
        StudyError: one is reversed, overlaps another or ends beyond d_sae.
    """
    wrong = [message for _, message in faults(texts, d_sae)]
    if wrong:
        raise StudyError("ranks: " + "; ".join(wrong))
    return [parse(text) for text in texts] or [Ranks(1, d_sae)]


def _question(params: ClassifyParams, inputs: Inputs, context: Context) -> _Question:
    """The concepts are those of the study's own problems, and asked of every control alike."""
    table, acts = inputs["problems"].table, inputs["feature-acts"]
    problems = labelled_problems(table, acts.read_table("rows"), params.split)
    sources = [context.bind("concept", ref) for ref in params.concepts]
    concepts = [concept for each in sources for concept in each.load()(problems, each.params)]
    return _Question(table, params.split, concepts, context.seed)


def _untrained(
    params: ClassifyParams, inputs: Inputs, question: _Question
) -> Iterator[tuple[str, Evidence]]:
    """The features that the same steps find in a model with random weights."""
    if params.untrained:
        yield UNTRAINED, question.of(inputs.variants[UNTRAINED]["feature-acts"])


def _matches(
    params: ClassifyParams,
    inputs: Inputs,
    context: Context,
    question: _Question,
    classifier: Procedure,
    labels: pl.DataFrame,
) -> pl.DataFrame:
    """Every feature's match in the SAE of every other seed."""
    tables = [MATCHES.to_frame()]
    names = context.track(
        seeds(params), total=params.sae_seeds, label="labelling other SAEs", unit="SAEs"
    )
    for name in names:
        mine, other = _directions(inputs.by_type), _directions(inputs.variants[name])
        if np.array_equal(mine, other):
            raise StudyError(f"the SAE of {name} is the study's own; give the study another seed")
        signed = bool((inputs["feature-acts"].table["activation"] < 0).any())
        found = best_matches(mine, other, signed=signed)
        theirs = classifier(question.of(inputs.variants[name]["feature-acts"])).labels
        tables.append(matches(name, found, labels, theirs))
    return pl.concat(tables)


def _directions(given: Mapping[str, Artifact]) -> NDArray[np.floating]:
    """W_dec (d_sae, d_in) of the SAE that the feature activations are of.

    Raises:
        StudyError: the two are of different sites or widths.
    """
    sae, acts = given["sae"], given["feature-acts"]
    here, there = ([each.meta.get(name) for name in SITE] for each in (sae, acts))
    if here != there:
        raise StudyError(
            f"the SAE has (layer, position, features) {here}, the feature activations {there}; "
            "say with `needs` which belong together"
        )
    directions: NDArray[np.floating] = sae.tensors()["W_dec"].numpy()
    return directions


def _meta(
    params: ClassifyParams,
    inputs: Inputs,
    evidence: Evidence,
    every: Sequence[Procedure],
    ranges: Sequence[Ranks],
) -> dict[str, Any]:
    acts = inputs["feature-acts"].meta
    return {
        "split": params.split,
        "n_problems": evidence.problems.height,
        "d_sae": acts["d_sae"],
        "layer": acts.get("layer"),
        "position": acts.get("position"),
        "ranks": [str(ranks) for ranks in ranges],
        "classifier": f"{every[0].name} {every[0].version}",
        "compared": [each.name for each in every[1:]],
        "concepts": len(evidence.concepts),
        "strata": params.strata,
    }
