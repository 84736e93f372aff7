"""Features whose activity is known, as the artifacts that steps are given."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from studyrun import Inputs, NoModel
from studyrun_features.active import active_pairs
from studyrun_features.pairs import Activity
from tiny_models import PlainContext

SITE = {"layer": 1, "position": 2}
FRAME = {"problem": pl.UInt32, "feature": pl.UInt32, "activation": pl.Float32}


@dataclass
class Made:
    """An artifact that was never stored."""

    meta: dict
    tables: dict = field(default_factory=dict)
    directions: object = None

    @property
    def table(self):
        return self.tables["table"]

    def read_table(self, name):
        return self.tables[name]

    def tensors(self):
        return {"W_dec": self.directions}


class Modelless(PlainContext):
    """The context of a study without a model."""

    def model(self):
        raise NoModel("the study has no model")


def frame_of(firing):
    """(problem, feature, activation) of a `strategies.Firing`."""
    rows = [(problem, feature, value) for (problem, feature), value in firing.pairs.items()]
    return pl.DataFrame(rows, FRAME, orient="row")


def pairs_of(firing):
    """Its active pairs, sorted."""
    numbers = pl.Series("problem", range(firing.n_problems), dtype=pl.UInt32)
    return active_pairs(frame_of(firing), numbers, firing.d_sae)


def values_of(firing):
    """Feature -> its activations that are not 0, as float64 of what float32 holds."""
    kept = {feature: [] for feature in range(firing.d_sae)}
    for (_, feature), value in firing.pairs.items():
        if value != 0:
            kept[feature].append(float(np.float32(value)))
    return {feature: np.array(values) for feature, values in kept.items()}


def rows_of(n, split="validation"):
    """(problem, id, split); every problem in one split."""
    ids = [f"p{number}" for number in range(n)]
    numbers = pl.Series(range(n), dtype=pl.UInt32)
    return pl.DataFrame({"problem": numbers, "id": ids, "split": [split] * n})


def acts_of(frame, rows, d_sae):
    """The artifact `feature-acts`."""
    meta = {**SITE, "d_sae": d_sae, "n": rows.height}
    return Made(meta, {"table": frame, "rows": rows})


def acts_from(active, split="validation"):
    """The same of features (features, problems), active with strength 1."""
    feature, problem = np.nonzero(np.asarray(active))
    told = {"problem": problem, "feature": feature, "activation": np.ones(len(problem))}
    n = np.asarray(active).shape[1]
    return acts_of(pl.DataFrame(told).cast(FRAME), rows_of(n, split), len(active))


def problems_of(n_steps):
    """The artifact `problems`."""
    ids = [f"p{number}" for number in range(len(n_steps))]
    return Made({}, {"table": pl.DataFrame({"id": ids, "n_steps": n_steps})})


def activity_of(active, stratum):
    """Rows of features over problems as what is tested."""
    active = np.asarray(active, dtype=float)
    numbers = np.arange(len(active), dtype=np.uint32)
    return Activity(numbers, csr_array(active), np.unique(stratum, return_inverse=True)[1])


def given(**artifacts):
    """Inputs of a step."""
    return Inputs({name.replace("_", "-"): each for name, each in artifacts.items()})


@dataclass
class Planted:
    """Features of which is known who fires with whom, and why."""

    active: np.ndarray
    """(features, problems)"""
    n_steps: np.ndarray
    modules: list
    long: tuple
    """Two features that only long problems switch on, each by itself."""
    noise: list


def planted(n=1500, seed=0, modules=(5, 4, 3), noise=30):
    """Modules of features that follow a hidden cause of their own, one pair that length explains,
    and features that fire as they like."""
    rng = np.random.default_rng(seed)
    n_steps = rng.integers(1, 5, n)
    rows, groups = [], []
    for size in modules:
        cause = rng.random(n) < 0.12
        first = len(rows)
        rows += [np.where(cause, rng.random(n) < 0.8, rng.random(n) < 0.02) for _ in range(size)]
        groups.append(list(range(first, len(rows))))
    long = len(rows), len(rows) + 1
    rows += [rng.random(n) < np.array([0.01, 0.02, 0.05, 0.75])[n_steps - 1] for _ in long]
    others = list(range(len(rows), len(rows) + noise))
    rows += [rng.random(n) < share for share in np.linspace(0.02, 0.6, noise)]
    return Planted(np.array(rows), n_steps, groups, long, others)
