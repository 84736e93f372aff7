"""Features taken together: co-activation, the dictionary, what is decodable, the summary."""

import altair as alt
import polars as pl
import pytest
from hypothesis import given
from page import Page
from staged import STUDY
from test_labels import ABSENT, SILENT, seen
from written import blocks, only, record, report, rows

from shelf import Shelf
from strategies import falling_curves
from studyrun import Inputs, Result
from studyrun_report.sections.quality import POINTS, thinned
from studyrun_report.writing.text import number, share


@pytest.fixture
def altered(inputs, tmp_path):
    """The report of the study with other tables (None: without it) or another meta of a step."""

    def put(step, meta=None, **tables):
        stored = inputs.by_step[step]
        every = {name: stored.read_table(name) for name in stored.table_names} | tables
        kept = {name: table for name, table in every.items() if table is not None}
        result = Result(tables=kept, meta=stored.meta if meta is None else meta)
        changed = Shelf(tmp_path).put(stored.manifest.type, result, "other 1")
        return report(Inputs({}, {**inputs.by_step, step: changed}, STUDY))

    return put


def found(files, identity):
    every = [block for section in record(files)["sections"] for block in section["blocks"]]
    return next(block for block in every if block.get("id") == identity)


def told(files, section):
    return [block["text"] for block in blocks(files, section, "text")]


def drawn(figure):
    return max(figure["spec"]["datasets"].values(), key=len)


# Co-activation


def test_the_pairs_are_counted_in_words(files, inputs):
    stored = inputs.by_step["coactivation"]
    counts = stored.meta["verdicts"]
    (text,) = told(files, "coactivation")
    total = sum(counts.values())
    assert text.startswith(
        f"Of {total} pairs of {stored.meta['features']} features on 280 validation problems"
    )
    part = share(counts["together"] / total)
    assert f"{counts['together']} ({part}) fire together more often than chance has it" in text
    assert f"{counts['insufficient']} are on too few problems to say" in text
    assert "Comparable are problems with the same number of steps." in text
    assert f"{stored.meta['features_too_rare']} are active on too few problems" in text


def test_the_counts_are_those_of_the_table_where_the_step_gives_none(altered):
    text = told(altered("coactivation", meta={}), "coactivation")[0]
    assert " fire together more often than chance has it" in text


def test_the_strongest_pairs_stand_with_what_chance_would_give(files, inputs):
    stored = inputs.by_step["coactivation"].table.filter(verdict="together").to_dicts()
    table = found(files, "coactivation-pairs")
    shown = rows(table)
    assert table["total"] == len(stored) >= 3
    expected = sorted(stored, key=lambda row: -row["phi"])
    for row, other in zip(shown, expected, strict=True):
        for name in ("feature", "other", "n_both", "expected", "expected_alike", "phi", "q"):
            assert row[name] == other[name]
    detail = [cell["detail"] for cell in table["rows"][0]]
    assert f"of {expected[0]['n_feature']} and {expected[0]['n_other']}" in detail
    assert table["rows"][0][1]["link"] == f"feature-{expected[0]['other']}"


def test_the_control_stands_below_the_data(files, inputs):
    stored = inputs.by_step["coactivation"].read_table("controls").to_dicts()
    shown = rows(found(files, "coactivation-controls"))
    assert [row["control"] for row in shown] == [
        "the study's data", "activity moved to random comparable problems"]  # fmt: skip
    for row, other in zip(shown, stored, strict=True):
        assert (row["pairs"], row["together"], row["rate"]) == (
            other["pairs"], other["together"], other["rate"])  # fmt: skip


def test_modules_are_listed_with_their_features_and_labels(files, inputs):
    stored = inputs.by_step["coactivation"].read_table("modules").to_dicts()
    kinds = {r["feature"]: r for r in inputs.by_step["labels"].table.to_dicts()}
    shown = rows(found(files, "coactivation-modules"))
    assert len(shown) == len({row["module"] for row in stored}) >= 1
    for row in shown:
        own = [each for each in stored if each["module"] == row["module"]]
        own.sort(key=lambda each: each["place"])
        named = [kinds[each["feature"]] for each in own]
        assert row["n_features"] == len(own)
        assert row["mean_phi"] == own[0]["mean_phi"]
        assert row["n_labelled"] == sum(each["kind"] not in SILENT for each in named)
        first = ", ".join(str(each["feature"]) for each in own[:8])
        assert row["members"].startswith(first)


