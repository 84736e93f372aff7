"""What replaying does around its runs: their order and batches, memory, threads, the model."""

import pytest
import torch
from codi_runs import D_MODEL, LAYERS, POSITIONS, QUESTIONS, replayed, same_answer
from hypothesis import given, settings
from hypothesis import strategies as st
from replays import (
    FLOOR,
    READS,
    Gathered,
    alike,
    apart,
    edits_of,
    gathered,
    rearranged,
    relative,
    same_bits,
    threaded,
)

import strategies
from strategies import Nudge
from studyrun import SiteEdits, StudyError
from studyrun.context import CACHE_BYTES
from studyrun_models import replay
from studyrun_models.codi_passes import CodiPasses
from tiny_models import PlainContext


@settings(max_examples=10)
@given(
    nudges=strategies.nudges(len(QUESTIONS), len(POSITIONS), least=2),
    layer=st.integers(0, LAYERS - 1),
    data=st.data(),
)
def test_how_runs_are_put_together_does_not_matter(codi, plain, nudges, layer, data):
    """Law: order of runs and questions, sizes of batches and groups, threads, memory: the same."""
    usual = replayed(codi, layer, nudges)
    order, asked, found = rearranged(data, replayed, codi, layer, nudges, questions=QUESTIONS)
    for number, run in zip(order, found, strict=True):
        own = usual[number]
        assert asked[run.question] == own.question
        assert apart(run.asked_as(own.question), own) < FLOOR
        assert same_answer(plain, own, run, layer, nudges[number].delta(D_MODEL))


@pytest.mark.parametrize("threads", [1, 2])
def test_many_runs_of_one_question_are_each_handed_over_once(codi, threads):
    """Law: also where they are more than run side by side."""
    nudges = [Nudge(1, 3, 1.0, seed) for seed in range(2 * replay.SIDE + 3)]
    runs = threaded(threads, replayed, codi, 1, nudges)
    assert apart(runs[-1], replayed(codi, 1, nudges[-1:])[0]) < FLOOR
    assert len({run.moved for run in runs}) == len(nudges)


@pytest.mark.parametrize(("budget", "again"), [(0, 6), (CACHE_BYTES, 0)])
def test_clean_passes_are_kept_as_the_budget_allows(codi, device, monkeypatch, budget, again):
    """Law: with room enough each group is read once, without any every time it is met."""
    read, clean = [], CodiPasses.clean
    monkeypatch.setattr(replay, "GROUP", 1)
    monkeypatch.setattr(CodiPasses, "clean", lambda *args: read.append(args[1]) or clean(*args))
    passes = CodiPasses(codi, codi.encode(QUESTIONS))
    found = replay.Replaying(passes, 1, PlainContext(device=device, cache_bytes=budget))
    edits = edits_of([Nudge(q, 3, 1.0, q) for q in range(6)], POSITIONS, D_MODEL, device)
    first = gathered(found.run, edits)
    assert sorted(read) == [[q] for q in range(6)]
    second = gathered(found.run, edits)
    assert len(read) == 6 + again
    assert all(alike(*pair, device) for pair in zip(first, second, strict=True))


def test_no_edits_hand_over_nothing(codi, device):
    nothing = torch.zeros(0, dtype=torch.int64)
    found = codi.replay(QUESTIONS, 1, PlainContext(device=device))
    edits = SiteEdits(nothing, POSITIONS, nothing, lambda runs: torch.zeros(len(runs), D_MODEL))
    assert [gathered(way, edits) for way in (found.run, found.rerun)] == [[], []]


class Stop(Exception):  # noqa: N818 - ends a replay early
    pass


def stop(*_):
    raise Stop


