"""Every feature's row and page: their numbers are those of the tables."""

import re
from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from page import Page
from staged import STUDY
from test_labels import ABSENT, SILENT, seen
from written import blocks, record, report, rows

from shelf import Shelf
from strategies import feature_rows
from studyrun import Inputs, Result
from studyrun_report.pages.parts import by_feature
from studyrun_report.writing.tables import Spec
from studyrun_report.writing.text import exact, number, share

FIFTHS = ["Strongest fifth", "Second fifth", "Middle fifth", "Fourth fifth", "Weakest fifth"]
PARTS = dict(zip(FIFTHS, ("q80-100", "q60-80", "q40-60", "q20-40", "q0-20"), strict=True))


@pytest.fixture(scope="module")
def block(files):
    (found,) = blocks(files, "features", "features")
    return found


@pytest.fixture(scope="module")
def pages(block):
    return {page["feature"]: page for page in block["pages"]}


@pytest.fixture(scope="module")
def labels(inputs):
    return {row["feature"]: row for row in inputs.by_step["labels"].table.to_dicts()}


@pytest.fixture
def without(inputs, tmp_path):
    """The report of the study without some tables of a step."""

    def put(step, *names, **params):
        stored = inputs.by_step[step]
        kept = {name: stored.read_table(name) for name in stored.table_names if name not in names}
        result = Result(tables=kept, meta=stored.meta)
        changed = Shelf(tmp_path).put(stored.manifest.type, result, "other 1")
        return report(Inputs({}, {**inputs.by_step, step: changed}, STUDY), **params)

    return put


def grouped(inputs, step, table):
    """feature -> its rows, in the order of the table."""
    found: dict[int, list[dict]] = {}
    for row in inputs.by_step[step].read_table(table).to_dicts():
        found.setdefault(row["feature"], []).append(row)
    return found


def cells_of(block, page, layout):
    """The page's table by column name: value, what is shown and what stands below it."""
    columns = next(each for each in block["layouts"] if each["name"] == layout)["columns"]
    names = [column["name"] for column in columns]
    return [dict(zip(names, row, strict=True)) for row in page["tables"].get(layout, [])]


# The table


def test_every_feature_has_a_row_and_a_page_the_most_certain_label_first(block, labels):
    named = [row for row in labels.values() if row["kind"] not in SILENT]
    silent = [row for row in labels.values() if row["kind"] in SILENT]
    order = [row["feature"] for row in sorted(named, key=lambda row: (row["q"], row["rank"]))]
    order += [row["feature"] for row in sorted(silent, key=lambda row: row["rank"])]
    assert [row[0]["value"] for row in block["rows"]] == order
    assert [page["feature"] for page in block["pages"]] == order
    assert [row[0]["link"] for row in block["rows"]] == [page["id"] for page in block["pages"]]
    assert block["pages"][0]["id"] == f"feature-{order[0]}"


def test_the_rows_are_those_of_the_labels(block, labels):
    for row in rows(block):
        stored = labels[row["feature"]]
        for name in ("rank", "frequency", "kind", "verdict", "rate", "expected_rate", "q",
                     "permuted_rate", "stability"):  # fmt: skip
            assert row[name] == stored[name]
        assert row["label"] == (None if stored["kind"] in SILENT else stored["label"])


def test_what_a_reader_may_choose_by_is_said_of_the_columns(block):
    filters = {column["name"]: column["filter"] for column in block["columns"] if column["filter"]}
    assert filters == {"frequency": "range", "kind": "choice", "verdict": "choice",
                       "effect": "range", "effect_verdict": "choice"}  # fmt: skip


