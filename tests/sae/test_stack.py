"""A stack of trainings is its members, within rounding; it is interrupted, cut and halved."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_dictionary import generator, planted, quietly

from strategies import recipes_alike
from studyrun.testing import run_study, tiny_study
from studyrun_sae import train_many as many
from studyrun_sae.params import JumpReLU, SaeTrain, Trained
from studyrun_sae.recipes import RECIPES
from studyrun_sae.train_many import Planned, stacks
from studyrun_sae.training.keeping import Keeper
from studyrun_sae.training.stack import Stack
from studyrun_sae.training.train import Training, train
from studyrun_sae.training.train_stack import UnlikeError, train_stack
from studyrun_sae.training.trainer import Trainer

SMALL = SaeTrain(d_sae=24, k=3, epochs=5, batch_size=20, resample_every=2, held_out=True)


class KilledError(Exception):
    """In place of a crash."""


@pytest.fixture(autouse=True)
def in_double():
    """Rounding decides nothing then: no two pre-activations come in another order."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def sites():
    return [planted(n=46, d_in=6, directions=9, seed=seed)[0] for seed in (0, 1)]


def given_to(params, x, seed=0, folder=None):
    keeper = None if folder is None else Keeper(folder, {}, every=0.0)
    return Training(x[:36], params, generator(seed), x[36:] if params.held_out else None, keeper)


def alone(training):
    return train(training.x, training.params, training.generator, quietly, training.held_out)


def demand_alike(first, second):
    for name, weights in first.sae.weights.items():
        torch.testing.assert_close(weights, second.sae.weights[name], rtol=1e-6, atol=1e-7)
    assert first.history.columns == second.history.columns
    for ours, theirs in zip(first.history.rows(), second.history.rows(), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9)


def off_the_edge(params):
    """What leaves nothing for rounding to say.

    jumprelu's first threshold is an activation, which may be above it or not; a wide kernel keeps
    the threshold away. Features that start anew towards the same row are twins, and which of
    two equal activations is among the largest is torch's choice.
    """
    name, _ = params.trained
    if name == "standard":
        return params
    if name != "jumprelu":
        return replace(params, resample_every=None)
    own = Trained(jumprelu=JumpReLU(bandwidth=6.0))
    return replace(params, architecture=own, input_norm="rms")


@settings(max_examples=20)
@given(recipes_alike(tuple(RECIPES)))
def test_a_stack_is_its_members(members):
    """Law: whatever they differ in, each comes to what it comes to alone."""
    x = [site[:36].clone() for site in sites()]  # one tensor a site, so that it is shared
    held_out = [site[36:] for site in sites()]

    def trainings():
        for given_params, site, seed in members:
            params = off_the_edge(SaeTrain(**given_params))
            watched = held_out[site] if params.held_out else None
            yield Training(x[site], params, generator(seed), watched)

    for expected, found in zip(trainings(), train_stack([*trainings()], quietly), strict=True):
        demand_alike(alone(expected), found)


@pytest.mark.parametrize("architecture", RECIPES)
def test_a_step_asks_the_device_nothing(architecture):
    """On `meta` there is no number to wait for: a step that looked at one would raise."""
    x, members = torch.randn(40, 6, generator=generator()), []
    for k in (2, 3):
        params = SaeTrain(architecture=architecture, d_sae=12, k=k, batch_size=8, epochs=3)
        member = Trainer(x, params, generator())
        adam = member.adam
        for part in (member.weights, adam.means, adam.squares, member.idle, member.sums,
                     member.recipe.state):  # fmt: skip
            part.update({name: t.to("meta") for name, t in part.items()})
        member.x, member.history = x.to("meta"), [{"epoch": 1}]  # so that features may be dead
        members.append(member)
    stack = Stack(members, [0, 1])
    stack.step(torch.zeros(2, 8, dtype=torch.long, device="meta"), [1e-3, 2e-3])
    assert stack.adam.steps == 1


