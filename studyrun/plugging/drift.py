"""Source drift: has the code behind a component changed although its version has not?"""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["digest_of_sources"]


def digest_of_sources(*targets: str) -> str:
    """sha256 over the .py files of the packages that hold the targets (`package.module:name`).

    Of the core it is the one module: a change of the command line is no drift of a verdict.
    """
    modules = dict.fromkeys(_whole(target.partition(":")[0]) for target in targets)
    return hashlib.sha256("".join(map(_digest, modules)).encode()).hexdigest()


def _whole(module: str) -> str:
    top = module.partition(".")[0]
    return module if top == "studyrun" else top


@cache
def _digest(module: str) -> str:
    total = hashlib.sha256()
    for name, file in _sources(module):
        total.update(f"{name}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _sources(module: str) -> list[tuple[str, Path]]:
    known = sys.modules.get(module)  # a requested file is found nowhere else
    spec = known.__spec__ if known is not None else find_spec(module)
    if spec is None:
        return []
    if spec.submodule_search_locations is None:
        return [("", Path(spec.origin))] if spec.origin else []
    roots = [Path(root) for root in spec.submodule_search_locations]
    return [
        (file.relative_to(root).as_posix(), file)
        for root in roots
        for file in sorted(root.rglob("*.py"))
    ]
