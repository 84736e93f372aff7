"""What the report says of labels: their numbers are those of the tables, beside their controls."""

import math
import re
from collections import Counter
from statistics import mean, median

import polars as pl
import pytest
from page import Page
from staged import STUDY
from written import blocks, record, report, rows

from shelf import Shelf
from studyrun import Inputs, Result

SILENT = ("general", "insufficient", "unknown")
ABSENT = re.compile(r"\b(None|NaN|nan|null(?! swap)|inf)\b")
CONTROLS = ("permuted_rate", "matched_rate", "untrained_rate", "stability", "match_cosine")


@pytest.fixture(scope="module")
def labels(inputs):
    return inputs.by_step["labels"]


@pytest.fixture(scope="module")
def named(labels):
    """The labelled features, counted here by hand."""
    return {row["feature"]: row for row in labels.table.to_dicts() if row["kind"] not in SILENT}


@pytest.fixture
def altered(inputs, tmp_path):
    """Problems and labels of the study, with other tables (None: without it) or another meta."""

    def put(meta=None, **tables):
        stored = inputs.by_step["labels"]
        every = {name: stored.read_table(name) for name in stored.table_names} | tables
        kept = {name: table for name, table in every.items() if table is not None}
        result = Result(tables=kept, meta={**stored.meta, **(meta or {})})
        changed = Shelf(tmp_path).put("labels", result, "classify 2")
        return Inputs({}, {"data": inputs.by_step["data"], "labels": changed}, STUDY)

    return put


def told(files, section):
    """The paragraphs of a section."""
    return [block["text"] for block in blocks(files, section, "text")]


def seen(files):
    """Everything that a reader of the page or of the text reads, the SQL and parameters aside."""
    text = re.split(r"(?m)^## Provenance", files["report.md"])[0]
    page = Page(re.sub(r'(?s)<section id="provenance".*?</section>', "", files["report.html"]))
    return f"{text} {' '.join(page.texts)}"


def in_words(value):
    """A percentage as the page writes it, to one decimal."""
    return "0" if value == 0 else "100" if value == 1 else f"{100 * value:.1f}"


# Features and their controls


def test_the_head_says_how_many_are_labelled_and_how_many_by_chance(files, labels, named):
    summary = {term["name"]: term["shown"] for term in record(files)["summary"]}
    assert summary["Labelled features"] == f"{len(named)} of {labels.table.height}"
    controls = labels.read_table("controls").filter(classifier="enrichment", control="permuted")
    by_chance = controls["labelled"][0] / controls["runs"][0]
    shown, _, total = summary["The same with labels permuted"].partition(" of ")
    assert (float(shown), int(total)) == (pytest.approx(by_chance, abs=0.005), 64)


def test_every_label_stands_beside_its_controls(files, named):
    (table,) = blocks(files, "features", "features")
    assert len(named) >= 3
    for row in rows(table):
        if row["feature"] not in named:
            continue
        stored = named[row["feature"]]
        shown = ("permuted_rate", "matched_rate", "stability", "rate", "expected_rate", "q")
        assert {name: row[name] for name in shown} == {name: stored[name] for name in shown}
    groups = {each["name"]: each["group"] for each in table["columns"]}
    assert {name for name, group in groups.items() if group == "Controls"} == {
        "permuted_rate", "matched_rate", "stability"}  # fmt: skip
    place = [each["name"] for each in table["columns"]].index("stability")
    below = table["rows"][0][place]["detail"]
    first = named[rows(table)[0]["feature"]]
    assert float(below.removeprefix("cosine ")) == pytest.approx(first["match_cosine"], abs=5e-4)
    untrained = in_words(first["untrained_rate"])
    assert f"of the untrained model's features {untrained}" in table["note"]