def test_the_effect_in_the_table_is_the_largest_of_the_quantity_known_of_most(block, inputs):
    """Counted by hand, over edits of one feature at any scale in any step."""
    every: dict[str, dict[int, tuple]] = {}
    for step, stored in inputs.by_step.items():
        if stored.manifest.type != "effects" or "feature" not in stored.table.columns:
            continue
        if "effects_by_feature" not in stored.table_names:
            continue
        edits = stored.table.to_dicts()
        for row in stored.read_table("effects_by_feature").to_dicts():
            edit = edits[row["edit"]]
            alone = edit["feature"] is not None and edit.get("feature_b") is None
            if row["size"] is None or row["place"] or not alone or row["verdict"] is None:
                continue
            largest = every.setdefault(row["quantity"], {})
            told = (row["size"], row["random_size"], row["verdict"], step)
            largest[edit["feature"]] = max(told, largest.get(edit["feature"], told))
    most = max(map(len, every.values()))
    groups = {c["group"] for c in block["columns"] if c["name"].startswith("effect")}
    assert groups == {"KL"}
    largest = every["kl"]
    assert len(largest) == most >= 5
    assert len(every["answer_changed"]) < most
    place = [column["name"] for column in block["columns"]].index("effect")
    for row, cells in zip(rows(block), block["rows"], strict=True):
        size, random, verdict, step = largest.get(row["feature"], (None,) * 4)
        assert (row["effect"], row["effect_random"], row["effect_verdict"]) == (
            size, random, verdict)  # fmt: skip
        assert cells[place]["detail"] == (step or "")


def test_the_text_shows_the_first_rows_and_the_page_all(files, inputs):
    found = report(inputs, features=3)
    (block,) = blocks(found, "features", "features")
    assert len(block["rows"]) == 64
    head = block["rows"][0]
    in_text = [line for line in found["report.md"].splitlines() if line.startswith("| ")]
    shown = [line for line in in_text if f" {head[9]['shown']}" in line and line.count("|") > 12]
    assert shown


# The pages


def test_a_page_says_how_often_and_how_strongly_the_feature_is_active(pages, labels, inputs):
    portraits = {row["feature"]: row for row in inputs.by_step["portraits"].table.to_dicts()}
    for feature, page in pages.items():
        terms = {term["name"]: term["shown"] for term in page["terms"]}
        row, portrait = labels[feature], portraits[feature]
        assert terms["Rank by frequency"] == f"{row['rank']} of 64"
        of = f"{row['n_total']} validation problems"
        many = f"on {row['n_active']} of {of}, {share(row['frequency'])}"
        assert terms["Active"] == many
        if portrait["n_active"]:
            assert terms["Median activation"] == number(portrait["median"])
            assert terms["Largest activation"] == number(portrait["max"])


def test_the_label_comes_with_what_it_rests_on_and_silence_with_its_reason(pages, labels):
    reasons = Counter()
    for feature, page in pages.items():
        row = labels[feature]
        if row["kind"] not in SILENT:
            assert page["label"] == row["label"]
            assert f"{row['n_with']} of {row['n']}" in page["evidence"] or row["auroc"]
        elif not row["n_active"]:
            assert page["evidence"].startswith(f"It is active on none of {row['n_total']} problems")
            reasons["silent"] += 1
        else:
            assert page["evidence"].startswith("No label")
            assert page["label"] == ""
            reasons[row["verdict"]] += 1
    assert min(reasons["silent"], reasons["insufficient"]) > 0


def test_the_histogram_counts_every_activation(pages, inputs):
    stored, portraits = grouped(inputs, "portraits", "histogram"), inputs.by_step["portraits"].table
    for feature, n_active in portraits.select("feature", "n_active").iter_rows():
        bars = pages[feature]["histogram"]
        if not n_active:
            assert bars is None
            continue
        own = sorted(stored[feature], key=lambda row: row["bin"])
        assert bars["counts"] == [row["n"] for row in own]
        assert sum(bars["counts"]) == n_active
        assert (bars["low"], bars["high"]) == (number(own[0]["low"]), number(own[-1]["high"]))
        assert f"{n_active} activations, on 280 validation problems, from" in bars["alt"]


def test_samples_are_the_strongest_and_some_of_every_fifth(block, pages, inputs):
    drawn = grouped(inputs, "portraits", "samples")
    ids = [problem["id"] for problem in block["problems"]]
    assert len(set(ids)) == len(ids)
    for feature, page in pages.items():
        parts = {part["title"]: part["samples"] for part in page["samples"]}
        shown = {title: [ids[each["problem"]] for each in part] for title, part in parts.items()}
        top = [row["id"] for row in drawn.get(feature, []) if row["part"] == "top"]
        assert shown.pop("Strongest", []) == top[:5]
        expected = {
            title: [row["id"] for row in drawn.get(feature, []) if row["part"] == part]
            for title, part in PARTS.items()
        }
        assert shown == {title: own for title, own in expected.items() if own}
        assert list(shown) == [title for title in FIFTHS if title in shown]


