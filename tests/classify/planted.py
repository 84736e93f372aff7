"""Evidence with a known truth: concepts drawn at random, features that follow them or nothing."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from studyrun import Concept, Evidence
from studyrun_classify.evidence import membership
from studyrun_classify.features import ranked


@dataclass
class World:
    """Problems with concepts; features are planted one by one."""

    n_problems: int = 2_000
    seed: int = 0
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    concepts: list[Concept] = field(default_factory=list)
    pairs: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.n_steps = self.rng.integers(1, 5, self.n_problems)

    def concept(self, name, holds, kind="operation", parts=()):
        """A concept that holds on exactly these problems (a share of them, drawn, if a number)."""
        if isinstance(holds, float):
            holds = self.rng.random(self.n_problems) < holds
        self.columns[name] = holds
        self.concepts.append(Concept(name, kind, pl.col(name), parts))
        return holds

    def concept_of_length(self, name, shares, kind="operation", parts=()):
        """A concept whose share depends on the number of steps, 1 to 4."""
        holds = self.rng.random(self.n_problems) < np.array(shares)[self.n_steps - 1]
        return self.concept(name, holds, kind, parts)

    def feature(self, problems, strength=None):
        """A feature that is active on these problems; returns its number."""
        if strength is None:
            strength = self.rng.gamma(2.0, size=len(problems)) + 0.01
        self.pairs.append((np.asarray(problems), strength))
        return len(self.pairs) - 1

    def noise(self, n, low=0.001, high=0.999):
        """`n` features that know of no concept, their frequencies spread evenly in the log odds."""
        for logit in np.linspace(np.log(low / (1 - low)), np.log(high / (1 - high)), n):
            active = self.rng.random(self.n_problems) < 1 / (1 + np.exp(-logit))
            self.feature(np.flatnonzero(active))

    def follower(self, holds, rate, n_active=100):
        """A feature with `n_active` active problems, a drawn share `rate` of them in `holds`."""
        inside = self.rng.binomial(n_active, rate)
        chosen = [
            self.rng.choice(np.flatnonzero(holds), inside, replace=False),
            self.rng.choice(np.flatnonzero(~holds), n_active - inside, replace=False),
        ]
        return self.feature(np.sort(np.concatenate(chosen)))

    def always_on(self, holds, auroc):
        """A feature active everywhere whose strength separates `holds` with that AUROC."""
        from scipy.special import ndtri

        strength = self.rng.normal(size=self.n_problems) + holds * ndtri(auroc) * np.sqrt(2)
        return self.feature(np.arange(self.n_problems), strength - strength.min() + 1)

    def evidence(self):
        """What a classifier is given."""
        ids = [f"p{i}" for i in range(self.n_problems)]
        problems = pl.DataFrame({"id": ids, "n_steps": self.n_steps, **self.columns})
        problems = problems.with_row_index("problem")
        activations = pl.concat([
            pl.DataFrame({
                "problem": problems_.astype(np.uint32),
                "feature": np.full(len(problems_), feature, np.uint32),
                "activation": strength.astype(np.float32),
            })
            for feature, (problems_, strength) in enumerate(self.pairs)
        ]).sort("problem", "feature")  # fmt: skip
        return Evidence(
            problems=problems,
            activations=activations,
            features=ranked(activations, len(self.pairs), self.n_problems),
            concepts=tuple(self.concepts),
            membership=membership(problems, self.concepts),
            seed=self.seed,
        )
