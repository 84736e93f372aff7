"""The tokenizer of a `codi` model: questions to ids, ids to answers, and what stands between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studyrun import QuestionsRefused
from studyrun_models.weights import WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Frame", "Vocabulary", "tokenizer_of"]

NUMBERS = ("1", "2", "30")
"""Numbers that begin differently, from which the tokens before any number are told."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The tokens around a question, its thoughts and its answer."""

    thoughts: int
    opening: tuple[int, ...]
    """After the question; the last one is `<bot>`."""
    closing: tuple[int, ...]
    """After the thoughts; the first one is `<eot>`."""
    answer: str
    """What every answer begins with, before its number."""
    eos: int
    """Ends an answer."""
    pad: int
    """Stands where a row is shorter than its batch; only `padding: official` looks at it."""
    writable: int | None = None
    """An answer is written with the first so many tokens of the vocabulary; None with all."""


def tokenizer_of(folder: Path) -> Any:
    """The tokenizer of a folder as transformers has it, of the kind that knows places in a text.

    Raises:
        WeightsError: there is none.
    """
    import transformers

    factory: Any = transformers.AutoTokenizer
    try:
        tokenizer = factory.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # of files that are not whole it raises whatever comes first
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        what = f"{folder} has no tokenizer that can be read ({reason})"
        raise WeightsError(f"{what}; its tokenizer.json belongs there") from error
    if not tokenizer.is_fast:
        raise WeightsError(f"{folder}: its tokenizer gives no places in the text")
    return tokenizer


class Vocabulary:
    """A tokenizer: that of a file, which adds nothing to a text, or that of a base model.

    Args:
        tokenizer: of the package tokenizers.
        source: where it comes from, for messages.
        added: texts of tokens that the model has beyond the tokenizer.
        whole: a question is read as the tokenizer does it by default, with the special tokens that
            it adds (such as BOS), and with blanks as CODI's authors evaluate: none around it, and
            two of them as one.
    """

    def __init__(
        self,
        tokenizer: Any,
        source: object,
        *,
        added: Mapping[int, str] | None = None,
        whole: bool = False,
    ) -> None:
        tokenizer.no_padding()  # a file may say to pad and to cut, which transformers overrides too
        tokenizer.no_truncation()
        self._tokenizer, self._source, self._whole = tokenizer, source, whole
        self._added = dict(added or {})
        known = tokenizer.get_added_tokens_decoder()
        self._special = {number for number, token in known.items() if token.special}
        unknown = getattr(tokenizer.model, "unk_token", None)
        self._unknown = None if unknown is None else self.id(unknown)
        self._strange = self._special | ({self._unknown} - {None})
        """Numbers of tokens that no question may have."""

    @classmethod
    def of_file(cls, file: Path) -> Vocabulary:
        """That of a tokenizer.json."""
        from tokenizers import Tokenizer

        if not file.is_file():
            raise WeightsError(f"{file.parent} has no {file.name}")
        return cls(Tokenizer.from_file(str(file)), file)

    def __len__(self) -> int:
        size: int = self._tokenizer.get_vocab_size()
        return max([size, *(number + 1 for number in self._added)])

    def id(self, token: str) -> int:
        """The number of a token.

        Raises:
            WeightsError: there is no such token.
        """
        number: int | None = self._tokenizer.token_to_id(token)
        if number is None:
            raise WeightsError(f"the tokenizer of {self._source} has no token {token!r}")
        return number

    def encode(self, questions: Sequence[str], most: int) -> list[list[int]]:
        """Token ids of every question.

        Raises:
            QuestionsRefused: some are empty, have a word that the vocabulary has not, contain a
                special token, or have more than `most` tokens.
        """
        texts = [self._text(question) for question in questions]
        encodings = self._tokenizer.encode_batch(texts, add_special_tokens=self._whole)
        reasons = {}
        for row, (text, encoding) in enumerate(zip(texts, encodings, strict=True)):
            reason = self._objection(text, encoding, most)
            if reason:
                reasons[row] = reason
        if reasons:
            raise QuestionsRefused(reasons)
        return [encoding.ids for encoding in encodings]

    def plain(self, text: str) -> list[int]:
        """Token ids of a text of our own."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def prefix(self, answer: str) -> list[int]:
        """The tokens that answers begin with, whatever their number.

        Some tokenizers have the blank before a number in the number's own token, others apart.
        """
        rows = [self.plain(f"{answer} {number}") for number in NUMBERS]
        same = [len(set(column)) == 1 for column in zip(*rows, strict=False)]
        return rows[0][: [*same, False].index(False)]

    def after(self, answer: str, text: str) -> list[int]:
        """The tokens of a number where it follows `prefix`; none if they are others there."""
        ids, before = self.plain(f"{answer} {text}"), self.prefix(answer)
        n = len(before)
        return [] if ids[:n] != before or self._unknown in ids[n:] else ids[n:]

    def token(self, number: int) -> str:
        """The text of one token, be it special or not; empty for a number without one."""
        if number in self._added:
            return self._added[number]
        text: str = self._tokenizer.decode([number], skip_special_tokens=False)
        return text

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some token ids, special tokens left out."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text.strip()

    def _text(self, question: str) -> str:
        return question.strip().replace("  ", " ") if self._whole else question

    def _objection(self, question: str, encoding: Any, most: int) -> str:
        ids, added = encoding.ids, encoding.special_tokens_mask
        own = [number for number, flag in zip(ids, added, strict=True) if not flag]
        if not own:
            return "it is empty"
        if not self._strange.isdisjoint(own):
            spans = zip(ids, added, encoding.offsets, strict=True)
            strange = dict.fromkeys(
                question[slice(*span)]
                for number, flag, span in spans
                if number in self._strange and not flag
            )
            return f"not in the model's vocabulary: {', '.join(map(repr, strange))}"
        if len(encoding.ids) > most:
            return f"it has {len(encoding.ids)} tokens; the model takes at most {most}"
        return ""
