"""Runs in which a step is compared with variants of the steps before it."""

import polars as pl
import pytest
import yaml
from toys import DOCUMENT, PLUGIN, cell, changed

import studyrun
from studyrun.cli.outcome import plan_text
from studyrun.keys import key_of
from studyrun.running import making
from studyrun.running.history import read_record
from studyrun.runs import explain

WIDE = {"wide": {"steps": {"draws": {"scale": 0.75}}}}
CLONES = ["draws@wide", "sums@wide"]


def asking(wanted, document=DOCUMENT):
    """The toy study with a step that is compared with variants, before its report."""
    steps = dict(document["steps"])
    report = steps.pop("report")
    compared = {"use": "toy-compare", "with": {"wanted": wanted}}
    return {**document, "steps": {**steps, "compared": compared, "report": report}}


def statuses(outcome, cell=""):
    steps = read_record(outcome.folder)["cells"][cell]["steps"]
    return {name: entry["status"] for name, entry in steps.items()}


def given(outcome, variant):
    """Artifact type -> key, as the comparing step was given them."""
    table = pl.read_parquet(outcome.folder / "tables/compared.parquet")
    rows = table.filter(pl.col("variant") == variant)
    return dict(zip(rows["type"], rows["key"], strict=True))


def files(folder):
    return sorted(path.name for path in folder.glob("*") if path.is_file())


# Keys


def test_a_variant_is_in_the_key_of_the_step_that_asks_and_of_no_other(lab):
    """Law: asking for variants changes the keys of exactly the asker and what follows it."""
    without, with_one = lab.keys(asking({})), lab.keys(asking(WIDE))
    shared = [name for name in without if without[name] == with_one[name]]
    assert shared == ["data", "draws", "sums"]
    recipes = {step.name: step.recipe for step in lab.plan(asking(WIDE)).steps}
    assert recipes["compared"]["variants"] == {
        "wide": {"problems": with_one["data"], "sums": with_one["sums@wide"]}
    }
    assert [name for name, _ in recipes["report"]["earlier"]] == list(without)[:-1]
    assert all("variants" not in recipes[name] for name in recipes if name != "compared")
    assert recipes["report"]["study"]["steps"].keys() == asking(WIDE)["steps"].keys()


def test_the_recipe_of_a_step_that_asks_for_nothing_is_what_it_was(lab):
    recipes = {step.name: step.recipe for step in lab.plan(asking({})).steps}
    keys = lab.keys(asking({}))
    assert recipes["compared"] == {
        "format": 1,
        "kind": "step",
        "use": "toy-compare",
        "version": "1",
        "with": {"wanted": {}},
        "seed": 0,
        "inputs": {"problems": keys["data"], "sums": keys["sums"]},
    }


def test_a_clone_has_the_key_of_a_study_that_says_the_same(lab):
    """Law: the key of step@variant is the step's in the study with that parameter written out."""
    clones = lab.keys(asking(WIDE))
    written = lab.keys(changed("steps.draws.with.scale", 0.75))
    assert (clones["draws@wide"], clones["sums@wide"]) == (written["draws"], written["sums"])


def test_a_variant_that_changes_no_value_is_the_study_itself(lab, calls):
    """Law: an equal recipe is an equal artifact, and nothing is computed for it."""
    document = asking({"same": {"steps": {"draws": {"scale": 0.5}}}})
    assert lab.reasons(document)["draws@same"] == ("the same as draws",)
    outcome = lab.run(document)
    assert calls().count("toy-draw") == 1
    assert given(outcome, "same") == given(outcome, "")


# Runs


def test_the_step_is_given_the_study_s_artifacts_and_the_variant_s(lab):
    outcome = lab.run(asking(WIDE))
    keys = lab.keys(asking(WIDE))
    assert given(outcome, "") == {"problems": keys["data"], "sums": keys["sums"]}
    assert given(outcome, "wide") == {"problems": keys["data"], "sums": keys["sums@wide"]}


def test_a_run_shows_clones_apart_from_tables(lab):
    outcome = lab.run(asking(WIDE))
    assert set(statuses(outcome).values()) == {"done"}
    assert files(outcome.folder / "tables") == [
        "compared.parquet", "data.parquet", "draws.parquet", "draws_sites.parquet",
        "sums.parquet", "verdicts.parquet",
    ]  # fmt: skip
    assert files(outcome.folder / "variants") == [
        "draws@wide.parquet", "draws@wide_sites.parquet", "sums@wide.parquet",
    ]  # fmt: skip
    assert "@" not in (outcome.folder / "report.md").read_text()


def test_a_second_run_reuses_the_clones(lab, calls):
    first, second = lab.run(asking(WIDE)), lab.run(asking(WIDE))
    assert (calls().count("toy-draw"), calls().count("toy-compare")) == (2, 1)
    assert set(statuses(second).values()) == {"reused"}
    own = ["data", "draws", "sums"]
    assert list(statuses(first)) == [*own, *CLONES, "compared", "verdicts", "report"]


