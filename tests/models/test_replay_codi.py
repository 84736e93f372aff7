"""Edited runs of a CODI model, replayed from their site, against everything computed anew.

What holds to the bit holds on CPU; elsewhere, and where batches differ, results are equal to
`FLOOR` (measured: 3e-7 on CPU).
"""

import oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from replays import (
    DEVICES,
    FLOOR,
    Gathered,
    ShrinkingContext,
    apart,
    edits_of,
    gathered,
    off,
    relative,
    same_bits,
    threaded,
)

import strategies
import tiny_models
from strategies import Nudge
from studyrun import SiteEdit, SiteEdits, StudyError
from studyrun_data.generator import generate
from studyrun_models import CodiParams, replay
from studyrun_models.codi import load
from studyrun_models.codi_passes import OFFICIAL, CodiPasses
from tiny_models import PlainContext

LAYERS, THOUGHTS, D_MODEL = 4, 6, 32
POSITIONS = tuple(range(THOUGHTS + 1))
QUESTIONS = ["Anna", *tiny_models.questions(4, seed=2), *tiny_models.questions(1, steps=(1,))]
MODEST = settings(max_examples=8)


@pytest.fixture(scope="module", params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("codi") / "c"
    return tiny_models.write_codi(folder, layers=LAYERS, d=D_MODEL)


@pytest.fixture(scope="module")
def model(folder, device):
    return load(CodiParams(str(folder), max_new_tokens=6), PlainContext(device=device))


@pytest.fixture(scope="module")
def plain(model):
    return oracle.Thinker(oracle.plainly(model.stack.model), model)


def replayed(model, layer, nudges, positions=POSITIONS, *, questions=QUESTIONS, **options):
    """All runs; options are those of the context, and the budget."""
    device = model.stack.device
    budget = options.pop("budget", replay.BUDGET)
    passes = CodiPasses(model, model.encode(questions))
    context = PlainContext(device=device, **options)
    found = replay.Replaying(passes, layer, context, budget)
    return gathered(found.run, edits_of(nudges, positions, model.facts.d_model, device))


def oracle_off(plain, run, layer, delta, questions=QUESTIONS):
    """How far a run is from the same computed plainly."""
    ids = plain.codi.encode(questions)[run.question]
    expected = plain(ids, oracle.Edit(layer, run.position, delta))
    states = expected.states[run.position :]
    return off(run, expected.logits, states, expected.answer, plain.codi.text_of)


def test_the_oracle_thinks_as_the_model_does(model, plain):
    """Without any edit, by passes that share nothing with a replay."""
    for ids, answer in zip(
        model.encode(QUESTIONS), model.answers(QUESTIONS, PlainContext(device=model.stack.device)),
        strict=True,
    ):  # fmt: skip
        thought = plain(ids)
        with torch.inference_mode():
            reading, states = None, []
            for _ in POSITIONS:
                reading = model.advance(reading, [ids])
                states.append(reading.hidden[0].cpu())
        assert relative(torch.stack(states), thought.states) < 1e-5
        assert answer == model.text_of(thought.answer.ids)


@pytest.mark.parametrize("layer", range(LAYERS))
@pytest.mark.parametrize("way", ["run", "rerun"])
def test_every_site_is_as_if_all_were_computed_anew(model, plain, layer, way):
    """Law: at every layer and position, replayed and re-run alike, the oracle's results."""
    nudges = [
        Nudge(question, position, size, seed=10 * position + question)
        for position in POSITIONS
        for question, size in ((0, 1.0), (1 + position % 5, 10.0))
    ]
    found = model.replay(QUESTIONS, layer, PlainContext(device=model.stack.device))
    edits = edits_of(nudges, POSITIONS, D_MODEL, model.stack.device)
    runs = gathered(getattr(found, way), edits)
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
    model = load(CodiParams(str(folder), max_new_tokens=6), PlainContext(device=device))
    plain = oracle.Thinker(oracle.plainly(model.stack.model), model)
    nudges = data.draw(strategies.nudges(len(QUESTIONS), thoughts + 1, most=4))
    for layer in range(layers):
        runs = replayed(model, layer, nudges, tuple(range(thoughts + 1)))
        for nudge, run in zip(nudges, runs, strict=True):
            assert oracle_off(plain, run, layer, nudge.delta(width)) < FLOOR


@pytest.fixture(scope="module")
def embedded(device):
    """builtin:tiny-codi."""
    return load(CodiParams(), PlainContext(device=device))


@pytest.mark.parametrize(("layer", "position"), [(0, 0), (8, 3), (14, 6)])
def test_the_embedded_model_is_as_if_all_were_computed_anew(embedded, layer, position):
    """Law: the same for trained weights, at edits of a fifth of the residual and of all of it."""
    plain = oracle.Thinker(oracle.plainly(embedded.stack.model), embedded)
    size = {0: 20.0, 8: 200.0, 14: 400.0}[layer]
    nudges = [Nudge(0, 0, size / 5, 1), Nudge(3, 0, size, 2)]
    runs = replayed(embedded, layer, nudges, (position,), questions=QUESTIONS[1:])
    for nudge, run in zip(nudges, runs, strict=True):
        assert oracle_off(plain, run, layer, nudge.delta(128), QUESTIONS[1:]) < FLOOR


@pytest.mark.parametrize("layer", [0, 2, LAYERS - 1])
@given(
    nudges=strategies.nudges(len(QUESTIONS), len(POSITIONS), least=0, most=10),
    nothings=strategies.nudges(len(QUESTIONS), len(POSITIONS), most=4),
    batch_size=st.integers(1, 5),
)
@MODEST
def test_an_edit_of_nothing_has_the_bits_of_the_clean_run(
    model, device, layer, nudges, nothings, batch_size
):
    """Law: logits, states and answer where delta is 0, whatever else is in the batch."""
    nothings = [Nudge(each.question, each.at, 0.0, 0) for each in nothings]
    nudges = nothings + nudges
    runs = replayed(model, layer, nudges, batch_size=batch_size)
    for nudge, run in zip(nudges, runs, strict=True):
        assert (run.moved > 0) == (nudge.size > 0)
        assert nudge.size or run.is_clean or (device != "cpu" and apart_from_clean(run) < FLOOR)


def apart_from_clean(run):
    return max(relative(run.logits, run.clean_logits), relative(run.states, run.clean_states))


@given(
    one=strategies.nudges(len(QUESTIONS), len(POSITIONS), most=1),
    some=strategies.nudges(len(QUESTIONS), len(POSITIONS), least=0),
    others=strategies.nudges(len(QUESTIONS), len(POSITIONS), least=0),
    layer=st.integers(0, LAYERS - 1),
)
@settings(max_examples=15)
def test_edits_do_not_interact(model, one, some, others, layer):
    """Law: a run comes to the same, whatever edits other runs of its or other questions get."""
    first, second = (replayed(model, layer, one + each)[0] for each in (some, others))
    assert apart(first, second) < FLOOR
    assert first.answer == second.answer


@given(
    sizes=st.lists(st.sampled_from([0.1, 1.0, 10.0]), min_size=12, max_size=12),
    at=st.integers(0, THOUGHTS),
    layer=st.integers(0, LAYERS - 1),
)
@MODEST
def test_edits_of_others_change_no_bit_where_the_runs_are_as_many(model, device, sizes, at, layer):
    """Law: on CPU, if every question has as many runs, no bit depends on the others' edits."""
    every = [Nudge(n % 4, at, size, seed=n) for n, size in enumerate(sizes)]
    other = [Nudge(n % 4, at, 1.0, seed=n + 50 * (n != 5)) for n in range(12)]
    other[5] = every[5]
    first, second = (replayed(model, layer, some)[5] for some in (every, other))
    assert same_bits(first, second) or (device != "cpu" and apart(first, second) < FLOOR)


@given(
    nudges=strategies.nudges(len(QUESTIONS), len(POSITIONS), least=2, most=12),
    layer=st.integers(0, LAYERS - 1),
    data=st.data(),
)
@settings(max_examples=15)
def test_how_runs_are_put_together_does_not_matter(model, nudges, layer, data):
    """Law: order of runs and questions, sizes of batches and groups, threads, memory: the same."""
    usual = replayed(model, layer, nudges)
    order = data.draw(st.permutations(range(len(nudges))))
    asked = data.draw(st.permutations(range(len(QUESTIONS))))
    moved = [
        Nudge(asked.index(n.question), n.at, n.size, n.seed) for n in (nudges[i] for i in order)
    ]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GROUP", "SIDE", "ROWS"):
            patch.setattr(replay, name, data.draw(st.integers(1, 9), label=name))
        found = threaded(
            data.draw(st.integers(1, 2), label="threads"), replayed, model, layer, moved,
            questions=[QUESTIONS[i] for i in asked],
            batch_size=data.draw(st.integers(1, 9), label="batch size"),
            budget=data.draw(st.sampled_from([0, 20_000, replay.BUDGET]), label="budget"),
        )  # fmt: skip
    for number, run in zip(order, found, strict=True):
        assert asked[run.question] == usual[number].question
        same = run.asked_as(usual[number].question)
        assert apart(same, usual[number]) < FLOOR
        assert same.answer == usual[number].answer


def test_many_runs_of_one_question_are_each_handed_over_once(model):
    """Law: also where they are more than run side by side."""
    nudges = [Nudge(1, 3, 1.0, seed) for seed in range(2 * replay.SIDE + 3)]
    runs = replayed(model, 1, nudges)
    again = replayed(model, 1, nudges[-1:])[0]
    assert apart(runs[-1], again) < FLOOR
    assert len({run.moved for run in runs}) == len(nudges)


def test_no_edits_hand_over_nothing(model):
    nothing = torch.zeros(0, dtype=torch.int64)
    found = model.replay(QUESTIONS, 1, PlainContext(device=model.stack.device))
    edits = SiteEdits(nothing, POSITIONS, nothing, lambda runs: torch.zeros(len(runs), D_MODEL))
    for way in (found.run, found.rerun):
        assert gathered(way, edits) == []


@pytest.mark.parametrize("layer", range(LAYERS))
@pytest.mark.parametrize("thought", POSITIONS)
def test_an_edit_changes_what_comes_after_it_and_nothing_before(model, layer, thought):
    """Law: its own state, all later ones and the answer's scores; earlier ones are not even read.

    After the last block nobody reads the last thought, so there the scores keep every bit.
    """
    run = replayed(model, layer, [Nudge(2, thought, 1.0, 7)])[0]
    assert run.places == POSITIONS[thought:]
    changed = (run.states - run.clean_states).norm(dim=-1) / run.clean_states.norm(dim=-1)
    assert changed.min() > 10 * FLOOR
    read = (layer, thought) != (LAYERS - 1, THOUGHTS)
    assert (relative(run.logits, run.clean_logits) > 10 * FLOOR) == read
    assert read or model.stack.device.type != "cpu" or run.logits.equal(run.clean_logits)


def test_the_clean_run_is_the_same_whatever_is_edited(model, plain):
    """Law: beside every run, at any site, stands the model's own run."""
    nudges = [Nudge(q, p, 10.0, p) for q in range(len(QUESTIONS)) for p in (0, 4, 6)]
    expected = [plain(ids) for ids in model.encode(QUESTIONS)]
    for run in replayed(model, 1, nudges):
        own = expected[run.question]
        assert relative(run.clean_states, own.states[run.position :]) < FLOOR
        assert relative(run.clean_logits, own.logits) < FLOOR
        assert run.clean_answer == model.text_of(own.answer.ids)


def test_moved_is_the_difference_over_the_residual(model, plain):
    """Law: |delta| / |x|, x being the oracle's residual; replayed and re-run alike."""
    llm = plain.llm
    nudges = [Nudge(q, p, size, q) for q in (0, 3) for p in (0, 2) for size in (0.0, 0.1, 10.0)]
    for layer in range(LAYERS):
        edits = edits_of(nudges, POSITIONS, D_MODEL, model.stack.device)
        found = model.replay(QUESTIONS, layer, PlainContext(device=model.stack.device))
        runs, reruns = gathered(found.run, edits), gathered(found.rerun, edits)
        for nudge, run, rerun in zip(nudges, runs, reruns, strict=True):
            ids = model.encode(QUESTIONS)[nudge.question]
            x = llm.embedded(ids)
            for _ in range(nudge.at):
                x = torch.cat([x, plain.projected(llm.states(x)[-1])[None]])
            moved = nudge.delta(D_MODEL).double().norm() / llm.residuals(x)[layer][-1].norm()
            assert run.moved == pytest.approx(moved.item(), rel=FLOOR)
            assert rerun.moved == pytest.approx(moved.item(), rel=FLOOR)


def test_edited_answers_are_those_of_the_models_own_hook(model):
    """Law: `replay` and `answers` with an edit say the same."""
    nudges = [Nudge(question, 0, 10.0, question) for question in range(len(QUESTIONS))]
    deltas = torch.stack([nudge.delta(D_MODEL) for nudge in nudges])
    runs = replayed(model, 2, nudges, (4,))
    context = PlainContext(device=model.stack.device)
    assert [run.answer for run in runs] == model.answers(QUESTIONS, context, SiteEdit(2, 4, deltas))
    assert [run.clean_answer for run in runs] == model.answers(QUESTIONS, context)


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_answers_that_begin_otherwise_are_written_as_they_come(folder, device, tokens, length):
    """Law: of any limit and prefix, what the oracle writes without being given the prefix.

    The prefix is what most answers of a random model really begin with, so some do and some do not.
    """
    model = load(CodiParams(str(folder), max_new_tokens=tokens), PlainContext(device=device))
    plain = oracle.Thinker(oracle.plainly(model.stack.model), model)
    nudges = [Nudge(n % len(QUESTIONS), 0, 10.0, n) for n in range(12)]
    model.answer_prefix = []
    ids = model.encode(QUESTIONS)
    edits = [oracle.Edit(1, 3, nudge.delta(D_MODEL)) for nudge in nudges]
    thoughts = [plain(ids[n.question], e) for n, e in zip(nudges, edits, strict=True)]
    model.answer_prefix = (thoughts[0].answer.ids * 3)[:length]
    for nudge, edit, run in zip(nudges, edits, replayed(model, 1, nudges, (3,)), strict=True):
        written = plain(ids[nudge.question], edit)
        assert off(run, written.logits, written.states[3:], written.answer, model.text_of) < FLOOR


class Stop(Exception):  # noqa: N818 - ends a replay early
    pass


def hooked(model, seen):
    """A foreign hook on every block."""
    return [
        block.register_forward_hook(lambda *_, i=i: seen.append(i))
        for i, block in enumerate(model.stack.blocks)
    ]


def standing(model):
    """What a replay might leave behind."""
    llm = model.stack.model
    return (
        llm.config._attn_implementation,
        [dict(block.__dict__).get("forward") for block in model.stack.blocks],
        [list(block._forward_hooks) for block in model.stack.blocks],
        [list(block._forward_pre_hooks) for block in model.stack.blocks],
        torch.get_num_threads(),
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("failing", [None, "receive", "delta"])
def test_the_model_is_left_as_it_was(model, threads, failing):
    """Law: attention, forward, hooks and threads, also after a failure; others' hooks fire on."""
    seen, before = [], model.answers(QUESTIONS, PlainContext(device=model.stack.device))
    handles = hooked(model, seen)
    found = model.replay(QUESTIONS, 2, PlainContext(device=model.stack.device))
    edits = edits_of([Nudge(q, 3, 1.0, q) for q in range(4)], POSITIONS, D_MODEL)

    def stop(*_):
        raise Stop

    delta = stop if failing == "delta" else lambda runs: edits.delta(runs.cpu())
    broken = SiteEdits(edits.questions, edits.positions, edits.at, delta)
    left = standing(model)
    for way in (found.run, found.rerun):
        seen.clear()
        if failing:
            with pytest.raises(Stop):
                threaded(threads, way, broken, ("logits",), stop)
        else:
            threaded(threads, way, broken, ("logits",), lambda _runs: None)
        assert standing(model) == left
        assert set(seen) == (set() if failing == "delta" else set(range(LAYERS)))
    for handle in handles:
        handle.remove()
    assert model.answers(QUESTIONS, PlainContext(device=model.stack.device)) == before


def test_a_second_replay_has_the_bits_of_the_first(model):
    """Law: nothing of a run stays in what is shared, whatever was replayed in between."""
    nudges = [Nudge(n % 6, n % 7, 10.0, n) for n in range(14)]
    edits = edits_of(nudges, POSITIONS, D_MODEL, model.stack.device)
    kept = model.replay(QUESTIONS, 1, PlainContext(device=model.stack.device))
    first, last = gathered(kept.run, edits), replayed(model, LAYERS - 1, nudges)
    for again in (gathered(kept.run, edits), replayed(model, 1, nudges)):
        assert all(same_bits(*pair) for pair in zip(first, again, strict=True))
    again = replayed(model, LAYERS - 1, nudges)
    assert all(same_bits(*pair) for pair in zip(last, again, strict=True))
    assert not any(same_bits(*pair) for pair in zip(first, last, strict=True))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("failing", [0, 1, 3])
def test_all_is_handed_over_where_memory_runs_out(model, monkeypatch, failing, threads):
    """Law: every run is handed over, with its own results, from batches that have shrunk."""
    nudges = [Nudge(n % 6, n % 5, 1.0, n) for n in range(12)]
    usual, calls, follow = replayed(model, 1, nudges), [], CodiPasses.follow

    def scarce(*args):
        calls.append(1)
        if len(calls) - 1 == failing:
            raise torch.OutOfMemoryError("for a test")
        return follow(*args)

    monkeypatch.setattr(CodiPasses, "follow", scarce)
    context = ShrinkingContext(batch_size=8, device=model.stack.device)
    found, taken = model.replay(QUESTIONS, 1, context), Gathered()
    edits = edits_of(nudges, POSITIONS, D_MODEL, model.stack.device)
    threaded(threads, found.run, edits, ("logits", "states", "answers"), taken)
    assert len(context.sizes) == 1
    assert sorted(taken.by_index) == list(range(len(nudges)))
    for number, run in taken.by_index.items():
        assert apart(run, usual[number]) < FLOOR
        assert run.answer == usual[number].answer


@pytest.mark.parametrize("reads", [("states",), ("logits",), ("answers",), ("answers", "logits")])
def test_only_what_is_asked_for_is_read(model, reads):
    """Law: the rest is None, and what is read does not depend on the rest."""
    edits = edits_of([Nudge(1, 2, 1.0, 1)], POSITIONS, D_MODEL, model.stack.device)
    whole = replayed(model, 1, [Nudge(1, 2, 1.0, 1)])[0]
    found = model.replay(QUESTIONS, 1, PlainContext(device=model.stack.device))
    for way in (found.run, found.rerun):
        taken = []
        way(edits, reads, taken.append)
        (runs,) = taken
        given = {"states": runs.states, "logits": runs.logits, "answers": runs.answers}
        clean = (runs.clean_states, runs.clean_logits, runs.clean_answers)
        assert [value is None for value in given.values()] == [n not in reads for n in given]
        assert [value is None for value in clean] == [n not in reads for n in given]
        if "logits" in reads:
            assert relative(runs.logits[0], whole.logits) < FLOOR
        if "states" in reads:
            assert relative(runs.states[0], whole.states) < FLOOR
        if "answers" in reads:
            assert (runs.answers, runs.clean_answers) == ([whole.answer], [whole.clean_answer])


def test_a_site_that_is_not_there_is_an_error(model):
    edits = edits_of([Nudge(0, 0, 1.0, 1)], (7,), D_MODEL, model.stack.device)
    found = model.replay(QUESTIONS, 1, PlainContext(device=model.stack.device))
    with pytest.raises(StudyError, match=r"position 7 is none of 0\.\.6"):
        gathered(found.run, edits)
    found = model.replay(QUESTIONS, LAYERS, PlainContext(device=model.stack.device))
    with pytest.raises(StudyError, match="there is no block 4"):
        gathered(found.run, edits_of([Nudge(0, 0, 1.0, 1)], (1,), D_MODEL))


def test_official_padding_is_run_in_full_and_says_so(folder, device):
    """Law: what cannot be replayed is run by a hook, and the note says why."""
    context = PlainContext(device=device)
    model = load(CodiParams(str(folder), padding="official", max_new_tokens=6), context)
    masked = load(CodiParams(str(folder), max_new_tokens=6), context)
    found = model.replay(QUESTIONS[1:2], 1, context)
    assert found.note == f"run in full: {OFFICIAL}"
    assert masked.replay(QUESTIONS[1:2], 1, context).note == ""
    nudges = [Nudge(0, 3, 1.0, 1), Nudge(0, 3, 0.0, 1)]
    runs = gathered(found.run, edits_of(nudges, POSITIONS, D_MODEL, device))
    alone = replayed(masked, 1, nudges, questions=QUESTIONS[1:2])
    assert all(apart(*pair) < FLOOR for pair in zip(runs, alone, strict=True))  # no padding here
    assert runs[1].is_clean


def test_targets_are_the_first_tokens_of_right_answers(model):
    """Law: as the model writes numbers; -1 where it cannot write them, or there is no answer."""
    found = model.replay(QUESTIONS, 1, PlainContext(device=model.stack.device))
    targets = found.targets([7, 100.0, 2.5, -3, 101, None]).tolist()
    assert [found.token(target) if target >= 0 else "" for target in targets] == (
        ["7", "100", "2", "-", "", ""]
    )


def test_the_embedded_models_best_token_is_the_target(embedded):
    """Law: it answers right, so its own scores are highest at the right answer's token."""
    problems = generate(120, 11, held_out=False)
    questions = [problem.question for problem in problems]
    nudges = [Nudge(question, 0, 0.0, 0) for question in range(len(problems))]
    found = embedded.replay(questions, 8, PlainContext(device=embedded.stack.device))
    targets = found.targets([problem.answer for problem in problems])
    assert [found.token(target) for target in targets.tolist()] == [
        str(problem.answer) for problem in problems
    ]
    runs = replayed(embedded, 8, nudges, (3,), questions=questions)
    best = torch.stack([run.clean_logits.argmax() for run in runs])
    assert (best == targets).double().mean() >= 0.9
    texts = [run.clean_answer for run in runs]
    assert texts == [found.token(token) for token in best.tolist()]


def test_scores_of_the_last_state_are_the_models(model):
    """Law: the logit lens is the model's head."""
    found = model.replay(QUESTIONS, 1, PlainContext(device=model.stack.device))
    run = replayed(model, 1, [Nudge(0, 2, 1.0, 0)])[0]
    with torch.inference_mode():
        expected = model.stack.model.lm_head(run.states.to(model.stack.device))
    assert found.scores(run.states).equal(expected)
