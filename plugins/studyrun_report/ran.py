"""The run that shows a report: what became of its steps, and with what they were made."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from studyrun_report.blocks import Ran, RanStep, Term
from studyrun_report.writing.text import harmless

__all__ = ["duration", "ran_of", "size"]

STATUSES = {"done": "ran", "planned": "not reached"}
"""What the record's words are here; the others are the same."""
MEMORY = {"cpu_bytes": "of the process", "gpu_bytes": "of the GPU"}
LONGEST = 600
MINUTE, HOUR = 60, 3600
KILO = 1000


def ran_of(run: Mapping[str, Any], cell: str) -> Ran:
    """The run as its record has it.

    Args:
        run: `run.json`.
        cell: of the matrix.
    """
    entries: Mapping[str, Mapping[str, Any]] = run["cells"][cell]["steps"]
    owner: dict[str, str] = {}
    for name, entry in entries.items():
        if entry.get("key"):
            owner.setdefault(entry["key"], name)
    steps = tuple(_step(name, entry, owner) for name, entry in entries.items())
    outcome = _outcome(run, steps)
    terms = (Term("Outcome", outcome), *_terms(run))
    return Ran(steps, terms, f"{outcome} {_in_words(steps)}")


# Steps


def _step(name: str, entry: Mapping[str, Any], owner: Mapping[str, str]) -> RanStep:
    status = str(entry.get("status", ""))
    ran = status in ("done", "failed", "interrupted")
    seconds = entry.get("seconds") if ran else None
    why = entry.get("error") or "; ".join(map(str, entry.get("reasons") or ()))
    return RanStep(
        step=harmless(name),
        component=harmless(str(entry.get("component", ""))),
        status=STATUSES.get(status, status),
        why=harmless(str(why)),
        seconds=seconds,
        took="" if seconds is None else duration(seconds),
        reads=tuple(dict.fromkeys(map(harmless, _reads(entry, owner)))),
    )


def _reads(entry: Mapping[str, Any], owner: Mapping[str, str]) -> Iterator[str]:
    """The steps that it is given something of, by the keys in its recipe."""
    recipe = entry.get("recipe") or {}
    keys = [*(recipe.get("inputs") or {}).values()]
    for given in (recipe.get("variants") or {}).values():
        keys += given.values()
    yield from (owner[key] for key in keys if key in owner)
    yield from (name for name, _ in recipe.get("earlier") or ())


def _outcome(run: Mapping[str, Any], steps: tuple[RanStep, ...]) -> str:
    """How it ended, and what became of how many steps: `Done in 46.6 s: 8 steps ran.`."""
    counts = Counter(step.status for step in steps).most_common()
    said = [f"{n} {status}" for status, n in counts]
    for status, n in counts[:1]:
        said[0] = f"{n} step{'s' * (n != 1)} {status}"
    seconds = run.get("seconds")
    took = "" if seconds is None else f" in {duration(seconds)}"
    status = str(run.get("status") or "running")
    return harmless(f"{status[:1].upper()}{status[1:]}{took}: {', '.join(said) or 'no steps'}.")


def _in_words(steps: tuple[RanStep, ...]) -> str:
    """The picture, step by step."""
    said = []
    for step in steps:
        took = f" in {step.took}" if step.took else ""
        after = f", after {' and '.join(step.reads)}" if step.reads else ""
        said.append(f"{step.step} {step.status}{took}{after}")
    return harmless(f"{'; '.join(said)}.", 4000) if said else ""


# With what


def _terms(run: Mapping[str, Any]) -> Iterator[Term]:
    command = _command(run)
    yield Term("Command", harmless(command, LONGEST), code=True)
    if run.get("command") not in (None, command):
        yield Term("What was typed", harmless(str(run["command"]), LONGEST), code=True)
    if run.get("rerun") and (out := _out(command)):
        yield Term("Typed in", harmless(f"the folder in which {out} lies", LONGEST))
    yield Term("Run", harmless(str(run.get("run", ""))))
    for name, title in (("started", "Started"), ("ended", "Ended")):
        if run.get(name):
            yield Term(title, harmless(_moment(str(run[name]))))
    machine = _machine(run.get("hardware") or {})
    if machine:
        yield Term("Machine", harmless(machine, LONGEST))
    memory = _memory(run.get("peak_memory") or {})
    if memory:
        yield Term("Peak memory", harmless(memory))
    yield Term("Commit", harmless(_commit(run.get("git"))))
    yield Term("Versions", harmless(_versions(run.get("versions") or {}), LONGEST))
    plugins = ", ".join(map(_plugin, run.get("plugins") or ()))
    if plugins:
        yield Term("Plugins", harmless(plugins, LONGEST))


def _command(run: Mapping[str, Any]) -> str:
    """What does the same again, where the record says it; else the study's file."""
    if run.get("rerun"):
        return str(run["rerun"])
    study = run.get("study_file") or f"{run.get('study', '')}.yaml"
    return f"studyrun {shlex.quote(str(study))}"


def _out(command: str) -> str:
    """Where its results go, if that tells the folder in which the command is typed."""
    try:
        words = shlex.split(command)
    except ValueError:  # somebody wrote into the record
        return ""
    out = words[words.index("--out") + 1] if "--out" in words[:-1] else "outputs"
    return "" if Path(out).is_absolute() or ".." in Path(out).parts else out


def _moment(text: str) -> str:
    """`2026-11-27T05:08:30.218+00:00` as `2026-11-27 05:08:30 UTC`."""
    day, _, rest = text.partition("T")
    zone = " UTC" if rest.endswith("+00:00") else ""
    return f"{day} {rest.split('.')[0]}{zone}".strip() if rest else text


def _machine(hardware: Mapping[str, Any]) -> str:
    known = [str(hardware[name]) for name in ("machine", "cpu") if hardware.get(name)]
    if hardware.get("cores"):
        known.append(f"{hardware['cores']} cores")
    if hardware.get("memory_bytes"):
        known.append(f"{size(hardware['memory_bytes'])} of memory")
    return ", ".join([*known, *map(str, hardware.get("gpus") or ())])


def _memory(peak: Mapping[str, Any]) -> str:
    return ", ".join(f"{size(n)} {MEMORY.get(name, name)}" for name, n in peak.items())


def _commit(git: Mapping[str, Any] | None) -> str:
    if not git or not git.get("commit"):
        return "not in a repository"
    return f"{git['commit']}{', with uncommitted changes' if git.get('dirty') else ''}"


def _versions(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _plugin(plugin: Mapping[str, Any]) -> str:
    name, owner = plugin.get("name"), plugin.get("owner")
    of = f" of {owner}" if owner and owner != name else ""
    return f"{name}{of} {plugin.get('version') or ''}".strip()


def duration(seconds: float) -> str:
    """`0.04 s`, `27.1 s`, `2 min 5 s`, `1 h 3 min`."""
    whole = round(seconds)
    if whole >= HOUR:
        minutes = round(seconds / MINUTE)
        return f"{minutes // MINUTE} h {minutes % MINUTE} min"
    if round(seconds, 1) >= MINUTE:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"


def size(n: float) -> str:
    """`512 MB`, `1.18 GB`; a kilobyte is a thousand bytes."""
    for unit in ("bytes", "kB", "MB"):
        if round(n) < KILO:
            return f"{n:.3g} {unit}"
        n /= KILO
    return f"{n:.3g} GB" if n < KILO else f"{n:.0f} GB"