def test_the_half_that_confirmed_is_said_beside_each_label(altered, files, labels, named):
    halves = {row["evidence"] for row in named.values()}
    (table,) = blocks(files, "features", "features")
    if len(halves) == 1:
        assert f"counted on: {halves.pop()}" in table["note"]
    first, second = "first half, found on the second", "second half, found on the first"
    smallest = pl.col("feature") == min(named)
    mixed = labels.table.with_columns(
        evidence=pl.when(smallest).then(pl.lit(first)).otherwise(pl.lit(second))
    )
    kept = dict(mixed.select("feature", "evidence").iter_rows())
    (table,) = blocks(report(altered(table=mixed)), "features", "features")
    assert "counted on" not in table["note"]
    place = [column["name"] for column in table["columns"]].index("q")
    shown = {row[0]["value"]: row[place]["detail"] for row in table["rows"]}
    halves = {feature: kept[feature].split(",")[0] for feature in named}
    assert halves == {feature: shown[feature] for feature in named}
    assert set(halves.values()) == {"first half", "second half"}


def test_every_page_says_how_its_controls_fared(files, named):
    (block,) = blocks(files, "features", "features")
    pages = [page for page in block["pages"] if page["label"]]
    assert {page["feature"] for page in pages} == set(named)
    for page in pages:
        stored = named[page["feature"]]
        shares = re.findall(r"([\d.]+)\N{NO-BREAK SPACE}%", page["controls"])
        expected = [stored[name] for name in CONTROLS[:4]]
        assert shares == [in_words(value) for value in expected]


def test_the_insufficient_ones_are_summed_up_with_what_they_need(files, labels):
    short = [row for row in labels.table.to_dicts() if row["kind"] == "insufficient"]
    active = [row for row in short if row["n_active"]]
    (text,) = [each for each in told(files, "features") if "too few problems" in each]
    assert text.startswith(f"For {len(short)} of {labels.table.height} features there are too few")
    counts = Counter(row["verdict"] for row in short)
    by = re.search(r"\(verdicts: (.*?)\)", text)[1]
    assert {part.split()[1]: int(part.split()[0]) for part in by.split(", ")} == counts
    (table,) = [b for b in blocks(files, "features", "table") if b["id"] == "labels-verdicts"]
    told_short = {row["verdict"]: row["short"] for row in rows(table)}
    assert {verdict: n for verdict, n in told_short.items() if n} == counts
    needed = sorted(row["n_needed"] for row in active)
    everything = sorted(
        math.ceil(row["n_needed"] * row["n_total"] / row["n_active"]) for row in active
    )
    half = len(active) // 2
    assert f"need {needed[half]} active problems in the median" in text
    assert f"or {everything[half]} problems in all" in text
    limits = " ".join(told(files, "limits"))
    assert f"For {len(short)} of {labels.table.height} features" in limits


# How often the same procedure labels nothing


def test_the_controls_are_those_of_the_table(files, labels):
    (table, _) = blocks(files, "controls", "table")
    shown = {row["classifier"]: row for row in rows(table)}
    stored = labels.read_table("controls").to_dicts()
    assert len(stored) == 12
    for row in stored:
        cell = shown[row["classifier"]][row["control"]]
        numbers = {name: row[name] for name in row if name not in ("classifier", "control")}
        assert cell == numbers | {"n": row["labelled"] / row["runs"]}
    heads = [column["title"].replace("\N{NO-BREAK SPACE}", " ") for column in table["columns"]]
    assert heads == ["Classifier", "The study's data", "Labels permuted (3 runs)",
                     "Random features (2 runs)", "Untrained model"]  # fmt: skip


def test_the_picture_of_the_controls_holds_the_same_numbers(files, labels):
    (picture, _) = blocks(files, "controls", "figure")
    (drawn,) = picture["spec"]["datasets"].values()
    stored = labels.read_table("controls")
    assert [row["classifier"] for row in drawn] == stored["classifier"].to_list()
    for name in ("rate", "ci_low", "ci_high"):
        assert [row[name] for row in drawn] == pytest.approx(stored[name].to_list(), rel=1e-5)


def controls(*rows):
    names = ["classifier", "control", "runs", "features", "labelled", "rate", "ci_low", "ci_high",
             "runs_with_any"]  # fmt: skip
    return pl.DataFrame([dict(zip(names, row, strict=True)) for row in rows])


