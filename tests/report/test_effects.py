"""What the report says of effects: their numbers are those of the tables, beside their controls."""

import math
import re
from statistics import mean

import polars as pl
import pytest
from page import Page
from staged import STUDY
from staged_effects import EFFECTS_OF, told
from test_labels import ABSENT, seen
from written import blocks, record, report, rows

from shelf import Shelf
from studyrun import Inputs, Result
from studyrun_report.writing.text import interval, number, probability, share

STEPS = list(EFFECTS_OF)
SHARES = ("answer_changed", "answer_towards", "answer_matched", "answer_flipped", "lens_changed")
SIGNED = ("log_prob_change", "rank_change", "answer_difference")
COMPARED = ("random_size", "elsewhere_size", "matched_size")
SILENT = ("general", "insufficient", "unknown")


@pytest.fixture
def altered(inputs, tmp_path):
    """The study with one step of effects changed: other tables (None: without it), other meta."""

    def put(step, meta=None, alone=True, **tables):
        stored = inputs.by_step[step]
        every = {name: stored.read_table(name) for name in stored.table_names} | tables
        kept = {name: table for name, table in every.items() if table is not None}
        result = Result(tables=kept, meta={**stored.meta, **(meta or {})})
        changed = Shelf(tmp_path).put("effects", result, "shout 2")
        before = {"data": inputs.by_step["data"]} if alone else inputs.by_step
        return Inputs({}, {**before, step: changed}, STUDY)

    return put


def found(files, identity):
    """The block of that id."""
    every = [each for section in record(files)["sections"] for each in section["blocks"]]
    return next((each for each in every if each.get("id") == identity), None)


def texts(files, section, start=""):
    return [b["text"] for b in blocks(files, section, "text") if b["text"].startswith(start)]


def summary(inputs, step, quantity, place=""):
    """edit -> row of `effects_by_feature`."""
    table = inputs.by_step[step].read_table("effects_by_feature")
    own = table.filter(pl.col("quantity") == quantity, pl.col("place") == place)
    return {row["edit"]: row for row in own.to_dicts()}


def ranked(inputs, step):
    """The main table's rows with their numbers, in the order of a page that shows few of them."""
    every = list(enumerate(inputs.by_step[step].table.to_dicts()))
    return sorted(every, key=lambda each: each[1].get("rank") or 0)


def drawn(figure):
    """The rows of the picture's largest data set."""
    return max(figure["spec"]["datasets"].values(), key=len)


def close(value):
    """Pictures' numbers have six digits."""
    return pytest.approx(value, rel=1e-5)


def write(name):
    return share if name in SHARES else number


# What stands on the page is what the step left


@pytest.mark.parametrize("step", STEPS)
def test_the_staged_tables_are_those_that_the_step_announces(inputs, step):
    stored, announced = inputs.by_step[step], told(step)
    assert set(stored.table_names) == set(announced)
    for name, table in announced.items():
        assert stored.read_table(name).schema == table.schema()


@pytest.mark.parametrize(
    ("step", "group", "names"),
    [
        ("ablation", "next-token", ["kl", "log_prob_change"]),
        ("ablation", "next-token-more", ["rank_change"]),
        ("ablation", "answer", ["answer_changed"]),
        ("ablation", "answer-more", ["answer_flipped", "answer_difference"]),
        ("frequent", "next-token", ["kl", "log_prob_change"]),
        ("patched", "answer", ["answer_changed", "answer_towards", "answer_matched"]),
        ("patched", "thoughts", ["thoughts_shift", "thoughts_turn"]),
        ("exchanged", "answer", ["answer_changed"]),
        ("steered", "logit-lens", ["lens_changed"]),
    ],
)
def test_every_effect_stands_beside_its_control_and_verdict(files, inputs, step, group, names):
    table = found(files, f"{step}-{group}")
    columns = [column["name"] for column in table["columns"]]
    stored = ranked(inputs, step)
    assert table["total"] == len(table["rows"]) == len(stored)
    for (edit, row), shown, cells in zip(stored, rows(table), table["rows"], strict=True):
        assert (shown["n_run"], shown["moved"]) == (row["n_run"], row["moved"])
        details = dict(zip(columns, (cell["detail"] for cell in cells), strict=True))
        for name in names:
            assert shown[name] == row[name]
            assert shown[f"{name}_random"] == row[f"{name}_random"]
            assert shown[f"{name}_verdict"] == row[f"{name}_verdict"]
            assert details[f"{name}_verdict"] == f"q {probability(row[f'{name}_q'])}"
            ends = (row[f"{name}_ci_low"], row[f"{name}_ci_high"])
            assert details[name] == interval(*ends, write(name))
            if name in SIGNED:
                assert shown[f"{name}_size"] == summary(inputs, step, name)[edit]["size"]
                assert shown[f"{name}_size"] != abs(shown[name])


