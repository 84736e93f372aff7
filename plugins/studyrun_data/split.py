"""Which problems are for training and which for validation."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from studyrun import StudyError
from studyrun_data.problem import Reading, Split

__all__ = ["divided", "draw", "read_indices"]


def draw(n: int, share: float, seed: int) -> frozenset[int]:
    """`round(n * share)` of the numbers 0..n-1 at random; the same for the same arguments."""
    return frozenset(random.Random(f"split {seed}").sample(range(n), round(n * share)))


def divided(readings: Sequence[Reading], validation: Collection[int]) -> list[Reading]:
    """The readings with the split of their problems set; `validation` holds their places."""
    splits: list[Split] = ["train"] * len(readings)
    for place in validation:
        splits[place] = "validation"
    return [
        replace(reading, problem=replace(reading.problem, split=split))
        for reading, split in zip(readings, splits, strict=True)
    ]


def read_indices(path: Path, numbers: Sequence[int], partial: bool = False) -> frozenset[int]:
    """The places of the problems whose numbers stand under `validation` in a JSON file.

    Args:
        path: the file.
        numbers: the problems' numbers, ascending: those of their lines, counted from 0.
        partial: the problems are only the first ones, so larger numbers are no fault.

    Raises:
        StudyError: the file cannot be read, or names a problem that does not exist.
    """
    places = {number: place for place, number in enumerate(numbers)}
    found = _listed(path)
    wrong = [n for n in found if n not in places and not (partial and n > numbers[-1])]
    if wrong:
        span = f"there are {numbers[0]} to {numbers[-1]}"
        raise StudyError(f"{path}: no problem has the number {wrong[0]}; {span}")
    twice = [number for number, times in Counter(found).items() if times > 1]
    if twice:
        raise StudyError(f"{path}: {twice[0]} stands in the list more than once")
    return frozenset(places[number] for number in found if number in places)


def _listed(path: Path) -> list[int]:
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise StudyError(f"{path}: no readable JSON file ({error})") from error
    found = content.get("validation") if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(type(index) is int for index in found):
        raise StudyError(f'{path}: not of the form {{"validation": [0, 5, 7]}}')
    return found
