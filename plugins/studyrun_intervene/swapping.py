"""Pairs put to the swap protocol: their problems found or made, the swap and its null run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

import polars as pl
import torch
from torch import Tensor

from studyrun import Bound, Context, Position, StudyError
from studyrun_classify.kinds import is_labelled
from studyrun_classify.params import SwapTest
from studyrun_data.change import Change, change_between
from studyrun_data.counterfactual import counterfactual_answers
from studyrun_data.table import PROBLEMS
from studyrun_data.targeted import contrast_of, exchanges, with_counterfactuals
from studyrun_intervene.choosing.features import feature_table
from studyrun_intervene.choosing.matching import matched_edits
from studyrun_intervene.columns import PROTOCOL, PROTOCOL_OUTCOMES
from studyrun_intervene.edits.differences import Intervene, moved_by_edits
from studyrun_intervene.protocol import Carriers, Outcome, judged, too_few
from studyrun_intervene.runs.arms import EDIT, Arm, Plan
from studyrun_intervene.runs.collected import Collected, Questions, collect
from studyrun_intervene.surroundings import Surroundings

__all__ = ["Pair", "Swapping", "protocol"]

SPARE, SURPLUS = 4, 1.2
"""So many times the problems that are needed are made at first, and later by what is known then."""
MADE = 8_000
"""Problems that are made for a pair at most."""
MOST = 1_000
"""Problems that a pair is tested on, at most."""
OTHER_SEED = 1_000_003
"""Added to the study's seed, so that problems that are made are not the study's own."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two features with the concepts of their labels."""

    features: tuple[int, ...]
    concepts: tuple[str | None, str | None]

    @property
    def change(self) -> Change | None:
        """What exchanging the concepts exchanges in a problem; None where that is not clear."""
        have, instead = self.concepts
        return change_between(have, instead) if have and instead else None


@dataclass(frozen=True, slots=True, eq=False)
class Swapping:
    """What all pairs of a step share."""

    shared: Surroundings
    intervene: Intervene
    answer: Bound
    """The effect `answer`."""
    generate: Bound | None
    test: SwapTest
    confidence: float
    context: Context
    evidence: list[pl.DataFrame] = field(default_factory=list)
    """Of every pair that was run, what its shares rest on."""

    def row(self, pair: Pair) -> dict[str, object]:
        """The pair's row of `PROTOCOL`."""
        head: dict[str, object] = {
            "feature": pair.features[0],
            "feature_b": pair.features[1],
            "concept": pair.concepts[0],
            "concept_b": pair.concepts[1],
        }
        change = pair.change
        if change is None:
            reason = "it is not clear what exchanging these two concepts exchanges in a problem"
            return head | {"verdict": "inconclusive", "reason": reason}
        carriers = self._own(pair, change)
        power, needed = too_few(len(carriers.expected), self.test)
        if power < self.test.power and self.generate is not None and needed is not None:
            carriers = self._made(pair, change, needed) or carriers
            power, needed = too_few(len(carriers.expected), self.test)
        n = len(carriers.expected)
        head |= {"problems": carriers.source, "n": n, "n_needed": needed, "power": power}
        if power < self.test.power:
            said = "more than can be said" if needed is None else str(needed)
            cure = "" if self.generate is not None else "; `generate: word-problems` makes them"
            reason = f"the swap has a direction on {n} problems, and {said} are needed{cure}"
            return head | {"verdict": "inconclusive", "reason": reason}
        return head | self._tested(pair, carriers)

    # The problems

    def _own(self, pair: Pair, change: Change) -> Carriers:
        """Those of the study."""
        problems, z = self.shared.problems, self.shared.z
        there = counterfactual_answers(problems.select(PROBLEMS.names()), change)
        back = counterfactual_answers(problems.select(PROBLEMS.names()), change.back)
        one = there.is_not_null() ^ back.is_not_null()
        table = problems.with_columns(expected=pl.coalesce(there, back))
        return _carriers(table, one, z, pair, "study")

    def _made(self, pair: Pair, change: Change, needed: int) -> Carriers | None:
        """New ones, made in pairs that differ in nothing else; None where they cannot be made.

        Features are not active on all of them, so more are made until they are enough.
        """
        assert self.generate is not None
        params: Any = self.generate.params
        seed = self.context.seed if params.seed is None else params.seed
        made = contrast_of(change, params)
        if made is None:
            return None
        made = replace(made, seed=seed + OTHER_SEED)
        found, size = None, SPARE * needed
        while found is None or (len(found.expected) < needed and size <= MADE):
            try:
                table = self.generate.load()(replace(made, problems=size), self.context)
                found = self._carrying(table.tables["table"], pair, change)
            except StudyError as error:  # no more such pairs, or words that the model does not know
                self.context.note(f"{pair.concepts}: no more problems can be made: {error}")
                return found
            share = max(len(found.expected), 1) / size
            size = max(2 * size, 2 * ceil(SURPLUS * needed / share / 2))
        return found

    def _carrying(self, table: pl.DataFrame, pair: Pair, change: Change) -> Carriers:
        """Those of the problems made for a pair that carry its test."""
        assert self.generate is not None
        whole = exchanges(table, change)
        table = with_counterfactuals(table).with_row_index("problem").filter(whole)
        table = table.with_columns(expected="counterfactual_answer").cast({"problem": pl.UInt32})
        questions = table["question"].to_list()
        x = self.context.model().activations(
            questions, [self.shared.layer], [self.shared.position], self.context
        )
        z = self.shared.sae.encode(x[:, 0, 0].to(self.shared.z.device))
        one = pl.Series([True] * table.height)
        return _carriers(table, one, z, pair, self.generate.component.name)

    # The runs

    def _tested(self, pair: Pair, carriers: Carriers) -> dict[str, object]:
        alike = matched_edits(_on_carriers(carriers, self.shared.sae.d_sae), [pair.features], 1)
        null = next(iter(alike[0]), None)
        outcomes = self._run([pair.features, *([null] if null else [])], carriers)
        self.evidence.append(_evidence(len(self.evidence), carriers, outcomes))
        generator = self.context.generator(f"swap protocol of {pair.features}")
        row = judged(
            outcomes[0], outcomes[1] if null else None, self.test, self.confidence, generator
        )
        return {
            **row,
            "outcomes": len(self.evidence) - 1,
            "null_feature": null and null[0],
            "null_feature_b": null and null[1],
        }

    def _run(self, edits: Sequence[tuple[int, ...]], carriers: Carriers) -> list[Outcome]:
        """What each swap did; nothing where it moves nothing."""
        moved = moved_by_edits(
            carriers.z, self.shared.sae.W_dec, self.intervene, edits, featurewise=False
        )
        positions: list[Position] = [self.shared.position] * len(edits)
        plan = Plan((Arm(EDIT, moved, positions),))
        questions = Questions(carriers.table, self.shared.answer_rule, list(carriers.expected))
        asked = carriers.table["question"].to_list()
        replay = self.context.model().replay(asked, self.shared.layer, self.context)
        found = collect(plan.site_edits(), replay, questions, [self.answer])
        return [_outcome(plan, found, edit, len(asked)) for edit in range(len(edits))]


