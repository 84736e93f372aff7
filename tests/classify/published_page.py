"""What docs/explanation/published-labels.md says in figures: its tables and its sentences.

`python tests/classify/published_page.py` prints both.
"""

import polars as pl
import published as data

from studyrun_classify import associate

GIVEN = {
    "100": "K; how many top problems the rules look at",
    "512": "features of the autoencoder",
    "1,495": "validation problems",
    "14": "a layer",
    "50": "a rank; a share of the rule; a number",
    "200": "a rank",
    "70": "a share of the rule, in percent",
    "30": "likewise",
    "20": "likewise; features of the taxonomy",
    "0.01": "the level of q",
    "9": "concepts; a number",
    "150": "a number in which 50 is found",
    "500": "likewise",
    "18": "a number of the one false minus",
    "2": "likewise",
    "3": "problems that make a pattern",
    "5": "problems that make a value a pattern",
}
"""The page's figures that are not computed, and what they are."""


def tables():
    """The page's tables, in its order."""
    return [_labels(), _enriched(), _base(), _taxonomy()]


def _table(head, rows):
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in cells)


def _labels():
    """The six features published as specialised, concept by concept of their label."""
    rows = []
    for feature in data.specialised():
        tested = associate(data.published_counts(feature["table"]), alpha=data.ALPHA)
        found = tested.filter(feature=feature["feature"])
        kept = data.described(feature, "keep")[1].replace("mixed patterns", "general")
        for name in feature["published_description"].replace("number ", "").split(" + "):
            row = found.row(by_predicate=pl.col("concept") == name, named=True)
            rows.append([
                feature["feature"], name, f"{row['n_active_with']} of {row['n_active']}",
                f"{row['base_rate']:.0%}".replace("%", " %"), _q(row["q"]), row["verdict"],
                row["n_needed"], kept,
            ])  # fmt: skip
    head = ["feature", "published as", "top problems", "all problems", "q", "verdict",
            "problems needed", "with ties kept"]  # fmt: skip
    return _table(head, rows)


def _q(q):
    return f"{q:.0e}".replace("e-0", "e-") if q < 0.001 else f"{q:.2f}"


def _enriched():
    rows = []
    for table, words in data.TABLES.items():
        counts = data.published_counts(table)
        rows.append([
            words,
            len(data.features(table)),
            data.n_enriched(counts),
            data.n_enriched(counts, kind="operation"),
            data.n_enriched(counts, kind="value"),
            f"{data.n_enriched(data.bounded(table, 'at least'))} to "
            f"{data.n_enriched(data.bounded(table, 'at most'))}",
        ])  # fmt: skip
    head = ["features of", "how many", "enriched", "in an operation", "in a value",
            "enriched, as parsed"]  # fmt: skip
    return _table(head, rows)


def _base():
    rows = []
    for name, as_text in data.base("substrings").items():
        false = data.most_frequent_false(int(name)) if name.isdigit() else []
        rows.append([
            f"`{data.OPERATIONS.get(name, name)}`",
            as_text,
            data.base("parsed")[name],
            data.false_hits()[name],
            ", ".join(f"{number} ({n})" for number, n in false),
        ])  # fmt: skip
    head = ["concept", "problems, as text", "problems, parsed", "false", "found in (problems)"]
    return _table(head, rows)


def _taxonomy():
    rows = []
    for reading, words in (("substrings", "as text"), ("parsed", "parsed")):
        found = data.enriched(data.recounted(reading)).sort("q", "feature")
        said = [f"{row['feature']} in {row['concept']} ({row['n_active_with']} of 10)"
                for row in found.iter_rows(named=True)]  # fmt: skip
        rows.append([words, found["feature"].n_unique(), ", ".join(said)])
    return _table(["counted", "enriched", "which"], rows)


def sentences():
    """The page's sentences with figures, blanks and line ends aside."""
    return [*_on_labels(), *_on_numbers(), *_on_the_taxonomy()]


def _on_labels():
    every, special = data.all_features(), data.specialised()
    changed = [f for f in every if data.described(f, "keep") != data.described(f, "drop")]
    found = pl.concat(data.enriched(data.published_counts(table)) for table in data.TABLES)
    surely = found.filter(pl.col("type") != "general")["feature"].n_unique()
    rest = [feature["n_top"] for feature in special if feature["n_top"] < 100]
    counts = data.published_counts("layer14_pos3_rank50-200")
    alone = [
        str(data.n_enriched(data.published_counts(table).filter(kind="operation")))
        for table in data.TABLES
    ]
    general = counts.filter(type="general")["feature"].n_unique()
    return [
        f"{len(special)} features are specialised",
        f"all {len(every)} labels come out as published",
        f"With `ties: keep` {len(changed)} of the {len(special)} specialised ones change",
        f"{surely} of the {len(special)} is more than chance; the others rest on {min(rest)} to "
        f"{max(rest)} problems",
        f"{data.n_enriched(counts, type='general')} of the {general} features that were called "
        "general",
        f"Operations alone, tested by themselves, are enriched in {', '.join(alone[:-1])} and "
        f"{alone[-1]} features",
    ]


def _on_numbers():
    (fifty,) = (feature for feature in data.specialised() if feature["feature"] == 350)
    maybe = data.holds("parsed").filter(pl.col("id").is_in(data.candidates(fifty)))
    return [
        f"{maybe.height} validation problems have exactly the published counts of feature 350; "
        f"{maybe.height - maybe['50'].sum()} of them contain no 50"
    ]


def _on_the_taxonomy():
    top = data.features(data.TAXONOMY)
    follows = [data.patterns_that_follow(feature) for feature in top]
    listed = sum(len(feature["published_patterns"]) for feature in top)
    as_text, parsed = (_floor(data.chance_of_all_patterns(reading)) for reading in data.READINGS)
    return [
        f"{sum(map(len, follows))} of the {listed} published patterns follow from the ten "
        f"problems, and the whole label of {sum(map(_is_mixed, follows))} of the {len(top)} "
        "features",
        f"all ten published patterns with a probability of at least {as_text} as text and "
        f"{parsed} as parsed",
    ]


def _is_mixed(patterns):
    return bool(patterns & set(data.OPERATIONS)) and bool(patterns - set(data.OPERATIONS))


def _floor(share):
    return f"{int(share * 1000) / 10} %"


if __name__ == "__main__":
    print(*tables(), *sentences(), sep="\n\n")  # noqa: T201  # it is for the eye
