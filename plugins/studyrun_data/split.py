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
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise StudyError(
            f"{path}: no problem has the number {wrong[0]}{more}; {span}, counted from 0: "
            "is the list of another data set?"
        )
    twice = [number for number, times in Counter(found).items() if times > 1]
    if twice:
        raise StudyError(f"{path}: {twice[0]} stands in the list more than once; leave one")
    return frozenset(places[number] for number in found if number in places)


def _listed(path: Path) -> list[int]:
    form = 'it must be of the form {"validation": [0, 5, 7]}'
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror or error})") from error
    except RecursionError as error:
        raise StudyError(f"{path}: lists within lists within lists; {form}") from error
    except ValueError as error:
        raise StudyError(f"{path}: no JSON ({error}); {form}") from error
    found = content.get("validation") if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise StudyError(f"{path}: {form}")
    strange = [each for each in found if type(each) is not int]
    if strange:
        what = json.dumps(strange[0])[:40]
        raise StudyError(f"{path}: {what} in the list is no whole number; {form}")
    return found