@pytest.mark.parametrize("architecture", ["topk", "matryoshka"])
def test_an_interrupted_stack_goes_on_in_another_composition(architecture, tmp_path):
    """Law: two of three are gone on with, beside nobody new; the third alone."""
    x = sites()[0]
    params = [replace(SMALL, architecture=architecture, k=k) for k in (2, 3, 4)]
    folders = [tmp_path / str(p.k) for p in params]
    for folder in folders:
        folder.mkdir()

    def trainings():
        return [given_to(p, x, folder=f) for p, f in zip(params, folders, strict=True)]

    def killed(items, _total):
        for index, item in enumerate(items):
            if index == 7:  # two steps an epoch: three have ended
                raise KilledError
            yield item

    seen = []

    def counting(items, total):
        seen.append(total)
        return quietly(items, total)

    with pytest.raises(KilledError):
        train_stack(trainings(), killed)
    first, *rest = trainings()
    gone_on = [
        train(first.x, first.params, first.generator, counting, first.held_out, first.keeper),
        *train_stack(rest, counting),
    ]
    assert seen == [4, 4]
    for whole, found, folder in zip(trainings(), gone_on, folders, strict=True):
        demand_alike(alone(whole), found)
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == found.history.rows(named=True)


def test_a_member_that_explodes_is_left_out_and_the_others_are_not_touched():
    """Law: numbers of one member never reach another."""
    x, _ = sites()

    def trainings():
        return [given_to(replace(SMALL, lr=lr), x) for lr in (1e-3, 1e308, 2e-3)]

    found = train_stack(trainings(), quietly)
    assert [many.sound(each) for each in found] == [True, False, True]
    for training, each in list(zip(trainings(), found, strict=True))[::2]:
        demand_alike(alone(training), each)


def test_rows_without_numbers_or_variance_are_left_to_run_alone():
    x, _ = sites()
    nan, inf = x.clone(), x.clone()
    nan[0, 0], inf[0, 0] = torch.nan, torch.inf
    alike = (300 + 1000 * torch.rand(1, 768, dtype=torch.float32)).expand(7473, -1)
    assert [many.learnable(each) for each in (x, nan, inf, alike)] == [True, False, False, False]


def test_what_has_come_less_far_is_no_member():
    x, _ = sites()
    with pytest.raises(UnlikeError):
        train_stack([given_to(SMALL, x), given_to(replace(SMALL, epochs=6), x)], quietly)


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(1, 9)), max_size=9),
    st.integers(0, 40),
)
def test_stacks_fit_their_room(jobs, room):
    """Law: alike, each job in at most one, two at least, a site's rows counted once."""
    planned = [Planned(n, kind, site, own, 5) for n, (kind, site, own) in enumerate(jobs)]
    found = list(stacks(planned, room))
    numbers = [each.number for stack in found for each in stack]
    assert len(numbers) == len(set(numbers))
    for stack in found:
        assert len(stack) > 1
        assert len({each.alike for each in stack}) == 1
        taken = sum(each.own for each in stack) + 5 * len({each.site for each in stack})
        assert taken <= room
    if room == 40 and not found:
        assert len({each.alike for each in planned}) == len(planned) or len(planned) < 2


MATRIX = "matrix:\n  steps.sae.with.k: [2, 3, 4, 5, 6, 7]\n"


def test_a_matrix_trained_as_stacks_stores_what_the_loop_stores(tmp_path, monkeypatch):
    """Also where a stack must be halved."""
    torch.set_default_dtype(torch.float32)
    stored = {}
    for way in ("loop", "stacked"):
        sizes = []

        def tried(trainings, track, sizes=sizes):
            sizes.append(len(trainings))
            if len(trainings) > 3:
                raise torch.OutOfMemoryError
            return train_stack(trainings, track)

        monkeypatch.setattr(many, "train_stack", tried)
        if way == "stacked":
            monkeypatch.setattr(many, "run_many", many.stacked)
        run = run_study(MATRIX + tiny_study(tmp_path / way), tmp_path / way)
        stored[way] = [cell["sae"] for cell in run.cells.values()]
        assert sizes == ([] if way == "loop" else [6, 3, 3])
    for first, second in zip(stored["loop"], stored["stacked"], strict=True):
        assert first.meta == second.meta
        assert first.manifest.key == second.manifest.key
        assert first.table.columns == second.table.columns
        x_hats = [each.tensors()["fingerprint_x_hat"] for each in (first, second)]
        torch.testing.assert_close(*x_hats, rtol=1e-2, atol=1e-2)
