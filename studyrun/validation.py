"""Validation: a document in, every fault at once out, in the order of the file; pure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from studyrun.faults.conformance import Conformance
from studyrun.faults.findings import Finding, located
from studyrun.faults.semantics import Semantics
from studyrun.faults.suggest import nearest
from studyrun.faults.wording import Wording
from studyrun.schema import compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from studyrun.diagnostics import Diagnostic, Place
    from studyrun.faults.conformance import Mismatch
    from studyrun.reading.document import KeyPath, Node
    from studyrun.registry import Registry

__all__ = ["Validator", "in_order", "validate"]


def validate(document: Node, registry: Registry, folder: Path | None = None) -> list[Diagnostic]:
    """Every fault of a study without a matrix, in file order; empty if it is valid.

    Args:
        document: the root of the study, with everything laid over it.
        registry: the components that it may use.
        folder: what its relative paths are relative to; the current folder if None.
    """
    return Validator(registry, folder).diagnostics(document)


PARTS = {
    "model": "use.model",
    "data": "use.data",
    "steps": "use.step",
    "hypotheses": "hypothesis",
}
"""The sections that are held against the schema piece by piece: the definition of a piece."""


class Validator:
    """Validates the cells of a study; what they have in common is looked at once."""

    def __init__(self, registry: Registry, folder: Path | None = None) -> None:
        self._registry = registry
        self._semantics = Semantics(registry, folder or Path.cwd())
        schema = compose(registry)
        definitions = schema["$defs"]
        pieces = dict.fromkeys(PARTS.values(), True)
        self._whole = Conformance({**schema, "$defs": {**definitions, **pieces}})
        self._piece = {
            section: Conformance({"$ref": f"#/$defs/{name}", "$defs": definitions})
            for section, name in PARTS.items()
        }
        self._matrix = Conformance(schema["properties"]["matrix"])
        self._known: dict[tuple[KeyPath, int], tuple[Node, list[Mismatch]]] = {}

    def diagnostics(self, root: Node) -> list[Diagnostic]:
        """Every fault of a study without a matrix, in file order."""
        wrong = self._whole.mismatches(root.plain())
        wrong += [each for path, node in _pieces(root) for each in self._mismatches(path, node)]
        found = Wording(root, self._registry).findings(wrong)
        blamed = {path for finding in found for path in _blamed(finding)}
        more = self._semantics.findings(root.plain(), blamed)
        steps = root.get("steps")
        if root.partial or (steps and steps.partial):  # what is missing may have been refused
            more = [finding for finding in more if finding.code not in ("wiring", "hypothesis")]
        return in_order(_located([*found, *more], root))

    def matrix_diagnostics(self, root: Node) -> list[Diagnostic]:
        """What is wrong with the shape of a study's matrix; its cells are studies of their own."""
        matrix = root.get("matrix")
        wrong = self._matrix.mismatches(matrix.plain(), ("matrix",)) if matrix else []
        return in_order(_located(Wording(root, self._registry).findings(wrong), root))

    def _mismatches(self, path: KeyPath, node: Node) -> list[Mismatch]:
        """Of one piece; cells share the nodes that their axes do not touch."""
        key = (path, id(node))
        if key not in self._known:
            wrong = self._piece[str(path[0])].mismatches(node.plain(), path)
            self._known[key] = (node, wrong)  # with the node, so that its id stays its own
        return self._known[key][1]


def _pieces(root: Node) -> Iterator[tuple[KeyPath, Node]]:
    for section in PARTS:
        node = root.get(section)
        if node is None:
            continue
        if section in ("model", "data"):
            yield (section,), node
        else:
            yield from (((section, name), entry.node) for name, entry in node.entries.items())


def _blamed(finding: Finding) -> Iterator[KeyPath]:
    """The path of what is at fault; of an unknown key also what was probably meant."""
    if finding.key is None or finding.code == "missing-key":
        yield finding.path
    else:
        yield (*finding.path, finding.key)
        if finding.suggestion:
            yield (*finding.path, finding.suggestion)


def _located(findings: Iterable[Finding], root: Node) -> Iterable[Diagnostic]:
    found = (located(_suggesting(finding, root), root) for finding in findings)
    return [diagnostic for diagnostic in found if diagnostic is not None]


def _suggesting(finding: Finding, root: Node) -> Finding:
    """A component lists what is allowed; what was meant is found here."""
    *_, value = (None, *(entry.node.value for entry in root.along(finding.path)))
    if finding.suggestion or not finding.allowed or not isinstance(value, str):
        return finding
    return replace(finding, suggestion="".join(nearest(finding.within or value, finding.allowed)))


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Each diagnostic once, by file, line and column."""
    once: dict[tuple[Place, str], Diagnostic] = {}
    for each in diagnostics:  # what several cells or aliases share is said for the first
        once.setdefault((each.place, each.message), each)
    return sorted(once.values(), key=lambda d: (d.file, d.line, d.column))
