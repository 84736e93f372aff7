"""The parts of a `Result` on disk: Parquet, safetensors and plain files, the same bytes each time.

Bytes repeat because tables are written from one chunk with every setting fixed, and safetensors
orders tensors by itself; the number of threads has no part in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from studyrun.artifacts import TENSORS, Result
from studyrun.keys import canonical_json
from studyrun.storing.files import link_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from torch import Tensor

__all__ = ["MANIFEST", "fault_of", "fault_of_files", "write"]

MANIFEST = "manifest.json"
ROWS_PER_GROUP = 2**18
"""Rows of a Parquet row group: some MB each, so that a reader may skip."""
TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*")
OS_ERROR = re.compile(r"\(os error (\d+)\)")


def fault_of(result: Any) -> str | None:
    """What about a target's answer breaks the contract of `Result`; None if nothing does."""
    if not isinstance(result, Result):
        return f"returned {type(result).__name__}, not a Result"
    return (
        _fault_of_tables(result.tables)
        or _fault_of_tensors(result.tensors)
        or _fault_of_tensor_file(result)
        or _fault_of_meta(result.meta)
        or fault_of_files(result.files)
    )


def _fault_of_tables(tables: Mapping[str, Any]) -> str | None:
    if not tables:
        return None
    import polars as pl

    for name, table in tables.items():
        if not TABLE_NAME.fullmatch(name):
            return f"table name {name!r} is not lower-case letters, digits and '_'"
        if not isinstance(table, pl.DataFrame):
            return f"table {name!r} is a {type(table).__name__}, not a polars DataFrame"
        if pl.Object in table.dtypes:
            return f"table {name!r} has a column of Python objects, which Parquet cannot hold"
    return None


def _fault_of_tensors(tensors: Mapping[str, Any]) -> str | None:
    if not tensors:
        return None
    import torch

    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            return f"tensor {name!r} is a {type(tensor).__name__}, not a torch.Tensor"
        if tensor.layout != torch.strided:
            return f"tensor {name!r} is not dense"
    return None


def _fault_of_tensor_file(result: Result) -> str | None:
    if result.tensor_file is None:
        return None
    if result.tensors:
        return "tensors are given both as such and as a file"
    if not isinstance(result.tensor_file, Path) or not result.tensor_file.is_file():
        return f"tensor file {str(result.tensor_file)!r} is not there"
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(result.tensor_file, framework="numpy"):
            return None
    except SafetensorError as error:
        return f"tensor file {result.tensor_file.name!r} is no whole safetensors file: {error}"


def _fault_of_meta(meta: Mapping[str, Any]) -> str | None:
    for name, value in meta.items():
        try:
            canonical_json(value)
        except (TypeError, ValueError) as error:
            return f"meta {name!r} is not plain JSON: {error}"
    return None


def fault_of_files(files: Any) -> str | None:
    """Why they cannot be written as plain files, by name; None if they can."""
    if not isinstance(files, Mapping):
        return f"files are {type(files).__name__}, not a mapping of names to bytes"
    for name, content in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or str(path) != name or "\\" in name:
            return f"file name {name!r} is not a plain relative path"
        if name in (MANIFEST, TENSORS) or name.endswith(".parquet"):
            return f"file name {name!r} is taken; tables and tensors have their own places"
        if not isinstance(content, bytes):
            return f"file {name!r} is {type(content).__name__}, not bytes"
    return None


def write(result: Result, folder: Path) -> None:
    """Write tables, tensors and files into an empty folder.

    Raises:
        OSError: the disk refused.
    """
    with _disk_errors():
        for name, table in result.tables.items():
            _write_table(table, folder / f"{name}.parquet")
        if result.tensors:
            _write_tensors(result.tensors, folder / TENSORS)
        if result.tensor_file is not None:
            link_file(result.tensor_file, folder / TENSORS)
    for name, content in result.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _write_table(table: pl.DataFrame, file: Path) -> None:
    table.rechunk().write_parquet(
        file,
        compression="zstd",
        compression_level=3,
        statistics=True,
        row_group_size=ROWS_PER_GROUP,
    )


def _write_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    from safetensors.torch import save_file

    save_file(_apart(tensors), file)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous, no two in the same memory: safetensors asks for it."""
    apart: dict[str, Tensor] = {}
    homes: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        home = plain.untyped_storage().data_ptr()
        apart[name] = plain.clone() if home in homes else plain
        homes.add(home)
    return apart


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Take the system's errors out of those in which polars and safetensors wrap them."""
    try:
        yield
    except Exception as error:
        code = OS_ERROR.search(str(error))
        if code is None or isinstance(error, OSError):
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1]))) from error
