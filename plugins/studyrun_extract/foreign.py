"""What reading somebody else's files has in common; imports nothing heavy."""

from __future__ import annotations

import re
from pathlib import Path

from studyrun import StudyError

__all__ = ["AGAIN", "first_line", "named_code", "wrong"]

AGAIN = "copy the file again"
"""The cure of a file that is not whole."""
CODE = re.compile(r"GLOBAL ([\w.]+)")
"""How torch names what a pickle wants to call."""
REASON = re.compile(r"WeightsUnpickler error: (.+)")
"""Where torch, after much advice, says what was wrong."""


def wrong(file: Path, what: str, cure: str) -> StudyError:
    """The one line that every bad file ends with."""
    return StudyError(f"{file}: {what}; {cure}")


def named_code(error: BaseException) -> str:
    """What a pickle wanted to call when torch refused it; empty where that was not the reason."""
    found = CODE.search(str(error))
    return found[1] if found else ""


def first_line(error: BaseException) -> str:
    """The first line of what a library says, or the error's name where it says nothing."""
    told = REASON.search(str(error))
    text = [told[1]] if told else str(error).strip().splitlines()
    return text[0][:120] if text else type(error).__name__
