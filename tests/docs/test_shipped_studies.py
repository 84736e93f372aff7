"""The studies that come along."""

from pathlib import Path

import pytest

from studyrun.diagnostics import as_text
from studyrun.reading.checking import check_study

STUDIES = sorted((Path(__file__).parents[2] / "studies").rglob("*.yaml"))


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_every_study_is_accepted(file):
    found = check_study(file).diagnostics
    assert as_text([each for each in found if each.code != "absent"]) == ""
