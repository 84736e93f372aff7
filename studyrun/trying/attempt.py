"""Putting laws to examples: hypothesis draws them and finds the smallest that breaks one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from studyrun.trying.laws import LawBroken

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DataObject

__all__ = ["attempt"]


def attempt(check: Callable[[DataObject], None], examples: int) -> None:
    """Nothing, if the check passes on so many examples, the same ones each time.

    Args:
        check: draws an example and puts a law to it.
        examples: how many.

    Raises:
        LawBroken: it does not; carries the smallest example that hypothesis found.
    """

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(st.data())
    def put(data: DataObject) -> None:
        check(data)

    try:
        put()
    except LawBroken as broken:
        broken.__notes__ = []  # hypothesis's own account of the draws; the message has them
        raise
