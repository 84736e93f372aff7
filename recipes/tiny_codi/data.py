"""Batches of training problems as tensors."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from vocabulary import ANSWER_PREFIX, BOT, EOS, EOT, PAD, Vocabulary, number_id

from studyrun_data.facts import draw_fact
from studyrun_data.generator import OPERATORS, WordProblem, generate

MIX = (0.15, 0.30, 0.30, 0.25)
"""Shares of problems with 1, 2, 3 and 4 steps."""
N_RESULTS = 3
"""At most this many results lie between the question and the answer."""
EQUATIONS = 8
"""Calculations in one drill."""
EQUATION_TOKENS = 6


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Problems as token ids."""

    prefix: Tensor
    """(batch, tokens) question, `<eos>`, `<bot>`; padded on the left."""
    seen: Tensor
    """(batch, tokens) True where `prefix` is not padding."""
    results: Tensor
    """(batch, 3) results before the answer; `<eot>` where there is none."""
    teacher: Tensor
    """(batch, tokens) written steps, answer, `<eos>`; padded on the right."""
    colon: Tensor
    """(batch,) index of the ':' before the answer in `teacher`."""
    decode: Tensor
    """(batch, 7) `<eot>` The answer is : N `<eos>`."""

    @property
    def answers(self) -> Tensor:
        """(batch,) token of the answer."""
        return self.decode[:, -2]


def _pad(rows: Sequence[list[int]], *, left: bool) -> Tensor:
    """Rows of equal length."""
    width = max(map(len, rows))
    fills = ([PAD] * (width - len(row)) for row in rows)
    pairs = zip(rows, fills, strict=True)
    return torch.tensor([fill + row if left else row + fill for row, fill in pairs])


def encode_batch(
    problems: Sequence[WordProblem], vocabulary: Vocabulary, keep_last: Sequence[bool]
) -> Batch:
    """Tensors of some problems; `keep_last` says whose last step the teacher writes out."""
    prefix = _pad([[*vocabulary.encode(p.question), EOS, BOT] for p in problems], left=True)
    end = [[*vocabulary.encode(ANSWER_PREFIX), number_id(p.answer), EOS] for p in problems]
    written = [
        vocabulary.encode(p.solution if keep else " | ".join(map(str, p.steps[:-1])))
        for p, keep in zip(problems, keep_last, strict=True)
    ]
    results = [[number_id(s.result) for s in p.steps[:-1]] for p in problems]
    return Batch(
        prefix,
        prefix != PAD,
        torch.tensor([row + [EOT] * (N_RESULTS - len(row)) for row in results]),
        _pad([w + e for w, e in zip(written, end, strict=True)], left=False),
        torch.tensor([len(w) + len(end[0]) - 3 for w in written]),
        torch.tensor([[EOT, *row] for row in end]),
    )


def draw_problems(size: int, seed: str) -> list[WordProblem]:
    """Training problems in the shares of `MIX`; none of them is held out."""
    rng = random.Random(seed)
    counts = [round(size * share) for share in MIX]
    counts[1] += size - sum(counts)
    return [
        problem
        for n_steps, count in enumerate(counts, start=1)
        for problem in generate(count, rng.getrandbits(48), steps=(n_steps,), held_out=False)
    ]


def draw_batch(size: int, seed: str, vocabulary: Vocabulary, keep_last: float) -> Batch:
    """A batch for training; the teacher writes the last step with probability `keep_last`."""
    rng = random.Random(f"keep-{seed}")
    problems = draw_problems(size, seed)
    return encode_batch(problems, vocabulary, [rng.random() < keep_last for _ in problems])


def draw_drills(size: int, seed: str, vocabulary: Vocabulary) -> Tensor:
    """(size, 48) token ids of calculations `a op b = c |` without a story."""
    rng = random.Random(seed)
    rows = []
    for _ in range(size):
        facts = [draw_fact(rng, rng.choice(OPERATORS)) for _ in range(EQUATIONS)]
        rows.append(vocabulary.encode("".join(f"{fact}|" for fact in facts)))
    return torch.tensor(rows)
