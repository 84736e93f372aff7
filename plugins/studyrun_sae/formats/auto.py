"""The format `auto`: whichever of the ones that are known here the files are in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from studyrun import NoParams, SaeFormat, SaeWeights, StudyError
from studyrun_sae.formats.dictionary_learning import DictionaryLearning
from studyrun_sae.formats.recognition import recognised
from studyrun_sae.formats.saelens import SaeLens
from studyrun_sae.formats.seed import Seed
from studyrun_sae.formats.sparsify import Sparsify
from studyrun_sae.params import DictionaryLearning as DictionaryParams

__all__ = ["Auto"]

KNOWN: dict[str, Callable[[], SaeFormat]] = {
    "saelens": lambda: SaeLens(NoParams()),
    "sparsify": lambda: Sparsify(NoParams()),
    "dictionary-learning": lambda: DictionaryLearning(DictionaryParams()),
    "seed": lambda: Seed(NoParams()),
}


class Auto:
    """Reads what it recognises by the names of files; writes nothing."""

    def __init__(self, params: NoParams) -> None:
        self.params = params

    def read(self, path: Path) -> SaeWeights:
        """The SAE, read by the format that it is in, with that format's defaults."""
        return KNOWN[recognised(path)]().read(path)

    def write(self, sae: SaeWeights) -> Mapping[str, bytes]:  # noqa: ARG002  # whichever it is
        """Nothing: who writes must say what."""
        raise StudyError(f"say in which format to write: {', '.join(KNOWN)}")