def test_the_sentence_of_the_controls_is_counted_from_the_table(altered):
    table = controls(
        ("enrichment", "none", 1, 512, 12, 12 / 512, 0.013, 0.041, 1),
        ("enrichment", "permuted", 20, 512, 2, 2 / 10_240, 0.0, 0.001, 2),
        ("enrichment", "untrained", 1, 512, 9, 9 / 512, 0.009, 0.033, 1),
        ("thresholds", "none", 1, 512, 80, 0.156, 0.127, 0.19, 1),
        ("thresholds", "permuted", 20, 512, 1_600, 0.156, 0.15, 0.163, 20),
    )
    first, second, third = told(report(altered(controls=table)), "controls")[:3]
    assert first == (
        "enrichment labels 12 of 512 features; with labels permuted 0.1 of 512 on average "
        "(in 2 of 20 runs any at all); with the model untrained 9 of 512. Not clearly "
        "fewer, as the intervals overlap: with the model untrained."
    )
    assert re.fullmatch(r"0 of the \d+ labelled features get a label with .* too\.", second)
    assert third == (
        "thresholds labels 80 of 512 features, and not clearly fewer with labels permuted."
    )


def test_what_the_controls_cannot_take_away_is_said(files, altered):
    (table, _) = blocks(files, "controls", "table")
    assert "permuted between problems with the same number of steps" in table["note"]
    (table, _) = blocks(report(altered(meta={"strata": []})), "controls", "table")
    assert "the same" not in table["note"]


def test_who_labels_nothing_is_not_said_to_label_more_elsewhere(altered):
    none = controls(
        ("mine", "none", 1, 8, 0, 0.0, 0.0, 0.1, 0), ("mine", "permuted", 2, 8, 0, 0.0, 0.0, 0.1, 0)
    )
    assert "Not clearly fewer" not in told(report(altered(controls=none)), "controls")[0]


def test_a_control_that_nobody_knows_is_called_by_its_name_and_none_is_said_to_be_none(altered):
    other = controls(
        ("mine", "none", 1, 8, 4, 0.5, 0.2, 0.8, 1), ("mine", "shaken", 1, 8, 0, 0.0, 0.0, 0.1, 0)
    )
    text = told(report(altered(controls=other)), "controls")[0]
    assert text == "mine labels 4 of 8 features; in the control shaken 0 of 8."
    text = told(report(altered(controls=other.head(1))), "controls")[0]
    assert text == "mine labels 4 of 8 features; no control was run."


def test_labelled_features_that_a_control_labels_too_are_counted(altered, labels):
    half = labels.table.with_columns(
        permuted_rate=pl.when(pl.col("feature") % 8 == 4).then(0.2).otherwise(0.0)
    )
    hit = half.filter(~pl.col("kind").is_in(SILENT), pl.col("feature") % 8 == 4).height
    assert hit > 0
    assert f"{hit} of the " in told(report(altered(table=half)), "controls")[1]


# Other seeds


def test_stability_is_counted_over_labelled_features_alone(files, labels, named):
    matches = [row for row in labels.read_table("matches").to_dicts() if row["feature"] in named]
    (_, table) = blocks(files, "controls", "table")
    for row in rows(table):
        own = [each for each in matches if each["variant"] == row["variant"]]
        same = [each for each in own if each["same"]]
        assert (row["n"], row["n_same"]) == (len(own), len(same))
        assert row["share"] == len(same) / len(own)
        assert row["cosine"] == pytest.approx(median(each["cosine"] for each in own))
        assert row["expected"] == pytest.approx(mean(each["expected"] for each in own))
    assert [row["variant"] for row in rows(table)] == ["seed-1", "seed-2"]
    same = sum(each["same"] for each in matches)
    assert f"{same} of {len(matches)} most similar features" in told(files, "controls")[-1]


def test_every_cosine_is_in_its_bin(altered, labels, named):
    """Law: bins are [k/10, (k+1)/10), the last one with its end."""
    cosines = [0.0, 0.0999, 0.1, 0.3, 0.29999, 0.7, 0.9999, 1.0, -0.05]
    one = next(iter(named))
    matches = pl.DataFrame({"feature": [one] * 9, "variant": [f"seed-{i}" for i in range(9)],
                            "cosine": cosines, "same": [True] * 8 + [False]})  # fmt: skip
    files = report(altered(matches=matches))
    (_, picture) = blocks(files, "controls", "figure")
    (drawn,) = picture["spec"]["datasets"].values()
    found = {(row["low"], row["high"], row["outcome"]): row["n"] for row in drawn}
    assert found == {
        (-0.1, 0.0, "another label or none"): 1, (0.0, 0.1, "the same label"): 2,
        (0.1, 0.2, "the same label"): 1, (0.2, 0.3, "the same label"): 1,
        (0.3, 0.4, "the same label"): 1, (0.7, 0.8, "the same label"): 1,
        (0.9, 1.0, "the same label"): 2,
    }  # fmt: skip
    assert not ABSENT.search(seen(files))


