"""The tokenizer of a `codi` checkpoint: questions to ids, ids to answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studyrun import QuestionsRefused
from studyrun_models.weights import WeightsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Vocabulary"]


class Vocabulary:
    """tokenizer.json, used without adding special tokens."""

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer

        if not file.is_file():
            raise WeightsError(f"{file.parent} has no {file.name}")
        self._tokenizer: Any = Tokenizer.from_file(str(file))
        added = self._tokenizer.get_added_tokens_decoder()
        self._special = {number: token.content for number, token in added.items() if token.special}
        unknown = getattr(self._tokenizer.model, "unk_token", None)
        self._unknown = None if unknown is None else self.id(unknown)

    def __len__(self) -> int:
        size: int = self._tokenizer.get_vocab_size()
        return size

    def id(self, token: str) -> int:
        """The number of a token.

        Raises:
            WeightsError: there is no such token.
        """
        number: int | None = self._tokenizer.token_to_id(token)
        if number is None:
            raise WeightsError(f"the tokenizer has no token {token!r}")
        return number

    def encode(self, questions: Sequence[str], most: int) -> list[list[int]]:
        """Token ids of every question.

        Raises:
            QuestionsRefused: some are empty, have a word that the vocabulary has not, contain a
                special token, or have more than `most` tokens.
        """
        encodings = self._tokenizer.encode_batch(list(questions), add_special_tokens=False)
        reasons = {}
        for row, (question, encoding) in enumerate(zip(questions, encodings, strict=True)):
            reason = self._objection(question, encoding, most)
            if reason:
                reasons[row] = reason
        if reasons:
            raise QuestionsRefused(reasons)
        return [encoding.ids for encoding in encodings]

    def plain(self, text: str) -> list[int]:
        """Token ids of a text of our own."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def known(self, text: str) -> list[int]:
        """Token ids of a text; none where the vocabulary lacks a part of it."""
        ids = self.plain(text)
        return [] if self._unknown in ids else ids

    def token(self, number: int) -> str:
        """The text of one token, be it special or not."""
        text: str | None = self._tokenizer.id_to_token(number)
        return "" if text is None else text

    def decode(self, ids: Sequence[int]) -> str:
        """The words of some token ids, special tokens left out."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text.strip()

    def _objection(self, question: str, encoding: Any, most: int) -> str:
        if not encoding.ids:
            return "it is empty"
        spans = zip(encoding.ids, encoding.offsets, strict=True)
        strange = dict.fromkeys(
            question[begin:end]
            for number, (begin, end) in spans
            if number == self._unknown or number in self._special
        )
        if strange:
            return f"not in the model's vocabulary: {', '.join(map(repr, strange))}"
        if len(encoding.ids) > most:
            return f"it has {len(encoding.ids)} tokens; the model takes at most {most}"
        return ""
