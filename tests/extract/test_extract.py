"""The step: one row per problem, and problems that cannot be taken."""

import polars as pl
import pytest
import torch

import shelf
import tiny_models
from studyrun import Inputs, Result, StudyError
from studyrun_extract import ExtractParams
from studyrun_extract.extract import run
from studyrun_extract.view import Activations
from studyrun_models import CodiParams
from studyrun_models.codi import load
from tiny_models import PlainContext

PARAMS = ExtractParams(layers=[2, 0], positions=[3, 0])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tiny_models.write_codi(tmp_path_factory.mktemp("codi") / "c", layers=3, d=16)
    return load(CodiParams(str(folder)), PlainContext())


@pytest.fixture
def context(model, tmp_path):
    (tmp_path / "partial").mkdir()
    return PlainContext(batch_size=4, model=model).within(tmp_path / "partial")


def inputs(folder, questions):
    table = pl.DataFrame(
        {
            "id": [f"p{i}" for i in range(len(questions))],
            "question": questions,
            "split": ["validation" if i % 4 == 3 else "train" for i in range(len(questions))],
        }
    )
    return Inputs({"problems": shelf.Shelf(folder).put("problems", Result({"table": table}))})


def stored(folder, result):
    artifact = shelf.Shelf(folder).put("activations", result)
    return shelf.Shelf(folder).store.open(artifact.key, Activations)


def test_rows_sites_and_facts(tmp_path, model, context):
    asked = tiny_models.questions(9)
    given = inputs(tmp_path, asked)
    found = stored(tmp_path, run(PARAMS, given, context))
    expected = model.activations(asked, [0, 2], [0, 3], context)
    assert found.sites == [(2, 3), (2, 0), (0, 3), (0, 0)]
    for i, layer in enumerate((0, 2)):
        for j, position in enumerate((0, 3)):
            stream = found.at(layer=layer, position=position)
            assert stream.equal(expected[:, i, j])
            assert stream.is_contiguous()
    assert found.table.schema == {"problem": pl.UInt32, "id": pl.String, "split": pl.String}
    assert found.table["problem"].to_list() == list(range(9))
    assert found.table["split"].equals(given["problems"].table["split"])
    assert found.meta == {
        "layers": [2, 0],
        "positions": [3, 0],
        "d_model": 16,
        "stored": "float32",
        "model": {"name": "llama 3x16", "digest": model.facts.digest, "dtype": "float32"},
    }
    assert found.read_table("excluded").height == 0


def test_a_site_that_was_not_read_lists_those_that_were(tmp_path, context):
    found = stored(tmp_path, run(PARAMS, inputs(tmp_path, tiny_models.questions(2)), context))
    with pytest.raises(KeyError) as raised:
        found.at(layer=1, position=3)
    assert raised.value.args == ("no site (1, 3); there are (2, 3), (2, 0), (0, 3), (0, 0)",)


def test_a_problem_that_cannot_be_taken_stops_the_step(tmp_path, context):
    asked = tiny_models.questions(3)
    asked[1] = "Zebras!"
    with pytest.raises(StudyError) as raised:
        run(PARAMS, inputs(tmp_path, asked), context)
    assert str(raised.value) == (
        "the model cannot take 1 of 3 problems: problem p1: not in the model's vocabulary: "
        "'Zebras', '!' (`on_error: exclude` lists them and goes on without)"
    )


def test_a_problem_that_cannot_be_taken_is_excluded_everywhere(tmp_path, model, context):
    asked = tiny_models.questions(6)
    asked[1], asked[4] = "Zebras!", ""
    params = ExtractParams([1], [2], on_error="exclude")
    result = run(params, inputs(tmp_path, asked), context)
    found = stored(tmp_path, result)
    kept = [0, 2, 3, 5]
    assert found.table["problem"].to_list() == kept
    assert found.table["id"].to_list() == ["p0", "p2", "p3", "p5"]
    expected = model.activations([asked[i] for i in kept], [1], [2], context)
    assert found.at(layer=1, position=2).equal(expected[:, 0, 0])
    assert found.read_table("excluded").rows() == [
        (1, "p1", "not in the model's vocabulary: 'Zebras', '!'"),
        (4, "p4", "it is empty"),
    ]
    assert found.read_table("excluded").schema == {
        "problem": pl.UInt32,
        "id": pl.String,
        "reason": pl.String,
    }


def test_activations_that_are_not_finite_count_as_failures(tmp_path, model, context, monkeypatch):
    asked = tiny_models.questions(5)
    asked[1] = "Zebras!"

    def broken(questions, *rest):
        found = type(model).activations(model, questions, *rest)
        found[questions.index(asked[3]), 0, 0, 5] = torch.nan
        return found

    monkeypatch.setattr(model, "activations", broken)
    params = ExtractParams([1], [2], on_error="exclude")
    result = run(params, inputs(tmp_path, asked), context)
    assert result.tables["table"]["problem"].to_list() == [0, 2, 4]
    assert result.tables["excluded"]["reason"].to_list()[1] == "its activations are not finite"
    assert len(stored(tmp_path, result).at(layer=1, position=2)) == 3
    with pytest.raises(StudyError, match="p3: its activations are not finite"):
        run(PARAMS, inputs(tmp_path, [asked[0], asked[2], asked[4], asked[3]]), context)


@pytest.mark.parametrize("on_error", ["stop", "exclude"])
def test_a_set_of_which_nothing_is_left_is_an_error(tmp_path, context, on_error):
    with pytest.raises(StudyError, match=r"cannot take 7 of 7 problems: .*; and 2 more"):
        run(ExtractParams([1], [2], on_error), inputs(tmp_path, ["Zebras!"] * 7), context)
