"""The columns of the tables beside activations; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from studyrun_extract.params import ExtractParams, LoadParams

__all__ = ["EXCLUDED", "ROWS", "tables"]

ROWS = Table({"problem": "UInt32", "id": "String", "split": "String"})
"""One row a row of the activations; `problem` is the row in the problems' table."""
EXCLUDED = Table({"problem": "UInt32", "id": "String", "reason": "String"})
"""The problems that were left out."""


def tables(params: ExtractParams | LoadParams) -> Mapping[str, Table]:  # noqa: ARG001  # alike
    """The problems that there are activations of, and those that there are none of."""
    return {"table": ROWS, "excluded": EXCLUDED}