def test_the_map_has_phi_below_the_diagonal_and_verdicts_above(files, inputs):
    stored = inputs.by_step["coactivation"].read_table("map").to_dicts()
    cells = drawn(found(files, "coactivation-map"))
    below = {(c["feature"], c["other"]): c["phi"] for c in cells if not c["together"]}
    above = {(c["feature"], c["other"]) for c in cells if c["together"]}
    expected = {
        (str(row["feature"]), str(row["other"])): row["phi"]
        for row in stored
        if row["place"] > row["other_place"]
        and (abs(row["phi"]) >= 0.05 or row["verdict"] == "together")
    }
    assert below == pytest.approx(expected, abs=6e-4)
    assert above == {
        (str(row["feature"]), str(row["other"]))
        for row in stored
        if row["place"] < row["other_place"] and row["verdict"] == "together"
    }
    assert len(above) >= 3


def test_a_very_large_map_shows_the_features_with_most_partners(altered):
    n = 130
    cells = pl.DataFrame(
        [
            {"feature": a, "other": b, "phi": 0.3, "place": a, "other_place": b,
             "verdict": "together" if max(a, b) >= 30 else "chance"}
            for a in range(n) for b in range(n) if a != b
        ]
    )  # fmt: skip
    figure = found(altered("coactivation", map=cells), "coactivation-map")
    assert "The 100 features" in figure["caption"]
    there = {int(cell["feature"]) for cell in drawn(figure)}
    assert set(range(30, 130)) == there | {30}


@pytest.mark.parametrize("name", ["table", "modules", "map", "controls"])
def test_the_section_goes_without_any_of_its_tables(altered, name):
    files = altered("coactivation", **{name: None})
    Page(files["report.html"])
    assert not ABSENT.search(seen(files))


def test_without_pairs_the_reason_stands_alone(altered, inputs):
    stored = inputs.by_step["coactivation"]
    empty = {name: stored.read_table(name).clear() for name in stored.table_names}
    files = altered("coactivation", meta={"reason": "one feature is no pair"}, **empty)
    assert told(files, "coactivation") == ["coactivation: one feature is no pair."]


# The dictionary


def test_activations_are_drawn_as_they_were_counted(files, inputs):
    stored = inputs.by_step["portraits"].read_table("activations").to_dicts()
    figure = found(files, "portraits-activations")
    assert [row["n"] for row in drawn(figure)] == [row["n"] for row in stored]
    assert f"{sum(row['n'] for row in stored)} activations" in figure["alt"]


def test_directions_nearer_than_chance_are_counted(files, inputs):
    """By walking down the bins until one random pair is expected."""
    stored = inputs.by_step["portraits"]
    expected, limit = 0.0, None
    bins = stored.read_table("cosines").filter(of="random").sort("high", descending=True)
    for row in bins.to_dicts():
        expected += row["n"]
        if expected >= 1:
            break
        limit = row["low"]
    near = [cosine for cosine in stored.table["max_cosine"] if cosine is not None]
    many = sum(cosine > limit for cosine in near)
    (text,) = [each for each in told(files, "quality") if "decoder directions" in each]
    assert text.startswith(f"{many} of 64 decoder directions have another one at a cosine above")
    assert number(limit) in text


def test_training_is_drawn_by_epoch(files, inputs):
    stored = inputs.by_step["sae"].table
    figure = found(files, "sae-training")
    assert [row["fvu"] for row in drawn(figure)] == stored["fvu"].to_list()
    assert number(stored["fvu"][-1]) in figure["alt"]


