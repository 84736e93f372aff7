"""The names in a hypothesis' SQL that can only be columns, and are none of the tables it reads.

SQL is not parsed: every name is looked at with its neighbours. One that might be an alias, a
function, a type or a word of SQL is left alone; what is reported is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from studyrun.reading import sql
from studyrun.reading.sqlwords import is_keyword

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from studyrun.reading.sql import Token

__all__ = ["Unknown", "unknown_columns"]

Known = Mapping[str, frozenset[str] | None]
"""Table, in small letters -> its columns; None where not all of them are known."""
Role = Literal["", "alias", "listed", "head", "column"]
"""What a name is: an alias, one in a list of columns behind an alias, what stands before a point, a
column; empty for what need not be looked at."""
CASTS = {"CAST", "TRY_CAST", "SAFE_CAST"}
OPERANDS = {"END", "NULL", "TRUE", "FALSE"}
"""Words of SQL after which a name is an alias, as it is after a column."""
SECOND_WORDS = {"PRECISION", "VARYING"}
"""Of types: `DOUBLE PRECISION`."""
MADE_UP = re.compile(r"len|literal|column_\d+")
"""What polars calls a column that a subquery gives no name."""
NOTHING = sql.Token("other", "", 0, 0)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that is nothing."""

    name: str
    start: int
    """Where it begins in the SQL."""
    end: int
    tables: tuple[str, ...]
    """In which it should have been, in small letters."""
    is_table: bool = False
    """It stands before a point, so it should have been a table."""


def unknown_columns(text: str, known: Known) -> list[Unknown]:
    """Every name that is no column, once, at the first of its places.

    Args:
        text: one SELECT that nothing else speaks against.
        known: every table that it reads.
    """
    found: dict[tuple[str, tuple[str, ...]], Unknown] = {}
    for each in _Reading(sql.tokens(text), known).unknown():
        found.setdefault((each.name, each.tables), each)
    return list(found.values())


@dataclass(slots=True)
class _Bracket:
    """The innermost bracket around a word."""

    opener: str = ""
    """The word before it, in capitals."""
    lists: bool = False
    """It lists the columns of what is named before it: `WITH t (a, b) AS`."""
    typed: bool = False
    """What follows is a type: `CAST(x AS ...`."""


