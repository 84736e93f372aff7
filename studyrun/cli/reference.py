"""Components as Markdown: what `docs/reference/components.md` holds."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

from studyrun.plugging.describe import Parameter, column_list, example, parameters, tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from studyrun.columns import Table
    from studyrun.contracts import Component
    from studyrun.registry import Registry

__all__ = ["components_markdown"]

OPENING = """# Components

Everything a study can `use`, as `studyrun describe --format markdown` prints it.
"""


def components_markdown(registry: Registry, components: Iterable[Component]) -> str:
    """A page with a chapter per kind and a heading per component."""
    lines = [OPENING]
    for kind, members in groupby(components, key=lambda component: component.kind):
        lines.append(f"## {kind}\n")
        lines += [_component(registry, component) for component in members]
    return "\n".join(lines).rstrip("\n")


def _component(registry: Registry, component: Component) -> str:
    blocks = [f"### {component.name}", _sentence(component.summary), _facts(component)]
    if found := parameters(component.params):
        blocks.append(_table(found))
    if component.measures:
        blocks.append(_measures(component))
    if told := tables(registry, component):
        blocks.append(_tables(told))
    if shown := example(registry, component):
        blocks.append(f"```yaml\n{shown.rstrip()}\n```")
    return "\n\n".join(filter(None, blocks)) + "\n"


def _facts(component: Component) -> str:
    """Its version, and what it says of itself."""
    laws = _codes(law.name for law in component.laws)
    said = (
        f"Takes {_codes(component.takes)}." if component.takes else "",
        f"Makes `{component.makes}`." if component.makes else "",
        f"Reads {_codes(component.reads)} of every edited run." if component.reads else "",
        f"Promises the laws {laws}." if laws else "",
    )
    return " ".join(filter(None, (f"Version {component.version}.", *said)))


def _table(found: tuple[Parameter, ...]) -> str:
    rows = ["| parameter | type | default | meaning |", "| --- | --- | --- | --- |"]
    for each in found:
        kind = _cell(", ".join(filter(None, (each.type, each.limits))))
        default = "required" if each.required else f"`{_cell(json.dumps(each.default))}`"
        rows.append(f"| `{each.name}` | {kind} | {default} | {_cell(each.doc)} |")
    return "\n".join(rows)


def _tables(told: dict[str, Table]) -> str:
    listed = (f"- `{name}`: {column_list(each, '`{}`')}" for name, each in told.items())
    return "\n".join(["Its tables, as a hypothesis names them:", "", *listed])


def _measures(component: Component) -> str:
    rows = ["| measure | of | meaning |", "| --- | --- | --- |"]
    for each in component.measures:
        of = "every place" if each.by_place else "the run"
        rows.append(f"| `{each.name}` | {of}; {each.of} | {_cell(each.about)} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
