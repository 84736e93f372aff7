"""What is known of `load-activations` before it runs; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from studyrun import CheckScope, Estimate, Fault, StudyError
from studyrun_extract.headers import header_of, sites, width
from studyrun_extract.params import LoadParams
from studyrun_models.digest import digest_by_role

__all__ = ["check", "digest", "estimate"]

FILES = ("path", "ids", "indices")
PIECES = 3 * (64 << 20)
"""Bytes of the pieces that are in memory at once."""
READING = 1e9
"""Operations for which a plan reckons the time that a gigabyte takes to copy."""


def check(params: LoadParams, scope: CheckScope) -> Iterator[Fault]:
    """Files that are not there or cannot be used, axes that nobody names, another model's width."""
    missing = list(_missing(params))
    yield from missing
    if params.indices is not None and "problems" in scope.inputs:
        message = "the study has data, which say what is for validation; give it to the data"
        yield Fault(("indices",), message)
    if not any(fault.path == ("path",) for fault in missing):
        try:
            yield from _axes(params, scope)
        except StudyError as error:
            yield Fault(("path",), str(error))


def digest(params: LoadParams) -> str:
    """sha256 over the content of the files; where they lie does not count.

    Raises:
        StudyError: one cannot be read.
    """
    given = {name: getattr(params, name) for name in FILES}
    return digest_by_role({n: None if file is None else Path(file) for n, file in given.items()})


def estimate(params: LoadParams, scope: CheckScope) -> Estimate | None:  # noqa: ARG001  # contract
    """Copying, a piece at a time."""
    size = Path(params.path).stat().st_size
    shown = f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
    note = f"the file's {shown} are copied into the store"
    return Estimate(flops=size / 1e9 * READING, bytes=PIECES, note=note)


def _missing(params: LoadParams) -> Iterator[Fault]:
    for name in FILES:
        file = getattr(params, name)
        if file is not None and not Path(file).is_file():
            kind = "is not there; paths are relative to the study"
            if Path(file).is_dir():
                kind = "is a folder, not a file; name the file in it"
            elif Path(file).exists():
                kind = "is a device or a pipe, not a file; copy what it gives into one"
            yield Fault((name,), f"{file}: {kind}")


def _axes(params: LoadParams, scope: CheckScope) -> Iterator[Fault]:
    """Of a file that says its shape before it is read."""
    file = Path(params.path)
    header = header_of(file, params.tensor)
    if header.shape is None:
        return
    layers, positions = sites(file, (params.layers, params.positions), header)
    d_model = width(file, header.shape, len(layers), len(positions))
    if scope.model is not None and scope.model.d_model != d_model:
        there = scope.model.d_model
        yield Fault(("path",), f"its rows are {d_model} wide, the model's residual stream {there}")
