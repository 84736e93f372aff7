"""Given: SAEs and activations that were not made here, their origin and whether they fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Text
from studyrun_report.source import Source, Stored
from studyrun_report.writing.text import harmless, number

__all__ = ["given_activations", "given_saes", "is_from_file", "misfits"]

LONG = 500


def given_saes(source: Source) -> Iterator[Text]:
    """Of every SAE that was read from files: their format, its architecture, what they say."""
    for stored in source.of_type("sae"):
        meta = stored.artifact.meta
        if "format" in meta:
            said = ", ".join(f"{k} {v}" for k, v in _mapping(meta.get("origin")).items())
            site = f"layer {meta.get('layer')}, position {meta.get('position')}"
            told = f"The files say {said}" if said else "The files do not say of what model it is"
            text = (
                f"{stored.step} was not trained here: an SAE of architecture "
                f"{meta.get('architecture')}, read from files of {meta['format']} and taken for "
                f"one of {site}. {told}. The splits are this study's: nothing tells which of these "
                f"problems it has seen."
            )
            yield Text(harmless(text, LONG))


def given_activations(source: Source) -> Iterator[Text]:
    """Of all activations that were read from a file: of which model, which sites, which type."""
    for stored in source.of_type("activations"):
        if is_from_file(stored):
            meta, model = stored.artifact.meta, _mapping(stored.artifact.meta["model"])
            name = model.get("name")
            whose = (
                f"of the model {name}, as the study says" if name else "the study names no model"
            )
            sites = ", ".join(
                f"{title} {' '.join(map(str, meta[title]))}" for title in ("layers", "positions")
            )
            text = (
                f"{stored.step} were not extracted here: rows of a file, {whose}; {sites}, d_model "
                f"{meta.get('d_model')}, {model.get('dtype')} in the file and "
                f"{meta.get('stored')} here."
            )
            yield Text(harmless(text, LONG))


def is_from_file(stored: Stored) -> bool:
    """Whether activations are of no model whose weights were at hand."""
    return _mapping(stored.artifact.meta.get("model")).get("digest") == ""


def misfits(source: Source) -> Iterator[Text]:
    """SAEs that leave more unexplained than the mean of the activations does."""
    for stored in source.of_type("sae"):
        frame = stored.having("quality", "split", "explained_variance")
        bad = None if frame is None else frame.filter(pl.col("explained_variance") <= 0)
        if bad is not None and bad.height:
            values = bad.select("explained_variance", "split").iter_rows()
            shown = ", ".join(f"{number(value)} on {split} problems" for value, split in values)
            why = (
                "It may be of another layer, position or model."
                if "format" in stored.artifact.meta
                else "It has seen too few problems, or was trained too little."
            )
            text = (
                f"{stored.step} does not fit these activations: its explained variance is {shown}, "
                f"and their mean alone would reach 0. {why} What is said of its features here "
                f"says little of the model."
            )
            yield Text(harmless(text, LONG))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