# Several classifiers


def test_the_agreement_is_that_of_the_table(files, labels):
    agreement, _, _ = blocks(files, "agreement", "table")
    stored = labels.read_table("agreement").drop("ci_low", "ci_high")
    assert rows(agreement) == stored.to_dicts()


def test_what_one_says_of_what_another_labels_is_counted_feature_by_feature(files, labels):
    answers: dict[str, dict[int, dict]] = {}
    for row in labels.read_table("compared").to_dicts():
        answers.setdefault(row["classifier"], {})[row["feature"]] = row
    _, crossed, _ = blocks(files, "agreement", "table")
    labelling = [
        name for name, own in answers.items() if {row["kind"] for row in own.values()} - {*SILENT}
    ]
    assert len(crossed["rows"]) == 2 * len(labelling) > 2
    for row in rows(crossed):
        ours, theirs = answers[row["classifier"]], answers[row["other"]]
        counts = dict.fromkeys(("same label", "another label", *SILENT), 0)
        for feature, said in ours.items():
            if said["kind"] in SILENT:
                continue
            other = theirs[feature]
            if other["kind"] in SILENT:
                counts[other["kind"]] += 1
            else:
                same = other["label"] == said["label"]
                counts["same label" if same else "another label"] += 1
        assert row["labelled"] == sum(counts.values())
        assert {name: row.get(name, 0) for name in counts} == counts


def test_the_features_on_which_they_differ_most_are_told_with_the_worst_first(files, labels):
    said: dict[int, dict[str, dict]] = {}
    for row in labels.read_table("compared").to_dicts():
        said.setdefault(row["feature"], {})[row["classifier"]] = row
    table = blocks(files, "agreement", "table")[2]
    differ = 0
    for own in said.values():
        kinds = [row["kind"] for row in own.values()]
        names = {row["label"] for row in own.values()}
        labelled = sum(kind not in SILENT for kind in kinds)
        differ += 0 < labelled < len(kinds) or (labelled == len(kinds) and len(names) > 1)
    assert table["total"] == differ
    ways = ["label, too few problems", "label, nothing found", "different labels"]
    shown = rows(table)
    assert shown == sorted(shown, key=lambda row: ways.index(row["way"]))
    for row in shown:
        own = said[row["feature"]]
        assert [row[f"label:{name}"] for name in own] == [each["label"] for each in own.values()]
        few = "insufficient" in {each["kind"] for each in own.values()}
        assert (row["way"] == ways[0]) == few
    of = {feature: sum(each["kind"] not in SILENT for each in own.values())
          for feature, own in said.items()}  # fmt: skip
    few = [(-of[row["feature"]], row["n_active"]) for row in shown if row["way"] == ways[0]]
    assert few == sorted(few)


def test_one_classifier_alone_is_not_compared(altered, labels):
    alone = labels.read_table("compared").filter(classifier="enrichment")
    files = report(altered(compared=alone, agreement=labels.read_table("agreement").clear()))
    assert not [each for each in record(files)["sections"] if each["id"] == "agreement"]


# Swaps


def test_swap_candidates_come_with_support_coactivation_and_power(files, labels):
    (table,) = blocks(files, "swap-pairs", "table")
    stored = labels.read_table("swap_pairs")
    assert 0 < len(table["rows"]) <= 10
    assert table["total"] == stored.height
    numbers = ["feature_a", "feature_b", "n_a", "n_b", "n_both", "n_testable", "power"]
    for row, expected in zip(rows(table), stored.to_dicts(), strict=False):
        assert {name: row[name] for name in numbers} == {name: expected[name] for name in numbers}
    first, either = stored.to_dicts()[0], [cell["detail"] for cell in table["rows"][0]]
    assert f"of {first['n_a'] + first['n_b'] - first['n_both']}" in either
    assert first["label_a"] in either
    (text,) = told(files, "swap-pairs")
    assert text.removesuffix(".").lower() == labels.meta["swap_pairs"].lower()


