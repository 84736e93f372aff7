"""A tiny study's edits made again in full: the model's own answers under a difference by hand."""

import polars as pl
import torch

from studyrun import SiteEdit
from studyrun_models.codi import load
from studyrun_models.params import CodiParams
from tiny_models import PlainContext

EVERY = "[reconstruction, next-token, answer, thoughts, logit-lens]"
OF_RUNS = "[next-token, answer, thoughts, logit-lens]"
CHEAP = "controls: {matched: 5, directions: 10, resamples: 50, flips: 200}"
LAYER, POSITION, NEXT = 1, 2, 3
"""The site of `tiny_study`, and the position next to it."""


def usual_site(edit, arm):
    """(layer, position) of every edit of a step that edits the SAE's site."""
    return LAYER, {"edit": POSITION, "elsewhere": NEXT}[arm]


class Again:
    """What it takes to make the edits of a run of `tiny_study` once more."""

    def __init__(self, run, split="validation"):
        self.run, self.context, self.problems = run, PlainContext(), run["data"].table
        folder = run.folder.parents[2] / run.study.model.ref["with"]["checkpoint"]
        self.model = load(CodiParams(checkpoint=str(folder)), self.context)
        if "features" in run:
            self.sae, self.z = run["sae"].load(), run["features"].dense(split)
            rows = run["features"].rows.filter(pl.col("split") == split)
            self.row = {problem: row for row, problem in enumerate(rows["problem"])}

    def of(self, problems):
        """Their feature activations."""
        return self.z[[self.row[problem] for problem in problems]]

    def x(self, problems, layer=LAYER, position=POSITION):
        """Their residuals."""
        activations = self.run["activations"]
        rows = activations.table["problem"].to_list()
        streams = activations.at(layer=layer, position=position)
        return streams[[rows.index(problem) for problem in problems]]

    def difference(self, z, edited):
        """What an edit adds to the residual."""
        return self.sae.decode(edited) - self.sae.decode(z)

    def answers(self, problems, delta=None, layer=LAYER, position=POSITION):
        """The model's texts, by running it in full."""
        questions = self.problems["question"][list(problems)].to_list()
        edit = None if delta is None else SiteEdit(layer, position, delta)
        return self.model.answers(questions, self.context, edit)

    def check(self, step, delta, site=usual_site):
        """How many outcomes of a step are those of a full run, which all must be.

        Random directions are left out, since nobody but the step knows them.

        Args:
            step: its name.
            delta: (edit, problems) -> (problems, d_model), what is added.
            site: (edit, arm) -> layer and position.
        """
        outcomes = self.run[step].read_table("answer_outcomes")
        found = outcomes.filter(pl.col("arm") != "random")
        for (edit, arm), part in found.group_by("edit", "arm", maintain_order=True):
            problems = part["problem"].to_list()
            assert part["before"].to_list() == self.answers(problems)
            after = self.answers(problems, delta(edit, problems), *site(edit, arm))
            assert part["after"].to_list() == after
        return found.height


def values_of(artifact, quantity, arm="edit", place=""):
    """(edit, problem) -> the value of a quantity."""
    found = artifact.read_table("effects").filter(
        (pl.col("quantity") == quantity) & (pl.col("arm") == arm) & (pl.col("place") == place)
    )
    return {(edit, p): value for edit, p, value in found.select("edit", "problem", "value").rows()}


def norm(x):
    """The Euclidean norm of every row."""
    return torch.linalg.vector_norm(x.double(), dim=1)
