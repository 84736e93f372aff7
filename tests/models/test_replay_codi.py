"""Edited runs of a CODI model, replayed from their site, against everything computed anew.

What holds to the bit holds on CPU; elsewhere, and where batches differ, results are equal to
`FLOOR` (measured on CPU: 1e-6).
"""

import json
import shutil

import oracle
import pytest
import torch
from codi_runs import (
    D_MODEL,
    LAYERS,
    POSITIONS,
    QUESTIONS,
    THOUGHTS,
    loaded,
    oracle_off,
    plainly,
    replayed,
    same_answer,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from replays import FLOOR, alike, apart, edits_of, gathered, off, relative, unmoved

import strategies
import tiny_models
from strategies import Nudge
from studyrun import SiteEdit
from studyrun_data.generator import generate
from studyrun_models import CodiParams
from studyrun_models.codi import load
from studyrun_models.codi_passes import OFFICIAL
from tiny_models import PlainContext

NUDGES = strategies.nudges(len(QUESTIONS), len(POSITIONS))
MAYBE = strategies.nudges(len(QUESTIONS), len(POSITIONS), least=0)


@pytest.fixture(scope="module")
def embedded(device):
    """builtin:tiny-codi."""
    return load(CodiParams(), PlainContext(device=device))


def test_the_oracle_thinks_as_the_model_does(codi, plain, device):
    """Without any edit, by passes that share nothing with a replay."""
    answers = codi.answers(QUESTIONS, PlainContext(device=device))
    for ids, answer in zip(codi.encode(QUESTIONS), answers, strict=True):
        thought, reading, states = plain(ids), None, []
        with torch.inference_mode():
            for _ in POSITIONS:
                reading = codi.advance(reading, [ids])
                states.append(reading.hidden[0].cpu())
        assert relative(torch.stack(states), thought.states) < 1e-5
        assert answer == codi.text_of(thought.answer.ids)


@pytest.mark.parametrize("layer", range(LAYERS))
@pytest.mark.parametrize("way", ["run", "rerun"])
def test_every_site_is_as_if_all_were_computed_anew(codi, plain, device, layer, way):
    """Law: at every layer and position, replayed and re-run alike, the oracle's results."""
    nudges = [
        Nudge(question, position, size, seed=10 * position + question)
        for position in POSITIONS
        for question, size in ((0, 1.0), (1 + position % 5, 10.0))
    ]
    found = codi.replay(QUESTIONS, layer, PlainContext(device=device))
    runs = gathered(getattr(found, way), edits_of(nudges, POSITIONS, D_MODEL, device))
    for nudge, run in zip(nudges, runs, strict=True):
        assert oracle_off(plain, run, layer, nudge.delta(D_MODEL)) < FLOOR


@settings(max_examples=8)
@given(data=st.data())
def test_random_models_are_as_if_all_were_computed_anew(tmp_path_factory, device, data):
    """Law: the same for any number of blocks, thoughts and dimensions."""
    thoughts, layers = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 3))
    width, seed = data.draw(st.sampled_from([8, 24, 64])), data.draw(st.integers(0, 99))
    folder = tmp_path_factory.mktemp("any") / "c"
    tiny_models.write_codi(folder, layers=layers, d=width, seed=seed, thoughts=thoughts)
    model = loaded(folder, device)
    plain = plainly(model)
    nudges = data.draw(strategies.nudges(len(QUESTIONS), thoughts + 1, most=3))
    for layer in range(layers):
        runs = replayed(model, layer, nudges, tuple(range(thoughts + 1)))
        for nudge, run in zip(nudges, runs, strict=True):
            assert oracle_off(plain, run, layer, nudge.delta(width)) < FLOOR


@pytest.mark.parametrize(("layer", "position"), [(0, 0), (8, 3), (14, 6)])
def test_the_embedded_model_is_as_if_all_were_computed_anew(embedded, layer, position):
    """Law: the same for trained weights, at edits of a fifth of the residual and of all of it."""
    plain, size = plainly(embedded), {0: 20.0, 8: 200.0, 14: 400.0}[layer]
    nudges = [Nudge(0, 0, size / 5, 1), Nudge(3, 0, size, 2)]
    questions = QUESTIONS[1:]
    runs = replayed(embedded, layer, nudges, (position,), questions=questions)
    for nudge, run in zip(nudges, runs, strict=True):
        assert oracle_off(plain, run, layer, nudge.delta(128), questions) < FLOOR


