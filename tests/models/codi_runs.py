"""A small CODI model with random weights, its questions, and edited runs of them."""

import oracle
from replays import FLOOR, edits_of, gathered, off

import tiny_models
from studyrun_models import CodiParams, replay
from studyrun_models.codi import load
from studyrun_models.codi_passes import CodiPasses
from tiny_models import PlainContext

LAYERS, THOUGHTS, D_MODEL = 4, 6, 32
POSITIONS = tuple(range(THOUGHTS + 1))
QUESTIONS = ["Anna", *tiny_models.questions(4, seed=2), *tiny_models.questions(1, steps=(1,))]


def loaded(folder, device, **params):
    """The model of a checkpoint, with room for more than the prefix of an answer."""
    params = {"max_new_tokens": 6} | params
    return load(CodiParams(str(folder), **params), PlainContext(device=device))


def replayed(model, layer, nudges, positions=POSITIONS, *, questions=QUESTIONS, **options):
    """All runs; options are those of the context."""
    device = model.stack.device
    passes = CodiPasses(model, model.encode(questions))
    context = PlainContext(device=device, **options)
    found = replay.Replaying(passes, layer, context)
    return gathered(found.run, edits_of(nudges, positions, model.facts.d_model, device))


def plainly(model):
    """The same model as the oracle has it."""
    return oracle.Thinker(oracle.plainly(model.stack.model), model)


def oracle_off(plain, run, layer, delta, questions=QUESTIONS):
    """How far a run is from the same computed plainly."""
    ids = plain.codi.encode(questions)[run.question]
    expected = plain(ids, oracle.Edit(layer, run.position, delta))
    states = expected.states[run.position :]
    return off(run, expected.logits, states, expected.answer, plain.codi.text_of)


def same_answer(plain, one, other, layer, delta):
    """Whether two runs say the same, unless that is a matter of rounding."""
    if one.answer == other.answer:
        return True
    ids = plain.codi.encode(QUESTIONS)[one.question]
    return plain(ids, oracle.Edit(layer, one.position, delta)).answer.closest < FLOOR
