"""A stand-in for what the studies of `studies/llama32_1b` ask for: 16 tiny layers, few problems."""

import json
from pathlib import Path

from studyrun_data.generator import generate
from tiny_official import write_base, write_official

FOLDER = Path(__file__).parents[2] / "studies" / "llama32_1b"
FILES = sorted(FOLDER.glob("*.yaml"))


def write_world(folder: Path, n: int) -> dict[str, object]:
    """The settings that point a study to a checkpoint, `n` problems and which of them validate."""
    base = write_base(folder / "base", "llama", tied=True, layers=16)
    checkpoint = write_official(folder / "codi", base)
    lines = [
        {
            "question": problem.question,
            "answer": f"{' '.join(f'<<{step}>>' for step in problem.steps)}\n#### {problem.answer}",
        }
        for problem in generate(n, seed=5)
    ]
    problems, indices = folder / "train.jsonl", folder / "indices.json"
    problems.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    indices.write_text(json.dumps({"validation": list(range(0, n, 2))}))
    return {
        "model.with.base": str(base),
        "model.with.checkpoint": str(checkpoint),
        "data.with.hub": None,
        "data.with.path": str(problems),
        "data.with.indices": str(indices),
    }