@pytest.mark.parametrize("layer", [0, 2, LAYERS - 1])
@settings(max_examples=8)
@given(nothings=NUDGES, others=MAYBE, batch_size=st.integers(1, 5))
def test_an_edit_of_nothing_has_the_bits_of_the_clean_run(
    codi, device, layer, nothings, others, batch_size
):
    """Law: logits, states and answer where delta is 0, whatever else is in the batch."""
    nudges = [Nudge(each.question, each.at, 0.0, 0) for each in nothings] + others
    runs = replayed(codi, layer, nudges, batch_size=batch_size)
    for nudge, run in zip(nudges, runs, strict=True):
        assert (run.moved > 0) == (nudge.size > 0)
        assert nudge.size or unmoved(run, device)


@settings(max_examples=10)
@given(one=NUDGES, some=MAYBE, others=MAYBE, layer=st.integers(0, LAYERS - 1))
def test_edits_do_not_interact(codi, plain, one, some, others, layer):
    """Law: a run comes to the same, whatever edits other runs of its or other questions get."""
    first, second = (replayed(codi, layer, one[:1] + each)[0] for each in (some, others))
    assert apart(first, second) < FLOOR
    assert same_answer(plain, first, second, layer, one[0].delta(D_MODEL))


@settings(max_examples=8)
@given(
    sizes=st.lists(st.sampled_from([0.1, 1.0, 10.0]), min_size=12, max_size=12),
    at=st.integers(0, THOUGHTS),
    layer=st.integers(0, LAYERS - 1),
)
def test_edits_of_others_change_no_bit_where_runs_are_as_many(codi, device, sizes, at, layer):
    """Law: on CPU, if every question has as many runs, no bit depends on the others' edits."""
    every = [Nudge(n % 4, at, size, seed=n) for n, size in enumerate(sizes)]
    other = [Nudge(n % 4, at, 1.0, seed=n + 50) for n in range(12)]
    other[5] = every[5]
    first, second = (replayed(codi, layer, some)[5] for some in (every, other))
    assert alike(first, second, device)


@pytest.mark.parametrize("layer", range(LAYERS))
@pytest.mark.parametrize("thought", POSITIONS)
def test_an_edit_changes_what_comes_after_it_and_nothing_before(codi, device, layer, thought):
    """Law: its own state, all later ones and the answer's scores; earlier ones are not even read.

    After the last block nobody reads the last thought, so there the scores keep every bit.
    """
    run = replayed(codi, layer, [Nudge(2, thought, 1.0, 7)])[0]
    assert run.places == POSITIONS[thought:]
    changed = (run.states - run.clean_states).norm(dim=-1) / run.clean_states.norm(dim=-1)
    assert changed.min() > 10 * FLOOR
    read = (layer, thought) != (LAYERS - 1, THOUGHTS)
    assert (relative(run.logits, run.clean_logits) > 10 * FLOOR) == read
    assert read or device != "cpu" or run.logits.equal(run.clean_logits)


def test_the_clean_run_is_the_same_whatever_is_edited(codi, plain):
    """Law: beside every run, at any site, stands the model's own run."""
    nudges = [Nudge(q, p, 10.0, p) for q in range(len(QUESTIONS)) for p in (0, 4, 6)]
    expected = [plain(ids) for ids in codi.encode(QUESTIONS)]
    for run in replayed(codi, 1, nudges):
        own = expected[run.question]
        assert relative(run.clean_states, own.states[run.position :]) < FLOOR
        assert relative(run.clean_logits, own.logits) < FLOOR
        assert run.clean_answer == codi.text_of(own.answer.ids)


@pytest.mark.parametrize("layer", range(LAYERS))
def test_moved_is_the_difference_over_the_residual(codi, plain, device, layer):
    """Law: |delta| / |x|, x being the oracle's residual; replayed and re-run alike."""
    llm = plain.llm
    nudges = [Nudge(3, p, size, 1) for p in (0, 2) for size in (0.0, 0.1, 10.0)]
    edits = edits_of(nudges, POSITIONS, D_MODEL, device)
    found = codi.replay(QUESTIONS, layer, PlainContext(device=device))
    both = zip(gathered(found.run, edits), gathered(found.rerun, edits), strict=True)
    for nudge, runs in zip(nudges, both, strict=True):
        x = llm.embedded(codi.encode(QUESTIONS)[nudge.question])
        for _ in range(nudge.at):
            x = torch.cat([x, plain.projected(llm.states(x)[-1])[None]])
        moved = nudge.delta(D_MODEL).double().norm() / llm.residuals(x)[layer][-1].norm()
        assert [run.moved for run in runs] == [pytest.approx(moved.item(), rel=FLOOR)] * 2


