"""What can be said of a hypothesis' SQL without running it: light, so that `check` may ask.

polars parses and runs the SQL. This module only splits it into words, with their nesting, to say
which tables it names, whether it is one SELECT, and where its comparison has its two sides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "Sides",
    "Token",
    "defined",
    "fault_of",
    "names_in",
    "plain",
    "sides_of",
    "sources",
    "tables_named",
    "tokens",
]

Sort = Literal["space", "text", "quoted", "word", "number", "compare", "other"]
PATTERN = re.compile(
    r"""
    (?P<space>   \s+ | --[^\n]* | /\*.*?\*/ )
  | (?P<text>    '(?:[^']|'')*' )
  | (?P<quoted>  "(?:[^"]|"")*" | `[^`]*` )
  | (?P<word>    [^\W\d]\w* )
  | (?P<number>  (?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)? )
  | (?P<other_>  ->> | -> | => | <=> | :: | \|\| | <@ | @> | << | >> )
  | (?P<compare> <= | >= | <> | != | == | = | < | > )
  | (?P<other>   . )
    """,
    re.VERBOSE | re.DOTALL,
)
UNIONS = {"UNION", "INTERSECT", "EXCEPT"}
CLAUSES = UNIONS | {"WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FETCH", "SELECT"}
NOT_A_COMPARISON = {"NOT", "OR", "XOR", "IS", "IN", "LIKE", "ILIKE", "RLIKE", "REGEXP"}
NOT_A_COMPARISON |= {"BETWEEN", "DISTINCT", "ALL", "ANY"}
CHANGES = {"INSERT", "UPDATE", "DELETE", "DROP", "CREATE", "TRUNCATE", "ALTER", "MERGE"}
READS_FILES = re.compile(r"(read|scan)_\w+")
CLOCK = {"NOW", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME"}


@dataclass(frozen=True, slots=True)
class Token:
    """One word of SQL; `depth` counts the brackets and CASEs around it."""

    sort: Sort
    text: str
    start: int
    depth: int

    @property
    def upper(self) -> str:
        """The word in capitals, or an empty string for anything that is not a bare word."""
        return self.text.upper() if self.sort == "word" else ""

    @property
    def end(self) -> int:
        """Where it ends in the text."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Sides:
    """The comparisons that a predicate is made of, joined by AND."""

    query: str
    """The same SELECT, but of every left and right side, as columns l0, r0, l1, r1, ..."""
    operators: tuple[str, ...]


def tokens(sql: str) -> list[Token]:
    """The words of the SQL without spaces and comments."""
    found: list[Token] = []
    inside: list[str] = []
    for match in PATTERN.finditer(sql):
        sort, text = str(match.lastgroup).rstrip("_"), match.group()
        opens = {"(": ")", "CASE": "END"}.get(text.upper(), "")
        if inside and text.upper() == inside[-1]:
            inside.pop()
        if sort != "space":
            found.append(Token(sort, text, match.start(), len(inside)))  # type: ignore[arg-type]  # a Sort
        if opens:
            inside.append(opens)
    return found


def fault_of(sql: str) -> str | None:
    """Why this cannot be a hypothesis' SQL; None if nothing speaks against it.

    What only polars can know (unknown columns, types) is found when it is judged.
    """
    words = tokens(sql)
    if not words:
        return "it is empty; write SELECT <comparison> FROM <step>"
    verbs = [word.upper for word in words if word.depth == 0]
    if verbs[0] not in ("SELECT", "WITH") or "SELECT" not in verbs or CHANGES & set(verbs):
        return f"it must be a SELECT, not {words[0].text}"
    if any(word.text == ";" for word in words[:-1]):
        return "it must be one statement; remove what follows the ';'"
    if words[-1].depth or words[-1].text == "(":
        return "a bracket or a CASE is not closed"
    return _outside(words)


def _outside(words: Sequence[Token]) -> str | None:
    """Whatever the verdict would depend on besides the study's tables."""
    for word, following in pairwise([*words, Token("other", "", 0, 0)]):
        if READS_FILES.fullmatch(word.text.lower()) and following.text == "(":
            return f"{word.text}() reads a file; a hypothesis may only read the study's tables"
        if word.upper in CLOCK and (following.text == "(" or word.upper != "NOW"):
            return f"{word.text} depends on the clock; the same tables must give the same verdict"
    return None


