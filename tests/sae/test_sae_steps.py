"""The steps sae-train and sae-encode in a real run, their artifacts, and what they refuse."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from strategies import activations, random_sae
from studyrun import CheckScope, StudyError
from studyrun.errors import InvalidStudy, StepFailed
from studyrun.registry import Registry
from studyrun.testing import run_study, tiny_study
from studyrun_sae import metrics
from studyrun_sae.architectures import ARCHITECTURES, AbsTopK, TopK
from studyrun_sae.artifacts import describe, fingerprint, restore
from studyrun_sae.checks import check_training
from studyrun_sae.encoding import Encoder, largest
from studyrun_sae.params import BatchTopK, JumpReLU, Matryoshka, SaeTrain, Trained
from studyrun_sae.recipes import RECIPES
from studyrun_sae.sae import SAE

EXTRACT = {"use": "extract", "with": {"layers": [1, 2], "positions": [0, 3]}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sae")
    steps = "signed: {use: sae-train-abstopk, needs: [activations], with: {d_sae: 20, k: 3}}"
    return run_study(tiny_study(folder, steps), folder)


def site(run):
    return run["activations"].at(layer=1, position=2)


# What is stored


def test_the_sae_that_is_loaded_knows_its_architecture_and_site(run):
    sae, signed = run["sae"].load(), run["signed"].load()
    assert (sae.architecture, sae.d_sae, sae.layer, sae.position) == (TopK(4), 24, 1, 2)
    assert (signed.architecture, signed.d_sae) == (AbsTopK(3), 20)
    assert run["sae"].meta["n_train"] == 48


def test_quality_is_of_each_split_as_the_metrics_say(run):
    x, splits = site(run), run["activations"].table["split"]
    sae, quality = run["sae"].load(), run["sae"].read_table("quality")
    assert quality["split"].to_list() == list(dict.fromkeys(splits))
    for row in quality.rows(named=True):
        chosen = x[(splits == row["split"]).to_torch()]
        z, x_hat = sae.encode(chosen), sae.reconstruct(chosen)
        assert row["n"] == len(chosen)
        assert row["fvu"] == pytest.approx(metrics.fvu(chosen, x_hat), rel=1e-5)
        assert row["explained_variance"] == pytest.approx(1 - row["fvu"])
        seed = metrics.explained_variance_seed(chosen, x_hat)
        assert row["explained_variance_seed"] == pytest.approx(seed, rel=1e-5)
        assert row["l0"] == pytest.approx(metrics.mean_l0(z))
        assert row["dead"] == metrics.n_dead((z != 0).sum(0))
        assert row["dead_share"] == row["dead"] / 24


def test_only_the_train_split_is_learnt_from(run, tmp_path):
    """The same problems with other validation rows give the same SAE."""
    x = site(run)
    train = (run["activations"].table["split"] == "train").to_torch()
    from studyrun.context import seed_of
    from studyrun_sae.training.train import train as fit

    params = SaeTrain(d_sae=24, k=4, epochs=2)
    generator = torch.Generator().manual_seed(seed_of(0, "sae-train"))
    again = fit(x[train], params, generator, lambda items, _total: items).sae
    assert torch.equal(again.W_enc, run["sae"].load().W_enc)


@pytest.mark.parametrize("architecture", RECIPES)
def test_every_architecture_is_trained_stored_and_loaded(architecture, tmp_path):
    """Its thresholds are those of the activations' own units: about k are active."""
    given = f"k: 4, epochs: 2, architecture: {architecture}, held_out: true, decay: cosine"
    text = tiny_study(tmp_path).replace("k: 4, epochs: 2", given)
    assert given in text
    run = run_study(text, tmp_path)
    sae, history = run["sae"].load(), run["sae"].table
    assert sae.architecture.name == architecture
    assert history["fvu_held_out"].null_count() == 0
    quality = {row["split"]: row for row in run["sae"].read_table("quality").rows(named=True)}
    last = history["fvu_held_out"][-1]
    assert last == pytest.approx(quality["validation"]["fvu"], rel=1e-4)


def test_feature_acts_are_the_active_pairs_of_encode_sorted(run):
    acts, z = run["features"], run["sae"].load().encode(site(run))
    assert acts.table.schema == {
        "problem": pl.UInt32,
        "feature": pl.UInt32,
        "activation": pl.Float32,
    }
    assert acts.table.equals(acts.table.sort("problem", "feature"))
    assert acts.table.height == int((z != 0).sum())
    torch.testing.assert_close(acts.dense(), z)
    rows = acts.rows
    assert rows.equals(run["activations"].table.select("problem", "id", "split"))
    held_out = (rows["split"] == "validation").to_torch()
    assert torch.equal(acts.dense("validation"), acts.dense()[held_out])
    with pytest.raises(StudyError, match="no rows of split 'test'; there are train, validation"):
        acts.dense("test")