def test_edited_answers_are_those_of_the_models_own_hook(codi, device):
    """Law: `replay` and `answers` with an edit say the same."""
    nudges = [Nudge(question, 0, 10.0, question) for question in range(len(QUESTIONS))]
    deltas = torch.stack([nudge.delta(D_MODEL) for nudge in nudges])
    runs, context = replayed(codi, 2, nudges, (4,)), PlainContext(device=device)
    assert [run.answer for run in runs] == codi.answers(QUESTIONS, context, SiteEdit(2, 4, deltas))
    assert [run.clean_answer for run in runs] == codi.answers(QUESTIONS, context)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_answers_that_begin_otherwise_are_written_as_they_come(codi_folder, device, limit, length):
    """Law: for any prefix and limit, what the oracle writes without being given the prefix.

    The prefix is what one of the answers begins with: some answers begin so and some do not.
    """
    model = loaded(codi_folder, device, max_new_tokens=limit)
    plain, ids = plainly(model), model.encode(QUESTIONS)
    nudges = [Nudge(n, 0, 10.0, n) for n in range(len(QUESTIONS))]
    edits = [oracle.Edit(1, 3, nudge.delta(D_MODEL)) for nudge in nudges]
    model.answer_prefix = (plain(ids[0], edits[0]).answer.ids * 3)[:length]
    so = []
    for edit, run in zip(edits, replayed(model, 1, nudges, (3,)), strict=True):
        own = plain(ids[run.question], edit)
        so.append(own.answer.ids[:length] == model.answer_prefix)
        assert off(run, own.logits, own.states[3:], own.answer, model.text_of) < FLOOR
    assert length == 0 or (any(so) == (length <= limit) and not all(so))


def test_official_padding_is_run_in_full_and_says_so(codi, codi_folder, device):
    """Law: what cannot be replayed is run by a hook, and the note says why."""
    model, context = loaded(codi_folder, device, padding="official"), PlainContext(device=device)
    found = model.replay(QUESTIONS[1:2], 1, context)
    assert found.note == f"run in full: {OFFICIAL}"
    assert codi.replay(QUESTIONS[1:2], 1, context).note == ""
    nudges = [Nudge(0, 3, 1.0, 1), Nudge(0, 3, 0.0, 1)]
    runs = gathered(found.run, edits_of(nudges, POSITIONS, D_MODEL, device))
    alone = replayed(codi, 1, nudges, questions=QUESTIONS[1:2])  # without padding it is the same
    assert all(apart(*pair) < FLOOR for pair in zip(runs, alone, strict=True))
    assert unmoved(runs[1], device)


def test_windows_reach_back_over_thoughts(codi_folder, device, tmp_path):
    """Law: run equals re-run where a block sees so many tokens back, thoughts and answers too."""
    folder = shutil.copytree(codi_folder, tmp_path / "windows")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mistral", "sliding_window": 5}
    (folder / "config.json").write_text(json.dumps(config))
    model, nudges = loaded(folder, device), [Nudge(n % 6, n % 7, 10.0, n) for n in range(20)]
    assert model.full_because == ""
    found = model.replay(QUESTIONS, 1, PlainContext(device=device))
    edits = edits_of(nudges, POSITIONS, D_MODEL, device)
    both = zip(gathered(found.run, edits), gathered(found.rerun, edits), strict=True)
    for one, other in both:
        assert apart(one, other) < FLOOR
        assert one.answer == other.answer


def test_targets_are_the_first_tokens_of_right_answers(codi, device):
    """Law: as the model writes numbers; -1 where it cannot write them, or there is no answer."""
    found = codi.replay(QUESTIONS, 1, PlainContext(device=device))
    targets = found.targets([7, 100.0, 2.5, -3, 101, None]).tolist()
    texts = ["" if target < 0 else found.token(target) for target in targets]
    assert texts == ["7", "100", "2", "-", "", ""]


def test_the_embedded_models_best_token_is_the_target(embedded, device):
    """Law: it answers right, so its own scores are highest at the right answer's token."""
    problems = generate(120, 11, held_out=False)
    questions = [problem.question for problem in problems]
    found = embedded.replay(questions, 8, PlainContext(device=device))
    targets = found.targets([problem.answer for problem in problems])
    written = [found.token(target) for target in targets.tolist()]
    assert written == [str(problem.answer) for problem in problems]
    nudges = [Nudge(question, 0, 0.0, 0) for question in range(len(problems))]
    runs = replayed(embedded, 8, nudges, (3,), questions=questions)
    best = torch.stack([run.clean_logits.argmax() for run in runs])
    assert (best == targets).double().mean() >= 0.9
    assert [run.clean_answer for run in runs] == [found.token(token) for token in best.tolist()]


def test_scores_of_states_are_the_models(codi, device):
    """Law: the logit lens is the model's head."""
    found = codi.replay(QUESTIONS, 1, PlainContext(device=device))
    run = replayed(codi, 1, [Nudge(0, 2, 1.0, 0)])[0]
    with torch.inference_mode():
        expected = codi.stack.model.lm_head(run.states.to(device))
    assert found.scores(run.states).equal(expected)
