"""The published figures of the investigation this project grew out of, put to the test.

docs/explanation/published-labels.md states them; `published_page.py` says how.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import hypergeom

from studyrun import Concept
from studyrun.registry import Registry
from studyrun_classify import associate, published_rule
from studyrun_data.gsm8k import read_problem
from studyrun_data.lines import read_lines
from studyrun_data.table import table_of

DATA = Path(__file__).parents[3] / "shared" / "data"
N = 1495
ALPHA = 0.01
OPERATIONS = {"addition": "+", "subtraction": "-", "multiplication": "*", "division": "/"}
VALUES = (12, 20, 30, 50, 100)
ROUND = (100, 200, 500, 1000)
TABLES = {
    "layer14_pos3_rank50-200": "layer 14, ranks 50-200",
    "layer14_pos3_rank400-512": "layer 14, ranks 400-512",
    "layer3_pos3_rank20-100": "layer 3, ranks 20-100",
}
TAXONOMY = "layer14_pos3_rank1-20_taxonomy"


@cache
def figures():
    return json.loads((DATA / "seed" / "published_features_k100_d512.json").read_text())


def features(table):
    return figures()[table]["features"]


def all_features():
    """The 341 features with counts, each with the table that it is of."""
    return [{**feature, "table": table} for table in TABLES for feature in features(table)]


@cache
def problems():
    """The published validation problems, read by the project's own parser, with their text.

    `text` is what the publication looked into: the calculations, ` | ` between them.
    """
    chosen = json.loads((DATA / "seed" / "validation_indices.json").read_text())["validation"]
    lines = read_lines(DATA / "gsm8k" / "train.jsonl", None).good
    table = table_of([read_problem(lines[index], "train").problem for index in sorted(chosen)])
    text = (
        pl.col("solution")
        .str.extract_all(r"<<[^<>]*>>")
        .list.eval(pl.element().str.strip_chars("<>"))
    )
    return table.with_columns(text=text.list.join(" | ")).with_row_index("problem")


def by_substrings():
    """The nine concepts as the publication counted them."""
    signs = [_with_any(name, "operation", [sign]) for name, sign in OPERATIONS.items()]
    return [*signs, *(_with_any(str(value), "value", [value]) for value in VALUES)]


def _with_any(name, kind, texts):
    found = [pl.col("text").str.contains(str(text), literal=True) for text in texts]
    return Concept(name, kind, pl.any_horizontal(found))


def round_numbers(reading):
    """The tenth pattern of the published taxonomy, which is of the level of values."""
    if reading == "substrings":
        return _with_any("round_numbers", "round", ROUND)
    held = [concept.expr for concept in _concepts("values", values=list(ROUND))]
    return Concept("round_numbers", "round", pl.any_horizontal(held))


def by_parsing():
    """The same nine as studyrun reads them: operators are operators, numbers are numbers."""
    used = _concepts("operations", operations=list(OPERATIONS.values()))
    held = _concepts("values", values=list(VALUES))
    names = [*OPERATIONS, *map(str, VALUES)]
    return [replace(c, name=name) for c, name in zip([*used, *held], names, strict=True)]


def _concepts(name, **given):
    """A family of concepts as a study gets it."""
    bound = Registry.load().bind("concept", {"use": name, "with": given})
    return bound.load()(problems(), bound.params)


READINGS = {"substrings": by_substrings, "parsed": by_parsing}


@cache
def holds(reading):
    """(id, one column for each concept): whether it holds, by that reading."""
    return problems().select("id", **{c.name: c.expr for c in READINGS[reading]()})


@cache
def base(reading):
    """How many of the problems have each concept."""
    return holds(reading).drop("id").sum().row(0, named=True)


@cache
def false_hits():
    """How many problems have each concept as a substring and not when parsed."""
    return {name: base("substrings")[name] - held for name, held in base("parsed").items()}


def published_counts(table):
    """The published counts over the top problems, for `associate`."""
    return _counts_table(
        {
            "feature": feature["feature"],
            "type": feature["published_type"],
            "concept": name,
            "n_active": feature["n_top"],
            "n_active_with": count,
            "n_with": base("substrings")[name],
        }
        for feature in features(table)
        for name, count in {**feature["with_operation"], **feature["with_value"]}.items()
    )


def _counts_table(rows):
    kind = pl.when(pl.col("concept").is_in(list(OPERATIONS))).then(pl.lit("operation"))
    return pl.DataFrame(list(rows)).with_columns(n_total=N, kind=kind.otherwise(pl.lit("value")))


def bounded(table, end):
    """The published counts as they could be after parsing: `at least` or `at most`.

    Of the problems counted, no more can be false than there are false ones at all.
    """
    held, false = (
        pl.col("concept").replace_strict(each, return_dtype=pl.Int64)
        for each in (base("parsed"), false_hits())
    )
    count = pl.col("n_active_with")
    bound = (count - false).clip(0) if end == "at least" else pl.min_horizontal(count, held)
    return published_counts(table).with_columns(n_active_with=bound, n_with=held)


def recounted(reading):
    """The twenty most frequent features on the ten top problems that are published by id."""
    found = holds(reading)
    rows = []
    for feature in features(TAXONOMY):
        ids = [sample["problem"] for sample in feature["top_samples"]]
        counts = found.filter(pl.col("id").is_in(ids)).drop("id").sum().row(0, named=True)
        rows += [
            {"feature": feature["feature"], "concept": name, "n_active": len(ids),
             "n_active_with": count, "n_with": base(reading)[name]}
            for name, count in counts.items()
        ]  # fmt: skip
    return _counts_table(rows)


def enriched(counts):
    return associate(counts, alpha=ALPHA).filter(verdict="enriched")


def n_enriched(counts, **where):
    return enriched(counts).filter(**where)["feature"].n_unique()


def described(feature, ties):
    """(published type, published description) by the rule, from the published counts."""
    found = published_rule(
        feature["with_operation"], feature["with_value"], feature["n_top"], ties=ties
    )
    words = [found.operation, found.value and f"number {found.value}"]
    return found.type, " + ".join(filter(None, words)) or "mixed patterns"


def specialised():
    return [feature for feature in all_features() if feature["published_type"] != "general"]


def patterns_in(texts):
    """Patterns by the published rule, written out; an oracle for the component."""
    found = {name for name, sign in OPERATIONS.items() if sum(sign in t for t in texts) >= 3}
    found |= {f"number_{value}" for value in VALUES if sum(str(value) in t for t in texts) >= 5}
    if sum(any(str(number) in text for number in ROUND) for text in texts) >= 3:
        found.add("round_numbers")
    return found


@cache
def texts_by_id():
    return dict(problems().select("id", "text").iter_rows())


def patterns_that_follow(feature):
    """What the ten published problems of a feature show by themselves."""
    return patterns_in([texts_by_id()[sample["problem"]] for sample in feature["top_samples"]])


def chance_of_all_patterns(reading, n=100):
    """At least this probable: n problems drawn at random show all ten patterns."""
    round_ = problems().select(round_numbers(reading).expr.sum()).item()
    held = {**base(reading), "round_numbers": round_}
    missing = [hypergeom.cdf((4 if c.isdigit() else 2), N, k, n) for c, k in held.items()]
    return 1 - float(np.sum(missing))


def most_frequent_false(value, n=2):
    """The numbers that stand in most problems where `value` is a substring only."""
    hit = holds("substrings").filter(pl.col(str(value)))["id"].to_list()
    true = holds("parsed").filter(pl.col(str(value)))["id"].to_list()
    false = problems().filter(pl.col("id").is_in(hit) & ~pl.col("id").is_in(true))["text"]
    numbers = false.str.extract_all(r"[0-9.]+").list.unique().explode()
    numbers = numbers.filter(numbers.str.contains(str(value), literal=True))
    top = numbers.value_counts().sort(["count", "text"], descending=[True, False])
    return top.head(n).rows()


def candidates(feature):
    """The validation problems that have the counts of a feature with one top problem."""
    counts = {**feature["with_operation"], **feature["with_value"]}
    alike = [pl.col(name) == (count == 1) for name, count in counts.items()]
    return holds("substrings").filter(alike)["id"].to_list()
