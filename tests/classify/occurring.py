"""In which steps a concept occurs: by rules for each family, and by trying every run in turn."""

import re
from dataclasses import replace

from studyrun_data.problem import Problem
from studyrun_data.solution import read_solution
from studyrun_data.table import table_of

CLASSES = {
    "a multiple of 10": lambda x: x != 0 and x % 10 == 0,
    "a multiple of 100": lambda x: x != 0 and x % 100 == 0,
    "a number of 1 digit": lambda x: 1 <= abs(x) < 10,
    "a number of 2 digits": lambda x: 10 <= abs(x) < 100,
    "a number of 3 digits": lambda x: 100 <= abs(x) < 1000,
    "a number of 4 digits": lambda x: 1000 <= abs(x) < 10_000,
    "a whole number": lambda x: x % 1 == 0,
    "a fraction": lambda x: x % 1 != 0,
    "a negative number": lambda x: x < 0,
    "an even number": lambda x: x % 2 == 0,
    "an odd number": lambda x: x % 2 == 1,
}
NUMBERS = {
    "contains": lambda step: {*step.operands, step.result},
    "operand": lambda step: {*step.operands},
    "result": lambda step: {step.result},
    "intermediate": lambda step: {step.result},
}


def solved(*solutions):
    """The problems with these solutions."""
    return [
        Problem(f"p{i}", "q", text, read_solution(text).steps, None, "train")
        for i, text in enumerate(solutions)
    ]


def by_rule(name, problem):
    """The places of the steps of a problem in which a concept occurs that it has."""
    operators = ["".join(step.operators) for step in problem.steps]
    word, last = name.split()[0], len(operators) - 1
    if name.endswith(("step", "steps")) or word == "answer":
        return []
    if word == "only":
        return list(range(last + 1))
    if word == "first":
        return list(range(next(i for i, each in enumerate(operators) if each) + 1))
    if word == "last":
        return list(range(max(i for i, each in enumerate(operators) if each), last + 1))
    if " then " in name or " later " in name:
        between = "" if " then " in name else ".*"
        pattern = between.join(re.escape(each) for each in name.split()[::2])
        return _shortest(operators, re.compile(pattern))
    return [i for i, step in enumerate(problem.steps) if _in_step(name, step, is_last=i == last)]


def _shortest(operators, pattern):
    """Of texts, the places of those in the shortest runs that match together."""
    n = len(operators)
    runs = [
        range(start, start + length)
        for length in range(1, n + 1)
        for start in range(n - length + 1)
        if pattern.search("".join(operators[start : start + length]))
    ]
    return sorted({place for run in runs if len(run) == len(runs[0]) for place in run})


def _in_step(name, step, *, is_last):
    word, *rest = name.split()
    if word == "uses":
        return rest[0] in step.operators
    if rest[0] == "with":
        return word in step.operators and float(rest[1]) in NUMBERS["contains"](step)
    noun = " ".join(each for each in rest if each != "is")
    test = CLASSES.get(noun) or float(noun).__eq__
    return any(map(test, NUMBERS[word](step))) and not (word == "intermediate" and is_last)


def by_trial(concept, problem, others):
    """The same for any concept, run by run, step by step."""
    n = len(problem.steps)
    for length in range(n):
        runs = [range(start, start + length) for start in range(n - length + 1)]
        found = [run for run in runs if _decides(concept, problem, run, others)]
        if found:
            return sorted({place for run in found for place in run})
    return list(range(n))


def _decides(concept, problem, run, others):
    exchanged = [
        replace(problem, steps=tuple(s if i in run else o for i, s in enumerate(problem.steps)))
        for o in others
    ]
    return table_of(exchanged).select(concept.expr).to_series().all()
