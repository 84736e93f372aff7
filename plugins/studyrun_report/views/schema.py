"""The published schema of `report.json`.

    python -m studyrun_report.views.schema > schemas/report.schema.json

writes it anew after a change of `blocks`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from studyrun_report.blocks import Facts

__all__ = ["report_schema"]


def report_schema() -> dict[str, Any]:
    """The JSON Schema of the record."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "studyrun report",
        **msgspec.json.schema(Facts),
    }


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(report_schema(), indent=2)}\n")