def test_nothing_that_was_not_measured_has_a_column(files):
    told_of = {
        column["name"]
        for table in blocks(files, "effects", "table")
        if table["id"].startswith(("ablation", "exchanged", "steered"))
        for column in table["columns"]
    }
    assert not {"answer_towards", "answer_matched", "thoughts_shift"} & told_of
    assert found(files, "ablation-thoughts") is None
    assert found(files, "steered-answer") is None


def test_right_answers_stand_before_and_after(files, inputs):
    table = found(files, "ablation-answer")
    place = [column["name"] for column in table["columns"]].index("answer_right_after")
    for (_, row), cells in zip(ranked(inputs, "ablation"), table["rows"], strict=True):
        assert cells[place]["value"] == row["answer_right_after"]
        assert cells[place]["detail"] == f"before {share(row['answer_right_before'])}"


def test_the_reconstruction_stands_beside_its_controls(files, inputs):
    shown = rows(found(files, "ablation-mean-abs-diff"))
    stored = [row for _, row in ranked(inputs, "ablation")]
    for name in ("feature", "mean_abs_diff", "control_mean", "control_percentile", "random_mean"):
        assert [row[name] for row in shown] == [row[name] for row in stored]
    picture = found(files, "ablation-picture")
    names = {"value": "mean_abs_diff", "control_low": "control_ci_low",
             "control_high": "control_ci_high"}  # fmt: skip
    for head, name in names.items():
        assert [each[head] for each in drawn(picture)] == close([row[name] for row in stored])
    assert "(bars)" in picture["caption"]


def test_a_set_is_called_by_its_number_and_kept_whole(files, inputs):
    table, stored = found(files, "frequent-next-token"), inputs.by_step["frequent"].table
    cells = [row[0] for row in table["rows"]]
    assert [cell["value"] for cell in cells] == stored["features"].to_list()
    assert {(cell["shown"], cell["detail"]) for cell in cells} == {
        ("40 features", "3, 4, 5 and 37 more"), ("2 features", "7, 1")}  # fmt: skip
    assert [row["scale"] for row in rows(table)] == stored["scale"].to_list()
    whole = ", ".join(map(str, range(3, 43)))
    assert any(cell.get("title") == whole for cell in Page(files["report.html"]).of("th"))
    points = {each["edit"] for each in drawn(found(files, "frequent-picture"))}
    assert {"40 features, scale 0.5", "features 7, 1, scale 2"} <= points
    assert "random directions" in found(files, "frequent-picture")["caption"]


def test_edits_are_named_by_what_they_are(files):
    first = {step: found(files, f"{step}-{group}")["columns"] for step, group in (
        ("ablation", "answer"), ("exchanged", "answer"), ("patched", "answer"),
        ("steered", "next-token"))}  # fmt: skip
    names = {step: [column["name"] for column in columns[:3]] for step, columns in first.items()}
    assert names["ablation"][:2] == ["feature", "rank"]
    assert names["exchanged"] == ["feature", "feature_b", "rank"]
    assert names["patched"][:2] == ["layer", "position"]
    assert names["steered"][:2] == ["direction", "scale"]


def test_a_label_that_says_nothing_is_not_shown(files, inputs):
    labels = {row["feature"]: row for _, row in ranked(inputs, "ablation")}
    shown = {row[0]["value"]: row[0]["detail"] for row in found(files, "ablation-answer")["rows"]}
    assert {f: r["label"] for f, r in labels.items() if r["kind"] not in SILENT} == {
        feature: detail for feature, detail in shown.items() if detail
    }
    assert any(shown.values())


