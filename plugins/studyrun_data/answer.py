"""How a number is read as an answer: the stated one of a problem, or one in a model's text.

In an answer `$`, `%` and thousands commas are dress: `$1,080` is 1080 and `15%` is 15 (GSM8K
answers "what percentage" with 15), unlike in a calculation, where 15% is 0.15.
"""

from __future__ import annotations

import re
from typing import get_args

from studyrun_data.params import AnswerRule

__all__ = ["MARKER", "marked_text", "read_answer", "read_number"]

MARKER = "####"
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_SIGN = r"(?:(?<![\w.%)])[-\N{MINUS SIGN}])?"
_NUMBER = re.compile(rf"({_SIGN})[$€£]?({_SIGN})({_DIGITS})")
_WHOLE = re.compile(rf"({_SIGN})[$€£]?({_SIGN})({_DIGITS})[%$€£]?\.?")


def read_answer(text: str, rule: AnswerRule = "last-number") -> float | None:
    """The number that a model's text gives as its answer, or None where it gives none.

    Args:
        text: for example `The answer is: 65`.
        rule: `last-number`, `first-number`, or `after-marker`: the first number after the last
            `####`. A minus sign counts if it touches the number and no word or number touches
            it, so `10-5` holds 10 and 5; a fraction holds two numbers.

    Raises:
        ValueError: there is no such rule.
    """
    if rule not in get_args(AnswerRule):
        raise ValueError(f"answers are read by {', '.join(get_args(AnswerRule))}, not {rule!r}")
    if rule == "after-marker":
        text = marked_text(text) or ""
    found = _NUMBER.findall(text)
    return _value(*found[-1 if rule == "last-number" else 0]) if found else None


def read_number(text: str) -> float | None:
    """The number that the whole text is, such as `-$1,080.50` or `15%`, else None."""
    match = _WHOLE.fullmatch(text.strip())
    return _value(*match.groups()) if match else None


def marked_text(text: str) -> str | None:
    """What follows the last `####`, or None where there is no such mark."""
    _, mark, after = text.rpartition(MARKER)
    return after if mark else None


def _value(sign: str, inner_sign: str, digits: str) -> float | None:
    """The finite number; None where it is too large for float64 or has two signs."""
    if sign and inner_sign:
        return None
    value = float(digits.replace(",", ""))
    if value == float("inf"):
        return None
    return -value if (sign or inner_sign) and value else value
