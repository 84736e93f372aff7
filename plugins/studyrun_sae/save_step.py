"""The step `sae-save`: an SAE as the files of another tool, with a fingerprint beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import cast

from safetensors.torch import save

from studyrun import Context, Inputs, Result
from studyrun_sae.artifacts import SaeArtifact
from studyrun_sae.formats.header import FINGERPRINT
from studyrun_sae.loading import format_name
from studyrun_sae.neutral import weights_of
from studyrun_sae.params import SaeSave

__all__ = ["run"]

PARTS = ("x", "z", "x_hat")


def run(params: SaeSave, inputs: Inputs, context: Context) -> Result:
    """The files, shown in the run's folder under `files/<step>/`."""
    artifact = cast(SaeArtifact, inputs["sae"])
    sae, stored = artifact.load(), artifact.tensors()
    bound = context.bind("sae-format", params.format)
    model = artifact.meta.get("origin", {}).get("model")  # of the one whose files were loaded
    weights = replace(weights_of(sae), origin={"model": model} if model else {})
    files: Mapping[str, bytes] = bound.load()(bound.params).write(weights)
    printed = save({part: stored[f"fingerprint_{part}"].contiguous() for part in PARTS})
    format = format_name(params.format)
    return Result(
        files={**files, _beside(files): printed},
        meta={"format": format, "files": sorted(files), "architecture": sae.architecture.name},
    )


def _beside(files: Mapping[str, bytes]) -> str:
    """The name under which `sae-load` looks for the fingerprint of those files."""
    first = PurePosixPath(next(iter(files)))
    if len(files) == 1:
        return f"{first}.{FINGERPRINT}"
    return str(first.parent / FINGERPRINT)
