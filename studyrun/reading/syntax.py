"""What is wrong with text that is no YAML, in words for somebody who writes studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun.diagnostics import Diagnostic, Related

if TYPE_CHECKING:
    from studyrun.source import Source

__all__ = ["syntax_fault"]

_INDENTATION = "the indentation does not match the lines above"
_QUOTE = "this quote is never closed"
_MESSAGES = (
    ("sequence entries are not", "no list can begin here; indent the lines alike, or use quotes"),
    ("are not allowed", "no key can stand here; indent the lines alike, or use quotes"),
    ("unexpected end of stream", _QUOTE),
    ("unexpected document", _QUOTE),
    ("expected ',' or ']'", "this '[' is never closed, or a comma is missing"),
    ("expected ',' or '}'", "this '{' is never closed, or a comma is missing"),
    ("expected ':'", "a key without ': '"),
    ("node content", "a value is missing here"),
    ("expected key", _INDENTATION),
    ("expected '-'", _INDENTATION),
    ("expected <block end>", _INDENTATION),
    ("violates indentation", _INDENTATION),
    ("escape", "an unknown escape; in single quotes a backslash is only a backslash"),
    ("tag", "tags are not allowed; write the value, in quotes if it is text"),
    ("incompatible YAML document", "only YAML 1.2 is read; delete the %YAML line"),
)
"""By a part of the parser's own words; those of libyaml and of PyYAML's copy in Python differ."""


def syntax_fault(source: Source, error: Exception, path: str) -> Diagnostic:
    """The diagnostic for an exception of PyYAML's parser."""
    problem = str(getattr(error, "problem", None) or error)
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    at = min(mark.index if mark else 0, len(source.text))
    related: tuple[Related, ...] = ()
    if context is not None and at >= len(source.text.rstrip()):
        at = context.index  # the end of the file explains nothing
    elif context is not None and context.index != at:
        related = (Related(source.place(context.index, context.index + 1), "began here"),)
    message = _message(problem, source.text[at : at + 1])
    return Diagnostic(source.place(at, at + 1), path, message, code="syntax", related=related)


def _message(problem: str, character: str) -> str:
    if character == "\t":
        return "a tab cannot indent or begin a value; use spaces"
    if "cannot start any token" in problem:
        return f"a value cannot begin with {character!r}; put it in quotes"
    return next((message for needle, message in _MESSAGES if needle in problem), problem)