@dataclass(eq=False)
class _Reading:
    """What the names of one text are."""

    words: Sequence[Token]
    known: Known
    given: set[str] = field(default_factory=set)
    """Names that the text gives to columns, to subqueries and to what WITH defines."""
    listed: set[str] = field(default_factory=set)
    """Those of them that stand in a list behind an alias."""
    tables: dict[str, set[str]] = field(default_factory=dict)
    """Name before a point, in small letters -> the tables that it may stand for."""

    def unknown(self) -> Iterator[Unknown]:
        """Every name that is nothing, in order."""
        self.tables |= {name: {name} for name in self.known}
        self.given |= set(sql.defined(self.words))
        roles = list(self._roles())
        for index, role in enumerate(roles):
            if role in ("alias", "listed"):
                self._give(index, listed=role == "listed")
        for index, role in enumerate(roles):
            if role == "column":
                yield from self._bare(self.words[index])
            elif role == "head":
                yield from self._qualified(self.words[index], self._at(index + 2))

    @cached_property
    def columns(self) -> frozenset[str]:
        """Of all the tables that are known."""
        return frozenset[str]().union(*(each for each in self.known.values() if each))

    @cached_property
    def is_closed(self) -> bool:
        """Whether a column without a table before it can only be one of `columns`, or given."""
        defined = {name.casefold() for name in sql.defined(self.words)}
        return None not in self.known.values() and defined.isdisjoint(self.known)

    @cached_property
    def sources(self) -> dict[int, str]:
        """Place of a word -> the table that it names in a FROM list, in small letters."""
        found = {word.start: sql.plain(word.text).casefold() for word in sql.sources(self.words)}
        return {i: found[w.start] for i, w in enumerate(self.words) if w.start in found}

    def _at(self, index: int) -> Token:
        return self.words[index] if 0 <= index < len(self.words) else NOTHING

    # What each name is

    def _roles(self) -> Iterator[Role]:
        stack = [_Bracket()]
        for index, word in enumerate(self.words):
            if word.text == ")" and len(stack) > 1:
                stack.pop()
            yield self._role(index, stack[-1])
            if word.upper == "AS" and stack[-1].opener in CASTS:
                stack[-1].typed = True
            elif word.text == "(":
                opener = self._at(index - 1).upper
                stack.append(_Bracket(opener, self._opens_list(index), stack[-1].typed))

    def _role(self, index: int, around: _Bracket) -> Role:
        word, before = self.words[index], self._at(index - 1)
        if word.sort not in ("word", "quoted") or around.typed or index in self.sources:
            return ""
        if before.text in (".", "::") or before.upper == "COLLATE":
            return ""
        if around.lists:
            return "listed"
        if before.upper == "AS" or self._follows_operand(index):
            return "alias"
        if self._at(index + 1).text == ".":
            return "head"
        return "" if self._is_no_name(index, around) else "column"

    def _is_no_name(self, index: int, around: _Bracket) -> bool:
        """A function, a word of SQL, or the name of an argument, a window or a WITH."""
        word, after, next_but_one = (self._at(index + n) for n in (0, 1, 2))
        if after.text in ("(", "=>") or (after.upper == "AS" and next_but_one.text == "("):
            return True
        before_text = after.sort == "text"  # DATE '2026-01-01'
        extracted = around.opener == "EXTRACT" and self._at(index - 1).text == "("
        return word.sort == "word" and (before_text or extracted or is_keyword(word.text))

    def _follows_operand(self, index: int) -> bool:
        """Whether something ends before it, so that it can only be its alias."""
        word, before = self.words[index], self._at(index - 1)
        if word.sort == "word" and is_keyword(word.text):
            return False
        if before.sort == "word" and index - 1 not in self.sources and is_keyword(before.text):
            ends = before.upper in OPERANDS or before.text in self.columns
            return ends or self._ends_type(index - 1)
        return before.sort in ("word", "quoted", "text", "number") or before.text in (")", "]")

    def _ends_type(self, index: int) -> bool:
        """Whether the word ends the type behind a `::`."""
        first = index - 1 if self.words[index].upper in SECOND_WORDS else index
        return self._at(first - 1).text == "::"

    def _opens_list(self, index: int) -> bool:
        """Whether the bracket lists columns of what was just named: `AS t (a, b)`."""
        name, before = self._at(index - 1), self._at(index - 2).upper
        if name.sort != "quoted" and (name.sort != "word" or is_keyword(name.text)):
            return False
        if before in ("AS", "WITH", "RECURSIVE") or self._follows_operand(index - 1):
            return True
        closes = (i for i in range(index, len(self.words)) if self._closes(i, index))
        at = next(closes, len(self.words))
        return self._at(at + 1).upper == "AS" and self._at(at + 2).text == "("

    def _closes(self, index: int, opening: int) -> bool:
        word = self.words[index]
        return word.text == ")" and word.depth == self.words[opening].depth

    # What the text gives

    def _give(self, index: int, *, listed: bool) -> None:
        """Note an alias: of a table, or of a column, a subquery or a query named by WITH."""
        name = sql.plain(self.words[index].text)
        of = self.sources.get(index - 2 if self._at(index - 1).upper == "AS" else index - 1)
        if of in self.known and not listed:
            self.tables.setdefault(name.casefold(), set()).add(str(of))
        else:
            self.given.add(name)
        if listed:
            self.listed.add(name)

    # Whether it is there

    def _bare(self, word: Token) -> Iterator[Unknown]:
        name = sql.plain(word.text)
        if self.is_closed and not self._is_there(name):
            yield Unknown(name, word.start, word.end, tuple(self.known))

    def _qualified(self, head: Token, word: Token) -> Iterator[Unknown]:
        name = sql.plain(head.text)
        tables = self.tables.get(name.casefold(), set())
        if name in self.columns or word.sort not in ("word", "quoted"):
            return  # a column with fields, or every column
        if name.casefold() in {each.casefold() for each in self.given}:
            yield from self._bare(word)
        elif tables:
            yield from self._in_tables(word, tables)
        elif self.is_closed and not is_keyword(head.text):
            yield Unknown(name, head.start, head.end, tuple(self.known), is_table=True)

    def _in_tables(self, word: Token, tables: set[str]) -> Iterator[Unknown]:
        name = sql.plain(word.text)
        there = (self.known[table] for table in tables)
        if name not in self.listed and all(each is not None and name not in each for each in there):
            yield Unknown(name, word.start, word.end, tuple(t for t in self.known if t in tables))

    def _is_there(self, name: str) -> bool:
        """Whether it is a column, or what polars calls one after a join or in a subquery."""
        known = self.columns | self.given
        plain = name.partition(":")[0].removesuffix("_right")
        return name in known or plain in known or MADE_UP.fullmatch(name) is not None
