"""Views of the registry: the list of plugins, and one component in full."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from studyrun.cli.terminal import near, paint, table
from studyrun.plugging.describe import Parameter, column_list, example, parameters, tables

if TYPE_CHECKING:
    from studyrun.columns import Table
    from studyrun.contracts import Component
    from studyrun.registry import PluginInfo, Registry

__all__ = ["component_json", "component_text", "plugins_json", "plugins_text"]


def plugins_text(registry: Registry) -> str:
    """A table of every usable component, then everything that cannot be used, and why."""
    rows = [_row(registry, component) for component in registry.components()]
    rows += [_observer_row(info) for info in registry.plugins if info.observes]
    lines = [table(("kind", "name", "version", "owner", "file", "summary"), rows)]
    lines += _section("cannot be used", "red", _broken(registry))
    lines += _section("slow to load", "yellow", _slow(registry))
    return "\n".join(lines)


def plugins_json(registry: Registry) -> str:
    """The same as JSON."""
    records = [_record(registry, component) for component in registry.components()]
    return json.dumps(
        {
            "components": records,
            "plugins": [_plugin_record(info) for info in registry.plugins],
            "faults": [{"plugin": each.plugin, "error": str(each)} for each in registry.faults()],
        },
        indent=2,
    )


def component_text(registry: Registry, component: Component) -> str:
    """What it is, who ships it, its parameters and an example."""
    owner = registry.owner(component)
    title = f"{component.kind} {component.name}, version {component.version}"
    lines = [paint(title, "bold")]
    lines += [f"  {line}" for line in filter(None, _facts(component))]
    lines.append(f"  shipped by {owner.label}: {near(owner.file)}")
    found = parameters(component.params)
    if found:
        lines += ["", paint("parameters", "bold")]
    lines += [line for parameter in found for line in _parameter_lines(parameter)]
    told = tables(registry, component)
    lines += ["", paint("tables", "bold")] if told else []
    lines += [line for name, each in told.items() for line in _table_lines(name, each)]
    shown = example(registry, component)
    if shown:
        lines += ["", paint("example", "bold"), *(f"  {line}" for line in shown.splitlines())]
    return "\n".join(lines)


def component_json(registry: Registry, component: Component) -> dict[str, Any]:
    """The same as a JSON object."""
    return {
        **_record(registry, component),
        "parameters": [_parameter_record(each) for each in parameters(component.params)],
        "tables": {
            name: {"columns": dict(each.columns), "open": each.open}
            for name, each in tables(registry, component).items()
        },
        "reads": list(component.reads),
        "measures": [asdict(measure) for measure in component.measures],
        "example": example(registry, component),
    }


def _row(registry: Registry, component: Component) -> tuple[str, ...]:
    owner = registry.owner(component)
    shipped = f"{owner.owner} {owner.version}".rstrip()
    kind, name = component.kind, component.name
    return kind, name, component.version, shipped, near(owner.file), component.summary


def _observer_row(info: PluginInfo) -> tuple[str, ...]:
    shipped = f"{info.owner} {info.version}".rstrip()
    return "observer", info.name, "", shipped, near(info.file), "is told of every event"


def _section(title: str, colour: str, entries: list[str]) -> list[str]:
    return ["", paint(f"{title}:", colour), *(f"  {entry}" for entry in entries)] if entries else []


def _slow(registry: Registry) -> list[str]:
    return [
        f"plugin {info.label!r} imports {', '.join(info.imports)} when it is loaded; "
        "import inside the function that needs it"
        for info in registry.plugins
        if info.imports
    ]


def _broken(registry: Registry) -> list[str]:
    """Plugins that did not load, components that are no good, and collisions."""
    plugins = [info for info in registry.plugins if info.error]
    unloaded = [f"plugin {info.label!r} {near(info.file)}: {info.error}" for info in plugins]
    return [*unloaded, *map(str, registry.faults())]


def _record(registry: Registry, component: Component) -> dict[str, Any]:
    owner = registry.owner(component)
    return {
        "kind": component.kind,
        "name": component.name,
        "version": component.version,
        "summary": component.summary,
        "plugin": owner.name,
        "owner": owner.owner,
        "owner_version": owner.version,
        "file": owner.file,
        "target": component.target,
        "takes": list(component.takes),
        "makes": component.makes,
    }


def _plugin_record(info: PluginInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "owner": info.owner,
        "version": info.version,
        "module": info.module,
        "file": info.file,
        "error": info.error,
        "observes": info.observes,
        "imports": list(info.imports),
    }


def _facts(component: Component) -> list[str]:
    takes = ", ".join(component.takes)
    laws = ", ".join(law.name for law in component.laws)
    return [
        component.summary,
        f"takes {takes}" if takes else "",
        f"makes {component.makes}" if component.makes else "",
        f"promises the laws {laws}" if laws else "",
        f"is given other feature activations: {component.reference}" if component.reference else "",
        f"reads {', '.join(component.reads)} of every edited run" if component.reads else "",
        *(f"measures {each.name}: {each.about}" for each in component.measures),
    ]


def _parameter_lines(parameter: Parameter) -> list[str]:
    value = "required" if parameter.required else f"default {json.dumps(parameter.default)}"
    facts = "; ".join(filter(None, (parameter.type, parameter.limits, value)))
    lines = [f"  {paint(parameter.name, 'bold')}: {facts}"]
    return lines + _wrapped(parameter.doc, "      ") if parameter.doc else lines


def _table_lines(name: str, told: Table) -> list[str]:
    return [f"  {paint(name, 'bold')}", *_wrapped(column_list(told, "{}"), "      ")]


def _wrapped(text: str, indent: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 92, initial_indent=indent, subsequent_indent=indent)


def _parameter_record(parameter: Parameter) -> dict[str, Any]:
    default = {} if parameter.required else {"default": parameter.default}
    return {
        "name": parameter.name,
        "type": parameter.type,
        "required": parameter.required,
        **default,
        "limits": parameter.limits,
        "doc": parameter.doc,
    }
