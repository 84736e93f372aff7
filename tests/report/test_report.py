"""The step `report`: what a study leaves becomes one record, and two views of nothing else."""

import math
import re
from itertools import combinations

import polars as pl
import pytest
from page import Page
from staged import STUDY
from written import blocks, only, record, report, rows

from shelf import Shelf
from studyrun import Inputs, Result

SECTIONS = ["verdicts", "study", "quality", "distribution", "features", "effects", "specificity",
            "swap-pairs", "swap-protocol", "coactivation", "controls", "agreement", "limits",
            "provenance"]  # fmt: skip
VERDICT = ["hypothesis", "claim", "given", "expect", "verdict", "reason", "evidence"]
NASTY = "<script>alert(1)</script> | **bold** `x` =1+1 \u202e evil \x00 &amp; \"'"


# The record


def test_the_sections_of_the_example_study(files):
    assert [section["id"] for section in record(files)["sections"]] == SECTIONS


def test_the_verdicts_are_those_of_the_table(files, inputs):
    (block,) = blocks(files, "verdicts", "verdicts")
    stored = inputs.by_step["verdicts"].table.fill_null("").to_dicts()
    assert block["verdicts"] == [{name: row[name] for name in VERDICT} for row in stored]


def test_both_explained_variances_stand_beside_each_other_for_every_split(files):
    quality = rows(blocks(files, "quality", "table")[0])
    assert [row["split"] for row in quality] == ["train", "validation"]
    assert quality[1]["explained_variance"] == 0.9476
    assert quality[1]["explained_variance_seed"] == 0.9481
    assert quality[1]["dead"] == 31


def test_of_several_saes_the_summary_tells_what_each_explains(files, inputs):
    assert {
        "name": "Explained variance",
        "shown": "0.948 on validation problems",
        "code": False,
    } in (record(files)["summary"])
    sae = inputs.by_step["sae"]
    both = report(Inputs({}, {"data": inputs.by_step["data"], "sae": sae, "wide": sae}, STUDY))
    told = {term["name"]: term["shown"] for term in record(both)["summary"]}
    assert {name for name in told if "variance" in name} == {
        "Explained variance (sae)", "Explained variance (wide)"}  # fmt: skip


def test_the_distribution_is_that_of_the_labels(files, inputs):
    stored = inputs.by_step["labels"].read_table("distribution")
    (table,) = blocks(files, "distribution", "table")
    *kinds, totals = rows(table)
    shown = {(ranks, row["kind"]): row[ranks] for row in kinds for ranks in stored["ranks"]}
    for row in stored.iter_rows(named=True):
        assert totals[row["ranks"]] == row["total"]
        cell = shown[row["ranks"], row["kind"]]
        assert (cell["n"], cell["share"]) == (row["n"], row["share"])
        assert (cell["ci_low"], cell["ci_high"]) == (row["ci_low"], row["ci_high"])


def test_the_limits_name_what_was_insufficient_and_what_it_would_take(files, inputs):
    told = " ".join(block["text"] for block in blocks(files, "limits", "text"))
    assert "rare-features-specialise is inconclusive: given is false (0 >= 30)" in told
    assert "swaps made no edit: no two features carry different labels" in told
    labels = inputs.by_step["labels"].table
    short = labels.filter(pl.col("kind") == "insufficient", pl.col("n_active") > 0)
    table = blocks(files, "limits", "table")[0]
    assert table["total"] == short.height
    for row in rows(table):
        stored = labels.row(by_predicate=pl.col("feature") == row["feature"], named=True)
        expected = stored["n_needed"] * stored["n_total"] / stored["n_active"]
        assert row["problems_needed"] == math.ceil(expected)


