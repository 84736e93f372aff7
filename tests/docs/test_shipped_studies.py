"""The studies that come along."""

from pathlib import Path

import pytest

from studyrun.diagnostics import as_text
from studyrun.reading.checking import check_study

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_every_study_is_accepted(file):
    assert as_text(check_study(file).diagnostics) == ""