# In words


@pytest.mark.parametrize(
    ("step", "name", "title"),
    [("ablation", "kl", "KL"), ("ablation", "answer_changed", "Answer changed"),
     ("patched", "answer_towards", "Towards expected"), ("steered", "kl", "KL")],
)  # fmt: skip
def test_the_sentence_is_counted_from_the_table(files, inputs, step, name, title):
    table = found(files, f"{step}-{'next-token' if name == 'kl' else 'answer'}")
    every = next(s for s in record(files)["sections"] if s["id"] == "effects")["blocks"]
    before = every[: every.index(table)]
    (text,) = [b["text"] for b in before[-2:] if b.get("text", "").startswith(f"{title}: ")]
    called = inputs.by_step[step].table[f"{name}_verdict"].to_list()
    counts = [(called.count(each), each) for each in ("effect", "no-effect", "insufficient")]
    (n, first), *others = [each for each in counts if each[0]]
    said = ", ".join(f"{n} {each}" for n, each in others)
    assert text.startswith(f"{title}: {n} of {len(called)} edits called {first}, {said}.")
    own = summary(inputs, step, name)
    needed = sorted(
        own[edit]["n_needed"]
        for edit, verdict in enumerate(called)
        if verdict == "insufficient" and own[edit]["n_needed"] is not None
    )
    assert f"would take {needed[len(needed) // 2]:.0f} problems on which" in text
    floors = {row["floor"] for row in own.values()} - {None}
    assert ("Where nothing is edited" in text) == bool(floors)


def test_one_edit_is_spoken_of_alone(files, inputs):
    called = inputs.by_step["exchanged"].table["answer_changed_verdict"][0]
    assert [t for t in texts(files, "effects") if f"the edit is called {called}." in t]


def test_without_a_control_nothing_is_called_anything(altered, inputs):
    table = inputs.by_step["steered"].table
    bare = table.with_columns(
        pl.lit(None, dtype).alias(name)
        for name, dtype in table.schema.items()
        if name.endswith(("_random", "_q", "_verdict"))
    )
    files = report(altered("steered", table=bare, effects_by_feature=None))
    assert texts(files, "effects", "KL: nothing is called an effect or none")
    columns = {column["name"] for column in found(files, "steered-next-token")["columns"]}
    assert not [name for name in columns if name.endswith(("_random", "_q", "_verdict"))]
    assert not ABSENT.search(seen(files))


# Controls, all quantities at once


@pytest.mark.parametrize("step", STEPS)
def test_the_controls_are_means_over_edits_that_have_them_all(files, inputs, step):
    stored = inputs.by_step[step].read_table("effects_by_feature").to_dicts()
    table = found(files, f"{step}-controls")
    own = {}
    for row in stored:
        own.setdefault((row["quantity"], row["place"]), []).append(row)
    expected = {key for key, each in own.items() if any(row["verdict"] for row in each)}
    assert len(table["rows"]) == len(expected)
    for cells, shown in zip(table["rows"], rows(table), strict=True):
        place = cells[0]["detail"].removeprefix("at thought ")
        each = own[shown["quantity"], place]
        there = [name for name in COMPARED if any(row[name] is not None for row in each)]
        whole = [row for row in each if all(row[name] is not None for name in there)]
        assert shown["edits"] == len(whole)
        for name in ("size", *there):
            assert shown[name] == pytest.approx(mean(row[name] for row in whole))
        assert {name for name in COMPARED if shown.get(name) is not None} == set(there)
        floors = [row["floor"] for row in each if row["floor"] is not None]
        assert shown.get("floor") == (max(floors) if floors else None)
        for verdict in ("effect", "no-effect", "insufficient"):
            assert shown[verdict] == sum(row["verdict"] == verdict for row in each)


def test_thoughts_stand_in_their_order(files):
    cells = [row[0] for row in found(files, "patched-controls")["rows"]]
    shifts = [cell["detail"] for cell in cells if cell["value"] == "thought_shift"]
    assert shifts == ["at thought 3", "at thought 4", "at thought 10"]