def test_the_provenance_holds_seed_parameters_and_whole_keys(files, inputs):
    (terms,) = blocks(files, "provenance", "terms")
    assert {"name": "Seed", "shown": "0", "code": False} in terms["terms"]
    parameters, keys = blocks(files, "provenance", "table")
    assert {"step": "sae", "parameter": "k", "value": "32"} in rows(parameters)
    assert [row["key"] for row in rows(keys)] == [a.key for a in inputs.by_step.values()]


def test_equal_inputs_give_equal_bytes_and_no_clock_and_no_path(inputs, files, tmp_path):
    assert report(inputs) == files
    everything = re.sub(r'<script type="text/plain" id="vega">.*?</script>', "",
                        "".join(files.values()), flags=re.S)  # fmt: skip
    assert "/tmp" not in everything
    assert str(tmp_path) not in everything
    assert not re.search(r"20\d\d-\d\d-\d\d", everything)


# The views


def test_the_page_is_well_formed_and_loads_nothing(files):
    page = Page(files["report.html"])
    assert page.loads == []
    assert "url(http" not in files["report.html"]
    assert len(page.ids) == len(set(page.ids))
    inside = {"feature-title"}  # made when a feature's page is opened
    record_ids = set(re.findall(r'"link":"([^"]+)"', files["report.json"]))
    for attributes in (attributes for _, attributes in page.elements):
        for reference in ("aria-labelledby", "href"):
            value = attributes.get(reference) or ""
            if value:
                assert value.removeprefix("#") in {*page.ids, *inside, *record_ids}, value


def test_tables_have_captions_and_scopes_and_pictures_have_words(files):
    page = Page(files["report.html"])
    tables = page.of("table")
    assert len(tables) > 8
    assert all(table["aria-labelledby"] in page.ids for table in tables)
    scopes = {attributes.get("scope") for attributes in page.of("th")}
    assert scopes == {"col", "row", "colgroup"}
    pictures = [a for a in page.of("div") if a.get("role") == "img"]
    drawn = [each for each in files if each.startswith("figures/") and each.endswith(".svg")]
    assert len(pictures) == len(page.of("svg")) == len(drawn) > 9
    assert all(len(a["aria-label"]) > 40 for a in pictures)
    headings = [name for name, _ in page.elements if re.fullmatch(r"h\d", name)]
    assert headings.count("h1") == 1
    assert page.of("html") == [{"lang": "en"}]
    assert files["report.html"].startswith("<!doctype html>")


NUMBER = re.compile(r"\d[\d.e+-]*\d|\d")


@pytest.mark.parametrize("view", ["report.html", "report.md"])
def test_every_number_of_a_view_is_in_the_record(files, view):
    told: set[str] = set()

    def collect(value):
        if isinstance(value, dict):
            for each in value.values():
                collect(each)
        elif isinstance(value, list):
            for each in value:
                collect(each)
        elif value is not None:
            told.update(NUMBER.findall(str(value)))

    collect(record(files))
    text = files[view].replace("\\", "")
    seen = " ".join(Page(text).texts) if view.endswith("html") else re.sub(r"\S+\.svg", "", text)
    numbers = NUMBER.findall(re.sub(r"(?m)^#+ |---:?", "", seen))
    assert len(numbers) > 300
    assert [each for each in numbers if each not in told] == []


def test_markdown_tables_have_as_many_cells_in_every_row(files):
    tables = re.findall(r"(?m)(?:^\|.*\n)+", files["report.md"])
    assert len(tables) > 8
    for table in tables:
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_pictures_are_files_too_and_named_by_the_markdown(files):
    named = re.findall(r"\]\((figures/[\w-]+\.svg)\)", files["report.md"])
    assert sorted(named) == sorted(name for name in files if name.endswith(".svg"))
    assert all(files[name].startswith("<svg") for name in named)


# Whatever a study has


def test_every_subset_of_steps_gives_a_report(inputs):
    names = ["data", "sae", "features", "labels", "ablation", "verdicts"]
    for size in (0, 1, len(names) - 1):
        for steps in combinations(names, size):
            found = report(only(inputs, *steps))
            Page(found["report.html"])
            assert ("SAE quality" in found["report.md"]) == bool({"sae", "labels"} & set(steps))