def listed(sae, x):
    """The active pairs as the dense z."""
    pairs = Encoder(sae).pairs(x)
    z = torch.zeros(len(x), sae.d_sae)
    z[pairs.row, pairs.feature] = pairs.activation
    assert bool((pairs.activation != 0).all())
    assert len(pairs.row) == int((z != 0).sum())  # none of them twice
    return z


@given(random_sae(), st.data(), st.booleans())
def test_active_pairs_are_those_of_the_dense_encoding(sae, data, tied):
    """Law: the pairs of x are those of sae.encode(x) to the bit, also where some are equal."""
    x = data.draw(activations(d_in=sae.d_in))
    if tied:
        sae = replace(sae, W_enc=sae.W_enc.round(), b_enc=sae.b_enc.round())
        x = x.round()
    assert torch.equal(listed(sae, x), sae.encode(x))


@pytest.mark.parametrize("name", ["topk", "abstopk"])
@pytest.mark.parametrize(("d_sae", "k"), [(33, 32), (100, 1), (333, 3), (4096, 2)])
def test_few_of_many_are_found_among_the_largest_of_groups(name, d_sae, k):
    """Also where more than k exceed the k-th group, rows are many, and none is positive."""
    generator = torch.Generator().manual_seed(0)
    W, x = torch.randn(4, d_sae, generator=generator), torch.randn(200, 4, generator=generator)
    W[:, 7 :: d_sae // 3] *= 9
    x[5] = 0
    b_enc = torch.randn(d_sae, generator=generator) - 2
    sae = SAE(W, b_enc, W.T.contiguous(), torch.ones(4), ARCHITECTURES[name](k=k))
    encoder = Encoder(sae)
    for rows in (x, x[:17]):  # the second time in the memory of the first
        z, pairs = sae.encode(rows), encoder.pairs(rows)
        assert torch.equal(torch.stack([pairs.row, pairs.feature], 1).long(), z.nonzero())
        assert torch.equal(pairs.activation, z[z != 0])


def test_the_k_largest_are_certain_or_left_to_torch():
    h, room = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 2.0]]), np.empty(8)
    assert largest(h[:1], 2, room).tolist() == [0, 2]
    assert largest(h, 1, room) is None
    nan_and_tie = np.array([[np.nan, 1.0, 2.0, 0.0], [3.0, 2.0, 2.0, 1.0]])
    assert largest(nan_and_tie, 2, room) is None


def test_no_dense_activations_on_disk(run):
    assert "tensors.safetensors" not in run["features"].manifest.files


def test_encoding_does_not_depend_on_the_runtimes_batch_size(run, tmp_path):
    text = tiny_study(tmp_path) + "runtime: {batch_size: 1}\n"
    other = run_study(text, tmp_path)
    for step in ("sae", "features"):
        files = {name: file.sha256 for name, file in run[step].manifest.files.items()}
        assert files == {name: file.sha256 for name, file in other[step].manifest.files.items()}


# Fingerprint


def square(d=6):
    generator = torch.Generator().manual_seed(0)
    W = torch.randn(d, d, generator=generator)
    return SAE(W, torch.zeros(d), W.T.contiguous(), torch.ones(d), TopK(3)), torch.randn(
        20, d, generator=generator
    )


def test_a_saved_sae_comes_back(run):
    sae, x = square()
    again = restore(sae.weights | fingerprint(sae, x), describe(sae), "it")
    assert torch.equal(again.encode(x), sae.encode(x))
    assert len(fingerprint(sae, x)["fingerprint_x"]) == 8
    assert len(fingerprint(sae, x[:3])["fingerprint_x"]) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors, _: tensors.update(W_dec=tensors["W_dec"].T.contiguous()),
        lambda tensors, _: tensors.update(W_enc=tensors["W_enc"].T.contiguous()),
        lambda tensors, _: tensors.update(b_dec=tensors["b_dec"] + 0.1),
        lambda tensors, _: tensors.update(b_enc=tensors["b_enc"] + 0.1),
        lambda tensors, _: tensors["W_dec"].mul_(float("nan")),
        lambda tensors, _: (tensors["W_enc"].mul_(2), tensors["W_dec"].div_(2)),
        lambda _, meta: meta.update(k=4),
        lambda _, meta: meta.update(architecture="abstopk"),
    ],
    ids=[
        "W_dec transposed",
        "W_enc transposed",
        "b_dec",
        "b_enc",
        "nan",
        "scale",
        "k",
        "architecture",
    ],
)
def test_an_sae_that_does_not_reproduce_its_fingerprint_is_refused(damage):
    """Traps M4 and F10: a square SAE transposed, an architecture or a bias lost."""
    sae, x = square()
    tensors, meta = sae.weights | fingerprint(sae, x), describe(sae)
    damage(tensors, meta)
    with pytest.raises(StudyError, match=r"of the fingerprint deviates|W_dec holds values"):
        restore(tensors, meta, "it")


