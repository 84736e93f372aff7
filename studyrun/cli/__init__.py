"""The command line. `main` turns arguments into an exit code; each command is one function.

Exit codes: 0 done, 1 a step failed, 2 the study or the usage is wrong, 3 a plugin is at fault,
4 the store is busy, 130 interrupted, 141 nobody reads the output any more.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

INTERRUPTED = 130
UNREAD = 141


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the command that the arguments name."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:  # asked for by scripts, in a hurry: nothing else is imported
        from studyrun import __version__

        sys.stdout.write(f"studyrun {__version__}\n")
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):  # never fail over a character it cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _command(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_stdout()
        return UNREAD
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    return code


def _command(words: list[str]) -> int:
    from studyrun.errors import StudyError

    debug = "--debug" in words
    try:
        from studyrun.cli import arguments, commands

        options = arguments.parse(words)
        options.words = words
        function = getattr(commands, options.command.replace("-", "_"))
        code: int = function(options)
    except StudyError as error:
        if debug:
            raise
        from studyrun.cli.terminal import visible

        sys.stdout.flush()  # what was found before stands above the error
        sys.stderr.write(f"{visible(str(error))}\n")  # it may quote data, and data anything
        return error.exit_code
    return code


def _leave_stdout() -> None:
    """Point stdout at nothing, so that Python's own last flush has nobody to fail on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
