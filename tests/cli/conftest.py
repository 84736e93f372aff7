from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from installing import clean_imports, install  # noqa: F401  # fixtures
from studyrun.cli import main


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def studyrun(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run the command line in this process: its exit code and what it said."""

    def studyrun(*words: object) -> Said:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return studyrun
