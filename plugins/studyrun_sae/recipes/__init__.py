"""Recipes: how each architecture is trained, one class in a module."""

from __future__ import annotations

from studyrun_sae.params import SaeTrain
from studyrun_sae.recipes.batchtopk import BatchTopKRecipe
from studyrun_sae.recipes.contract import Passed, Recipe
from studyrun_sae.recipes.jumprelu import JumpReLURecipe
from studyrun_sae.recipes.ksparse import AbsTopKRecipe, TopKRecipe
from studyrun_sae.recipes.matryoshka import MatryoshkaRecipe
from studyrun_sae.recipes.standard import StandardRecipe

__all__ = ["RECIPES", "Passed", "Recipe", "recipe_of"]

ALL = (
    TopKRecipe, AbsTopKRecipe, BatchTopKRecipe, MatryoshkaRecipe, JumpReLURecipe, StandardRecipe
)  # fmt: skip
RECIPES: dict[str, type[Recipe]] = {each.name: each for each in ALL}
"""Every one by the name that studies use."""


def recipe_of(params: SaeTrain) -> Recipe:
    """The recipe of a study's parameters, at its beginning."""
    name, own = params.trained
    return RECIPES[name](params.k, params.d_sae, own)