def test_a_study_without_hypotheses_and_labels_says_so(inputs):
    found = report(only(inputs, "data", study={"study": "bare", "steps": {}}))
    assert "states no hypotheses" in found["report.md"]
    assert "Nothing was insufficient" in found["report.md"]
    assert record(found)["title"] == "bare"


def test_hypotheses_that_nobody_judged_are_said_to_be_so(inputs):
    assert "were not judged" in report(only(inputs, "data"))["report.md"]


def test_a_third_partys_artifact_is_shown_as_it_is(inputs, tmp_path):
    table = pl.DataFrame({f"c{i}": [i, i + 1] for i in range(30)}).with_columns(hue=pl.lit("red"))
    tables = {"table": table, "more": table.head(0)}
    artifact = Shelf(tmp_path).put("weather", Result(tables=tables), "rain 2")
    empty = Shelf(tmp_path / "2").put("silence", Result(files={"x.bin": b"1"}), "hush 1")
    steps = {"forecast": artifact, "quiet": empty}
    found = report(Inputs({}, steps, STUDY))
    first, second = blocks(found, "others", "table")
    assert first["caption"] == "forecast: weather by rain 2"
    assert rows(first)[1]["c3"] == 4
    assert first["note"] == "19 more columns are in the stored table."
    assert second["rows"] == []
    (text,) = blocks(found, "others", "text")
    assert text["text"] == "quiet: silence by hush 1; it holds no table."


def test_third_party_effects_show_their_own_columns(tmp_path):
    table = pl.DataFrame({"feature": [3, 1], "rank": [2, 1], "loudness": [0.5, math.nan]})
    effects = Shelf(tmp_path).put("effects", Result(tables={"table": table}), "shout 1")
    (shown,) = blocks(report(Inputs({}, {"shouts": effects}, STUDY)), "effects", "table")
    assert [row["feature"] for row in rows(shown)] == [1, 3]
    assert [row[2]["shown"] for row in shown["rows"]] == ["undefined", "0.500"]


def test_labels_of_another_make_may_lack_columns(tmp_path):
    labels = pl.DataFrame({"feature": [7, 8], "label": ["loud", None], "kind": ["mood", "general"]})
    stored = Shelf(tmp_path).put("labels", Result(tables={"table": labels}), "guess 1")
    found = report(Inputs({}, {"guesses": stored}, STUDY))
    (block,) = blocks(found, "features", "features")
    assert rows(block) == [{"feature": 7, "label": "loud", "kind": "mood"},
                           {"feature": 8, "label": None, "kind": "general"}]  # fmt: skip
    assert [page["id"] for page in block["pages"]] == ["feature-7", "feature-8"]


def test_several_labellings_do_not_share_ids(inputs):
    steps = {**inputs.by_step, "labels-2": inputs.by_step["labels"]}
    page = Page(report(Inputs({}, steps, STUDY))["report.html"])
    assert len(page.ids) == len(set(page.ids))
    assert "(labels-2)" in " ".join(page.texts)


def test_empty_tables_and_nan_are_no_error(inputs, tmp_path):
    shelf, steps = Shelf(tmp_path), {}
    for name, artifact in inputs.by_step.items():
        tables = {each: artifact.read_table(each) for each in artifact.table_names}
        emptied = {each: table.head(0) for each, table in tables.items()}
        steps[name] = shelf.put(artifact.manifest.type, Result(tables=emptied, meta=artifact.meta))
    Page(report(Inputs({}, steps, STUDY))["report.html"])
    undefined = inputs.by_step["ablation"].table.with_columns(
        mean_abs_diff=pl.lit(math.nan), control_mean=pl.lit(None, pl.Float64)
    )
    steps = {"ablation": shelf.put("effects", Result(tables={"table": undefined}))}
    found = report(Inputs({}, steps, STUDY))
    assert "undefined" in found["report.html"]
    assert "NaN" not in found["report.json"]


