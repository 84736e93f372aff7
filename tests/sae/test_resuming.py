"""Training that is interrupted goes on where it was, and comes to the same bytes."""

import json
from dataclasses import replace

import pytest
import torch
from known_dictionary import generator, planted, quietly

from studyrun.testing import run_study, tiny_study
from studyrun_sae.params import SaeTrain
from studyrun_sae.recipes import RECIPES
from studyrun_sae.training.keeping import Keeper
from studyrun_sae.training.train import train

SMALL = SaeTrain(d_sae=40, k=4, epochs=6, batch_size=64, resample_every=2, held_out=True)
MAKER = {"torch": "1"}


class KilledError(Exception):
    """In place of a crash."""


def killed_after(steps):
    def track(items, _total):
        for index, item in enumerate(items):
            if index == steps:
                raise KilledError
            yield item

    return track


def counting(seen):
    def track(items, total):
        seen.append(total)
        return quietly(items, total)

    return track


def go(x, params, folder, track=quietly, made_by=MAKER):
    keeper = Keeper(folder, made_by, every=0.0)
    return train(x[:300], params, generator(), track, x[300:], keeper)


def alike(first, second):
    return first.history.equals(second.history) and all(
        torch.equal(weights, second.sae.weights[name])
        for name, weights in first.sae.weights.items()
    )


@pytest.mark.parametrize("architecture", RECIPES)
def test_interrupted_and_gone_on_with_is_uninterrupted(architecture, tmp_path):
    """Law: the same bytes, wherever it stopped; 5 steps an epoch, 3 epochs were done."""
    x, _ = planted(n=400)
    params, seen = replace(SMALL, architecture=architecture), []
    whole = train(x[:300], params, generator(), quietly, x[300:])
    with pytest.raises(KilledError):
        go(x, params, tmp_path, killed_after(17))
    resumed = go(x, params, tmp_path, counting(seen))
    assert seen == [15]
    assert alike(whole, resumed)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == whole.history.rows(named=True)


def test_an_sae_of_one_feature_is_gone_on_with_to_the_same_bytes(tmp_path):
    x, _ = planted(n=43)
    params = SaeTrain(d_sae=1, k=1, epochs=4, batch_size=1)
    whole = train(x[:37], params, generator(), quietly)
    with pytest.raises(KilledError):
        train(x[:37], params, generator(), killed_after(80), keeper=Keeper(tmp_path, MAKER, 0.0))
    resumed = train(x[:37], params, generator(), quietly, keeper=Keeper(tmp_path, MAKER, 0.0))
    assert alike(whole, resumed)


@pytest.mark.parametrize("damage", ["cut", "changed", "headless", "another maker"])
def test_a_state_that_is_not_sound_is_not_used(damage, tmp_path):
    """Training begins anew, and comes to the same bytes."""
    x, _ = planted(n=400)
    with pytest.raises(KilledError):
        go(x, SMALL, tmp_path, killed_after(17))
    file, seen = tmp_path / "state", []
    content = bytearray(file.read_bytes())
    content[-5] ^= damage == "changed"
    file.write_bytes(content[:-9] if damage == "cut" else content)
    if damage == "headless":
        (tmp_path / "state.json").write_text("{")
    made_by = {"torch": "2"} if damage == "another maker" else MAKER
    again = go(x, SMALL, tmp_path, counting(seen), made_by)
    assert seen == [30]
    assert alike(train(x[:300], SMALL, generator(), quietly, x[300:]), again)


def test_a_step_leaves_no_state_behind(tmp_path):
    run = run_study(tiny_study(tmp_path), tmp_path)
    assert run["sae"].load().d_sae == 24
    assert not list(tmp_path.rglob("metrics.jsonl"))
