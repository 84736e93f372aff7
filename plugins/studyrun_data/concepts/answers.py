"""Concepts of the answer: what sort of number it is, and which."""

from __future__ import annotations

import polars as pl

from studyrun import Concept
from studyrun_data.concepts.classes import class_concepts, number_classes
from studyrun_data.concepts.params import Answers
from studyrun_data.concepts.support import supported
from studyrun_data.concepts.values import value_concept

__all__ = ["answers"]


def answers(problems: pl.DataFrame, params: Answers) -> list[Concept]:
    """`answer is an even number`, `answer is a multiple of 10`, `answer 12`."""
    equals = dict.fromkeys(float(number) + 0.0 for number in params.equals)
    concepts = [
        *class_concepts(number_classes(params), "answer", "answer"),
        *(value_concept(number, "answer", "answer") for number in equals),
    ]
    return supported(problems, concepts, params.min_support)
