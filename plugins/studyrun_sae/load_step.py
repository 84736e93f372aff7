"""The step `sae-load`: an SAE from somebody's files, known to be whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from studyrun import Context, Inputs, Result, SaeWeights, StudyError
from studyrun_extract.view import Activations
from studyrun_sae.artifacts import demand_alike, describe, fingerprint
from studyrun_sae.formats.header import fingerprint_file
from studyrun_sae.formats.recognition import header_of
from studyrun_sae.formats.tensors import Tensors
from studyrun_sae.loading import format_name
from studyrun_sae.neutral import sae_of
from studyrun_sae.params import SaeLoad
from studyrun_sae.quality import QUALITY, quality
from studyrun_sae.sae import SAE
from studyrun_sae.sites import SITE, Sites, chosen_site, site_faults, unsaid

__all__ = ["run"]

FINGERPRINT_ROWS = 8
CHANGED = "take the files that were saved (or, changed on purpose, remove their fingerprint)"


def run(params: SaeLoad, inputs: Inputs, context: Context) -> Result:
    """The SAE with its site and a fingerprint; its quality on every split of the activations."""
    path = Path(params.path)
    bound = context.bind("sae-format", params.format)
    weights: SaeWeights = bound.load()(bound.params).read(path)
    activations = cast(Activations | None, inputs.get("activations"))
    sae = _placed(sae_of(weights, str(path)), weights, params, activations)
    _demand_fingerprint(sae, path)
    _tell(weights, sae, context)
    if activations is None:
        x, table = _probe_rows(sae.d_in, context.generator("sae-load fingerprint")), _no_quality()
    else:
        x, splits = _rows(sae, activations, path), activations.table["split"].to_list()
        table = quality(sae.to(context.device), x.to(context.device), splits)
        _tell_of_quality(table, context)
    meta = describe(sae) | {"format": _format(params, path), "origin": _said(weights)}
    return Result(
        tables={"quality": table},
        tensors=sae.weights | fingerprint(sae, x, FINGERPRINT_ROWS),
        meta=meta if activations is None else meta | {"model": activations.meta.get("model")},
    )


def _format(params: SaeLoad, path: Path) -> str:
    """The format that the files are in, recognised or named."""
    name = format_name(params.format)
    header = header_of(name, path)
    return name if header is None else header.format


def _said(weights: SaeWeights) -> dict[str, Any]:
    """What the files say of where the SAE comes from, whether it was followed or not."""
    said = {**weights.origin, "layer": weights.layer, "position": weights.position}
    return {name: value for name, value in said.items() if value not in (None, "")}


def _probe_rows(d_in: int, generator: torch.Generator) -> Float[Tensor, "rows d_in"]:
    """Normal rows of norms that double, so that some of them reach any threshold."""
    rows = torch.randn(FINGERPRINT_ROWS, d_in, generator=generator)
    return rows * 2.0 ** torch.arange(FINGERPRINT_ROWS)[:, None]


def _placed(sae: SAE, weights: SaeWeights, params: SaeLoad, activations: Activations | None) -> SAE:
    """The SAE with its site.

    Raises:
        StudyError: nobody says which it is, or it was not read.
    """
    held: Sites | None = None
    if activations is not None:
        held = {name: activations.meta[f"{name}s"] for name in SITE}
    said = {name: getattr(params, name) for name in SITE}
    site = chosen_site(said, {name: getattr(weights, name) for name in SITE}, held)
    faults = [*unsaid(site, str(weights.origin.get("hook", "")))]
    if held is not None and not faults:
        faults = site_faults(site["layer"], site["position"], held["layer"], held["position"])
    if faults:
        raise StudyError(f"{params.path}: {'; '.join(fault.message for fault in faults)}")
    return SAE(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec, sae.architecture, **site)


def _rows(sae: SAE, activations: Activations, path: Path) -> Float[Tensor, "rows d_in"]:
    assert sae.layer is not None
    assert sae.position is not None
    x = activations.at(layer=sae.layer, position=sae.position)
    if x.shape[1] != sae.d_in:
        wide = f"the SAE is {sae.d_in} wide, the activations {x.shape[1]}"
        raise StudyError(f"{path}: {wide}; it is of another model")
    return x


def _demand_fingerprint(sae: SAE, path: Path) -> None:
    """Nothing, unless a fingerprint lies beside the files and is not reproduced."""
    file = fingerprint_file(path)
    if file is None:
        return
    found = Tensors.load(file, "sae-save")
    rows = next(iter(found.found["x"].shape), 0) if "x" in found.found else 0
    parts = (("x", sae.d_in), ("z", sae.d_sae), ("x_hat", sae.d_in))
    x, z, x_hat = (found.take(name, max(rows, 1), width) for name, width in parts)
    own = sae.encode(x)
    demand_alike(own, z, f"{file}: z", CHANGED)
    demand_alike(sae.decode(own), x_hat, f"{file}: x_hat", CHANGED)


def _tell(weights: SaeWeights, sae: SAE, context: Context) -> None:
    """Say where the file's word was not what was taken."""
    said = _said(weights)
    for name in SITE:
        if said.get(name, getattr(sae, name)) != getattr(sae, name):
            context.note(f"the file says {name} {said[name]}, the study {getattr(sae, name)}")
    if weights.layer is None and "hook" in said:
        context.note(
            f"{said['hook']} is no residual stream after a block; the SAE is taken for one of "
            f"that after block {sae.layer}, as the study says"
        )
    origin = ", ".join(f"{name} {said[name]}" for name in said if name not in SITE)
    if origin:
        context.note(f"the file says {origin}")


def _tell_of_quality(table: pl.DataFrame, context: Context) -> None:
    """Say where the mean of the activations would have been the better reconstruction."""
    for split, fvu in table.select("split", "fvu").iter_rows():
        if fvu is not None and not fvu < 1:
            context.note(
                f"it leaves more unexplained of split {split!r} than their mean does "
                f"(fvu {fvu:.3g}): another layer, position or model, or a transposed decoder?"
            )


def _no_quality() -> pl.DataFrame:
    return pl.DataFrame(schema=QUALITY)
