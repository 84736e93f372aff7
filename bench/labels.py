"""How often `enrichment` says the right thing of worlds in which the truth is known.

    python bench/labels.py [--datasets N] [CASE ...]

Each data set has 2,000 problems of 1 to 4 steps, some 60 concepts, and 480 features that know of
nothing, active on 0.1 % to 99.9 % of the problems. Shares stand beside their 95 % Wilson interval.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

from studyrun_classify.classifiers.enrichment import classify
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.intervals import wilson

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/classify"))

from worlds import PLANTED, Planted, mixture, null

SIZE = {"n_concepts": 54, "noise": 480}
"""Of the worlds with planted features, which add six concepts of their own."""


def labels(planted: Planted) -> pl.DataFrame:
    """The labelled features."""
    found = classify(planted.world.evidence(), EnrichmentParams(max_p=1e-9)).labels
    return found.filter(verdict="enriched")


def one_planted(name: str, datasets: int) -> None:
    """How often the one planted feature gets its label, and what it gets instead."""
    said: Counter[str] = Counter()
    for seed in range(datasets):
        planted = PLANTED[name](seed, **SIZE)
        ((feature, concept),) = planted.follows.items()
        named = labels(planted).filter(feature=feature)["label"].to_list()
        said[(named or ["no label"])[0]] += 1
    others = [f"{n} x {label}" for label, n in said.most_common() if label != concept]
    shown(name, said[concept], datasets, f"get {concept!r}; {', '.join(others) or 'all'}")


def nothing_planted(datasets: int) -> None:
    any_label = sum(labels(null(seed)).height > 0 for seed in range(datasets))
    shown("nothing planted", any_label, datasets, "data sets in which anything is labelled")


def many_planted(datasets: int) -> None:
    """The share of labels that are false: of a feature or a concept that has nothing to do with it.

    A label that names a part of the concept that the feature follows is not false, only less than
    could be said.
    """
    false = labelled = planted_ = less = 0
    rates = []
    for seed in range(datasets):
        planted = mixture(seed, **SIZE)
        true = {concept.name: {concept.name, *concept.parts} for concept in planted.world.concepts}
        found = labels(planted).select("feature", "label").rows()
        wrong = [label not in true.get(planted.follows.get(f, ""), ()) for f, label in found]
        less += sum(label != planted.follows.get(f) for f, label in found) - sum(wrong)
        false, labelled = false + sum(wrong), labelled + len(found)
        planted_, rates = planted_ + len(planted.follows), [*rates, sum(wrong) / max(len(found), 1)]
    shown("many planted", false, labelled, "labels are false")
    print(f"    false-discovery rate, mean of data sets: {np.mean(rates):.4f} (alpha 0.01); "
          f"{labelled} labels for {planted_} planted, {less} of them of a part")  # fmt: skip


def shown(name: str, count: int, n: int, words: str) -> None:
    interval = wilson(np.array([float(count)]), np.array([float(n)]))
    share = f"{count / n:7.2%} ({interval.low[0]:.2%} to {interval.high[0]:.2%})"
    print(f"{name:32} {count:5} of {n:5}  {share:28} {words}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=int, default=100)
    parser.add_argument("cases", nargs="*", help="words of the rows wanted; all if none")
    options = parser.parse_args()
    rows = {name: lambda n, name=name: one_planted(name, n) for name in PLANTED}
    rows |= {"nothing planted": nothing_planted, "many planted": many_planted}
    for name, run in rows.items():
        if not options.cases or any(word in name for word in options.cases):
            run(options.datasets)


if __name__ == "__main__":
    main()
