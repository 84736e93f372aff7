"""The word-level vocabulary of the model and its tokenizer file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordLevel

from studyrun_data.generator import MAX_NUMBER, OPERATORS
from studyrun_data.templates import CHAINS, CONTAINERS, ITEMS, NAMES, STORIES, Template

SPECIALS = ("<pad>", "<eos>", "<bot>", "<eot>", "<unk>")
PAD, EOS, BOT, EOT, UNK = range(len(SPECIALS))
FIRST_NUMBER = len(SPECIALS)
ANSWER_PREFIX = "The answer is :"
_WORD = re.compile(r"\d+|[a-z]+|[^\sa-z\d]")


def words(text: str) -> list[str]:
    """Lower-case words, whole numbers and single punctuation marks."""
    return _WORD.findall(text.lower())


def number_id(number: int) -> int:
    """The token of a whole number in 0..MAX_NUMBER."""
    return FIRST_NUMBER + number


def _template_words(template: Template) -> Iterator[str]:
    """Every word a template can contain, slots apart."""
    texts = [template.text]
    for operation in template.operations:
        for wordings in operation.wordings.values():
            texts.extend(wordings)
    for text in texts:
        yield from words(re.sub(r"\{\w+\}", " ", text))


def _all_words() -> Iterable[str]:
    """The distinct words of all questions and answers, sorted."""
    templates = [*CHAINS.values(), *(t for stories in STORIES.values() for t in stories)]
    found = {word for template in templates for word in _template_words(template)}
    found.update(words(" ".join((*NAMES, *ITEMS, *CONTAINERS, ANSWER_PREFIX))))
    return sorted(found - set(_FIXED))


_FIXED = (*map(str, range(MAX_NUMBER + 1)), *OPERATORS, "=", "|", ":", ".", ",", "?")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words and their token ids."""

    ids: dict[str, int]
    """Word -> id, special tokens first, then the numbers."""

    def encode(self, text: str) -> list[int]:
        """Token ids; a word that is not in the vocabulary raises KeyError."""
        return [self.ids[word] for word in words(text)]

    def __len__(self) -> int:
        return len(self.ids)


def build_vocabulary() -> Vocabulary:
    """All words the generator can write."""
    everything = (*SPECIALS, *_FIXED, *_all_words())
    return Vocabulary({word: i for i, word in enumerate(everything)})


def write_tokenizer(vocabulary: Vocabulary, path: Path) -> None:
    """Write `tokenizer.json`, which splits and lower-cases just as `words` does."""
    tokenizer = Tokenizer(WordLevel(vocabulary.ids, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")]
    )
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.save(str(path))
