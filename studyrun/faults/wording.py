"""What does not conform, said to somebody who writes studies."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from studyrun.faults.findings import Finding
from studyrun.faults.suggest import nearest
from studyrun.faults.words import article, cut, described, expected
from studyrun.reading import keywords
from studyrun.reading.fields import Parameters
from studyrun.reading.keywords import KIND_MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from studyrun.faults.conformance import Mismatch
    from studyrun.reading.document import Node
    from studyrun.registry import Registry

__all__ = ["Wording"]

LIMITS = {
    "minimum": "must be at least {0}, not {1}",
    "maximum": "must be at most {0}, not {1}",
    "exclusiveMinimum": "must be more than {0}, not {1}",
    "exclusiveMaximum": "must be less than {0}, not {1}",
    "multipleOf": "must be a multiple of {0}, not {1}",
    "minLength": "must not be empty",
    "maxLength": "must have at most {0} characters",
    "minItems": "must have at least {0} item(s)",
    "maxItems": "must have at most {0} item(s)",
    "minProperties": "must have at least {0} entry",
    "maxProperties": "must have at most {0} entries",
    "uniqueItems": "must not have the same item twice",
}
FORMS = {
    keywords.FOLDER_NAME: "letters, digits, '.', '_' and '-', beginning with a letter or digit",
    keywords.NAME: "letters, digits, '_' and '-', beginning with a letter",
}
"""Patterns in words."""
YAML_1_1 = ("yes", "no", "on", "off", "y", "n")
LONG_FORM = ("use", "with")
NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?")


class Wording:
    """Findings from what does not conform in one document."""

    def __init__(self, root: Node, registry: Registry) -> None:
        self._root, self._registry = root, registry
        self._handlers: dict[str, Callable[[Mismatch], Iterable[Finding]]] = {
            "additionalProperties": self._unknown_keys,
            "anyOf": self._none_fits,
            "enum": self._enum,
            "maxProperties": self._too_many_keys,
            "not": self._reserved,
            "pattern": self._pattern,
            "required": self._missing_keys,
            "type": self._type,
        }

    def findings(self, wrong: Iterable[Mismatch]) -> list[Finding]:
        """One finding per mistake, in no order."""
        found = [finding for each in wrong for finding in self._said(each)]
        wrong_type = {each.path: each for each in reversed(found) if each.code == "type"}
        unknown = [each for each in found if each.code == "unknown-key"]
        meant = {(each.path, each.suggestion.split(":")[0]) for each in unknown}
        return [
            each
            for each in dict.fromkeys(found)
            if wrong_type.get(each.path, each) == each
            and (each.code != "missing-key" or (each.path, each.key) not in meant)
        ]

    def _said(self, wrong: Mismatch) -> Iterable[Finding]:
        return self._handlers.get(wrong.keyword, self._limit)(wrong)

    # One method per keyword

    def _limit(self, wrong: Mismatch) -> Iterable[Finding]:
        text = LIMITS.get(wrong.keyword, f"does not fit {wrong.keyword!r}")
        yield _finding(wrong, text.format(wrong.limit, self._written(wrong)), "range")

    def _type(self, wrong: Mismatch) -> Iterable[Finding]:
        got = described(wrong.value, self._written(wrong))
        message = f"expected {expected(wrong.schema)}, got {got}{self._hint(wrong)}"
        yield _finding(wrong, message, "type")

    def _hint(self, wrong: Mismatch) -> str:
        value, wanted = wrong.value, expected(wrong.schema)
        if isinstance(value, list | dict | None):
            return ""
        if wanted == "text":
            return f"; write '{self._written(wrong)}' in quotes"
        if wanted.startswith("a list") and " or " not in wanted:
            return f"; write [{cut(self._written(wrong))}]"
        if not isinstance(value, str):
            return ""
        if "number" in wanted and NUMBER.fullmatch(value):
            return "; remove the quotes"
        if wanted == "true or false" and value.lower() in YAML_1_1:
            return f"; YAML 1.2 reads {value!r} as text"
        return f"; write {{use: {cut(value)}}}" if KIND_MARK in wrong.schema else ""

    def _enum(self, wrong: Mismatch) -> Iterable[Finding]:
        kind = wrong.schema.get(KIND_MARK)
        if kind is not None:
            return [self._component(wrong, kind)]
        got = described(wrong.value, self._written(wrong)).removeprefix("text ")
        allowed = tuple(map(str, wrong.limit))
        return [_finding(wrong, f"{got} is not allowed here", "enum", allowed=allowed)]

    def _component(self, wrong: Mismatch, kind: Any) -> Finding:
        name, allowed = wrong.value, tuple(wrong.limit)
        if not isinstance(name, str):
            got = described(name, self._written(wrong))
            message = f"expected the name of {article(kind)}, got {got}"
            return _finding(wrong, message, "type", allowed=allowed)
        required = self._required(kind, name)
        if required:
            given = ", ".join(f"{parameter}: ..." for parameter in required)
            message = f"{name!r} needs parameters; write {{{name}: {{{given}}}}}"
            return _finding(wrong, message, "missing-parameters")
        fault = self._registry.fault(kind, name)
        if fault is not None:
            return _finding(wrong, str(fault), "plugin")
        near = _near(name, allowed)
        message = f"there is no {kind} {cut(name)!r}{'' if near else self._failed_plugins()}"
        return _finding(wrong, message, "unknown-component", allowed=allowed)

    def _failed_plugins(self) -> str:
        failed = [info for info in self._registry.plugins if info.error]
        told = "; ".join(f"plugin {info.label} did not load: {info.error}" for info in failed)
        return f", unless in a plugin that failed: {told}" if failed else ""

    def _unknown_keys(self, wrong: Mismatch) -> Iterator[Finding]:
        known = tuple(wrong.schema.get("properties", {}))
        for key in wrong.value:
            if key not in known:
                yield self._unknown_key(replace(wrong, key=key), known)

    def _unknown_key(self, wrong: Mismatch, known: tuple[str, ...]) -> Finding:
        key, kind = str(wrong.key), wrong.schema.get(KIND_MARK)
        short = kind is not None and "use" not in known
        near = _near(key, (*LONG_FORM, *known) if short else known)
        message, owner = f"unknown key {cut(key)!r}", self._owner(wrong, kind, short)
        if owner:
            message, near = f"{message}; it is a parameter: write it under {owner!r}", ""
        elif short and near not in LONG_FORM:
            return self._component(replace(wrong, value=key, limit=known), kind)
        elif kind is not None and self._registry.find(kind, key):
            near = f"use: {key}"
        elif near in wrong.value:
            near = ""
        finding = _finding(wrong, message, "unknown-key")
        return replace(finding, allowed=known, suggestion=near)

    def _owner(self, wrong: Mismatch, kind: Any, short: bool) -> str:
        """The key under which the unknown one would be a parameter, if there is such a key."""
        named = {key: key for key in wrong.value} if short else {"with": wrong.value.get("use")}
        for key, name in named.items():
            known = kind is not None and isinstance(name, str)
            component = self._registry.find(kind, name) if known else None
            if component and wrong.key in {each.name for each in fields(component.params)}:
                return key
        return ""

    def _too_many_keys(self, wrong: Mismatch) -> Iterable[Finding]:
        kind = wrong.schema.get(KIND_MARK)
        if kind is None:
            return self._limit(wrong)
        named = [key for key in wrong.value if self._registry.find(kind, key)]
        message = f"{_listed(named)} are {len(named)} {kind}s; a mapping names one"
        return [_finding(wrong, message, "range")] if len(named) > 1 else []

    def _missing_keys(self, wrong: Mismatch) -> Iterator[Finding]:
        kind, use = wrong.schema.get(KIND_MARK), wrong.value.get("use")
        for key in wrong.limit:
            if key not in wrong.value:
                required = self._required(kind, use) if kind and key == "with" else ()
                needed = f"; {use} needs {', '.join(required)}" if required else ""
                message = f"missing key {key!r}{needed}"
                yield _finding(replace(wrong, key=key), message, "missing-key")

    def _required(self, kind: Any, name: str) -> tuple[str, ...]:
        component = self._registry.find(kind, name)
        return Parameters(component).required if component else ()

    def _pattern(self, wrong: Mismatch) -> Iterable[Finding]:
        examples = " or ".join(map(str, wrong.schema.get("examples", ())))
        like = f"written like {examples}" if examples else f"of the form {wrong.limit}"
        got = described(wrong.value) if wrong.value.strip() else "only spaces"
        message = f"must be {FORMS.get(wrong.limit, like)}; got {got}"
        yield _finding(wrong, message, "pattern")

    def _reserved(self, wrong: Mismatch) -> Iterable[Finding]:
        yield _finding(wrong, f"the name {wrong.value!r} is reserved", "reserved")

    def _none_fits(self, wrong: Mismatch) -> Iterator[Finding]:
        """Of alternatives: what is wrong with the one that was meant, if that can be told."""
        for branch in wrong.branches:
            if not any(map(_is_of_another_type, branch)):
                for inner in branch:
                    yield from self._said(inner)
                return
        for finding in self._type(wrong):
            allowed = tuple(_choices(wrong.schema))
            yield replace(finding, allowed=allowed, suggestion=_near(wrong.value, allowed))

    def _written(self, wrong: Mismatch) -> str:
        """The value as the study spells it."""
        entries = list(self._root.along(wrong.path))
        node = entries[-1].node if entries else self._root
        return "" if isinstance(node.value, dict | tuple) else node.span.text


def _finding(wrong: Mismatch, message: str, code: str, *, allowed: tuple[str, ...] = ()) -> Finding:
    near = _near(wrong.value, allowed)
    return Finding(wrong.path, message, code, wrong.key, allowed, near)


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(map(repr, names[:-1])), repr(names[-1])])


def _near(value: Any, allowed: tuple[str, ...]) -> str:
    return "".join(nearest(value, allowed)[:1]) if isinstance(value, str) and allowed else ""


def _is_of_another_type(wrong: Mismatch) -> bool:
    """Whether an alternative was not meant at all (a misspelt component's name was)."""
    if not wrong.here or wrong.keyword not in ("type", "enum"):
        return False
    return wrong.keyword == "type" or KIND_MARK not in wrong.schema


def _choices(schema: dict[str, Any]) -> Iterator[str]:
    for branch in schema.get("anyOf", ()):
        yield from map(str, branch.get("enum", ()))