# Doses


def test_a_dose_is_drawn_for_every_edit_over_its_scales(files, inputs):
    stored = inputs.by_step["frequent"].table.to_dicts()
    for name in ("kl", "answer_changed"):
        picture = found(files, f"frequent-dose-{name}")
        points = {(each["name"], each["scale"]): each for each in drawn(picture)}
        assert len(points) == len(stored)
        for row in stored:
            called = "40 features" if len(row["features"]) > 3 else "features 7, 1"
            point = points[called, row["scale"]]
            assert point["size"] == close(row[name])
            assert point["random"] == close(row[f"{name}_random"])
            if row["scale"] != 1:
                said = f"{write(name)(row[name])} at scale {row['scale']:g}"
                assert said in picture["alt"]
        assert "dashed" in picture["caption"]


def test_what_may_be_negative_is_drawn_by_its_size(files, inputs):
    picture = found(files, "steered-dose-kl")
    assert {each["name"] for each in drawn(picture)} == {"feature 7", "n_steps = 3"}
    assert {each["scale"] for each in drawn(picture)} == {-1.0, 1.0}


def test_no_dose_is_drawn_of_one_scale_and_no_map_of_one_site(files):
    figures = [block["id"] for block in blocks(files, "effects", "figure")]
    assert {each for each in figures if "-dose-" in each} == {
        "frequent-dose-kl", "frequent-dose-answer_changed", "steered-dose-kl"}  # fmt: skip
    assert [each for each in figures if "-map-" in each] == ["patched-map-0"]


def test_only_the_largest_edits_are_drawn_and_no_two_share_a_name(altered, inputs):
    one = inputs.by_step["frequent"].table.head(1)
    many = pl.concat(
        one.with_columns(
            features=pl.Series([[i, *range(50, 60)]], dtype=pl.List(pl.UInt32)),
            scale=pl.lit(scale), kl=pl.lit(i * scale), kl_random=pl.lit(0.1),
        )
        for scale in (0.5, 1.0) for i in range(12)
    )  # fmt: skip
    files = report(altered("frequent", table=many, effects_by_feature=None))
    points = drawn(found(files, "frequent-dose-kl"))
    assert len({each["name"] for each in points}) == 8
    assert len(points) == 16
    assert min(each["size"] for each in points) == 4 * 0.5
    assert "11 features (5)" in {each["name"] for each in points}


# The map


def test_the_map_is_the_effect_minus_that_in_a_random_direction(files, inputs):
    picture, stored = found(files, "patched-map-0"), inputs.by_step["patched"].table.to_dicts()
    cells = {(each["layer"], each["position"]): each for each in drawn(picture)}
    assert len(cells) == len(stored)
    for row in stored:
        cell = cells[row["layer"], row["position"]]
        difference = row["answer_towards"] - row["answer_towards_random"]
        assert cell["difference"] == close(difference)
        assert cell["sure"] == (row["answer_towards_q"] < 0.05)
        written = share(difference)
        assert cell["shown"] == (written if cell["sure"] else f"({written})")
    sure = sum(each["sure"] for each in cells.values())
    assert f"{len(cells) - sure} of {len(cells)} cells are in parentheses" in picture["alt"]
    best = max(stored, key=lambda row: row["answer_towards"] - row["answer_towards_random"])
    (text,) = texts(files, "effects", "patched: Towards expected is furthest above")
    assert f"at layer {best['layer']}, position {best['position']}, " in text
    assert f"{sure} of {len(cells)} sites have q below 0.05" in text


def test_the_map_falls_back_on_changed_answers_and_keeps_its_scales_apart(altered, inputs):
    table = inputs.by_step["patched"].table
    table = table.drop([name for name in table.columns if name.startswith("answer_towards")])
    both = pl.concat([table, table.with_columns(scale=pl.lit(2.0))])
    files = report(altered("patched", table=both, effects_by_feature=None))
    for number_, scale in enumerate((1, 2)):
        picture = found(files, f"patched-map-{number_}")
        assert f", scale {scale}. Answer changed minus" in picture["caption"]
        assert len(drawn(picture)) == table.height


