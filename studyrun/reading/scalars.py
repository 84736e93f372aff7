"""What a plain scalar means: the core schema of YAML 1.2 (section 10.3.2), and nothing of 1.1.

`1e-4` and `1e3` are floats; `no`, `on` and `1:30` are text; `010` is ten and `0o10` eight.
"""

from __future__ import annotations

import math
import re

__all__ = ["Scalar", "resolve"]

Scalar = None | bool | int | float | str

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o(?P<octal>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LIMIT = 1 << 63
_MOST_DIGITS = 20
"""No number of 64 bits has more; reading millions of them would take time."""


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar.

    Raises:
        ValueError: it is a number, but none that JSON and 64 bits can hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text):
        return _bounded(_decimal(text))
    if based := _BASED.fullmatch(text):
        octal, hexadecimal = based["octal"], based["hex"]
        return _bounded(int(octal, 8) if octal else int(hexadecimal, 16))
    if _FLOAT.fullmatch(text):
        return _finite(float(text))
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("no value of a study can be infinite or not a number")
    return text


def _decimal(text: str) -> int:
    digits = text.lstrip("+-").lstrip("0")[:_MOST_DIGITS]
    return int(digits or "0") * (-1 if text.startswith("-") else 1)


def _bounded(number: int) -> int:
    if not -_LIMIT <= number < _LIMIT:
        raise ValueError("the number does not fit in 64 bits")
    return number


def _finite(number: float) -> float:
    if math.isinf(number):
        raise ValueError("the number is too large for a float")
    return number