def tables_named(sql: str) -> tuple[str, ...]:
    """The tables after FROM and JOIN, in order, each once; not what WITH defines."""
    words = tokens(sql)
    own = set(defined(words))
    named = (plain(word.text) for word in sources(words))
    return tuple(dict.fromkeys(name for name in named if name not in own))


def names_in(sql: str) -> frozenset[str]:
    """Every bare or quoted name, columns among them."""
    return frozenset(plain(w.text) for w in tokens(sql) if w.sort in ("word", "quoted"))


def sources(words: Sequence[Token]) -> Iterator[Token]:
    """The names in FROM lists; EXTRACT(x FROM y) and IS DISTINCT FROM are none."""
    selecting: set[int] = set()
    listing: set[int] = set()
    wanted = -1
    previous = ""
    for word, following in pairwise([*words, Token("other", "", 0, -1)]):
        depth = word.depth
        if wanted == depth and word.sort in ("word", "quoted") and following.text != "(":
            yield word
        wanted = -1
        if word.upper in CLAUSES:
            listing.discard(depth)
            selecting |= {depth} if word.upper == "SELECT" else set()
        elif word.upper == "FROM" and depth in selecting and previous != "DISTINCT":
            listing.add(depth)
            wanted = depth
        elif word.upper == "JOIN" or (word.text == "," and depth in listing):
            wanted = depth
        elif word.text == ")":
            selecting, listing = ({d for d in s if d <= depth} for s in (selecting, listing))
        previous = word.upper


def defined(words: Sequence[Token]) -> Iterator[str]:
    """Names that WITH gives, and WINDOW: `name AS (` or `name (column, ...) AS (`."""
    for index, (as_, bracket) in enumerate(pairwise(words)):
        if as_.upper == "AS" and bracket.text == "(" and index:
            name = words[index - 1]
            if name.text == ")":
                opens = (i for i in range(1, index) if _opens(words[i], name))
                name = words[max(opens, default=1) - 1]
            if name.sort in ("word", "quoted"):
                yield plain(name.text)


def _opens(word: Token, closing: Token) -> bool:
    return word.text == "(" and word.depth == closing.depth


def plain(name: str) -> str:
    """A name without its quotes."""
    quote = name[0]
    return name[1:-1].replace(quote * 2, quote) if quote in '"`' else name


def sides_of(sql: str) -> Sides | None:
    """Where the two sides of the selected comparison stand; None if it is nothing so simple."""
    words = [word for word in tokens(sql) if word.text != ";"]
    begin, end = _select_list(words)
    selected = words[begin:end]
    if len(selected) > 2 and selected[-2].upper == "AS" and selected[-2].depth == 0:
        selected = selected[:-2]  # an alias
    parts = _conjuncts(selected)
    halves = [half for half in (_halves(sql, part) for part in parts) if half]
    if len(halves) < len(parts):
        return None
    columns = [f"({left}) AS l{i}, ({right}) AS r{i}" for i, (left, _, right) in enumerate(halves)]
    before, after = sql[: selected[0].start], sql[words[end - 1].end : words[-1].end]
    return Sides(f"{before}{', '.join(columns)}{after}", tuple(half[1] for half in halves))


def _select_list(words: Sequence[Token]) -> tuple[int, int]:
    """The slice between the outer SELECT and the clause after it; empty for a UNION."""
    outer = [(i, word.upper) for i, word in enumerate(words) if word.depth == 0]
    begin = next((i + 1 for i, word in outer if word == "SELECT"), 0)
    if not begin or UNIONS & {word for _, word in outer}:
        return 0, 0
    ends = (i for i, word in outer if i >= begin and (word in CLAUSES or word == "FROM"))
    return begin, next(ends, len(words))


def _conjuncts(words: Sequence[Token]) -> list[list[Token]]:
    """The words between the outer ANDs."""
    parts: list[list[Token]] = [[]]
    for word in words:
        if word.depth == 0 and word.upper == "AND":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _halves(sql: str, words: Sequence[Token]) -> tuple[str, str, str] | None:
    """(left, operator, right) where exactly one comparison is what the words come to."""
    outer = [word for word in words if word.depth == 0]
    found = [word for word in outer if word.sort == "compare"]
    if len(found) != 1 or any(w.upper in NOT_A_COMPARISON or w.text == "," for w in outer):
        return None
    middle = found[0]
    left, right = sql[words[0].start : middle.start], sql[middle.end : words[-1].end]
    return (left.strip(), middle.text, right.strip()) if left and right else None