def test_reasons_name_the_variant(lab):
    lab.run(asking(WIDE))
    narrow = {"narrow": {"steps": {"draws": {"scale": 0.25}}}}
    reasons = lab.reasons(asking({**WIDE, **narrow}))["compared"]
    assert [text for text in reasons if not text.startswith("with.")] == ["variant narrow added"]
    wider = {"wide": {"steps": {"draws": {"scale": 1.0}}}}
    planned = lab.reasons(asking(wider))
    assert planned["draws@wide"] == ("with.scale: 0.75 -> 1.0",)
    assert planned["sums@wide"] == ("input draws@wide changed",)
    assert "variant wide changed" in planned["compared"]
    assert "variant wide removed" in lab.reasons(asking({}))["compared"]
    assert planned["draws"] == ("unchanged since the latest run",)


def test_the_plan_shows_clones_like_steps(lab):
    lines = [line.split() for line in plan_text(lab.plan(asking(WIDE))).splitlines()[2:]]
    assert [line[:3] for line in lines if "@" in line[1]] == [
        ["run", "draws@wide", "toy-draw"],
        ["run", "sums@wide", "toy-sum"],
    ]


def test_a_clone_that_fails_is_named_with_the_step_that_it_varies(lab, monkeypatch):
    wide = {"wide": {"steps": {"sums": {"k": 9}}}}
    lab.run()
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    outcome = lab.run(asking(wide), lines={"sums": "toy.yaml:5:3"}, keep_going=True)
    (error,) = outcome.errors
    said = str(error).splitlines()
    assert said[0] == "step 'sums@wide' failed: ValueError: toy-sum was told to fail"
    assert "  study: toy.yaml:5:3" in said
    assert statuses(outcome)["compared"] == "blocked"
    assert read_record(outcome.folder)["cells"][""]["steps"]["compared"]["reasons"] == [
        "needs sums@wide, which failed"
    ]
    monkeypatch.delenv("TOY_FAIL")
    again = lab.run(asking(wide))
    assert again.status == "done"
    assert [name for name, status in statuses(again).items() if status == "done"] == [
        "sums@wide", "compared", "report",
    ]  # fmt: skip


def test_a_run_that_was_interrupted_goes_on(lab, calls, monkeypatch):
    def stop(step, inputs, context, registry):
        if step.name == "sums@wide":
            raise KeyboardInterrupt
        return call(step, inputs, context, registry)

    call = making.call
    with monkeypatch.context() as patched:
        patched.setattr(making, "call", stop)
        with pytest.raises(KeyboardInterrupt):
            lab.run(asking(WIDE))
    assert lab.reasons(asking(WIDE))["sums@wide"] == (
        "the latest run was interrupted while making it",
    )
    assert lab.run(asking(WIDE)).status == "done"
    assert calls().count("toy-draw") == 2


def test_cells_share_clones(lab, calls):
    other = changed("steps.compared.with.wanted.more", {"steps": {"sums": {"k": 7}}}, asking(WIDE))
    outcome = lab.run(cell("one", asking(WIDE)), cell("two", other))
    assert calls().count("toy-draw") == 2
    steps = read_record(outcome.folder)["cells"]["two"]["steps"]
    assert steps["draws@wide"]["reasons"] == ["the same as draws@wide in one"]
    assert steps["sums@more"]["status"] == "done"
    assert files(outcome.folder / "two" / "variants")[-1] == "sums@wide.parquet"


def test_every_clone_has_its_own_model_and_each_is_loaded_once(lab, calls, tmp_path):
    (tmp_path / "w").write_bytes(b"w")
    model = {"use": "toy-model", "with": {"weights": str(tmp_path / "w")}}
    document = changed("model", model)
    document = changed("steps.answers", {"use": "toy-ask"}, document)
    document = asking({"thin": {"model": {"width": 1}}}, document)
    outcome = lab.run(document)
    assert calls().count("toy-model") == 2
    answers = [
        pl.read_parquet(outcome.folder / folder / f"{name}.parquet")["answer"].item()
        for folder, name in [("tables", "answers"), ("variants", "answers@thin")]
    ]
    assert answers == [42, 14]
    recipes = {step.name: step.recipe for step in lab.plan(document).steps}
    assert recipes["answers@thin"]["model"]["with"] == {"width": 1}
    assert recipes["answers"]["model"]["with"] == {"width": 3}
    record = recipes["report"]["study"]
    assert record["model"]["with"] == {"width": 3}
    assert key_of(recipes["answers"]) != key_of(recipes["answers@thin"])


# As a value


@pytest.fixture
def opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(asking(WIDE), sort_keys=False))
    studyrun.run("toy.yaml", plugins=[str(PLUGIN)], progress=False)
    return studyrun.open_run("outputs/toy/latest", plugins=[str(PLUGIN)])


def test_a_clone_is_opened_by_its_name(opened):
    assert [name for name in opened if "@" in name] == CLONES
    assert opened["sums@wide"].last == pytest.approx(1.5 * opened["sums"].last)
    (why,) = explain(opened, "draws@wide")
    assert (why.component, why.reasons) == ("toy-draw 1", ("nothing stored yet",))
    assert why.recipe["with"]["scale"] == 0.75


def test_sql_does_not_see_variants(opened):
    assert opened.sql("SELECT count(*) AS n FROM sums")["n"].item() == 4
    with pytest.raises(pl.exceptions.SQLInterfaceError, match="sums@wide"):
        opened.sql('SELECT * FROM "sums@wide"')