@given(falling_curves)
def test_a_curve_with_fewer_points_is_the_same_curve(shares):
    """Law: read as steps, a thinned curve has every value of the whole one where it is that."""
    curve = pl.DataFrame({"rank": range(1, len(shares) + 1), "frequency": shares})
    kept = thinned(curve).sort("rank").to_dicts()
    assert kept[0]["rank"] == 1
    assert kept[-1]["rank"] == len(shares)
    for rank, value in enumerate(shares, 1):
        assert [row["frequency"] for row in kept if row["rank"] <= rank][-1] == value


def test_a_very_long_curve_has_few_points():
    curve = pl.DataFrame({"rank": range(1, 16_001), "frequency": [1 / i for i in range(1, 16_001)]})
    assert thinned(curve).height <= POINTS + 20


# Decodable


def test_what_is_decodable_stands_beside_shuffled_targets(tmp_path):
    table = pl.DataFrame({
        "target": ["answer", "answer", "first-result"], "layer": [3, 14, 14],
        "position": ["1", "3", "3"], "n_train": [100] * 3, "n_test": [50, 50, 7],
        "r2": [0.125, 0.875, None], "r2_ci_low": [0.1, 0.8, None], "r2_ci_high": [0.2, 0.9, None],
        "exact": [0.0, 0.5, None], "shuffled_r2": [-0.0625, -0.03125, None],
    })  # fmt: skip
    stored = Shelf(tmp_path).put("probes", Result(tables={"table": table}), "linear-probe 1")
    files = report(Inputs({}, {"probes": stored}, STUDY))
    (text,) = told(files, "decodable")
    assert text == "Read best: answer at layer 14, position 3, R² 0.875 (shuffled -0.0312)."
    shown = rows(blocks(files, "decodable", "table")[0])
    assert [row["r2"] for row in shown] == [0.125, 0.875, None]
    assert [row["shuffled_r2"] for row in shown] == [-0.0625, -0.03125, None]
    assert not [section for section in record(files)["sections"] if section["id"] == "others"]


# The summary


def test_the_summary_counts_the_kinds_of_labels(files, inputs):
    summary = {term["name"]: term["shown"] for term in record(files)["summary"]}
    kinds = inputs.by_step["labels"].table["kind"].to_list()
    for part in summary["Kinds"].split(", "):
        n, kind = part.split(" ", 1)
        assert kinds.count(kind) == int(n)
    assert sum(int(part.split()[0]) for part in summary["Kinds"].split(", ")) == sum(
        kind not in SILENT for kind in kinds
    )


def test_the_largest_effects_are_called_so_and_stand_beside_their_control(files, inputs):
    """Found again by hand among all edits of all steps."""
    summary = {term["name"]: term["shown"] for term in record(files)["summary"]}
    head, _, rest = summary["Effects"].partition(", furthest above random: ")
    every = []
    for step, stored in inputs.by_step.items():
        if stored.manifest.type == "effects" and "answer_changed_verdict" in stored.table.columns:
            every += [row | {"step": step} for row in stored.table.to_dicts()]
    known = [row for row in every if row["answer_changed"] is not None]
    called = [row for row in known if row["answer_changed_verdict"] == "effect"]
    tested = [row for row in known if row["answer_changed_verdict"]]
    assert head == f"Answer changed: {len(called)} of {len(tested)} edits are called an effect"
    called.sort(key=lambda row: row["answer_changed_random"] - row["answer_changed"])
    assert len(rest.split("; ")) == 3
    for part, row in zip(rest.split("; "), called, strict=False):
        sizes = f"{share(row['answer_changed'])} (random {share(row['answer_changed_random'])})"
        assert part.endswith(f" in {row['step']}, {sizes}")


def test_where_nothing_is_called_an_effect_that_is_said(inputs, tmp_path):
    stored = inputs.by_step["ablation"]
    verdicts = [name for name in stored.table.columns if name.endswith("_verdict")]
    table = stored.table.with_columns(
        pl.when(pl.col(name).is_not_null()).then(pl.lit("no-effect")).alias(name)
        for name in verdicts
    )
    edits = Shelf(tmp_path).put("effects", Result(tables={"table": table}), "ablate 2")
    (term,) = record(report(Inputs({}, {"ablation": edits}, STUDY)))["summary"]
    n = table["answer_changed_verdict"].drop_nulls().len()
    assert term["shown"] == f"Answer changed: none of {n} edits is called an effect"


