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
    facts = [f"Version {component.version}."]
    if component.takes:
        facts.append(f"Takes {_codes(component.takes)}.")
    if component.makes:
        facts.append(f"Makes `{component.makes}`.")
    if component.laws:
        facts.append(f"Promises the laws {_codes(law.name for law in component.laws)}.")
    blocks = [f"### {component.name}", _sentence(component.summary), " ".join(facts)]
    if found := parameters(component.params):
        blocks.append(_table(found))
    if told := tables(registry, component):
        blocks.append(_tables(told))
    if shown := example(registry, component):
        blocks.append(f"```yaml\n{shown.rstrip()}\n```")
    return "\n\n".join(filter(None, blocks)) + "\n"


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


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