def test_limits_of_the_parameters_are_kept(inputs):
    found = report(inputs, title="Mine", features=2, top_problems=1, edits=3, rows=1)
    assert record(found)["title"] == "Mine"
    (block,) = blocks(found, "features", "features")
    every = [part["samples"] for page in block["pages"] for part in page["samples"]]
    assert {len(samples) for samples in every} == {1}
    (bare,) = blocks(report(inputs, pages=False), "features", "features")
    assert bare["pages"] == []
    assert {cell["link"] for row in bare["rows"] for cell in row} == {""}
    assert [row[0]["value"] for row in bare["rows"]] == [row[0]["value"] for row in block["rows"]]
    for table in blocks(found, "effects", "table"):
        if table["total"] > 3 and not table["id"].endswith(("-controls", "-outcomes")):
            assert len(table["rows"]) == 3
            assert table["part"] == f"3 of {table['total']} rows"


# Whatever the strings hold


@pytest.fixture(scope="module")
def hostile(inputs, tmp_path_factory):
    """Every string of every table is nasty, one of them a million characters long."""
    shelf, steps = Shelf(tmp_path_factory.mktemp("hostile")), {}
    keep = {"kind", "verdict", "ranks", "split"}
    for name, artifact in inputs.by_step.items():
        tables = {}
        for each in artifact.table_names:
            table = artifact.read_table(each)
            strings = [c for c, t in table.schema.items() if t == pl.String and c not in keep]
            nasty = [
                pl.lit(NASTY + "x" * 1_000_000 if c == "question" else NASTY).alias(c)
                for c in strings
            ]
            tables[each] = table.head(40).with_columns(nasty)
        meta = {**artifact.meta, "reason": NASTY}
        result = Result(tables=tables, meta=meta)
        steps[name] = shelf.put(artifact.manifest.type, result, f"{NASTY} 1")
    study = {**STUDY, "study": NASTY, "about": NASTY * 2000,
             "steps": {NASTY: {"use": NASTY, "version": "1", "with": {NASTY: NASTY}}}}  # fmt: skip
    steps[NASTY] = shelf.put("weather", Result(tables={"table": pl.DataFrame({NASTY: [NASTY]})}))
    return report(Inputs({}, steps, study), title=NASTY)


def test_hostile_strings_are_inert_on_the_page(hostile):
    page = Page(hostile["report.html"])
    kinds = [each.get("type") for each in page.of("script")]
    assert set(kinds) == {None, "application/json", "text/plain"}
    assert kinds.count(None) == 2
    assert page.loads == []
    assert not any("onerror" in attributes for _, attributes in page.elements)
    texts = " ".join(page.texts)
    assert "<script>alert(1)</script>" in texts
    assert "<U+202E> evil <U+0000>" in texts
    for content in hostile.values():
        assert "\u202e" not in content
        assert "\x00" not in content


def test_hostile_strings_are_cut(hostile):
    assert sum(map(len, hostile.values())) < 3_000_000  # Vega takes 0.9 of it
    assert "characters in all)" in hostile["report.json"]


def test_hostile_strings_are_inert_in_markdown(hostile):
    prose = re.sub(r"(`+).*?\1", "", hostile["report.md"])
    assert "<script" not in prose
    assert "**bold**" not in prose
    test_markdown_tables_have_as_many_cells_in_every_row(hostile)


def test_ids_and_file_names_are_plain_whatever_the_steps_are_called(inputs):
    steps = {"../a b": inputs.by_step["labels"], '"><x>': inputs.by_step["ablation"]}
    found = report(Inputs({}, steps, STUDY))
    assert all(re.fullmatch(r"[\w./-]+", name) and ".." not in name for name in found)
    assert all(re.fullmatch(r"[\w-]+", each) for each in Page(found["report.html"]).ids)