def test_a_cell_is_sure_only_below_the_level(altered, inputs):
    q = pl.Series([0.0, 0.0499, 0.05, 0.0501, 0.9, None])
    table = inputs.by_step["patched"].table.with_columns(answer_towards_q=q)
    picture = found(report(altered("patched", table=table)), "patched-map-0")
    assert [each["sure"] for each in drawn(picture)] == [True, True, False, False, False, False]


def test_without_a_control_there_is_no_map(altered, inputs):
    table = inputs.by_step["patched"].table
    bare = table.with_columns(answer_towards_random=pl.lit(None, pl.Float64))
    files = report(altered("patched", table=bare))
    assert found(files, "patched-map-0") is None


def test_the_study_says_what_is_sure(inputs):
    steps = STUDY["steps"] | {"patched": {"use": "patch", "with": {"controls": {"alpha": 0.005}}}}
    given = Inputs({}, {"patched": inputs.by_step["patched"]}, STUDY | {"steps": steps})
    picture = found(report(given), "patched-map-0")
    q = inputs.by_step["patched"].table["answer_towards_q"]
    assert sum(each["sure"] for each in drawn(picture)) == (q < 0.005).sum()
    assert "where q is 0.005 or more" in picture["caption"]


# The swap protocol


def test_the_protocol_is_that_of_the_table(files, inputs):
    table, stored = found(files, "exchanged-protocol"), inputs.by_step["exchanged"]
    protocol = stored.read_table("protocol").to_dicts()
    kept = ("n", "power", "exact", "towards", "unchanged", "null_exact", "null_towards",
            "null_unchanged", "verdict", "reason", "problems")  # fmt: skip
    assert [{n: row[n] for n in kept} for row in rows(table)] == [
        {n: row[n] for n in kept} for row in protocol
    ]
    columns = [column["name"] for column in table["columns"]]
    for row, cells in zip(protocol, table["rows"], strict=True):
        details = dict(zip(columns, (cell["detail"] for cell in cells), strict=True))
        assert cells[0]["value"] == row["concept"]
        assert cells[1]["value"] == row["concept_b"]
        assert details["verdict"] == ("" if row["p"] is None else f"p {probability(row['p'])}")
        assert details["n"] == ("" if row["n"] is None else f"{row['n_needed']} needed")
    assert texts(files, "swap-protocol") == [
        "exchanged: 4 pairs, 1 supported, 1 refuted, 2 inconclusive."
    ]


def test_inconclusive_pairs_are_limits_with_what_they_need(files):
    assert texts(files, "limits", "exchanged: ") == [
        "exchanged: exchanging contains 12 and contains 50 is inconclusive: no feature is labelled "
        "`contains 50`.",
        "exchanged: exchanging uses + and uses * is inconclusive: the swap has a direction on 12 "
        "problems, and 50 are needed.",
    ]


def test_a_protocol_without_pairs_says_why(altered, inputs):
    none = inputs.by_step["exchanged"].read_table("protocol").clear()
    reason = {"reason": "no two features carry different labels"}
    files = report(altered("exchanged", meta=reason, protocol=none))
    assert texts(files, "swap-protocol") == ["exchanged: no two features carry different labels."]
    files = report(altered("exchanged", protocol=None))
    assert texts(files, "swap-protocol") == []


# Specificity


def test_specificity_is_shown_of_labelled_features_with_problems_of_both_kinds(files, inputs):
    features = [row for _, row in sorted(ranked(inputs, "ablation"))]
    expected = [
        row | {"feature": features[edit]["feature"]}
        for name in ("kl", "answer_changed")
        for edit, row in summary(inputs, "ablation", name).items()
        if features[edit]["kind"] not in SILENT
        and row["with_n"] >= 5
        and row["n"] - row["with_n"] >= 5
    ]
    expected.sort(key=lambda row: row["specific_q"])
    table = found(files, "ablation-specificity")
    shown = rows(table)
    assert 0 < len(shown) == len(expected) < 20
    kept = ("feature", "with_n", "with_size", "without_size", "specificity",
            "specific_difference", "specific_q")  # fmt: skip
    assert [{n: row[n] for n in kept} for row in shown] == [
        {n: row[n] for n in kept} for row in expected
    ]
    labelled = [row for row in features if row["kind"] not in SILENT]
    asked = len({row["feature"] for row in expected})
    sure = len({row["feature"] for row in expected if row["specific_q"] < 0.05})
    (text,) = texts(files, "specificity", "ablation: ")
    assert text.startswith(f"ablation: {asked} of {len(labelled)} labelled edits act on 5 problems")
    assert f"of {sure or 'none'} of them the effect differs" in text


