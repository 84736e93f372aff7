"""The store: the only reader and writer of artifacts.

`<out>/store/<key>/` holds one artifact. It is written in `tmp/`, flushed to disk file by file with
the manifest last, and renamed, so that an artifact is there as a whole or not at all. Every file
is checked against its manifest before its first use in a process. What is found damaged is moved
to `quarantine/`, never deleted, and the next run makes it again.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from studyrun.artifacts import Artifact, Manifest, StoredFile
from studyrun.errors import ArtifactDamaged, StoreBusy, StudyError
from studyrun.keys import digest
from studyrun.storing import contents
from studyrun.storing.files import flush, sha256_of, writing
from studyrun.storing.lock import held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from studyrun.artifacts import Result

__all__ = ["Store"]

State = Literal["absent", "stored", "damaged"]
READ_ONLY = 0o444
"""Tables in run folders are hard links: editing one in place must not change the artifact."""
PARTIAL = ".partial"
"""Ends the name of a folder with finished pieces of an artifact that is not finished."""
KEPT = 7 * 24 * 3600.0
"""Seconds for which such a folder waits to be gone on with."""


class Store:
    """Artifacts by content key. Making this object touches nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._verified: set[Path] = set()

    def __repr__(self) -> str:
        return f"<Store {self.folder}>"

    # Reading

    def state(self, key: str) -> State:
        """Whether the artifact is there, judged by its manifest and the sizes of its files."""
        if not (self.folder / key).is_dir():
            return "absent"
        try:
            self.manifest(key)
        except ArtifactDamaged:
            return "damaged"
        return "stored"

    def manifest(self, key: str) -> Manifest:
        """The manifest of a stored artifact whose files all have the right size.

        Raises:
            ArtifactDamaged: it is not so, or the manifest cannot be read.
        """
        manifest = _read_manifest(self.folder / key / contents.MANIFEST)
        if manifest.key != key:
            raise ArtifactDamaged(self.folder / key, f"key {key}", manifest.key)
        for name, stored in manifest.files.items():
            _check_size(self.folder / key / name, stored)
        return manifest

    def open(self, key: str, view: type[Artifact] = Artifact) -> Artifact:
        """The artifact, as an instance of `view`.

        Raises:
            ArtifactDamaged: it is not there as its manifest says.
        """
        manifest = self.manifest(key)
        return view(self.folder / key, manifest, lambda name: self._verify(manifest, name))

    def key_of(self, file: Path) -> str:
        """The key of the artifact that a file belongs to."""
        return file.relative_to(self.folder).parts[0]

    # Writing

    def lock(
        self, key: str, wait: float = 0.0, waiting: Callable[[str], None] | None = None
    ) -> AbstractContextManager[None]:
        """Hold the key against other processes; StoreBusy after `wait` seconds."""
        return held(self._place("locks") / key, wait, waiting)

    def put(self, manifest: Manifest, result: Result) -> None:
        """Store a result; the caller holds the key's lock.

        Args:
            manifest: what the artifact is; `meta` and `files` are filled in from the result.
            result: already known to keep its contract (`contents.fault_of`).

        Raises:
            StudyError: the disk refused; the store is as before.
        """
        beside, home = self._place("tmp") / manifest.key, self.folder / manifest.key
        with writing(self.folder):
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir()
            try:
                contents.write(result, beside)
                _seal(beside, manifest, result.meta)
                if home.exists():
                    self.quarantine(manifest.key)
                beside.rename(home)
                flush(self.folder)
            finally:
                shutil.rmtree(beside, ignore_errors=True)

    def scratch(self, key: str) -> Path:
        """An empty folder for whoever holds the key's lock."""
        folder = self._place("tmp") / f"{key}.scratch"
        with writing(self.folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        return folder

    def clear_scratch(self, key: str) -> None:
        """Remove the scratch folder, if there is one."""
        shutil.rmtree(self.folder / "tmp" / f"{key}.scratch", ignore_errors=True)

    def partial(self, key: str, maker: str) -> Path:
        """A folder that outlives a crash, for whoever holds the key's lock.

        Args:
            key: of the artifact whose finished pieces it holds.
            maker: tells the code that makes it; what other code left is removed.
        """
        folder = self._place("tmp") / f"{key}.{maker}{PARTIAL}"
        with writing(self.folder):
            for other in folder.parent.glob(f"{key}.*{PARTIAL}"):
                if other != folder:
                    shutil.rmtree(other, ignore_errors=True)
            folder.mkdir(exist_ok=True)
        return folder

    def clear_partial(self, key: str) -> None:
        """Remove what `partial` gave, if it did."""
        for folder in (self.folder / "tmp").glob(f"{key}.*{PARTIAL}"):
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what killed processes left in `tmp/`; living ones hold their keys' locks.

        Finished pieces of an artifact that is not stored stay for a week.
        """
        left = self.folder / "tmp"
        for folder in sorted(left.iterdir()) if left.is_dir() else ():
            key = folder.name.partition(".")[0]
            try:
                with self.lock(key):
                    if (self.folder / key).exists() or not _may_go_on(folder):
                        shutil.rmtree(folder, ignore_errors=True)
            except StoreBusy:
                continue  # its owner is alive and at work

    def quarantine(self, key: str) -> Path:
        """Move an artifact aside and return where it went; the caller holds the key's lock."""
        aside = self._place("quarantine")
        taken = sum(1 for other in aside.iterdir() if other.name.startswith(key))
        target = aside / f"{key}.{taken + 1}"
        (self.folder / key).rename(target)
        self._verified = {file for file in self._verified if self.key_of(file) != key}
        return target

    # Helpers

    def _place(self, name: str) -> Path:
        folder = self.folder / name
        with writing(self.folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _verify(self, manifest: Manifest, name: str) -> Path:
        file = self.folder / manifest.key / name
        if file not in self._verified:
            try:
                _check(file, manifest.files[name])
            except ArtifactDamaged as damage:
                self._set_aside(manifest, name, damage)
            self._verified.add(file)
        return file

    def _set_aside(self, manifest: Manifest, name: str, damage: ArtifactDamaged) -> None:
        """Quarantine, unless another process has already made the artifact again."""
        home = self.folder / manifest.key
        try:
            with self.lock(manifest.key, wait=10.0):
                if self.state(manifest.key) == "stored" and _is_sound(home / name, manifest, name):
                    return
                aside = self.quarantine(manifest.key)
        except StudyError:
            raise damage from None  # a read-only store, or somebody holds it: say what is wrong
        found = f"{damage.found}; moved to {aside}, and the next run of the study makes it again"
        raise ArtifactDamaged(damage.file, damage.expected, found) from None


def _may_go_on(folder: Path) -> bool:
    """Whether a folder in `tmp/` holds finished pieces, the newest not too old."""
    if folder.suffix != PARTIAL:
        return False
    newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    return time.time() - newest < KEPT


def _seal(folder: Path, manifest: Manifest, meta: Mapping[str, object]) -> None:
    """Write the manifest of a complete folder, with everything else already on disk."""
    files = {}
    for file in _files_below(folder):
        flush(file)
        file.chmod(READ_ONLY)
        name = file.relative_to(folder).as_posix()
        files[name] = StoredFile(file.stat().st_size, sha256_of(file))
    last = folder / contents.MANIFEST
    last.write_bytes(_encode(asdict(replace(manifest, meta=dict(meta), files=files))))
    flush(last)
    last.chmod(READ_ONLY)
    for each in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        flush(each)


def _encode(record: dict[str, Any]) -> bytes:
    """The one text of a manifest, which carries its own digest."""
    sealed = record | {"digest": digest(record)}
    text = json.dumps(sealed, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _read_manifest(file: Path) -> Manifest:
    try:
        found = file.read_bytes()
        record = {name: v for name, v in json.loads(found).items() if name != "digest"}
        manifest, written = msgspec.convert(record, Manifest), _encode(record)
    except (OSError, ValueError, AttributeError) as error:
        raise ArtifactDamaged(file, "a manifest", str(error)) from error
    if found != written:
        raise ArtifactDamaged(file, "the manifest as it was written", "another text")
    return manifest


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _check(file: Path, stored: StoredFile) -> None:
    _check_size(file, stored)
    found = sha256_of(file)
    if found != stored.sha256:
        raise ArtifactDamaged(file, f"sha256 {stored.sha256[:12]}", f"{found[:12]}")


def _check_size(file: Path, stored: StoredFile) -> None:
    try:
        size = file.stat().st_size
    except OSError as error:
        raise ArtifactDamaged(file, f"{stored.size} bytes", error.strerror or "nothing") from error
    if size != stored.size:
        raise ArtifactDamaged(file, f"{stored.size} bytes", f"{size}")


def _is_sound(file: Path, manifest: Manifest, name: str) -> bool:
    try:
        _check(file, manifest.files[name])
    except ArtifactDamaged:
        return False
    return True