def standing(model):
    """What a replay might leave behind."""
    blocks = model.stack.blocks
    return (
        model.stack.model.config._attn_implementation,
        [block.__dict__.get("forward") for block in blocks],
        [(list(block._forward_hooks), list(block._forward_pre_hooks)) for block in blocks],
        torch.get_num_threads(),
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("failing", [None, "receive", "delta"])
def test_the_model_is_left_as_it_was(codi, device, threads, failing):
    """Law: attention, forward, hooks and threads, also after a failure; others' hooks fire on."""
    seen, context = [], PlainContext(device=device)
    before, found = codi.answers(QUESTIONS, context), codi.replay(QUESTIONS, 2, context)
    handles = [
        block.register_forward_hook(lambda *_, i=i: seen.append(i))
        for i, block in enumerate(codi.stack.blocks)
    ]
    edits = edits_of([Nudge(q, 3, 1.0, q) for q in range(4)], POSITIONS, D_MODEL, device)
    delta = stop if failing == "delta" else edits.delta
    edits = SiteEdits(edits.questions, edits.positions, edits.at, delta)
    left = standing(codi)
    assert left[:2] == ("sdpa", [None] * LAYERS)
    for way in (found.run, found.rerun):
        seen.clear()
        if failing:
            with pytest.raises(Stop):
                threaded(threads, way, edits, ("logits",), stop)
        else:
            threaded(threads, way, edits, ("logits",), lambda _runs: None)
        assert standing(codi) == left
        assert set(seen) == (set() if failing == "delta" else set(range(LAYERS)))
    for handle in handles:
        handle.remove()
    assert codi.answers(QUESTIONS, context) == before


def test_a_pass_of_ones_own_while_runs_are_replayed_is_refused(codi, device):
    """Law: it would attend to what is shared; so it is an error, and not a wrong result."""
    ids = codi.encode(QUESTIONS[:1])
    edits = edits_of([Nudge(0, 3, 1.0, 0)], POSITIONS, D_MODEL, device)
    found = codi.replay(QUESTIONS, 2, PlainContext(device=device))
    with pytest.raises(StudyError, match="a pass without a memory while runs are replayed"):
        found.run(edits, ("logits",), lambda _runs: codi.read(ids))


def test_a_second_replay_has_the_bits_of_the_first(codi, device):
    """Law: nothing of a run stays in what is shared, whatever was replayed in between."""
    nudges = [Nudge(n % 6, n % 7, 10.0, n) for n in range(14)]
    edits = edits_of(nudges, POSITIONS, D_MODEL, device)
    kept = codi.replay(QUESTIONS, 1, PlainContext(device=device))
    first, last = gathered(kept.run, edits), replayed(codi, LAYERS - 1, nudges)
    for again in (gathered(kept.run, edits), replayed(codi, 1, nudges)):
        assert all(alike(*pair, device) for pair in zip(first, again, strict=True))
    again = replayed(codi, LAYERS - 1, nudges)
    assert all(alike(*pair, device) for pair in zip(last, again, strict=True))
    assert not any(same_bits(*pair) for pair in zip(first, last, strict=True))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("failing", [0, 3])
def test_all_is_handed_over_where_memory_runs_out(codi, device, monkeypatch, failing, threads):
    """Law: every run is handed over, with its own results, from batches that have shrunk."""
    nudges = [Nudge(n % 6, n % 5, 1.0, n) for n in range(12)]
    usual, calls, follow = replayed(codi, 1, nudges), [], CodiPasses.follow

    def scarce(*args):
        calls.append(1)
        if len(calls) - 1 == failing:
            raise torch.OutOfMemoryError("for a test")
        return follow(*args)

    monkeypatch.setattr(CodiPasses, "follow", scarce)
    context, taken = PlainContext(batch_size=8, device=device), Gathered()
    found = codi.replay(QUESTIONS, 1, context)
    threaded(threads, found.run, edits_of(nudges, POSITIONS, D_MODEL, device), READS, taken)
    assert len(context.sizes) == 1
    assert sorted(taken.by_index) == list(range(len(nudges)))
    for number, run in taken.by_index.items():
        assert apart(run, usual[number]) < FLOOR
        assert run.answer == usual[number].answer


@pytest.mark.parametrize("reads", [("states",), ("logits",), ("answers",), ("answers", "logits")])
def test_only_what_is_asked_for_is_read(codi, device, reads):
    """Law: the rest is None, and what is read does not depend on the rest."""
    nudges = [Nudge(1, 2, 1.0, 1)]
    (whole,), taken = replayed(codi, 1, nudges), []
    found = codi.replay(QUESTIONS, 1, PlainContext(device=device))
    for way in (found.run, found.rerun):
        way(edits_of(nudges, POSITIONS, D_MODEL, device), reads, taken.append)
    for runs in taken:
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


@pytest.mark.parametrize(
    ("layer", "position", "message"),
    [
        (1, 7, r"position 7 is none of 0\.\.6"),
        (1, "last", r"position 'last' is none of 0\.\.6"),
        (LAYERS, 1, "there is no block 4"),
    ],
)
def test_a_site_that_is_not_there_is_an_error(codi, device, layer, position, message):
    found = codi.replay(QUESTIONS, layer, PlainContext(device=device))
    edits = edits_of([Nudge(0, 0, 1.0, 1)], (position,), D_MODEL, device)
    for way in (found.run, found.rerun):
        with pytest.raises(StudyError, match=message):
            gathered(way, edits)