def test_what_is_not_tested_is_said_not_to_be(inputs, tmp_path):
    stored = inputs.by_step["ablation"].table
    bare = stored.select("feature", "features", "rank", "mean_abs_diff", "control_mean")
    edits = Shelf(tmp_path).put("effects", Result(tables={"table": bare}), "ablate 2")
    (term,) = record(report(Inputs({}, {"ablation": edits}, STUDY)))["summary"]
    above = sorted(bare.to_dicts(), key=lambda row: row["control_mean"] - row["mean_abs_diff"])
    said = "; ".join(
        f"feature {row['feature']}, {number(row['mean_abs_diff'])} "
        f"(alike features {number(row['control_mean'])})"
        for row in above[:3]
    )
    assert term["shown"] == (
        f"Reconstruction, mean |change|: not tested, largest against alike features: {said}"
    )


def test_a_study_without_effects_claims_none(inputs):
    found = record(report(only(inputs, "data", "labels")))
    assert "Effects" not in {term["name"] for term in found["summary"]}


# The pictures


def test_every_picture_is_valid_vega_lite(files):
    """Nothing compares them with the schema when a report is written."""
    specs = [
        block["spec"]
        for section in record(files)["sections"]
        for block in section["blocks"]
        if block["type"] == "figure"
    ]
    assert len(specs) > 12
    for spec in specs:
        alt.Chart.from_dict(spec)


def _cells(block):
    names = [column["name"] for column in block["columns"]]
    return [dict(zip(names, row, strict=True)) for row in block["rows"]]


UNLABELLED = ("data", "sae", "features", "portraits", "coactivation")


def test_features_without_labels_have_a_row_and_a_page_all_the_same(inputs):
    files = report(only(inputs, *UNLABELLED))
    (block,) = blocks(files, "features", "features")
    portraits = inputs.by_step["portraits"].table.to_dicts()
    order = sorted(portraits, key=lambda row: (-row["n_active"], row["feature"]))
    shown = _cells(block)
    assert [row["feature"]["value"] for row in shown] == [row["feature"] for row in order]
    for rank, (row, stored, page) in enumerate(zip(shown, order, block["pages"], strict=True), 1):
        assert row["feature"]["link"] == page["id"] == f"feature-{stored['feature']}"
        assert row["rank"]["value"] == rank
        assert row["frequency"]["shown"] == share(stored["frequency"])
        assert row["mean_active"]["shown"] == number(stored["mean_active"])
        assert row["max_cosine"]["detail"] == f"feature {stored['nearest']}"
        assert (page["label"], page["evidence"] != "") == ("", not stored["n_active"])
        assert bool(page["samples"]) == bool(stored["n_active"])
    assert not {"label", "kind", "verdict"} & {column["name"] for column in block["columns"]}
    assert "the study has no step that labels them" in told(files, "features")[0]
    assert "portraits-frequency" in {each["id"] for each in blocks(files, "quality", "figure")}
    assert not ABSENT.search(seen(files))


def test_features_without_labels_stand_with_the_effects_of_editing_them(inputs):
    files = report(only(inputs, *UNLABELLED, "ablation"))
    (block,) = blocks(files, "features", "features")
    edited = {row["feature"] for row in inputs.by_step["ablation"].table.to_dicts()}
    with_effect = {row["feature"] for row in rows(block) if row["effect"] is not None}
    assert with_effect
    assert with_effect <= edited
    told_of = {page["feature"] for page in block["pages"] if page["tables"].get("effects")}
    assert with_effect <= told_of
    links = {cell["link"] for table in blocks(files, "effects", "table") for row in table["rows"]
             for cell in row if cell.get("link")}  # fmt: skip
    assert {link for link in links if link.startswith("feature-")}


def test_portraits_beside_labels_make_no_table_of_their_own(files):
    assert len(blocks(files, "features", "features")) == 1
