"""Checkpoints of CODI's authors through the `codi` adapter, against their evaluation."""

import pytest
import torch
from official_loop import Evaluation
from replays import FLOOR, Nudge, apart, edits_of, gathered

import tiny_models
import tiny_official
from studyrun_models import CodiParams
from studyrun_models.blocks import Hooks
from studyrun_models.codi import load
from studyrun_models.params import Lora
from tiny_models import PlainContext

LAYERS, POSITIONS, NEW = [0, 1, 2, 3], list(range(7)), 5
KINDS = {
    "llama": {"tied": True, "bos": "<bos>"},
    "qwen2": {"tied": False, "pad": "<pad>"},
    "gpt2": {"tied": True},
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def base(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base") / request.param
    return tiny_official.write_base(folder, request.param, **KINDS[request.param])


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    return tiny_official.write_official(tmp_path_factory.mktemp("codi") / "c", base)


@pytest.fixture(scope="module")
def evaluation(folder, base):
    return Evaluation(folder, base)


@pytest.fixture(scope="module")
def model(folder, base):
    return loaded(folder, base)


@pytest.fixture(scope="module")
def questions():
    """Of many lengths, some with blanks that the authors take away."""
    short = tiny_models.questions(3, seed=1, steps=(1,))
    return [*tiny_models.questions(6, seed=2), *short, " Anna  has 3 apples.  How many? \n"]


def loaded(folder, base, context=None, **params):
    params = {"max_new_tokens": NEW} | params
    return load(CodiParams(str(folder), base=str(base), **params), context or PlainContext())


def relative(a, b):
    return ((a - b).norm(dim=-1) / b.norm(dim=-1)).max().item()


def test_residuals_are_those_of_the_authors_loop(model, evaluation, questions):
    """Law: at every layer and position; a question alone, in our batches, and padded."""
    expected = torch.cat([evaluation([question]).residuals for question in questions])
    ids = model.encode(questions)
    assert len({len(row) for row in ids}) > 4
    for size in (1, 4, 64):
        found = model.activations(questions, LAYERS, POSITIONS, PlainContext(batch_size=size))
        assert relative(found, expected) < 1e-5
    with torch.inference_mode(), Hooks(model.stack.blocks, LAYERS) as hooks:
        padded = model._streams(ids, hooks, POSITIONS)
    assert relative(padded, expected) < 1e-5


def test_answers_are_those_of_the_authors_loop(model, evaluation, questions):
    expected = [evaluation([question], NEW).answers[0] for question in questions]
    assert model.answers(questions, PlainContext(batch_size=3)) == expected
    assert len(set(expected)) > 3


@torch.inference_mode()
def scores(model, questions):
    """Next-token scores after the thoughts and `<eot>`."""
    reading = None
    for _ in range(model.thoughts + 1):
        reading = model.advance(reading, model.encode(questions))
    ends = torch.tensor([model.closing]).expand(len(questions), -1)
    model.stack.extend(reading, ids=ends)
    return model.stack.logits(reading.hidden)


def test_merged_logits_are_those_of_weights_and_matrices_apart(model, evaluation, questions):
    expected = torch.cat([evaluation([question]).logits for question in questions])
    assert relative(scores(model, questions), expected) < 1e-5


def test_official_padding_is_the_authors_batch(folder, base, model, evaluation, questions):
    """Law: without a mask in the thought loop, residuals and answers of the same batch."""
    official = loaded(folder, base, padding="official")
    expected = evaluation(questions, NEW)
    found = official.activations(questions, LAYERS, POSITIONS, PlainContext())
    assert relative(found, expected.residuals) < 1e-5
    assert official.answers(questions, PlainContext()) == expected.answers
    masked = model.activations(questions, LAYERS, POSITIONS, PlainContext())
    assert relative(found, masked) > 1e-3


def test_a_question_is_read_as_the_base_reads_it(model, evaluation, questions):
    for row, question in zip(model.encode(questions), questions, strict=True):
        assert row == evaluation.ids([question])[0][0].tolist()


@pytest.mark.parametrize("thought", [0, 3, 6])
def test_edits_are_replayed(model, questions, thought):
    """Law: replayed runs are those run in full."""
    assert model.full_because == ""
    found = model.replay(questions, 1, PlainContext())
    edits = edits_of([Nudge(n, 0, 10.0 * n, n) for n in range(4)], (thought,), 32, "cpu")
    for one, other in zip(*(gathered(run, edits) for run in (found.run, found.rerun)), strict=True):
        assert apart(one, other) < FLOOR
        assert one.answer == other.answer


def test_the_file_may_be_of_either_kind_and_says_the_same(model, base, questions, tmp_path):
    pickled = tiny_official.write_official(tmp_path / "c", base, file="pytorch_model.bin")
    other = loaded(pickled, base)
    one, two = (m.activations(questions, [3], [6], PlainContext()) for m in (model, other))
    assert one.equal(two)
    assert model.facts.digest != other.facts.digest  # of bytes, not of what they mean


VARIANTS = {
    "eos": ({}, {"remove_eos": False}),
    "no layer norm": ({"layer_norm": False}, {"prj_layer_norm": False, "prj_dim": 24}),
    "no projection": ({"prj_dim": 0}, {"prj_dim": 0}),
    "no matrices": ({"r": None}, {}),
    "alpha": ({"r": 8}, {"lora": Lora(alpha=16.0, r=8)}),
    "thoughts": ({}, {"thoughts": 3}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_of_training_are_those_of_the_authors_loop(base, questions, tmp_path, name):
    shape, params = VARIANTS[name]
    folder = tiny_official.write_official(tmp_path / "c", base, **shape)
    model, n = loaded(folder, base, **params), params.get("thoughts", 6)
    evaluation = Evaluation(
        folder,
        base,
        alpha=params.get("lora", Lora()).alpha,
        remove_eos=params.get("remove_eos", True),
        thoughts=n,
    )
    alone = [evaluation([question], NEW) for question in questions]
    found = model.activations(questions, LAYERS, range(n + 1), PlainContext())
    assert model.facts.positions == tuple(range(n + 1))
    assert relative(found, torch.cat([each.residuals for each in alone])) < 1e-5
    assert model.answers(questions, PlainContext()) == [each.answers[0] for each in alone]
