"""Artifacts without a run: results put into a real store and opened again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

from studyrun import Artifact, Result
from studyrun.artifacts import Manifest
from studyrun.registry import Registry
from studyrun.store import Store


class Shelf:
    """A store in a folder; every artifact gets a key of its own."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)

    def put(self, type_name: str, result: Result, made_by: str = "test 1") -> Artifact:
        """The result as a stored artifact."""
        count = sum(1 for each in self.store.folder.glob("*") if len(each.name) == 64)
        key = hashlib.sha256(f"{type_name} {count}".encode()).hexdigest()
        with self.store.lock(key):
            self.store.put(Manifest(key, type_name, made_by, {}, {}), result)
        return self.store.open(key)


def surroundings(seed: int = 0, modules: tuple[str, ...] = ()) -> SimpleNamespace:
    """As much of a context as a step without a model needs: a seed, and components by name."""
    registry = Registry.load(modules)
    return SimpleNamespace(
        seed=seed,
        bind=registry.bind,
        components=registry.components,
        track=lambda items, **_: items,
    )
