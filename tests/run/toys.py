"""Studies of the toy plugin, wired and planned without a file; what every test here starts from."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studyrun.plan import Plan, plan
from studyrun.registry import Registry
from studyrun.runner import Options, Outcome, execute
from studyrun.running.history import History
from studyrun.running.progress import Progress
from studyrun.store import Store
from studyrun.study import Study
from studyrun.wiring import wire

PLUGIN = Path(__file__).with_name("toy_plugin.py")
DOCUMENT: dict[str, Any] = {
    "study": "toy",
    "data": {"use": "toy-data"},
    "steps": {
        "draws": {"use": "toy-draw"},
        "sums": {"use": "toy-sum"},
        "report": {"use": "toy-report"},
    },
    "hypotheses": {
        "grows": {
            "claim": "The sums exceed -1000.",
            "given": "SELECT count(*) >= 4 FROM sums",
            "expect": "SELECT max(total) > -1000 FROM sums",
        }
    },
}
QUIET = Progress(quiet=True)


def changed(path: str, value: Any, document: dict[str, Any] = DOCUMENT) -> dict[str, Any]:
    """A copy of the document with one value set."""
    copied = copy.deepcopy(document)
    *parents, last = path.split(".")
    place = copied
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = value
    return copied


@dataclass
class Lab:
    """A folder of outputs, and what can be done in it."""

    out: Path
    registry: Registry = field(default_factory=lambda: Registry.load([str(PLUGIN)]))

    @property
    def store(self) -> Store:
        return Store(self.out / "store")

    def plan(self, *documents: dict[str, Any]) -> Plan:
        studies = [Study.from_plain(document) for document in documents or (DOCUMENT,)]
        cells = {study.cell: wire(study, self.registry) for study in studies}
        name = studies[0].name
        return plan(cells, self.registry, self.store, History.of(self.out / name))

    def run(self, *documents: dict[str, Any], **options: Any) -> Outcome:
        planned = self.plan(*documents)
        chosen = Options(**{"progress": QUIET, **options})
        return execute(planned, self.registry, self.store, self.out / planned.study, chosen)

    def actions(self, *documents: dict[str, Any]) -> dict[str, str]:
        return {step.name: step.action for step in self.plan(*documents).steps}

    def reasons(self, *documents: dict[str, Any]) -> dict[str, tuple[str, ...]]:
        return {step.name: step.reasons for step in self.plan(*documents).steps}

    def keys(self, *documents: dict[str, Any]) -> dict[str, str]:
        return {step.name: step.key for step in self.plan(*documents).steps}


def cell(name: str, document: dict[str, Any]) -> dict[str, Any]:
    """The document as one cell of a matrix."""
    return {**document, "cell": {"name": name, "axes": {}}}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of every artifact, by name; locks and left-overs aside."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.glob("[0-9a-f]*/**/*"))
        if file.is_file()
    }


def damage(lab: Lab, key: str, name: str = "table.parquet") -> None:
    """Flip a bit in the middle of a stored file."""
    file = lab.store.folder / key / name
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def forget(artifact: Any) -> None:
    """As in a process that has not read the artifact's files yet."""
    artifact._verify.__closure__[1].cell_contents._verified.clear()


def start(script: str, *arguments: object, **env: str) -> subprocess.Popen[str]:
    """A Python process that can import this module."""
    paths = [str(Path(__file__).parent), str(PLUGIN.parents[2])]
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
