"""Strings of others made harmless: one line, bounded, nothing in them hidden or out of its place.

What could reorder, hide or overprint its surroundings is written out. Left as they are: letters
that run from right to left (pages isolate what they quote), and joiners where spelling needs them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import accumulate

__all__ = ["HIDDEN", "INVISIBLE", "JOINERS", "LONGEST", "MARKS", "harmless"]

LONGEST = 400
"""Characters of a string that are shown."""
MARKS = 4
"""Marks above and below one letter that are shown; spelling needs no more."""
HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
"""Categories: controls, formats (among them all that set directions), surrogates, private use,
separators of lines and paragraphs."""
_RANGES = (
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160), (0x3164, 0x3164), (0xFFA0, 0xFFA0),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian selectors
    (0xFE00, 0xFE0D),  # variation selectors, but those of text and of emoji
    (0xFDD0, 0xFDEF), *((plane | 0xFFFE, plane | 0xFFFF) for plane in range(0, 2**20 + 1, 2**16)),
    (0x2065, 0x2065), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF),  # to be ignored, now or one day
)  # fmt: skip
INVISIBLE = frozenset(chr(code) for first, last in _RANGES for code in range(first, last + 1))
"""Characters of other categories that show nothing, and those that are none."""
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
EMOJI_STYLE = "\N{VARIATION SELECTOR-16}"
ARABIC, MYANMAR = "\u0600", "\u109f"
"""First and last of the scripts that are spelt with joiners."""
VIRAMA = 9
"""The combining class of marks that take a vowel away."""
BLANK = "\n\r\t\N{SPACE}\N{NO-BREAK SPACE}\N{OGHAM SPACE MARK}" + (
    "".join(map(chr, range(0x2000, 0x200B)))
    + "\N{NARROW NO-BREAK SPACE}\N{MEDIUM MATHEMATICAL SPACE}\N{IDEOGRAPHIC SPACE}"
)
"""What is taken off at both ends."""


def harmless(text: str, longest: int = LONGEST) -> str:
    """The text in one line of at most `longest` characters, every hidden one made visible.

    Control characters, direction marks and the like appear as `<U+202E>`, line breaks and tabs as
    spaces, and of the marks upon one letter the first four. What is cut off is counted, where
    there is room to say so. `harmless(harmless(text)) == harmless(text)`.
    """
    if len(text) <= longest and text.isascii() and text.isprintable():
        return text.strip()
    stripped = text.strip(BLANK)
    pieces = list(_pieces(stripped[:longest]))
    shown = "".join(pieces)
    if max(len(stripped), len(shown)) <= longest:
        return shown
    return _cut(pieces, longest, len(text))


def _pieces(text: str) -> Iterator[str]:
    """The text as it is shown, character by character."""
    before, marks = "", 0
    for character, after in zip(text, f"{text} "[1:], strict=True):
        marks = marks + 1 if _is_mark(character) else 0
        if marks > MARKS:
            piece = "" if _is_mark(after) else f"<+{marks - MARKS} marks>"
        elif (marks and not before) or _is_hidden(character, before, after):
            piece = f"<U+{ord(character):04X}>"
            marks = 0
        else:
            piece = " " if character in "\n\r\t" else character
        yield piece
        before = piece[-1:]


def _cut(pieces: Sequence[str], longest: int, total: int) -> str:
    """As many of the pieces as there is room for, and that there is more."""
    ending = f" ... ({total} characters in all)"
    if 3 * len(ending) > longest:
        ending = "\N{HORIZONTAL ELLIPSIS}"
    room, ends = longest - len(ending), accumulate(map(len, pieces))
    kept = "".join(piece for piece, end in zip(pieces, ends, strict=True) if end <= room)
    return f"{kept.rstrip(BLANK + JOINERS)}{ending}".strip()


def _is_mark(character: str) -> bool:
    """Whether it is printed upon the letter before it."""
    return unicodedata.category(character) in ("Mn", "Me") and character not in INVISIBLE


def _is_hidden(character: str, before: str, after: str) -> bool:
    if character in "\n\r\t":
        return False
    if character in JOINERS:
        return not (_spelt(before, after) or _emoji(before, after))
    return unicodedata.category(character) in HIDDEN or character in INVISIBLE


def _spelt(before: str, after: str) -> bool:
    """Whether a joiner between the two may be a matter of spelling, as in Persian and Hindi."""
    if not (ARABIC <= before <= MYANMAR and ARABIC <= after <= MYANMAR):
        return False
    begins = unicodedata.category(after)[0] == "L" or unicodedata.combining(after) == VIRAMA
    return begins and unicodedata.category(before)[0] in "LM"


def _emoji(before: str, after: str) -> bool:
    """Whether a joiner between the two may make one picture of them."""
    if not before or unicodedata.category(after) != "So":
        return False
    return before == EMOJI_STYLE or unicodedata.category(before) in ("So", "Sk")
