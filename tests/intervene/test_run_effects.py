"""The effects that read scores and states: against scipy, by hand, and 0 where nothing changed."""

from dataclasses import replace
from math import log, nan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_runs import asked_of, built_in, read_at_random, runs_of  # found through the line above
from scipy.stats import entropy

from studyrun import NoParams
from studyrun.registry import Registry
from studyrun_intervene.effects import logit_lens, next_token, thoughts
from studyrun_intervene.params import LensEffect

EVERY = built_in(*Registry.load().names("effect"))
EFFECTS = [effect for effect in EVERY if effect.component.reads]


def unedited(runs):
    """The same runs if their edits had changed nothing."""
    return replace(
        runs, logits=runs.clean_logits, answers=runs.clean_answers, states=runs.clean_states
    )


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.component.name)
@given(st.integers(0, 2**16), st.integers(1, 4), st.integers(1, 3))
def test_every_effect_says_what_it_announces_and_0_of_no_change(effect, seed, n, places):
    """Law: its measures, a number a run (and place); every `change` is 0 where nothing changed."""
    runs = read_at_random(n, places=tuple(range(places)), seed=seed)
    asked = asked_of(n, answers=[1.0] * n, targets=[0] * n)
    for each, changes in ((runs, True), (unedited(runs), False)):
        reading = effect.load()(each, asked, effect.params)
        assert set(reading.values) == {measure.name for measure in effect.component.measures}
        for measure in effect.component.measures:
            value = reading.values[measure.name]
            assert value.shape == ((n, places) if measure.by_place else (n,))
            assert value.dtype.is_floating_point
            if measure.of == "change" and not changes:
                assert value.nan_to_num(0).eq(0).all(), measure.name
        assert all(len(texts) == n for texts in reading.texts.values())


# next-token


def token_effect(logits, clean, targets=None):
    runs = runs_of(len(logits), logits=logits, clean_logits=clean)
    return next_token.measure(runs, asked_of(len(logits), targets=targets), NoParams()).values


@given(st.integers(0, 2**16), st.integers(1, 5), st.sampled_from([0.1, 1.0, 30.0]))
def test_kl_is_scipys_entropy(seed, vocabulary, size):
    """Law: KL(clean || edited), and 0 only where the distributions are the same."""
    generator = torch.Generator().manual_seed(seed)
    logits, clean = size * torch.randn(2, 4, vocabulary, generator=generator)
    kl = token_effect(logits, clean)["kl"]
    p, q = (x.double().softmax(1).numpy() for x in (clean, logits))
    assert kl.tolist() == pytest.approx(entropy(p, q, axis=1).tolist(), rel=1e-9, abs=1e-12)
    assert (kl >= 0).all()
    assert (kl == 0).all() == (vocabulary == 1)
    assert token_effect(clean, clean)["kl"].tolist() == [0, 0, 0, 0]


def test_scores_that_all_rise_are_the_same_distribution():
    clean = torch.tensor([[0.0, 1.0, -2.0]])
    assert token_effect(clean + 8, clean)["kl"].tolist() == [0]


def test_log_probability_and_rank_by_hand():
    """Clean probabilities 1/2, 1/4, 1/4; edited ones 1/10, 8/10, 1/10. Token 1 from rank 2 to 1."""
    clean = torch.tensor([[2.0, 1, 1], [2, 1, 1], [2, 1, 1]]).log()
    edited = torch.tensor([[1.0, 8, 1], [1, 8, 1], [1, 8, 1]]).log()
    found = token_effect(edited, clean, [1, 0, -1])
    assert found["log_prob_change"].tolist() == pytest.approx(
        [log(0.8 / 0.25), log(0.1 / 0.5), nan], nan_ok=True
    )
    assert found["rank_change"].tolist() == pytest.approx([-1, 1, nan], nan_ok=True)
    assert found["kl"].isfinite().all()


def test_many_runs_are_taken_in_parts(monkeypatch):
    logits, clean = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0))
    whole = token_effect(logits, clean, [0] * 7)
    monkeypatch.setattr(next_token, "AT_ONCE", 11)
    parts = token_effect(logits, clean, [0] * 7)
    assert all(parts[name].equal(whole[name]) for name in whole)


