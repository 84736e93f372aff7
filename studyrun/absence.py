"""What a study names rightly and this machine has not: no fault of the study, but no run either."""

from __future__ import annotations

from dataclasses import dataclass

from studyrun.contracts import Fault

__all__ = ["Absent"]


@dataclass(frozen=True, slots=True)
class Absent(Fault):
    """Found by a `check` where a download or an installation is missing, not where a name is wrong.

    `studyrun check` warns of it and accepts the study, `plan` shows what it blocks. The message
    says how to get it, and so must the StudyError that `digest` or `facts` raises meanwhile.
    """