def test_the_strongest_are_of_the_same_problems_as_the_largest_activation(inputs, tmp_path):
    """Law: the first of the strongest has the activation that the page calls the largest."""
    stored = inputs.by_step["labels"]
    tables = {name: stored.read_table(name) for name in stored.table_names}
    tables["top_problems"] = tables["top_problems"].filter(pl.col("place") > 1)
    labels = Shelf(tmp_path).put("labels", Result(tables=tables, meta=stored.meta), "other 1")
    files = report(Inputs({}, {**inputs.by_step, "labels": labels}, STUDY))
    (block,) = blocks(files, "features", "features")
    seen = 0
    for page in block["pages"]:
        terms = {term["name"]: term["shown"] for term in page["terms"]}
        if page["samples"]:
            first = page["samples"][0]
            assert first["title"] == "Strongest"
            assert first["samples"][0]["activation"] == terms["Largest activation"]
            seen += 1
    assert seen > 30


def test_without_strongest_ones_in_the_portraits_those_of_the_labels_are_shown(inputs, tmp_path):
    stored = inputs.by_step["portraits"]
    tables = {name: stored.read_table(name) for name in stored.table_names}
    tables["samples"] = tables["samples"].filter(pl.col("part") != "top")
    portraits = Shelf(tmp_path).put("portraits", Result(tables=tables, meta=stored.meta), "other 1")
    files = report(Inputs({}, {**inputs.by_step, "portraits": portraits}, STUDY))
    (block,) = blocks(files, "features", "features")
    top = grouped(inputs, "labels", "top_problems")
    ids = [problem["id"] for problem in block["problems"]]
    for page in block["pages"]:
        parts = {part["title"]: part["samples"] for part in page["samples"]}
        shown = [ids[each["problem"]] for each in parts.get("Strongest", [])]
        assert shown == [row["id"] for row in top.get(page["feature"], [])[:5]]


def test_problems_of_other_splits_are_told_from_those_that_labels_counted(inputs, tmp_path):
    """What the labels count is of their split; what is drawn may be of more problems."""
    stored = inputs.by_step["portraits"]
    tables = {name: stored.read_table(name) for name in stored.table_names}
    table = tables["table"].with_columns(n_total=pl.col("n_total") * 2, frequency=pl.lit(0.25))
    meta = {**stored.meta, "split": "all", "n_problems": 560}
    result = Result(tables={**tables, "table": table}, meta=meta)
    files = report(
        Inputs({}, {**inputs.by_step, "portraits": Shelf(tmp_path).put("portraits", result, "o 1")},
               STUDY)
    )  # fmt: skip
    (block,) = blocks(files, "features", "features")
    page = next(page for page in block["pages"] if page["histogram"])
    terms = {term["name"]: term["shown"] for term in page["terms"]}
    n = table.filter(feature=page["feature"])["n_active"][0]
    assert " of 280 validation problems, " in terms["Active"]
    assert terms["Active, histogram and samples"] == f"on {n} of 560 problems, {share(0.25)}"
    assert "on 560 problems, training included, from" in page["histogram"]["alt"]
    assert "Histograms and samples are of 560 problems, training included." in block["note"]


def test_a_samples_bar_is_its_share_of_the_largest(block, pages, inputs):
    top = grouped(inputs, "labels", "top_problems")
    for feature, rows_ in top.items():
        first = pages[feature]["samples"][0]["samples"]
        largest = max(abs(row["activation"]) for row in rows_)
        for sample, row in zip(first, rows_, strict=False):
            assert sample["activation"] == number(row["activation"])
            assert sample["share"] == pytest.approx(abs(row["activation"]) / largest, abs=1e-4)


def test_problems_stand_with_their_steps_and_their_answer(block, inputs):
    problems = {row["id"]: row for row in inputs.by_step["data"].table.to_dicts()}
    assert len(block["problems"]) > 50
    for shown in block["problems"]:
        row = problems[shown["id"]]
        assert shown["question"] == row["question"]
        assert shown["answer"] == exact(row["answer"])
        assert shown["steps"] == [f"{s['expression']}={exact(s['result'])}" for s in row["steps"]]