# thoughts


def thought_effect(states, clean):
    n, places = len(states), len(states[0])
    runs = runs_of(
        n, places=tuple(range(places)),
        states=torch.tensor(states), clean_states=torch.tensor(clean),
    )  # fmt: skip
    return thoughts.measure(runs, asked_of(n), NoParams()).values


def test_shift_and_turn_by_hand():
    """|(3, 4)| = 5: twice as long, turned by a right angle, turned round."""
    found = thought_effect([[[6.0, 8], [-4.0, 3], [-3.0, -4]]], [[[3.0, 4], [3.0, 4], [3.0, 4]]])
    assert found["thought_shift"].tolist()[0] == pytest.approx([1, 2**0.5, 2])
    assert found["thought_turn"].tolist()[0] == pytest.approx([0, 1, 2], abs=1e-12)
    assert found["thoughts_shift"].tolist() == pytest.approx([(3 + 2**0.5) / 3])
    assert found["thoughts_turn"].tolist() == pytest.approx([1])


@given(st.integers(0, 2**16), st.sampled_from([1e-3, 1.0, 1e3]))
def test_equal_states_are_not_turned_at_all(seed, size):
    """Law: exactly 0, where a cosine is 1 only up to rounding."""
    states = size * torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(seed))
    found = thought_effect(states.tolist(), states.tolist())
    assert all(value.eq(0).all() for value in found.values())


# logit-lens


def lens_effect(states, clean, k, **asked):
    n, places = states.shape[:2]
    runs = runs_of(n, places=tuple(range(3, 3 + places)), states=states, clean_states=clean)
    return logit_lens.measure(runs, asked_of(n, **asked), LensEffect(k=k))


def test_likeliest_tokens_by_hand():
    """States are scores here: of the first thought 2, 0, 1 in order; then 0, 2, 1."""
    clean = torch.tensor([[[5.0, 1, 9], [5.0, 1, 9]]])
    states = torch.tensor([[[9.0, 1, 5], [5.0, 2, 9]]])
    found = lens_effect(states, clean, k=2)
    assert found.texts == {"before": ["3: t2 t0 | 4: t2 t0"], "after": ["3: t0 t2 | 4: t2 t0"]}
    assert found.values["thought_lens_changed"].tolist() == [[1, 0]]
    assert found.values["lens_changed"].tolist() == [0.5]
    assert found.values["lens_overlap"].tolist() == [1]
    first = lens_effect(states, clean, k=1)
    assert first.values["lens_overlap"].tolist() == [0.5]
    assert first.texts["after"] == ["3: t0 | 4: t2"]


def test_a_vocabulary_smaller_than_k_is_written_down_whole():
    states = torch.tensor([[[1.0, 2.0]]])
    assert lens_effect(states, states, k=9).texts["after"] == ["3: t1 t0"]


@given(st.integers(0, 2**16), st.integers(1, 6))
def test_the_lens_is_the_k_largest_scores(seed, k):
    """Law: against sorting every thought's scores."""
    generator = torch.Generator().manual_seed(seed)
    states, clean = torch.randn(2, 3, 2, 4, generator=generator)
    head = torch.randn(4, 6, generator=generator)
    found = lens_effect(states, clean, k, scores=lambda some: some @ head)
    after, before = ((x @ head).argsort(2, descending=True)[..., :k] for x in (states, clean))
    changed = (after[..., 0] != before[..., 0]).double()
    assert found.values["thought_lens_changed"].equal(changed)
    kept = [
        [len(set(a) & set(b)) / k for a, b in zip(*rows, strict=True)]
        for rows in zip(after.tolist(), before.tolist(), strict=True)
    ]
    torch.testing.assert_close(
        found.values["lens_overlap"], torch.tensor(kept, dtype=torch.float64).mean(1)
    )
    for text, rows in zip(found.texts["after"], after.tolist(), strict=True):
        assert text == " | ".join(
            f"{place}: {' '.join(f't{token}' for token in row)}"
            for place, row in zip((3, 4), rows, strict=True)
        )