def _outcome(plan: Plan, found: Collected, edit: int, rows: int) -> Outcome:
    """What one swap did on every carrier."""
    mine = (plan.edit == edit).nonzero()[:, 0]
    at = plan.row[mine]

    def column(name: str) -> Tensor:
        values = torch.zeros(rows, dtype=torch.float64)
        if len(mine):
            values[at] = found.values[name, ""][mine].nan_to_num(0.0)
        return values

    def texts(name: str) -> list[str | None]:
        said = found.texts.get("answer", {}).get(name, [])
        by_row = {row: said[run] for row, run in zip(at.tolist(), mine.tolist(), strict=True)}
        return [by_row.get(row) for row in range(rows)]

    return Outcome(
        exact=column("answer_matched"),
        towards=column("answer_towards"),
        changed=column("answer_changed"),
        before=texts("before"),
        after=texts("after"),
    )


def _evidence(number: int, carriers: Carriers, outcomes: Sequence[Outcome]) -> pl.DataFrame:
    """The answers on every carrier, by the swap and by its null swap."""
    nothing: list[str | None] = [None] * len(carriers.expected)
    swap, *null = outcomes
    columns = {
        "outcomes": [number] * len(carriers.expected),
        "question": carriers.table["question"].to_list(),
        "answer": carriers.table["answer"].to_list(),
        "expected": carriers.expected,
        "before": swap.before,
        "after": swap.after,
        "null_after": null[0].after if null else nothing,
    }
    return pl.DataFrame(columns, PROTOCOL_OUTCOMES.schema())


def _on_carriers(carriers: Carriers, d_sae: int) -> pl.DataFrame:
    """How active every feature is on the carriers, so that the null swap acts there as often."""
    row, feature = carriers.z.nonzero(as_tuple=True)
    values = carriers.z[row, feature].cpu().tolist()
    active = pl.DataFrame(
        {"problem": row.tolist(), "feature": feature.tolist(), "activation": values},
        {"problem": pl.UInt32, "feature": pl.UInt32, "activation": pl.Float32},
    )
    return feature_table(active, d_sae, len(carriers.z), None)


def _carriers(table: pl.DataFrame, one: pl.Series, z: Tensor, pair: Pair, source: str) -> Carriers:
    """The rows where one concept holds, a feature is active, and the answer should change."""
    active = (z[:, list(pair.features)] != 0).any(1).cpu().numpy()
    other = (table["expected"] != table["answer"]).fill_null(value=False)
    rows = (one & pl.Series(active) & other).arg_true().head(MOST)
    index = torch.from_numpy(rows.to_numpy().astype("int64"))
    some = table[rows]
    return Carriers(
        some.select("problem", "question", "answer"),
        some["expected"].to_list(),
        z[index.to(z.device)],
        source,
    )


def protocol(
    swapping: Swapping, pairs: Sequence[Pair], missing: Sequence[tuple[str, str]]
) -> dict[str, pl.DataFrame]:
    """A row of `PROTOCOL` for every pair, and for the pairs of concepts without features.

    Beside it the answers that these rest on.
    """
    tracked = swapping.context.track(pairs, total=len(pairs), label="swapping", unit="pairs")
    rows = [swapping.row(pair) for pair in tracked]
    rows += [_without_features(each, swapping.shared.features) for each in missing]
    outcomes = pl.concat([PROTOCOL_OUTCOMES.schema().to_frame(), *swapping.evidence])
    table = pl.DataFrame(rows, PROTOCOL.schema())
    return {"protocol": table, "protocol_outcomes": outcomes}


def _without_features(concepts: tuple[str, str], features: pl.DataFrame) -> dict[str, object]:
    known = set(features.filter(is_labelled())["concept"].drop_nulls())
    lacking = " and ".join(f"`{concept}`" for concept in concepts if concept not in known)
    return {
        "concept": concepts[0],
        "concept_b": concepts[1],
        "verdict": "inconclusive",
        "reason": f"no feature is labelled {lacking}",
    }
