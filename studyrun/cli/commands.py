"""One function per command: options in, exit code out. Each imports what it alone needs."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from studyrun.cli.terminal import near, visible, write
from studyrun.errors import InvalidStudy, UsageError
from studyrun.faults.suggest import did_you_mean

if TYPE_CHECKING:
    from argparse import Namespace

    from studyrun.contracts import Component
    from studyrun.registry import Registry
    from studyrun.running.preparation import Prepared

__all__ = [
    "check",
    "compare",
    "describe",
    "explain",
    "new_plugin",
    "plan",
    "plugins",
    "run",
    "schema",
    "show",
]


def run(options: Namespace) -> int:
    """Run a study; say what became of every step, and where the page is."""
    from studyrun.runner import Options, execute
    from studyrun.running.progress import Progress

    prepared = _prepared(options)
    prepared.rehearse(keep_going=options.keep_going)
    how = Options(
        keep_going=options.keep_going,
        wait=options.wait,
        progress=Progress(quiet=options.quiet),
        study_file=prepared.file,
        lines=prepared.lines(),
        command=shlex.join(["studyrun", *options.words]),
        rerun=prepared.rerun,
    )
    try:
        outcome = execute(prepared.plan, prepared.registry, prepared.store, prepared.runs, how)
    except KeyboardInterrupt:
        sys.stderr.write(
            "\nfinished steps and pieces are stored; the same command goes on from there\n"
        )
        raise
    if outcome.errors and options.debug:
        raise outcome.errors[0]
    if not options.quiet:
        _write_summary(outcome.folder, prepared.registry)
    sys.stdout.flush()
    for error in outcome.errors:
        sys.stderr.write(f"{visible(str(error))}\n")
    return outcome.exit_code


def check(options: Namespace) -> int:
    """Say everything that is wrong with a study."""
    from studyrun.diagnostics import VIEWS
    from studyrun.reading.checking import check_study

    checked = check_study(_study_file(options), options.settings, modules=options.plugins)
    found = checked.diagnostics
    if found or options.format == "json":
        write(VIEWS[options.format](found))
    if checked.cells is None or checked.registry is None:
        return InvalidStudy(found).exit_code
    checked.registry.demand()
    if options.format == "text":
        size = f"{len(checked.cells[0].steps)} steps"
        size += f" in {len(checked.cells)} cells" if len(checked.cells) > 1 else ""
        write(f"{options.study}: ok ({size})")
    return 0


def plan(options: Namespace) -> int:
    """Say for every step whether it would run, and why."""
    from studyrun.cli.outcome import plan_text

    planned = _prepared(options).plan
    if options.format == "json":
        write(json.dumps(planned.plain(), indent=2, ensure_ascii=False))
    else:
        write(plan_text(planned))
    return 0


def explain(options: Namespace) -> int:
    """Say why a step of a run ran or was reused."""
    from studyrun import runs
    from studyrun.cli.finding import find_run
    from studyrun.cli.outcome import explanation_text

    found = runs.explain(find_run(options.run), options.step)
    write("\n\n".join(map(explanation_text, found)))
    return 0


def show(options: Namespace) -> int:
    """Show the tables of a run, or rows of one of them."""
    from studyrun.cli import show as view
    from studyrun.cli.finding import find_run, one_cell

    question = view.Question(options.where, options.sort, options.columns, options.limit)
    if options.what == view.OVERVIEW and question != view.Question():
        raise UsageError("--where, --sort, --columns and --limit are asked of a TABLE; name one")
    found = find_run(options.run, options.out, options.plugins)
    if options.what == view.OVERVIEW:
        shown = found if options.cell is None else one_cell(found, options.cell)
        write(view.overview(shown, options.format))
    else:
        cell = one_cell(found, options.cell)
        write(view.table_text(cell, options.what, question, options.format))
    return 0


def compare(options: Namespace) -> int:
    """Make the page that shows runs side by side, and say in short what is on it."""
    from studyrun.cli import comparison
    from studyrun.cli.finding import find_run
    from studyrun.running.index import comparison_files

    runs = [find_run(each, options.out, options.plugins) for each in options.runs]
    folder = Path(options.into) if options.into else comparison.folder_for(runs, options.out)
    comparison.must_be_free(folder)
    found = comparison.side_by_side(runs, folder)
    files = comparison_files(_registry(options), found)
    page = comparison.write_files(files, folder)
    as_json = options.format == "json"
    view = comparison.comparison_json if as_json else comparison.comparison_text
    write(view(found, files, page))
    return 0


def plugins(options: Namespace) -> int:
    """List every component with its version, owner and file, and what cannot be used."""
    from studyrun.cli.components import plugins_json, plugins_text

    registry = _registry(options)
    write(plugins_json(registry) if options.format == "json" else plugins_text(registry))
    return 0


def describe(options: Namespace) -> int:
    """Show every component (of that name): its parameters and an example."""
    from studyrun.cli.components import component_json, component_text

    registry = _registry(options)
    name = options.component
    found = _named(registry, name) if name else registry.components()
    if options.format == "markdown":
        from studyrun.cli.reference import components_markdown

        write(components_markdown(registry, found))
    elif options.format == "json":
        write(json.dumps([component_json(registry, component) for component in found], indent=2))
    else:
        write("\n\n".join(component_text(registry, component) for component in found))
    return 0


def schema(options: Namespace) -> int:
    """Print the schema that `schemas/study.schema.json` publishes."""
    from studyrun.schema import published_schema

    write(published_schema(_registry(options)).rstrip("\n"))
    return 0


def new_plugin(options: Namespace) -> int:
    """Write a plugin package, and say what to do with it."""
    from studyrun.plugging.scaffold import scaffold

    folder = near(scaffold(options.name, Path(options.into)))
    write(
        f"wrote {folder}\n"
        f"  pip install -e {folder}\n"
        f"  pytest {folder}\n"
        f"  studyrun {Path(folder) / 'study.yaml'}"
    )
    return 0


def _registry(options: Namespace) -> Registry:
    from studyrun.registry import Registry

    return Registry.load(options.plugins)


def _prepared(options: Namespace) -> Prepared:
    from studyrun.running.preparation import prepare

    return prepare(
        _study_file(options),
        settings=options.settings,
        out=options.out,
        plugins=options.plugins,
    )


def _study_file(options: Namespace) -> str:
    file = Path(options.study)
    if not file.exists():
        there = [path.name for path in file.parent.glob("*.y*ml")]
        raise UsageError(f"there is no file {options.study!r}{did_you_mean(file.name, there)}")
    return str(options.study)


def _write_summary(folder: Path, registry: Registry) -> None:
    from studyrun.cli.summary import summary_text
    from studyrun.running.history import read_record
    from studyrun.runs import Run

    write(summary_text(Run(folder, read_record(folder), registry)))


def _named(registry: Registry, name: str) -> list[Component]:
    from studyrun.contracts import Kind

    found = [component for component in registry.components() if component.name == name]
    if found:
        return found
    for kind in get_args(Kind):
        fault = registry.fault(kind, name)
        if fault is not None:
            raise fault
    names = [component.name for component in registry.components()]
    raise UsageError(
        f"there is no component {name!r}{did_you_mean(name, names)} "
        "(`studyrun plugins` lists them all)"
    )
