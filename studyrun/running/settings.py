"""What a cell of a run was computed from, flat: one value for every place in its resolved study.

Of every step the recipe is taken, in which defaults are filled in, and what the study wrote where
a step never got a recipe. A place is kept with its *owner*, the components that it lies in, so that
two studies' parameters are only taken for the same where they belong to the same component.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studyrun.reading.keywords import VARIANT

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Settings", "settings_of"]

Path = tuple[str, ...]
REPORT = "report"
CONTENTS = ("digest", "outside")
"""Where a recipe holds the digest of what lies in files."""
CONTENT = "content"
FILES = "files"
DIGITS = 8
"""Of a digest, in front of people."""


@dataclass(slots=True)
class Settings:
    """The values of one study."""

    values: dict[tuple[Path, Path], Any] = field(default_factory=dict)
    """(owner, path) -> value, JSON; in the order of the study."""
    owners: set[Path] = field(default_factory=lambda: {()})
    names: dict[tuple[Path, Path], str] = field(default_factory=dict)
    """How the study names the file of which a value is the digest."""

    def shown(self, owner: Path, path: Path) -> Any:
        """The value as people should see it: of a file its name and the digest's first digits."""
        value = self.values[owner, path]
        if path[-1] != CONTENT:
            return value
        return " ".join(filter(None, (self.names.get((owner, path)), value[:DIGITS])))

    def component(self, owner: Path, path: Path, spec: Mapping[str, Any]) -> None:
        """Take up a component with its parameters: `{use, version, with, digest}`."""
        self.values[owner, (*path, "use")] = spec["use"]
        inner = (*owner, *path, spec["use"])
        self.owners.add(inner)
        if "version" in spec:
            self.values[inner, (*path, "version")] = spec["version"]
        for name, value in spec.get("with", {}).items():
            self._value(inner, (*path, "with", name), value)
        for digest in (spec[name] for name in CONTENTS if name in spec):
            self.values[inner, (*path, CONTENT)] = digest
            self.names[inner, (*path, CONTENT)] = " ".join(spec.get(FILES, ()))

    def _value(self, owner: Path, path: Path, value: Any) -> None:
        match value:
            case {"use": str(), "with": dict()}:
                self.component(owner, path, value)
            case dict():
                for name, inner in value.items():
                    self._value(owner, (*path, name), inner)
            case _:
                self.values[owner, path] = value


def settings_of(cell: Mapping[str, Any]) -> Settings:
    """The settings of a cell, from its entry in `run.json`.

    Reports, and what only they want, have no part in it.
    """
    study, ran = cell["study"], cell["steps"]
    settings = Settings({((), ("seed",)): study.get("seed", 0)})
    for name, recipe in (("model", _model(ran)), ("data", _recipe(ran, "data"))):
        if name in study:
            settings.component((), (name,), _resolved(study[name], recipe))
    for name, spec in study["steps"].items():
        entry = ran.get(name, {})
        if entry.get("type") == REPORT or entry.get("wanted_by"):
            continue
        settings.component((), ("steps", name), _resolved(spec, _recipe(ran, name)))
        if "needs" in spec:
            settings.values[(), ("steps", name, "needs")] = spec["needs"]
    settings.values[(), ("dtype",)] = study.get("runtime", {}).get("dtype", "float32")
    return settings


def _recipe(ran: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    recipe: Mapping[str, Any] = ran.get(name, {}).get("recipe") or {}
    return recipe


def _model(ran: Mapping[str, Any]) -> Mapping[str, Any]:
    """The study's model, as a step that takes it resolved it; variants have others."""
    own = (_recipe(ran, name) for name in ran if VARIANT not in name)
    return next((recipe["model"] for recipe in own if "model" in recipe), {})


def _resolved(spec: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The component with all its parameters, and the files that only the study names."""
    if not recipe:
        return dict(spec)
    given = spec.get("with", {}).items()
    files = [v for name, v in given if name not in recipe["with"] and isinstance(v, str)]
    known = {name: recipe[name] for name in ("use", "version", "with", *CONTENTS) if name in recipe}
    return {**known, FILES: files}
