"""Every error that a user can meet: one root, an exit code each, the facts as attributes.

Exit codes: 0 done, 1 a step failed, 2 the study or the usage is wrong, 3 a plugin is at fault,
4 the store is busy, 130 interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from studyrun.diagnostics import Diagnostic

__all__ = [
    "ArtifactDamaged",
    "InvalidStudy",
    "NoModel",
    "PluginError",
    "QuestionsRefused",
    "StepFailed",
    "StoreBusy",
    "StudyError",
    "UsageError",
]


class StudyError(Exception):
    """The root of all errors that studyrun raises on purpose; `exit_code` is the shell's."""

    exit_code: int = 1


class InvalidStudy(StudyError):
    """The study is wrong; `diagnostics` holds every fault found, in file order.

    Where each of them is a plugin's, so is the exit code.
    """

    exit_code = 2

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        if self.diagnostics and all(each.code == "plugin" for each in self.diagnostics):
            self.exit_code = PluginError.exit_code
        super().__init__("\n".join(str(d) for d in self.diagnostics))


class UsageError(StudyError):
    """The command or the call is wrong (not the study)."""

    exit_code = 2


class PluginError(StudyError):
    """A plugin broke its contract, or could not be loaded although the study needs it."""

    exit_code = 3

    def __init__(self, plugin: str, message: str) -> None:
        self.plugin, self.message = plugin, message
        super().__init__(f"plugin {plugin!r}: {message}")


class StepFailed(StudyError):
    """A step raised; the cause is chained and `step` names the place in the study."""

    def __init__(self, step: str, message: str) -> None:
        self.step = step
        super().__init__(f"step {step!r} failed: {message}")


class NoModel(StudyError):
    """A step asked for the model of a study that has none; it may go on without."""


class QuestionsRefused(StudyError):
    """A model cannot take some of the questions; `reasons` says why, by row."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        self.reasons = dict(sorted(reasons.items()))
        row, reason = next(iter(self.reasons.items()))
        more = f" (and {len(self.reasons) - 1} more)" if len(self.reasons) > 1 else ""
        super().__init__(f"question {row}: {reason}{more}")


class StoreBusy(StudyError):
    """Another process holds the lock of a key for longer than this one was told to wait."""

    exit_code = 4

    def __init__(self, key: str, waited: float) -> None:
        self.key, self.waited = key, waited
        super().__init__(
            f"another run is making {key[:12]} (waited {waited:.0f} s); "
            "let it finish, or wait longer with --wait SECONDS"
        )


class ArtifactDamaged(StudyError):
    """A stored file differs in size or sha256 from its manifest."""

    def __init__(self, file: Path, expected: str, found: str) -> None:
        self.file, self.expected, self.found = file, expected, found
        super().__init__(f"{file} is damaged: expected {expected}, found {found}")
