"""The arguments of every command; `studyrun STUDY.yaml` is `studyrun run STUDY.yaml`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from studyrun import __version__
from studyrun.errors import UsageError
from studyrun.faults.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMMANDS", "parse"]

EPILOG = """\
exit codes: 0 done, 1 a step failed, 2 the study or the usage is wrong, 3 a plugin is at fault,
4 the store is busy, 130 interrupted, 141 nobody reads the output any more"""


class Parser(argparse.ArgumentParser):
    """argparse whose errors are `UsageError`s that say what was probably meant."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving.

        Raises:
            UsageError: always.
        """
        _, found, unknown = message.partition("unrecognized arguments: ")
        hint = ""
        if found:
            word = unknown.split()[0].partition("=")[0]
            hint = did_you_mean(word, self.options())
        raise UsageError(f"{self.prog}: {message}{hint} (see {self.prog} --help)")

    def options(self) -> list[str]:
        """Every option string, for suggestions."""
        return [name for action in self._actions for name in action.option_strings]


def parse(words: list[str]) -> argparse.Namespace:
    """The options of the command that `words` name.

    Raises:
        UsageError: they do not make sense.
    """
    top = _top()
    if not words or words[0] in ("-h", "--help", "--version"):
        return top.parse_args(words or ["--help"])
    if words[0] not in COMMANDS:
        words = ["run", *words] if _is_study(words[0]) else _refuse(words[0])
    options, unknown = top.parse_known_args(words)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def _is_study(word: str) -> bool:
    """Whether the first word is a study or an option before it, rather than a command."""
    return word.startswith("-") or "." in word or "/" in word or Path(word).exists()


def _refuse(word: str) -> NoReturn:
    known = ", ".join(COMMANDS)
    raise UsageError(
        f"studyrun: there is no command or study {word!r}{did_you_mean(word, COMMANDS)}\n"
        f"  commands: {known}"
    )


def _top() -> Parser:
    top = Parser(
        prog="studyrun",
        usage="studyrun [COMMAND] ...\n       studyrun STUDY.yaml [options]",
        description="Run a study from one YAML file; `studyrun STUDY.yaml` is all it needs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"studyrun {__version__}")
    commands = top.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", prog="studyrun"
    )
    for name, (summary, add) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            allow_abbrev=False,
        )
        add(command)
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
        command.set_defaults(parser=command)
    return top


def _study(command: Parser) -> None:
    command.add_argument("study", metavar="STUDY.yaml", help="the study")
    command.add_argument(
        "--set",
        dest="settings",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        help="change a value of the study, e.g. --set steps.sae.with.k=64 (repeatable)",
    )
    _plugin(command)


def _plugin(command: Parser) -> None:
    command.add_argument(
        "-p",
        "--plugin",
        dest="plugins",
        metavar="MODULE",
        action="append",
        default=[],
        help="load a local plugin: a module or a .py file (repeatable)",
    )


def _out(command: Parser) -> None:
    command.add_argument(
        "--out", metavar="FOLDER", default="outputs", help="where results go (default: outputs)"
    )


def _format(command: Parser, *others: str) -> None:
    command.add_argument(
        "--format", choices=("text", "json", *others), default="text", help="(default: text)"
    )


def _run(command: Parser) -> None:
    _study(command)
    _out(command)
    command.add_argument(
        "--keep-going", action="store_true", help="after a failure, run what does not need it"
    )
    command.add_argument(
        "--wait",
        metavar="SECONDS",
        type=_seconds,
        default=0.0,
        help="how long to wait for another run that makes the same thing (default: 0)",
    )
    command.add_argument("--quiet", action="store_true", help="no progress and no summary")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


def _check(command: Parser) -> None:
    _study(command)
    _format(command, "github")


def _plan(command: Parser) -> None:
    _study(command)
    _out(command)
    _format(command)


def _explain(command: Parser) -> None:
    command.add_argument("run", metavar="RUN", help="a run's folder, e.g. outputs/quick/latest")
    command.add_argument("step", metavar="STEP", help="a step of that run")


def _show(command: Parser) -> None:
    command.add_argument("run", metavar="RUN", help="a run's folder, a study's folder or file")
    command.add_argument(
        "what",
        metavar="TABLE",
        nargs="?",
        default="summary",
        help="labels, effects, verdicts or any table (default: a list of them)",
    )
    command.add_argument("--where", metavar="SQL", help="rows, e.g. \"kind = 'value' AND q < 0.1\"")
    command.add_argument("--sort", metavar="SQL", help="their order, e.g. 'lift DESC, q'")
    command.add_argument("--columns", metavar="A,B", type=_names, default=(), help="which columns")
    command.add_argument(
        "--limit", metavar="N", type=_count, help="rows (default: 20; all as json and csv)"
    )
    command.add_argument("--cell", metavar="CELL", help="a cell of a matrix")
    command.add_argument(
        "--format", choices=("table", "json", "csv"), default="table", help="(default: table)"
    )
    _plugin(command)
    _out(command)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in map(str.strip, text.split(",")) if name)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows")
    return int(text)


def _compare(command: Parser) -> None:
    command.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        help="a run's folder (or a cell's in it), a study's folder or file",
    )
    command.add_argument(
        "--into", metavar="FOLDER", help="where the page goes (default: outputs/compare/NAMES)"
    )
    _format(command)
    _plugin(command)
    _out(command)


def _plugins(command: Parser) -> None:
    _plugin(command)
    _format(command)


def _describe(command: Parser) -> None:
    command.add_argument(
        "component", metavar="COMPONENT", nargs="?", help="its name, e.g. sae-train (default: all)"
    )
    _plugin(command)
    _format(command, "markdown")


def _new_plugin(command: Parser) -> None:
    command.add_argument("name", metavar="NAME", help="e.g. studyrun-parity")
    command.add_argument(
        "--into", metavar="FOLDER", default=".", help="where its folder goes (default: here)"
    )


COMMANDS: dict[str, tuple[str, Callable[[Parser], None]]] = {
    "run": ("run what is not yet known, and report", _run),
    "check": ("say everything that is wrong with a study", _check),
    "plan": ("say what a run would do, and why", _plan),
    "explain": ("say why a step of a run ran or was reused", _explain),
    "show": ("show a table of a run, or some of its rows", _show),
    "compare": ("make a page that shows runs side by side", _compare),
    "plugins": ("list every component, and the plugins that are broken", _plugins),
    "describe": ("show a component's parameters and an example", _describe),
    "schema": ("print the JSON Schema of a study", _plugin),
    "new-plugin": ("write a minimal working plugin package", _new_plugin),
}
"""Every command: what it does, and the function that adds its arguments."""