def test_the_steps_marked_are_those_in_which_the_labels_concept_occurs(block, pages, labels):
    """Law: of `uses o`, exactly the steps whose expression has the operator."""
    marked = 0
    for feature, page in pages.items():
        row = labels[feature]
        samples = [each for part in page["samples"] for each in part["samples"]]
        if not page["label"]:
            assert all(each["marked"] == [] for each in samples)
        operator = re.fullmatch(r"uses ([-+*/])", row["concept"] or "")
        if not (page["label"] and operator):
            continue
        for each in samples:
            steps = block["problems"][each["problem"]]["steps"]
            with_it = [i for i, step in enumerate(steps) if operator[1] in step.split("=")[0][1:]]
            assert each["marked"] == with_it
            marked += len(with_it)
    assert marked > 10


def test_concepts_tested_are_the_most_certain_ones(block, pages, inputs):
    tested = grouped(inputs, "labels", "associations")
    for feature, page in pages.items():
        shown = cells_of(block, page, "concepts")
        active = [row for row in tested.get(feature, []) if row["n_active"]]
        assert len(shown) == min(8, len(active))
        first = sorted(active, key=lambda row: row["p_claim"])[: len(shown)]
        known = {row["concept"]: row for row in active}
        claims = [known[row["concept"]["value"]]["p_claim"] for row in shown]
        assert claims == [row["p_claim"] for row in first]
        for row in shown:
            stored = known[row["concept"]["value"]]
            assert row["rate"]["value"] == stored["rate"]
            assert row["q_claim"]["value"] == stored["q_claim"]
            if stored["rate"] is not None:
                many = f"{stored['n_active_with']} of {stored['n_active']}"
                assert row["rate"]["detail"] == many
            assert (row["verdict"]["value"] == "confirmed") == stored["confirmed"]


def test_neighbours_are_nearest_by_cosine(block, pages, inputs):
    """Computed again, pair by pair, from the decoder."""
    W_dec = inputs.by_step["sae"].tensors()["W_dec"].double().tolist()
    lengths = [sum(x * x for x in row) ** 0.5 for row in W_dec]

    def cosine(a, b):
        return sum(x * y for x, y in zip(W_dec[a], W_dec[b], strict=True)) / (
            lengths[a] * lengths[b]
        )

    for feature in (0, 7, 41):
        shown = cells_of(block, pages[feature], "neighbours")
        others = sorted((o for o in range(64) if o != feature), key=lambda o: -cosine(feature, o))
        assert [row["neighbour"]["value"] for row in shown] == others[:5]
        for row in shown:
            other = row["neighbour"]["value"]
            assert row["cosine"]["value"] == pytest.approx(cosine(feature, other), abs=1e-5)
            assert row["neighbour"]["link"] == f"feature-{other}"


def test_partners_stand_on_both_pages_of_a_pair(block, pages, inputs):
    pairs = inputs.by_step["coactivation"].table.filter(verdict="together").to_dicts()
    assert len(pairs) >= 3
    found = {
        (feature, row["other"]["value"]): row
        for feature, page in pages.items()
        for row in cells_of(block, page, "together")
    }
    for pair in pairs:
        for one, other in ((pair["feature"], pair["other"]), (pair["other"], pair["feature"])):
            row = found[one, other]
            assert row["phi"]["value"] == pair["phi"]
            assert row["n_both"]["value"] == pair["n_both"]
            assert row["other"]["link"] == f"feature-{other}"
    assert len(found) == 2 * len(pairs)


def test_effects_on_a_page_are_those_of_edits_of_that_feature_alone(block, pages, inputs):
    told = 0
    for feature, page in pages.items():
        own = [
            row for row in cells_of(block, page, "effects") if row["step"]["value"] == "ablation"
        ]
        stored = inputs.by_step["ablation"]
        edits = [i for i, row in enumerate(stored.table.to_dicts()) if row["feature"] == feature]
        summary = stored.read_table("effects_by_feature").filter(
            pl.col("edit").is_in(edits), pl.col("verdict").is_not_null(), pl.col("place") == ""
        )
        sizes = Counter((row["size"], row["random_size"]) for row in summary.to_dicts())
        shown = [row for row in own if not row["title"]["value"].startswith("Reconstruction")]
        assert Counter((r["size"]["value"], r["random"]["value"]) for r in shown) == sizes
        assert {row["step"]["link"] for row in own} <= {"ablation-effects"}
        told += len(shown)
    assert told > 20


