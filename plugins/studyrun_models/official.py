"""The files of a CODI model as its authors' training code saves it.

One file holds the wrapped model: the base's weights, the low-rank matrices, the projection. What
else a model needs, config.json and the tokenizer, is the base model's. Light: reads no weights.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studyrun_models.checkpoint import (
    CheckpointError,
    config_of,
    folder_of,
    readable_files,
    safe_weights,
)
from studyrun_models.digest import digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from studyrun_models.params import CodiParams

__all__ = ["ADDED", "ANSWER", "PICKLE", "THOUGHTS", "Official", "find_base", "find_official"]

PICKLE = "pytorch_model.bin"
"""What the authors' scripts save; read with `weights_only`, so that no code in it can run."""
THOUGHTS = 6
"""What the authors train and evaluate with."""
ANSWER = "The answer is:"
"""What the authors' training data put before every answer."""
ADDED = ("<pad>", "<bot>", "<eot>")
"""Tokens that training appends to the base's vocabulary, in this order; the names are ours."""


@dataclass(frozen=True, slots=True)
class Official:
    """The files of a model."""

    file_folder: Path
    weights: tuple[str, ...]
    """Names of the files in it that hold the wrapped model."""
    folder: Path
    """The base's: config.json and the tokenizer."""
    config: dict[str, Any]
    """The base's config.json."""

    @property
    def digest(self) -> str:
        """sha256 over the file and what is read of the base; where they lie does not count."""
        wrapped = digest_of(self.file_folder, self.weights)
        base = digest_of(self.folder, readable_files(self.folder))
        return hashlib.sha256(f"official {wrapped} {base}".encode()).hexdigest()


def find_official(params: CodiParams) -> Official:
    """The model's files.

    Raises:
        CheckpointError: some are not there.
    """
    assert params.base is not None, "without a base a checkpoint is not of this kind"
    file_folder = folder_of(params.checkpoint, params.revision)
    weights = _weights(file_folder)
    folder, config = find_base(params.base, params.base_revision)
    return Official(file_folder, weights, folder, config)


def find_base(name: str, revision: str) -> tuple[Path, dict[str, Any]]:
    """The folder of a base model, and its config.json.

    Raises:
        CheckpointError: one of them is not there.
    """
    try:
        folder = folder_of(name, revision)
        return folder, config_of(folder)
    except CheckpointError as error:
        field = "base_revision" if error.field == "revision" else "base"
        raise type(error)(error.message, field, error.allowed) from error


def _weights(folder: Path) -> tuple[str, ...]:
    found = safe_weights(folder) or ((PICKLE,) if (folder / PICKLE).is_file() else ())
    if not found:
        what = f"{folder} has neither model.safetensors nor {PICKLE}"
        raise CheckpointError(f"{what}; name the folder that training saved one of them in")
    return found
