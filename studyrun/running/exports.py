"""What a run folder shows: `tables/`, `files/`, `variants/`, and the report at the top."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studyrun.artifacts import TENSORS
from studyrun.errors import StudyError
from studyrun.reading.keywords import VARIANT
from studyrun.running.tables import public_name
from studyrun.storing.files import copy_file, link_file, put_file, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from studyrun.artifacts import Artifact

    Files = Mapping[str, bytes]
    Present = Callable[[Files], Files]

__all__ = ["Exports"]

REPORT = "report"
"""The artifact type whose files are shown at the top of the folder."""
VARIANTS, FILES = "variants", "files"


@dataclass(slots=True, eq=False)
class _Report:
    """A report that is shown, to be shown again when the run has ended."""

    artifact: Artifact
    folder: Path
    present: Present
    changed: set[str] = field(default_factory=set)
    """The files that were shown otherwise than they are stored."""

    def show(self) -> None:
        """Write what is shown in place of the stored files, which are there already."""
        stored = {name: self.artifact.file(name).read_bytes() for name in _files(self.artifact)}
        for name, content in self.present(stored).items():
            if stored.get(name) != content:
                self.changed.add(name)
            if name in self.changed:
                put_file(self.folder / name, content)


class Exports:
    """The folder of one cell of a run (of the run itself where the study has no matrix)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._owners: dict[str, str] = {}
        self._report = ""
        """The step whose report is at the top."""
        self._reports: dict[str, _Report] = {}

    def show(self, step: str, artifact: Artifact, present: Present | None = None) -> None:
        """Put the step's tables into `tables/`, its files into `files/`, a report's at the top.

        They are second names of the stored files where the file system allows it; a report is
        copied, because people edit reports. A second report goes into a folder of its own, and
        everything of a step in a variant into `variants/`.

        Args:
            step: its name.
            artifact: what it made.
            present: says what is shown in place of a report's stored files, if anything is.

        Raises:
            ArtifactDamaged: a stored file is not as it was written.
            StudyError: two steps' tables have one name, or the folder cannot be written.
        """
        files = {name: artifact.file(f"{name}.parquet") for name in artifact.table_names}
        tables = self.folder / (VARIANTS if VARIANT in step else "tables")
        with writing(self.folder):
            for name, file in files.items():
                target = tables / f"{self._claim(step, name)}.parquet"
                target.unlink(missing_ok=True)
                link_file(file, target)
            if artifact.manifest.type == REPORT:
                self._show_report(step, artifact, present)
            else:
                self._show_files(step, artifact)

    def show_again(self) -> None:
        """Ask once more what is to be shown of every report.

        Raises:
            ArtifactDamaged: a stored file is not as it was written.
            StudyError: the folder cannot be written.
        """
        with writing(self.folder):
            for report in self._reports.values():
                report.show()

    def _claim(self, step: str, table: str) -> str:
        name = public_name(step, table)
        owner = self._owners.setdefault(name, step)
        if owner != step:
            raise StudyError(
                f"table {name!r} is made by the steps {owner!r} and {step!r}; "
                "give one of them another name"
            )
        return name

    def _show_files(self, step: str, artifact: Artifact) -> None:
        top = self.folder / (VARIANTS if VARIANT in step else FILES) / step
        for name in _files(artifact):
            target = top / name
            target.unlink(missing_ok=True)
            link_file(artifact.file(name), target)

    def _show_report(self, step: str, artifact: Artifact, present: Present | None) -> None:
        top = self.folder / step
        if VARIANT in step:
            top = self.folder / VARIANTS / step
        elif self._report in ("", step):
            self._report, top = step, self.folder
        for name in _files(artifact):
            copy_file(artifact.file(name), top / name)
        if present is not None:
            self._reports[step] = _Report(artifact, top, present)
            self._reports[step].show()


def _files(artifact: Artifact) -> list[str]:
    """Those that are neither tables nor tensors."""
    names = artifact.manifest.files
    return [name for name in names if name != TENSORS and not name.endswith(".parquet")]
