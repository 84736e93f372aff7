"""Cases for effects: small, with every part visible."""

import polars as pl
import torch

from studyrun import EffectCase, NoParams
from studyrun_intervene.choosing.matching import matched_edits
from studyrun_intervene.edits.interventions import ablate, amplify, swap
from studyrun_intervene.params import Amplify
from tiny_models import PlainContext


def drifting(z, features, params):
    """A map that is not featurewise: the features become the row's mean."""
    return z.index_copy(1, features, z.mean(1, keepdim=True).expand_as(z[:, features]))


def careless(z, features, params):
    """A third party's map that also halves all other features, which no law allows."""
    return (z / 2).index_copy(1, features, z[:, features] + 1)


class CaseContext(PlainContext):
    """A Context without a registry or a disk; what an effect may ask of one is there."""

    def bind(self, kind, ref):
        raise NotImplementedError(kind, ref)

    def components(self, kind):
        return ()

    def scratch(self):
        raise NotImplementedError


MAPS = {
    "ablate": lambda z, features: ablate(z, features, NoParams()),
    "amplify": lambda z, features: amplify(z, features, Amplify(factor=-1.5)),
    "swap": lambda z, features: swap(z, features, NoParams()),
    "drifting": lambda z, features: drifting(z, features, None),
    "careless": lambda z, features: careless(z, features, None),
}
FEATUREWISE = ("ablate", "amplify")


def activations_table(z):
    """The active pairs of z as `sae-encode` writes them."""
    row, feature = z.nonzero(as_tuple=True)
    return pl.DataFrame(
        {
            "problem": row.tolist(),
            "feature": feature.tolist(),
            "activation": z[row, feature].tolist(),
        },
        {"problem": pl.UInt32, "feature": pl.UInt32, "activation": pl.Float32},
    )


def sparse(rows, d_sae, seed=0, share=0.4):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(rows, d_sae, generator=generator)
    return z * (torch.rand(rows, d_sae, generator=generator) < share)


def case(name="ablate", edits=((0,), (1,), (2,)), z=None, W_dec=None, **changed):
    """An effect case of an intervention by name; 5 inputs, 6 features unless told otherwise."""
    from studyrun_intervene.choosing.features import feature_table

    generator = torch.Generator().manual_seed(1)
    z = sparse(40, 6) if z is None else z
    W_dec = torch.randn(z.shape[1], 5, generator=generator) if W_dec is None else W_dec
    features = feature_table(activations_table(z), z.shape[1], len(z), None)
    problems = pl.DataFrame(
        {
            "problem": range(len(z)),
            "question": [f"question {row}" for row in range(len(z))],
            "answer": [float(row) for row in range(len(z))],
        },
        {"problem": pl.UInt32, "question": pl.String, "answer": pl.Float64},
    )
    values = {
        "problems": problems,
        "answer_rule": "last-number",
        "x": torch.randn(len(z), W_dec.shape[1], generator=generator),
        "z": z,
        "W_dec": W_dec,
        "layer": 1,
        "position": 2,
        "intervene": MAPS[name],
        "featurewise": name in FEATUREWISE,
        "edits": tuple(edits),
        "matched": matched_edits(features, edits, 3),
        "directions": 50,
        "resamples": 200,
        "confidence": 0.9,
    }
    return EffectCase(**(values | changed))