def test_specificity_of_nothing_is_said_to_be_nothing(altered, inputs):
    table = inputs.by_step["ablation"].read_table("effects_by_feature")
    still = table.with_columns(with_size=pl.lit(0.0), without_size=pl.lit(0.0))
    files = report(altered("ablation", effects_by_feature=still))
    assert "nothing that was measured changes" in texts(files, "specificity")[0]


@pytest.mark.parametrize("few", [pl.lit(4), pl.col("n") - 4])
def test_specificity_needs_five_problems_on_both_sides(altered, inputs, few):
    table = inputs.by_step["ablation"].read_table("effects_by_feature")
    short = table.with_columns(n=pl.lit(30, pl.UInt32)).with_columns(with_n=few.cast(pl.UInt32))
    files = report(altered("ablation", effects_by_feature=short))
    assert texts(files, "specificity")[0].startswith("ablation: 0 of ")
    assert blocks(files, "specificity", "table") == []


# Evidence


@pytest.mark.parametrize("step", ["ablation", "frequent", "patched", "exchanged"])
def test_the_answers_shown_changed_and_are_those_of_the_edits_that_change_most(files, inputs, step):
    stored = inputs.by_step[step]
    ids = inputs.by_step["data"].table["id"].to_list()
    outcomes = {
        (row["edit"], ids[row["problem"]], row["arm"]): row
        for row in stored.read_table("answer_outcomes").to_dicts()
    }
    name = "answer_towards" if step == "patched" else "answer_changed"
    size = dict(enumerate(stored.table[name].to_list()))
    largest = sorted(size, key=lambda edit: -size[edit])[:3]
    table = found(files, f"{step}-outcomes")
    shown = rows(table)
    assert 0 < len(shown) <= 15
    every = [key for key, row in outcomes.items() if key[2] == "edit" and key[0] in largest
             and row["before"] != row["after"]]  # fmt: skip
    assert table["total"] == len(every)
    firsts = [key for edit in largest for key in [k for k in every if k[0] == edit][:5]]
    for key, row in zip(firsts, shown, strict=True):
        expected = outcomes[key]
        assert (row["id"], row["before"], row["after"]) == (key[1], expected["before"],
                                                            expected["after"])  # fmt: skip
        assert row["answer"] == expected["answer"]
        assert row.get("expected") == expected["expected"]
        assert row["random_after"] == outcomes[(*key[:2], "random")]["after"]


def test_where_no_answer_changed_none_is_shown(altered, inputs):
    outcomes = inputs.by_step["ablation"].read_table("answer_outcomes")
    files = report(altered("ablation", answer_outcomes=outcomes.with_columns(after="before")))
    assert texts(files, "effects", "ablation: none of 400 edited runs has another answer")
    assert found(files, "ablation-outcomes") is None


# Limits


def test_insufficient_effects_are_limits_with_what_they_need(files, inputs):
    for name, title in (("kl", "KL"), ("answer_changed", "Answer changed")):
        called = inputs.by_step["ablation"].table[f"{name}_verdict"].to_list()
        start = f"ablation: for {called.count('insufficient')} of {len(called)} edits"
        assert [t for t in texts(files, "limits", start) if f"({title})" in t]
    table = found(files, "ablation-shortfalls")
    short = [
        row
        for name in ("kl", "answer_changed")
        for row in summary(inputs, "ablation", name).values()
        if row["verdict"] == "insufficient" and row["n_needed"] is not None
    ]
    assert table["total"] == len(short)
    ratios = sorted(row["n_needed"] / row["n"] for row in short)
    shown = [row["n_needed"] / row["n_run"] for row in rows(table)]
    assert shown == pytest.approx(ratios)


# Whatever there is