@given(random_sae(), st.data())
def test_every_architecture_comes_back_from_tensors_and_json(sae, data):
    """Law: restore(weights and fingerprint, describe) encodes to the bit as what was saved."""
    x = data.draw(activations(d_in=sae.d_in))
    meta = json.loads(json.dumps(describe(sae)))
    again = restore(sae.weights | fingerprint(sae, x), meta, "it")
    assert torch.equal(again.encode(x), sae.encode(x))
    assert describe(again) == describe(sae)


@pytest.mark.parametrize("name", ["jumprelu", "batchtopk", "matryoshka"])
def test_a_lost_threshold_is_refused(name):
    """Trap M4: without its threshold the SAE would silently be a dense ReLU."""
    sae = threshold_sae(name)
    tensors, meta = sae.weights | fingerprint(sae, torch.randn(8, 4)), describe(sae)
    left = {key: tensor for key, tensor in tensors.items() if key != "threshold"}
    with pytest.raises(StudyError, match=f"it lacks the tensor threshold of a {name} SAE"):
        restore(left, meta, "it")
    lost = tensors | {"threshold": torch.full_like(tensors["threshold"], -1.0)}
    with pytest.raises(StudyError, match="threshold is -1 at most, with which the SAE would be"):
        restore(lost, meta, "it")


def threshold_sae(name):
    generator = torch.Generator().manual_seed(0)
    threshold = torch.ones(6) if name == "jumprelu" else torch.tensor(1.0)
    own = {"k": 2, "group_sizes": (2, 4)}
    own = {} if name == "jumprelu" else own if name == "matryoshka" else {"k": 2}
    architecture = ARCHITECTURES[name](threshold=threshold, **own)
    shapes = ((4, 6), (6,), (6, 4), (4,))
    return SAE(*(torch.randn(shape, generator=generator) for shape in shapes), architecture)


def test_an_unknown_architecture_is_refused():
    sae, x = square()
    with pytest.raises(StudyError, match="architecture 'sigmoid'; known are topk, abstopk"):
        restore(fingerprint(sae, x), describe(sae) | {"architecture": "sigmoid"}, "it")


# What is refused


def scope(**extract):
    bound = Registry.load().bind("step", {"use": "extract", "with": extract})
    return CheckScope(steps={"activations": bound})


def test_a_site_must_be_chosen_where_there_are_several():
    faults = list(check_training(SaeTrain(), scope(layers=[3, 5], positions=[1])))
    assert [fault.message for fault in faults] == [
        "the activations hold layers 3, 5; say which (layer: 3)"
    ]
    assert not list(check_training(SaeTrain(layer=5), scope(layers=[3, 5], positions=[1])))


def test_a_site_must_be_one_that_was_read():
    faults = list(check_training(SaeTrain(position=2), scope(layers=[3], positions=[1, 4])))
    assert [(fault.path, fault.allowed) for fault in faults] == [(("position",), ("1", "4"))]


@pytest.mark.parametrize(
    ("params", "path"),
    [
        (SaeTrain(k=9, d_sae=8), ("k",)),
        (SaeTrain(warmup=0.6, decay=0.5), ("decay",)),
        (SaeTrain(architecture=Trained()), ("architecture",)),
        (SaeTrain(architecture=Trained(BatchTopK(), None, JumpReLU())), ("architecture",)),
        (
            SaeTrain(architecture=Trained(matryoshka=Matryoshka(groups=[1, 2]))),
            ("architecture", "matryoshka", "groups"),
        ),
    ],
)
def test_parameters_that_contradict_each_other(params, path):
    (fault,) = check_training(params, CheckScope())
    assert fault.path == path


def test_an_ambiguous_site_is_a_diagnostic_of_the_study(tmp_path):
    text = tiny_study(tmp_path).replace("layers: [1]", "layers: [0, 1]")
    with pytest.raises(InvalidStudy, match=r"the activations hold layers 0, 1; say which"):
        run_study(text, tmp_path)


def test_without_a_train_split_the_step_says_so(tmp_path):
    text = tiny_study(tmp_path).replace("validation: 0.5", "validation: 1.0")
    with pytest.raises(StepFailed, match="no problem is in the split 'train'"):
        run_study(text, tmp_path)


def test_training_that_explodes_is_an_error_and_nothing_is_stored(tmp_path):
    text = tiny_study(tmp_path).replace("d_sae:", "lr: 1.0e+38, d_sae:")
    with pytest.raises(StepFailed, match="came to weights that are no numbers; a smaller `lr`"):
        run_study(text, tmp_path)
