"""The file of the seed investigation's format; imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from studyrun_extract.foreign import wrong
from studyrun_sae.formats.header import Header

__all__ = ["CANNOT", "WEIGHTS", "find"]

WEIGHTS = "sae.pt"
"""As it is called where nobody says otherwise."""
ONLY = "its files are read as abstopk, the k largest |pre-activations| with their sign"
CANNOT = dict.fromkeys(
    ("topk", "groupmax", "batchtopk", "matryoshka", "jumprelu", "gated", "standard"), ONLY
)
"""Our architectures that it cannot hold, and why."""


def find(path: Path) -> Header:
    """The header; everything else stands in the file itself.

    Raises:
        StudyError: there is no such file.
    """
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise wrong(file, "is not there", "the format `seed` is one .pt file")
    return Header("seed", (file,), architecture="abstopk", complete=False)