@pytest.mark.parametrize("step", STEPS)
def test_the_page_goes_without_any_of_the_tables(altered, inputs, step):
    names = set(inputs.by_step[step].table_names) - {"table"}
    for gone in (*([name] for name in sorted(names)), sorted(names)):
        files = report(altered(step, **dict.fromkeys(gone)))
        assert not ABSENT.search(seen(files))
    Page(files["report.html"])
    assert blocks(files, "effects", "table")


@pytest.mark.parametrize("step", STEPS)
def test_columns_without_a_single_value_leave_no_trace(altered, inputs, step):
    stored = inputs.by_step[step]
    emptied = {
        name: stored.read_table(name).with_columns(
            pl.lit(None, dtype).alias(column)
            for column, dtype in stored.read_table(name).schema.items()
            if dtype in (pl.Float64, pl.String) and column not in ("quantity", "arm", "position")
        )
        for name in stored.table_names
    }
    files = report(altered(step, **emptied))
    Page(files["report.html"])
    assert not ABSENT.search(seen(files))
    assert blocks(files, "effects", "figure") == []


def test_what_is_not_finite_is_drawn_nowhere(altered, inputs):
    for step, name in (("patched", "answer_towards"), ("frequent", "kl"), ("ablation", "kl")):
        table = inputs.by_step[step].table
        odd = table.with_columns(pl.lit(math.nan).alias(each) for each in (name, f"{name}_random"))
        files = report(altered(step, table=odd, effects_by_feature=None))
        assert "NaN" not in files["report.json"]
        assert found(files, f"{step}-map-0") is None
        assert found(files, f"{step}-dose-{name}") is None


def test_many_edits_are_shown_with_effects_first_and_then_by_size(altered, inputs):
    table = inputs.by_step["ablation"].table
    many = pl.concat([table] * 6).with_columns(
        rank=pl.int_range(pl.len(), dtype=pl.UInt32),
        kl=pl.int_range(pl.len()) * 7 % 60 / 60,
        kl_verdict=pl.when(pl.int_range(pl.len()) % 20 == 3).then(pl.lit("effect"))
        .otherwise(pl.lit("insufficient")),
    )  # fmt: skip
    files = report(altered("ablation", table=many, effects_by_feature=None))
    shown = found(files, "ablation-next-token")
    assert shown["part"] == "50 of 60 rows"
    assert "come first" in shown["note"]
    order = [(row["kl_verdict"] != "effect", -row["kl"]) for row in rows(shown)]
    assert order == sorted(order)
    assert sum(first is False for first, _ in order) == 3


def test_effects_of_third_parties_on_runs_are_shown_like_the_others(altered, inputs):
    table = inputs.by_step["steered"].table
    names = {name: f"loud{name[2:]}" for name in table.columns if re.match(r"kl(_|$)", name)}
    own = table.select("direction", "feature", "scale", "n_run", "moved", *names).rename(names)
    stored = inputs.by_step["steered"].read_table("effects_by_feature").with_columns(
        pl.col("quantity").replace({"kl": "loud"})
    )  # fmt: skip
    mine = own.with_columns(colour=pl.lit("red"))
    files = report(altered("steered", table=mine, effects_by_feature=stored))
    shown = rows(found(files, "steered-others"))
    assert [row["loud"] for row in shown] == table["kl"].to_list()
    assert [row["loud_verdict"] for row in shown] == table["kl_verdict"].to_list()
    assert texts(files, "effects", "loud: ")
    assert rows(found(files, "steered-columns"))[0]["colour"] == "red"
    assert found(files, "steered-dose-loud")


def test_one_name_is_never_two_edits(altered, inputs):
    """Law: sets of one size, alike at first sight, are told apart wherever they are named."""
    table = inputs.by_step["frequent"].table.with_columns(
        features=pl.Series([[i, *range(9)] for i in range(6)], dtype=pl.List(pl.UInt32)),
        scale=pl.lit(1.0),
    )
    points = [e["edit"] for e in drawn(found(report(altered("frequent", table=table)),
                                             "frequent-picture"))]  # fmt: skip
    assert points[:2] == ["10 features", "10 features (2)"]
    assert len(set(points)) == 6