def test_the_logit_lens_stands_with_what_it_promotes_and_suppresses(block, pages):
    assert "tokens" not in pages[2]["tables"]
    shown = cells_of(block, pages[5], "tokens")
    assert [row["token"]["value"] for row in shown] == [f"\N{OPEN BOX}pr5.{i}" for i in (1, 2, 3)]
    assert [row["token_down"]["detail"] for row in shown] == ["-2.50", "-2.00", "-1.50"]


def test_seeds_stand_with_their_nearest_feature(block, pages, inputs):
    stored = grouped(inputs, "labels", "matches")
    for feature, page in pages.items():
        shown = cells_of(block, page, "seeds")
        cosines = [row["cosine"]["value"] for row in shown]
        assert cosines == [row["cosine"] for row in stored.get(feature, [])]


# Whatever there is


def test_every_link_leads_to_something_in_the_record(inputs):
    steps = {**inputs.by_step, "labels-2": inputs.by_step["labels"]}
    found = record(report(Inputs({}, steps, STUDY)))
    there, links = set(), set()

    def collect(value):
        if isinstance(value, dict):
            there.add(value.get("id"))
            links.add(value.get("link"))
            for each in value.values():
                collect(each)
        elif isinstance(value, list):
            for each in value:
                collect(each)

    collect(found["sections"])
    assert {"labels-feature-3", "labels-2-feature-3"} <= there
    assert len(links) > 64
    assert links - {None, ""} <= there


PORTRAITS = ["table", "histogram", "samples", "neighbours", "cosines", "activations", "tokens"]


@pytest.mark.parametrize("name", PORTRAITS)
def test_the_page_goes_without_any_of_the_portraits(without, name):
    files = without("portraits", name)
    Page(files["report.html"])
    assert not ABSENT.search(seen(files))
    (block,) = blocks(files, "features", "features")
    assert len(block["pages"]) == 64


def test_the_page_goes_without_occurrences(without):
    (block,) = blocks(without("labels", "occurrences"), "features", "features")
    samples = [e for page in block["pages"] for part in page["samples"] for e in part["samples"]]
    assert len(samples) > 100
    assert all(each["marked"] == [] for each in samples)


def test_top_problems_may_be_none(inputs):
    (block,) = blocks(report(inputs, top_problems=0), "features", "features")
    assert block["problems"] == []
    assert all(page["samples"] == [] for page in block["pages"])


def test_portraits_of_another_site_are_not_taken(inputs, tmp_path):
    stored = inputs.by_step["portraits"]
    tables = {name: stored.read_table(name) for name in stored.table_names}
    meta = {**stored.meta, "position": 5}
    other = Shelf(tmp_path).put("portraits", Result(tables=tables, meta=meta), "portraits 1")
    files = report(Inputs({}, {**inputs.by_step, "portraits": other}, STUDY))
    block, others = blocks(files, "features", "features")
    assert all(page["histogram"] is None for page in block["pages"])
    assert [block["id"], others["id"]] == ["labels-features", "portraits-features"]
    assert all(page["label"] == "" for page in others["pages"])


@given(feature_rows)
def test_rows_by_feature_are_those_that_a_filter_finds(rows):
    """Law: cut at once, the rows of each feature are those found by looking for it alone."""
    schema = {"feature": pl.UInt32, "value": pl.Float64, "word": pl.String}
    table = pl.DataFrame(rows, schema, orient="row")
    specs = (Spec("feature", "Feature"), Spec("value", "Value", "number"), Spec("word", "Word"))
    part = by_feature(table, specs, name="x", caption="X")
    expected: dict[int, list] = {}
    for feature, value, word in rows:
        if feature is not None:
            expected.setdefault(feature, []).append({"value": value, "word": word})
    if part is None:
        assert expected == {}
        return
    names = [column.name for column in part.layout.columns]
    shown = {
        feature: [
            {"value": None, "word": None}
            | dict(zip(names[1:], (cell.value for cell in row[1:]), strict=True))
            for row in own
        ]
        for feature, own in part.rows.items()
    }
    assert shown == expected
    assert all(row[0].value == feature for feature, own in part.rows.items() for row in own)