def test_without_a_candidate_the_reason_stands_alone(altered, labels):
    reason = "1 feature is labelled, `uses +`: a swap needs two different labels of one kind"
    none = labels.read_table("swap_pairs").clear()
    files = report(altered(meta={"swap_pairs": reason}, swap_pairs=none))
    assert told(files, "swap-pairs") == [f"{reason}."]
    assert blocks(files, "swap-pairs", "table") == []


# Whatever there is


def test_nothing_that_is_undefined_is_written_as_such(files):
    assert not ABSENT.search(seen(files))


NEW = ["agreement", "associations", "compared", "controls", "distribution", "matches",
       "swap_pairs", "top_problems"]  # fmt: skip


@pytest.mark.parametrize("name", NEW)
def test_the_page_goes_without_any_of_the_tables(altered, name):
    files = report(altered(**{name: None}))
    Page(files["report.html"])
    assert not ABSENT.search(seen(files))


def test_the_page_goes_with_empty_tables(altered, labels):
    files = report(altered(**{name: labels.read_table(name).clear() for name in NEW}))
    Page(files["report.html"])
    assert not ABSENT.search(seen(files))
    ids = {section["id"] for section in record(files)["sections"]}
    assert not ids & {"controls", "agreement"}


def test_labels_of_a_third_party_have_no_controls_and_no_comparison(altered, labels):
    bare = labels.table.select("feature", "label", "kind")
    files = report(altered(table=bare, meta={"swap_pairs": ""}, **dict.fromkeys(NEW)))
    ids = {section["id"] for section in record(files)["sections"]}
    assert not ids & {"controls", "agreement", "swap-pairs", "distribution"}
    (block,) = blocks(files, "features", "features")
    assert {page["controls"] for page in block["pages"]} == {""}
    assert not ABSENT.search(seen(files))


def test_columns_without_a_single_value_leave_no_trace(altered, labels):
    kept = ("feature", "label", "kind", "verdict", "rank", "n_active", "n_total")
    emptied = labels.table.with_columns(
        pl.lit(None, dtype).alias(name)
        for name, dtype in labels.table.schema.items()
        if name not in kept
    )
    others = {
        name: labels.read_table(name).with_columns(
            pl.lit(None, dtype).alias(column)
            for column, dtype in labels.read_table(name).schema.items()
            if column in ("rate", "ci_low", "ci_high", "kappa", "cosine", "same", "power", "reason")
        )
        for name in ("controls", "agreement", "matches", "swap_pairs")
    }
    files = report(altered(table=emptied, **others))
    Page(files["report.html"])
    assert not ABSENT.search(seen(files))
    (block,) = blocks(files, "features", "features")
    columns = [column["name"] for column in block["columns"]]
    assert columns == ["feature", "rank", "label", "kind", "verdict"]


def test_kinds_of_any_name_are_counted_and_drawn(altered, labels):
    kinds = ["operation", "operation-value", "value", "steps", "answer", "pattern", "free",
             "combination", "mixed", "unknown", "general", "insufficient", "mood <b>", "a|b", "c",
             "d", "e"]  # fmt: skip
    counted = pl.DataFrame({"ranks": ["1-64"] * 17, "kind": kinds, "n": [2] * 17,
                            "total": [34] * 17}).with_columns(
        share=pl.col("n") / pl.col("total"), ci_low=pl.lit(0.01), ci_high=pl.lit(0.2)
    )  # fmt: skip
    some = labels.table.with_columns(kind=pl.Series([kinds[i % 17] for i in range(64)]))
    files = report(altered(distribution=counted, table=some))
    Page(files["report.html"])
    (table,) = blocks(files, "distribution", "table")
    assert [row["kind"] for row in rows(table)] == [*kinds[:9], *kinds[12:], "general",
                                                    "insufficient", "unknown", "all"]  # fmt: skip
    (picture,) = blocks(files, "distribution", "figure")
    assert set(kinds) <= set(picture["texts"])
    scale = picture["spec"]["encoding"]["color"]["scale"]
    assert len(scale["domain"]) == len(scale["range"]) == 17
    assert "--kind-steps" in files["report.html"]
