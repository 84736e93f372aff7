"""Hypothesis strategies, one section a room; tests import them from here only."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from hypothesis import assume, reject
from hypothesis import strategies as st

from studyrun.reading.sqlwords import is_keyword
from studyrun_data.expression import format_number
from studyrun_data.problem import Calculation, Problem
from studyrun_data.solution import read_step
from studyrun_report import blocks
from studyrun_sae.architectures import ARCHITECTURES
from studyrun_sae.sae import SAE

# ---------------------------------------------------------------- data


@dataclass(frozen=True)
class Arithmetic:
    """An expression that was built, so everything about it is known without parsing."""

    text: str
    operands: tuple[Fraction, ...]
    operators: tuple[str, ...]
    value: Fraction
    bound: Fraction
    """The value if all numbers were positive and all added: what rounding errors scale with."""
    level: int
    """1 a sum, 2 a product, 3 a number or something in parentheses."""


SPELLINGS = {
    "+": "+",
    "-": "-\N{MINUS SIGN}",
    "*": "*x\N{MULTIPLICATION SIGN}",
    "/": "/\N{DIVISION SIGN}",
}
blanks = st.sampled_from(["", "", " ", "  "])


@st.composite
def numbers_as_text(draw) -> tuple[str, Fraction]:
    """A non-negative number written with commas, currency, percent or a bare point."""
    whole, decimals = draw(st.integers(0, 10**7)), draw(st.text("0123456789", max_size=3))
    digits = f"{whole:,}" if draw(st.booleans()) else str(whole)
    text = f"{digits}.{decimals}" if decimals else digits
    if text.startswith("0.") and draw(st.booleans()):
        text = text[1:]
    value = Fraction(f"{whole}.{decimals}" if decimals else whole)
    style = draw(st.sampled_from(["", "", "$", "$ ", "%", " %"]))
    if "%" in style:
        return text + style, value / 100
    return style + text, value


@st.composite
def _leaves(draw) -> Arithmetic:
    text, value = draw(numbers_as_text())
    sign = draw(st.sampled_from(["", "", "", "-"]))
    value = -value if sign else value
    return Arithmetic(sign + text, (value,), (), value, abs(value), 3)


@st.composite
def _joined(draw, children) -> Arithmetic:
    operator, left = draw(st.sampled_from("+-*/")), draw(children)
    right = draw(_leaves().filter(lambda leaf: leaf.value != 0) if operator == "/" else children)
    level = 1 if operator in "+-" else 2
    needed = level + 1 if operator in "-/" else level
    written = [
        draw(_within(left, level)),
        draw(st.sampled_from(SPELLINGS[operator])),
        draw(_within(right, needed)),
    ]
    text = "".join(piece + draw(blanks) for piece in written)
    a, b = left.value, right.value
    if operator in "+-":
        value, bound = a + b if operator == "+" else a - b, left.bound + right.bound
    elif operator == "*":
        value, bound = a * b, left.bound * right.bound
    else:
        value, bound = a / b, left.bound / abs(b)
    operators = (*left.operators, operator, *right.operators)
    return Arithmetic(text, left.operands + right.operands, operators, value, bound, level)


@st.composite
def _within(draw, part: Arithmetic, level: int) -> str:
    """The part's text, in parentheses where its place needs them, sometimes where not."""
    if part.level < level or draw(st.integers(0, 9)) == 0:
        return f"({part.text})"
    return part.text


def arithmetic() -> st.SearchStrategy[Arithmetic]:
    """Expressions of one to many numbers; division only by a number that is not zero."""
    return st.recursive(_leaves(), _joined, max_leaves=8)


numbers = st.one_of(
    st.integers(-200, 1200).map(float),
    st.sampled_from([0.5, 12.0, 12.5, 50.0, 500.0, 100.0, 1000.0, -12.0, 0.12]),
)


@st.composite
def calculations(draw) -> Calculation:
    """A step with few different numbers, so that values and patterns repeat."""
    operands = draw(st.lists(numbers, min_size=1, max_size=4))
    operators = draw(
        st.lists(st.sampled_from("+-*/"), min_size=len(operands) - 1, max_size=len(operands) - 1)
    )
    return Calculation("?", tuple(operands), tuple(operators), draw(numbers))


def problems(max_size: int = 8) -> st.SearchStrategy[list[Problem]]:
    """Lists of problems with arbitrary steps, possibly none."""
    text = st.text(max_size=5)
    problem = st.builds(
        Problem,
        id=text,
        question=text,
        solution=text,
        steps=st.lists(calculations(), max_size=4).map(tuple),
        answer=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        split=st.sampled_from(["train", "validation"]),
    )
    return st.lists(problem, max_size=max_size)


# ---------------------------------------------------------------- run

json_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
json_objects = st.dictionaries(st.text(max_size=5), json_values, max_size=4)


@st.composite
def frames(draw, max_rows: int = 6):
    """Tables with the column types that steps make: numbers, text, booleans, lists, structs."""
    import polars as pl

    types = {
        pl.Int64: st.integers(-(2**63), 2**63 - 1),
        pl.UInt32: st.integers(0, 2**32 - 1),
        pl.Float32: st.floats(width=32),
        pl.Float64: st.floats(),
        pl.String: st.text(max_size=5),
        pl.Boolean: st.booleans(),
        pl.List(pl.Float64): st.lists(st.floats(allow_nan=False), max_size=3),
        pl.Struct({"a": pl.UInt32, "b": pl.String}): st.fixed_dictionaries(
            {"a": st.integers(0, 9), "b": st.text(max_size=3)}
        ),
    }
    rows = draw(st.integers(0, max_rows))
    names = draw(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
    columns = []
    for name in names:
        dtype = draw(st.sampled_from(list(types)))
        values = st.one_of(st.none(), types[dtype])
        column = draw(st.lists(values, min_size=rows, max_size=rows))
        columns.append(pl.Series(name, column, dtype=dtype))
    return pl.DataFrame(columns)


# ------------------------------------------------------------ classify


@st.composite
def counts_of_a_pair(draw, largest: int = 60) -> tuple[int, int, int, int]:
    """(n_active, n_active_with, n_total, n_with) that can occur."""
    total = draw(st.integers(1, largest))
    active, having = draw(st.integers(0, total)), draw(st.integers(0, total))
    both = draw(st.integers(max(0, active + having - total), min(active, having)))
    return active, both, total, having


def counted_tables():
    """Some rows of counts."""
    return st.lists(counts_of_a_pair(), min_size=1, max_size=12)


def counts_of_strata(strata: int = 3, largest: int = 12):
    """Counts of one pair in up to so many strata."""
    return st.lists(counts_of_a_pair(largest), min_size=1, max_size=strata)


# ---------------------------------------------------------------- sae


@st.composite
def activations(draw, d_in=None, least=2):
    """Residuals (rows, d_in) float32 of which no two rows are equal."""
    rows, width = draw(st.integers(least, 6)), d_in or draw(st.integers(1, 5))
    shape, seed = (rows, width), draw(st.integers(0, 2**16))
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x * draw(st.sampled_from([0.1, 1.0, 30.0])) + torch.arange(rows)[:, None]


@st.composite
def recipes_alike(draw, names, least=2, most=4):
    """What may share a stack: parameters of one shape, each with a site (of two) and a seed."""
    own = {
        "k": st.integers(1, 8),
        "lr": st.sampled_from([1e-3, 1e-2]),
        "warmup": st.sampled_from([0.0, 0.2]),
        "decay": st.sampled_from([0.0, 0.5, "cosine"]),
        "aux_weight": st.sampled_from([0.0, 0.1]),
        "aux_k": st.none() | st.integers(1, 8),
        "dead_after": st.integers(1, 2),
        "resample_every": st.none() | st.just(1),
        "input_norm": st.sampled_from(["rms", "none"]),
        "bias_init": st.sampled_from(["mean", "zero"]),
        "encoder_init": st.sampled_from(["decoder", "uniform"]),
        "held_out": st.booleans(),
    }
    shared = {
        "architecture": draw(st.sampled_from(names)),
        "d_sae": draw(st.integers(8, 16)),
        "batch_size": draw(st.integers(7, 20)),
        "epochs": draw(st.integers(2, 4)),
        "decoder_norm": draw(st.sampled_from(["unit", "initial"])),
    }
    members = []
    for _ in range(draw(st.integers(least, most))):
        params = shared | draw(st.fixed_dictionaries(own))
        members.append((params, draw(st.integers(0, 1)), draw(st.integers(0, 1))))
    return members


ALL_ARCHITECTURES = tuple(sorted(ARCHITECTURES))


@st.composite
def random_sae(draw, names=ALL_ARCHITECTURES, square=False):
    """An SAE with random weights, any of those architectures, k anywhere up to d_sae."""
    d_in, d_sae = draw(st.integers(1, 5)), draw(st.integers(1, 8))
    d_sae = d_in if square else d_sae
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    shapes = ((d_in, d_sae), (d_sae,), (d_sae, d_in), (d_in,))
    tensors = [torch.randn(shape, generator=generator) for shape in shapes]
    name = draw(st.sampled_from(names))
    own = {"pre_bias": draw(st.booleans()), **_settings(draw, name, d_sae)}
    own |= _own_tensors(name, d_sae, generator)
    state = random.getstate()  # the shape checker looks at a group size at random
    sae = SAE(*tensors, ARCHITECTURES[name](**own))
    random.setstate(state)
    return sae


def _settings(draw, name: str, d_sae: int) -> dict:
    if name in ("jumprelu", "gated", "standard"):
        return {}
    k = draw(st.integers(1, d_sae))
    if name == "groupmax":  # of one size
        k = draw(st.sampled_from([each for each in range(1, d_sae + 1) if d_sae % each == 0]))
    if name != "matryoshka":
        return {"k": k}
    first = draw(st.integers(1, d_sae))
    return {"k": k, "group_sizes": (first, d_sae - first) if first < d_sae else (first,)}


def _own_tensors(name: str, d_sae: int, generator) -> dict[str, torch.Tensor]:
    """Random, with thresholds above 0: others would be those of a dense ReLU."""
    own = {}
    for tensor, of in ARCHITECTURES[name].TENSORS.items():
        found = torch.randn((d_sae,) if of else (), generator=generator)
        own[tensor] = found.abs() + 0.01 if tensor == "threshold" else found
    return own


# ---------------------------------------------------------------- study


@dataclass(frozen=True)
class Written:
    """A YAML text that was written piece by piece, so that every position is known."""

    text: str
    value: object
    keys: dict[tuple, int]
    """Where the key (or the item) of every path begins, in characters from the start."""


study_names = st.from_regex(r"[a-z][a-z0-9_]{0,7}", fullmatch=True)
study_texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
)
study_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    study_texts,
    study_names,
)


def study_values(max_leaves: int = 12) -> st.SearchStrategy:
    """Whatever a study may hold: JSON with 64-bit integers and finite numbers."""
    return st.recursive(
        study_scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(study_texts, inner, max_size=4),
        max_leaves=max_leaves,
    )


study_documents = st.dictionaries(study_texts, study_values())


def _quoted_yaml(text: str) -> str:
    """A double-quoted scalar; what is not printable ASCII or a letter is escaped."""
    pieces = []
    for character in text:
        if character in '"\\':
            pieces.append("\\" + character)
        elif (character.isascii() and character.isprintable()) or character.isalpha():
            pieces.append(character)
        else:
            code = ord(character)
            pieces.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return f'"{"".join(pieces)}"'


class _YamlWriter:
    """Writes a value in a style drawn piece by piece, and notes where everything begins."""

    def __init__(self, draw) -> None:
        self.draw, self.text, self.keys = draw, "", {}

    def scalar(self, value) -> None:
        if isinstance(value, str):
            plain = value.isascii() and value.isidentifier() and value.islower()
            safe = plain and value not in ("null", "true", "false")
            self.text += value if safe and self.draw(st.booleans()) else _quoted_yaml(value)
        elif value is None or isinstance(value, bool):
            word = {None: "null", True: "true", False: "false"}[value]
            self.text += self.draw(st.sampled_from([word, word.title(), word.upper()])) or word
        else:
            self.text += repr(value)

    def flow(self, value, path) -> None:
        if not isinstance(value, list | dict):
            self.scalar(value)
            return
        pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
        self.text += "{" if isinstance(value, dict) else "["
        for number, (key, inner) in enumerate(pairs):
            self.text += ", " if number else self.draw(st.sampled_from(["", " "])) or ""
            self.keys[*path, key] = len(self.text)
            if isinstance(value, dict):
                self.scalar(key)
                self.text += ": "
            self.flow(inner, (*path, key))
        self.text += "}" if isinstance(value, dict) else "]"

    def block(self, value, path, indent) -> None:
        if not value or not isinstance(value, list | dict) or self.draw(st.integers(0, 3)) == 0:
            self.text += " "
            self.flow(value, path)
            return
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            self.text += self.draw(st.sampled_from(["\n", "\n", "  # why\n", "\r\n"]))
            self.text += " " * indent
            if isinstance(value, dict):
                self.keys[*path, key] = len(self.text)
                self.scalar(key)
                self.text += ":"
                self.block(inner, (*path, key), indent + self.draw(st.integers(1, 4)))
            else:
                self.text += "- "
                self.keys[*path, key] = len(self.text)
                self.flow(inner, (*path, key))


def flow_yaml(value) -> str:
    """The value on one line of YAML."""
    writer = _YamlWriter(lambda _: False)
    writer.flow(value, ())
    return writer.text


@st.composite
def written_yaml(draw) -> Written:
    """A document in mixed styles: block and flow, quotes, comments, line ends."""
    value = draw(study_documents)
    writer = _YamlWriter(draw)
    writer.block(value, (), 0)
    return Written(writer.text + draw(st.sampled_from(["", "\n"])), value, writer.keys)


_positive = st.integers(1, 50)
_toy_needs = st.sampled_from([None, None, ["acts"]])


@st.composite
def _toy_steps(draw) -> dict:
    """Steps of the toy registry (tests/study/study_toys.py) that can be wired."""
    layers = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True))
    positions = draw(st.lists(st.one_of(st.integers(0, 2), study_names), max_size=3))
    read = {"layers": layers, **draw(st.sampled_from([{}, {"positions": positions}]))}
    fit = {"k": draw(st.integers(1, 8)), "lr": draw(st.floats(1e-6, 1.0))}
    fit |= draw(st.sampled_from([{}, {"activation": "relu"}]))
    steps = {"acts": {"use": "read", "with": read}, "sae": {"use": "fit", "with": fit}}
    needs = draw(_toy_needs)
    if needs:
        steps["sae"]["needs"] = needs
    tail = ["features", "labels", "effects", "report"][: draw(st.integers(0, 4))]
    uses = {
        "features": {"use": "code"},
        "labels": {"use": "name", "with": draw(_toy_naming())},
        "effects": {"use": "edit", "with": draw(_toy_editing())},
        "report": {"use": "tell"},
    }
    return {**steps, **{name: uses[name] for name in tail}}


def forms(name: str, given: dict) -> list:
    """Every way to write a reference to a component in a parameter."""
    bare = [] if given else [name, {"use": name}]
    return [{name: given}, {"use": name, "with": given}, *bare]


toy_choices = st.one_of(
    st.tuples(st.just("classifier"), st.just("plain"), st.just({})),
    st.tuples(st.just("concept"), st.just("even"), st.just({})),
    st.floats(0, 1).map(lambda alpha: ("classifier", "strict", {"alpha": alpha})),
    st.lists(st.integers(0, 99), min_size=1).map(
        lambda values: ("concept", "contains", {"values": values})
    ),
)
"""(kind, name, parameters) of a component that the toy registry's steps name."""


@st.composite
def _toy_naming(draw) -> dict:
    chosen = draw(st.lists(toy_choices, max_size=4))
    refs = [(kind, draw(st.sampled_from(forms(name, given)))) for kind, name, given in chosen]
    first = draw(st.integers(1, 9))
    return {
        "classifier": next((ref for kind, ref in refs if kind == "classifier"), "plain"),
        "concepts": [ref for kind, ref in refs if kind == "concept"],
        "ranks": [f"{first}-{first + draw(st.integers(0, 9))}"],
    }


def _toy_editing() -> st.SearchStrategy:
    return st.fixed_dictionaries(
        {},
        optional={
            "features": st.sampled_from([{}, {"top": 3}, {"ids": [1, 2]}, {"top": None}]),
            "pairs": st.sampled_from(["auto", [[1, 2]], []]),
            "scale": st.dictionaries(study_texts, st.floats(0, 2), max_size=2),
        },
    )


@st.composite
def toy_studies(draw) -> dict:
    """Valid studies over the toy registry, as plain values."""
    steps = draw(_toy_steps())
    table = draw(st.sampled_from(list(steps)))
    claim = {"claim": "It is so.", "expect": f"SELECT count(*) > 1 FROM {table}"}
    claims = {} if table == "report" else {"so": claim}
    optional = {
        "about": draw(study_texts),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "hypotheses": claims,
        "runtime": draw(st.sampled_from([{}, {"dtype": "bfloat16", "threads": 2}])),
    }
    kept = draw(st.sets(st.sampled_from(sorted(optional))))
    return {
        "study": draw(study_names),
        "model": draw(st.sampled_from([{"use": "toy"}, {"use": "toy", "with": {}}])),
        "data": {"use": "numbers", "with": {"n": draw(_positive), "share": draw(st.floats(0, 1))}},
        "steps": steps,
        **{name: optional[name] for name in sorted(kept)},
    }


@st.composite
def branching_studies(draw) -> dict:
    """Studies of toys with some SAEs and feature activations each, and a report that wants steps.

    It names components of tests/study/wanting.py; some stand in the study already.
    """
    steps: dict = {"acts": {"use": "read", "with": {"layers": [1]}}}
    for sae in range(draw(st.integers(0, 2))):
        steps[f"sae{sae}"] = {"use": "fit", "with": {"k": sae + 1}}
        for branch in range(draw(st.integers(0, 2))):
            name = f"features{sae}{branch}"
            steps[name] = {"use": "code", "needs": [f"sae{sae}"]}
            if draw(st.integers(0, 3)) == 0:
                steps[f"labels{sae}{branch}"] = {"use": "name", "needs": [name]}
    coded = [name for name in steps if name.startswith("features")]
    if coded and draw(st.booleans()):
        needs = [draw(st.sampled_from(coded))]
        steps[draw(st.sampled_from(["mine", "portray"]))] = {"use": "relate", "needs": needs}
    wanted = draw(st.permutations(["portray", "relate", "summarise", "needy", "not-installed"]))
    kept = wanted[: draw(st.integers(0, 5))]
    steps["report"] = {"use": "gallery", "with": {"wanted": kept}}
    return {"study": "s", "model": {"use": "toy"}, "data": {"use": "numbers"}, "steps": steps}


toy_changes = st.fixed_dictionaries(
    {},
    optional={
        "model": st.just({"checkpoint": "builtin:other"}),
        "steps": st.fixed_dictionaries(
            {},
            optional={
                "problems": st.just({"n": 3}),
                "activations": st.sampled_from([{"fast": True}, {"fast": False}, {}]),
                "sae": st.just({"lr": 0.5}),
            },
        ),
    },
)
"""What a variant may replace in a study of the toy registry."""


# ---------------------------------------------------------------- classify: controls


@st.composite
def evidences(draw):
    """Evidence of few problems, with strata of any size, and features and concepts of any share."""
    import numpy as np
    import polars as pl

    from studyrun import Concept, Evidence
    from studyrun_classify.features import ranked

    n, features, concepts = (draw(st.integers(1, most)) for most in (14, 5, 4))
    share = draw(st.floats(0, 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    active, holds = (rng.random((n, width)) < share for width in (features, concepts))
    problem, feature = np.nonzero(active)
    strength = rng.normal(size=len(problem))
    activations = pl.DataFrame(
        {"problem": problem * 3 + 1, "feature": feature, "activation": strength},
        {"problem": pl.UInt32, "feature": pl.UInt32, "activation": pl.Float32},
    )
    concept, held_by = np.nonzero(holds.T)
    return Evidence(
        problems=pl.DataFrame(
            {"problem": np.arange(n) * 3 + 1, "n_steps": rng.integers(1, 4, n)},
            {"problem": pl.UInt32, "n_steps": pl.UInt32},
        ),
        activations=activations,
        features=ranked(activations, features, n),
        concepts=tuple(Concept(f"c{i}", "operation", pl.lit(True)) for i in range(concepts)),
        membership=pl.DataFrame(
            {"problem": held_by * 3 + 1, "concept": concept},
            {"problem": pl.UInt32, "concept": pl.UInt32},
        ),
        seed=draw(st.integers(0, 100)),
    )


# ---------------------------------------------------------------- study: SQL of hypotheses


@st.composite
def misspellings(draw, name: str, known: Collection[str]) -> str:
    """The name with a letter too many, too few, or another one; none of the known names."""
    at = draw(st.integers(1, len(name) - 1))
    letter, rest = draw(st.sampled_from(["", *"aeiknosuz_7"])), draw(st.sampled_from([0, 1]))
    found = name[:at] + letter + name[at + rest :]
    assume(found != name and found not in known and not is_keyword(found))
    return found


ALIASES = ("t", "u", "x", "rank", "labels", "of it", "Y", "end_", "first")
"""Among them names of columns and tables, and one that must be quoted."""


@st.composite
def selects(draw, tables: Mapping[str, Collection[str]]) -> str:
    """SELECTs over numeric columns: aliases, joins, subqueries, WITH; most of them make sense."""
    parts: list[str] = []
    known = {name: tuple(columns) for name, columns in tables.items()}
    for number in range(draw(st.integers(0, 2))):
        query, columns = draw(_selects(dict(known), 1))
        name = draw(st.sampled_from([f"cte{number}", f"Rank{number}"]))
        parts.append(f"{name} AS ({query})")
        known[name] = columns
    query, _ = draw(_selects(known, 2))
    return f"WITH {', '.join(parts)} {query}" if parts else query


@st.composite
def _selects(draw, known: dict[str, tuple[str, ...]], depth: int) -> tuple[str, tuple[str, ...]]:
    """A SELECT, and what its columns are called."""
    sources = [draw(_sources(known, depth)) for _ in range(draw(st.integers(1, 2)))]
    bare = [name for each in sources for name in each[1]] if len(sources) == 1 else []
    columns = st.sampled_from([*bare, *(name for each in sources for name in each[2])])
    item = draw(st.sampled_from(["{0}", "max({0})", "sum({0}) FILTER (WHERE {1} > 0)", WINDOW]))
    items, called = [], []
    for number in range(draw(st.integers(1, 2))):
        alias = draw(st.sampled_from([*ALIASES, "z"])) + str(number)
        inner = _expressions(columns, 2)
        items.append(item.format(draw(inner), draw(inner)) + draw(_aliased(alias)))
        called.append(alias)
    join = draw(st.sampled_from([", ", " CROSS JOIN "]))
    query = f"SELECT {', '.join(items)} FROM {join.join(each[0] for each in sources)}"
    if draw(st.booleans()):
        query += f" WHERE {draw(_expressions(columns, 1))} > {draw(columns)}"
    if draw(st.integers(0, 3)) == 3:
        query += f" ORDER BY {_name(called[0])} DESC LIMIT 3"
    return query, tuple(called)


@st.composite
def _sources(
    draw, known: dict[str, tuple[str, ...]], depth: int
) -> tuple[str, list[str], list[str]]:
    """What may stand after FROM; its columns, and the same with its name before them."""
    if depth and draw(st.booleans()):
        query, columns = draw(_selects(known, depth - 1))
        source, name = f"({query})", ""
    else:
        name = draw(st.sampled_from([*known]))
        source, columns = draw(st.sampled_from([name, name.upper(), _quoted(name)])), known[name]
    if not name or draw(st.booleans()):
        name = draw(st.sampled_from(ALIASES))
        source += draw(_aliased(name))
    bare = [*map(_name, columns)]
    return source, bare, [f"{_name(name)}.{each}" for each in bare]


WINDOW = "avg({0}) OVER (PARTITION BY {1})"
FORMS = (
    "{0}",
    "{0} + {1}",
    "CAST({0} AS DOUBLE PRECISION)",
    "{0}::INT",
    "CASE WHEN {0} > 1 THEN {1} ELSE NULL END",
    "coalesce({0}, {1}, 1e-3)",
    "({0})",
)


@st.composite
def _expressions(draw, columns, depth: int) -> str:
    if not depth:
        return draw(columns)
    inner = _expressions(columns, depth - 1)
    return draw(st.sampled_from(FORMS)).format(draw(inner), draw(inner))


def _aliased(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f" AS {_name(name)}", f" {_name(name)}", f" as {_quoted(name)}"])


def _name(name: str) -> str:
    return _quoted(name) if " " in name else name


def _quoted(name: str) -> str:
    return f'"{name}"'


@dataclass(frozen=True)
class WrittenText:
    """A text as YAML writes it as the value of a key."""

    yaml: str
    places: list[int]
    """Where each character of the text stands in `yaml`."""


@st.composite
def yaml_scalars(draw, text: str, indent: str) -> WrittenText:
    """The SQL in any style of YAML; spaces may be folded, outside quotes and without comments.

    Args:
        draw: hypothesis' own.
        text: without white space at its ends.
        indent: of further lines.
    """
    style = draw(st.sampled_from(["plain", "single", "double", "literal", "folded"]))
    if style == "plain" and not set(text).isdisjoint(":#`\"'{}[],&*!|>%@\n"):
        style = "literal"
    line = f"\n{indent}"
    folds = [line, f" \\{line}", r"\n"] if style == "double" else [line]
    ends = {"double": r"\n", "literal": line}
    written, places = [OPENING[style].replace("\n", line)], []
    for index, character in enumerate(text):
        piece = QUOTED.get((style, character), character)
        foldable = "--" not in text and not any(text.count(q, 0, index) % 2 for q in "\"'`")
        chance = draw(st.integers(0, 9))
        if character == "\n":
            piece = ends.get(style, f"\n{line}")
        elif character == " " and chance == 9 and foldable:
            piece = draw(st.sampled_from(folds))
        elif style == "double" and chance == 8:
            piece = f"\\u{ord(character):04x}"
        places.append(sum(map(len, written)))
        written.append(piece)
    return WrittenText("".join(written) + CLOSING.get(style, ""), places)


QUOTED = {("double", '"'): r"\"", ("double", "\\"): r"\\", ("single", "'"): "''"}
OPENING = {
    "plain": "",
    "single": "'",
    "double": '"',
    "literal": "|-\n",
    "folded": ">  # as one line\n",
}
CLOSING = {"single": "'", "double": '"'}


# ---------------------------------------------------------------- intervene: statistics


@dataclass(frozen=True)
class Effects:
    """Effects in whole tenths, so that an oracle in integers is exact where floats round."""

    tenths: torch.Tensor
    """(edits, problems) int64, noise where the edit does nothing."""
    acts: torch.Tensor
    """(edits, problems) bool."""

    @property
    def values(self) -> torch.Tensor:
        return self.tenths.double() / 10

    def acting(self, edit: int) -> list[int]:
        """The tenths of one edit where it acts."""
        return self.tenths[edit][self.acts[edit]].tolist()

    @property
    def edits(self) -> range:
        return range(len(self.tenths))


@st.composite
def effects(draw, pool=None, least=1, most=16, shares=(0.0, 0.2, 0.6, 1.1)) -> Effects:
    """Few edits on some problems: 0/1 outcomes, their differences, ties, anything."""
    pools = [[0, 10], [-10, 0, 10], [1, 2, 3], [-1, -2, -3, 3], [0], range(-99, 99)]
    pool = torch.tensor(list(pool or draw(st.sampled_from(pools))))
    shape = (draw(st.integers(0, 3)), draw(st.integers(least, most)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    tenths = pool[torch.randint(len(pool), shape, generator=generator)]
    acts = torch.rand(shape, generator=generator) < draw(st.sampled_from(shares))
    return Effects(tenths, acts)


# ---------------------------------------------------------------- data: counterfactuals


@dataclass(frozen=True)
class Told:
    """A step of a story: where each operand comes from, and how they are joined."""

    sources: tuple[int | str, ...]
    """A given number as `"12"`, or the index of the earlier step whose result it is."""
    tree: object
    """The index of an operand, or (operator, left, right)."""


@dataclass(frozen=True)
class Story:
    """A solution of which it is known what is given; each result but the last is used later on."""

    told: tuple[Told, ...]

    @property
    def steps(self) -> tuple[Calculation, ...]:
        return _told_steps(self.told)

    @property
    def given(self) -> list[float]:
        sources = [source for step in self.told for source in step.sources]
        return [float(source) for source in sources if isinstance(source, str)]

    @property
    def operators(self) -> list[str]:
        return [operator for step in self.steps for operator in step.operators]

    @property
    def question(self) -> str:
        """All that is given, as digits."""
        return " and ".join(format_number(abs(number)) for number in self.given)

    def with_value(self, old: float, new: float) -> Story | None:
        """The story with another number; None where it divides by zero."""
        return self._if_defined(
            replace(
                step,
                sources=tuple(
                    format_number(new) if isinstance(each, str) and float(each) == old else each
                    for each in step.sources
                ),
            )
            for step in self.told
        )

    def with_operation(self, old: str, new: str) -> Story | None:
        """The story with another operation of the same operands; None likewise."""
        return self._if_defined(
            replace(step, tree=_with_operator(step.tree, old, new)) for step in self.told
        )

    def _if_defined(self, told) -> Story | None:
        other = Story(tuple(told))
        try:
            return other if other.steps else None
        except ZeroDivisionError:
            return None


def _told_steps(told: tuple[Told, ...]) -> tuple[Calculation, ...]:
    steps: list[Calculation] = []
    for each in told:
        operands = [float(s) if isinstance(s, str) else steps[s].result for s in each.sources]
        result = float(f"{float(_exactly(each.tree, operands)):.12g}") + 0.0
        text = _told_text(each.tree, operands)
        steps.append(read_step(f"{text}={format_number(result)}"))
    return tuple(steps)


def _exactly(tree, operands: list[float]) -> Fraction:
    if isinstance(tree, int):
        return Fraction(operands[tree])
    operator, left, right = tree
    a, b = _exactly(left, operands), _exactly(right, operands)
    if operator in "*/":
        return a * b if operator == "*" else a / b
    return a + b if operator == "+" else a - b


def _told_text(tree, operands: list[float]) -> str:
    """With brackets around everything that would else be joined in another order."""
    if isinstance(tree, int):
        return format_number(operands[tree])
    operator, left, right = tree
    loose = isinstance(left, tuple) and operator in "*/" and left[0] in "+-"
    tighter = isinstance(right, tuple) and operator in "+-" and right[0] in "*/"
    a, b = _told_text(left, operands), _told_text(right, operands)
    a = f"({a})" if loose else a
    return f"{a}{operator}{b if isinstance(right, int) or tighter else f'({b})'}"


def _with_operator(tree, old: str, new: str):
    if isinstance(tree, int):
        return tree
    operator, left, right = tree
    sides = (_with_operator(side, old, new) for side in (left, right))
    return (new if operator == old else operator, *sides)


@st.composite
def _trees(draw, first: int, last: int):
    """A tree over the operands from `first` to before `last`."""
    if last - first == 1:
        return first
    middle = draw(st.integers(first + 1, last - 1))
    left, right = draw(_trees(first, middle)), draw(_trees(middle, last))
    return (draw(st.sampled_from("+-*/")), left, right)


PLAIN = ("101", "211", "307", "401", "503", "601", "701", "809")
few_numbers = st.integers(1, 12) | st.sampled_from([-5, -2, 0.5, 1.5, 100])


@st.composite
def stories(draw, plain=False) -> Story:
    """One to four steps that lead to the last, of one to six operands each.

    `plain`: each step joins two operands at least, no number is given twice, no result used twice.
    """
    n_steps = draw(st.integers(1, 4))
    numbers, unused, told = iter(PLAIN), [], []
    for number in range(n_steps):
        last = number == n_steps - 1
        taken = [each for each in unused if last or draw(st.booleans())]
        unused = [number, *(each for each in unused if each not in taken)]
        rarely = number and not plain and draw(st.integers(0, 4)) == 0
        again = [draw(st.integers(0, number - 1))] if rarely else []
        least = max(0, 1 + plain - len(taken))
        fresh = draw(st.lists(few_numbers, min_size=least, max_size=2))
        given = [next(numbers) if plain else format_number(float(each)) for each in fresh]
        sources = draw(st.permutations([*taken, *again, *given]))
        told.append(Told(tuple(sources), draw(_trees(0, len(sources)))))
    story = Story(tuple(told))
    try:
        assume(bool(story.steps))
    except ZeroDivisionError:
        reject()
    return story


# ---------------------------------------------------------------- models: edited runs


@dataclass(frozen=True)
class Nudge:
    """An edit that is wanted of a run: |delta| is about `size`, its direction drawn by `seed`."""

    question: int
    at: int
    size: float
    seed: int

    def delta(self, d_model) -> torch.Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        return self.size * torch.randn(d_model, generator=generator) / d_model**0.5


def nudges(questions, positions, least=1, most=8) -> st.SearchStrategy[list[Nudge]]:
    """Edits of some of so many questions at some of so many positions, none at all among them."""
    one = st.builds(
        Nudge,
        question=st.integers(0, questions - 1),
        at=st.integers(0, positions - 1),
        size=st.sampled_from([0.0, 0.1, 1.0, 10.0]),
        seed=st.integers(0, 2**16),
    )
    return st.lists(one, min_size=least, max_size=most)


@st.composite
def lm_configs(draw, kind, vocabulary=400):
    """A configuration of one to three narrow blocks of an architecture."""
    import transformers as t

    layers, shared = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kv_heads, dim = draw(st.integers(1, 2)), draw(st.sampled_from([8, 16, 32]))
    heads = kv_heads * shared
    common = {"vocab_size": vocabulary, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0}
    if kind == "gpt2":
        return t.GPT2Config(**common, n_layer=layers, n_head=heads, n_embd=heads * dim)
    common |= {"num_hidden_layers": layers, "num_attention_heads": heads}
    common |= {"hidden_size": heads * dim, "intermediate_size": draw(st.integers(8, 100))}
    rope = {"rope_type": "default", "rope_theta": draw(st.sampled_from([100.0, 10000.0]))}
    if kind == "gpt-neox":
        rope["partial_rotary_factor"] = draw(st.sampled_from([0.25, 0.5, 1.0]))
        return t.GPTNeoXConfig(**common, rope_parameters=rope)
    of_kind = {"llama": t.LlamaConfig, "qwen2": t.Qwen2Config}[kind]
    return of_kind(**common, num_key_value_heads=kv_heads, rope_parameters=rope)


# ---------------------------------------------------------------- features


@dataclass(frozen=True)
class Firing:
    """Which of a few features are active on which of a few problems, and how strongly."""

    n_problems: int
    d_sae: int
    pairs: Mapping[tuple[int, int], float]
    """(problem, feature) -> activation, 0 among them."""


@st.composite
def firings(draw, strengths=(0.0, -2.5, -1.0, 0.1, 0.3, 1.0, 1.1, 7.0)) -> Firing:
    """Few problems and features, some of which are never active; equal activations are usual."""
    n_problems, d_sae = draw(st.integers(1, 14)), draw(st.integers(1, 4))
    places = st.tuples(st.integers(0, n_problems - 1), st.integers(0, d_sae - 1))
    values = st.one_of(st.sampled_from(strengths), st.floats(-100, 100, width=32))
    return Firing(n_problems, d_sae, draw(st.dictionaries(places, values, max_size=40)))


@st.composite
def activities(draw, most=30) -> tuple[list[list[bool]], list[int]]:
    """Rows of features over problems, and the stratum of every problem."""
    n = draw(st.integers(2, most))
    strata = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    row = st.lists(st.booleans(), min_size=n, max_size=n)
    return draw(st.lists(row, min_size=2, max_size=5)), strata


# ----------------------------------------------------------------- runs


@dataclass(frozen=True)
class Sweep:
    """Some runs' entries in `run.json`, and the value of every place in each of them."""

    places: Mapping[tuple[str, ...], list]
    """Path in the study -> the value in every run."""
    entries: list[dict]


SWEPT = {
    ("seed",): st.integers(0, 2),
    ("steps", "activations", "with", "layers"): st.lists(st.integers(0, 2), min_size=1, max_size=2),
    ("steps", "sae", "with", "k"): st.sampled_from([8, 16]),
    ("steps", "probe", "with", "k"): st.sampled_from([8, 8.5, None]),
    ("steps", "probe", "with", "of", "alpha"): st.sampled_from([0.1, "0.1"]),
}


@st.composite
def sweeps(draw) -> Sweep:
    """Two to four runs of one study that differ in any of a few places, or in none."""
    runs = draw(st.integers(2, 4))
    places = {
        path: draw(st.lists(values, min_size=runs, max_size=runs)) for path, values in SWEPT.items()
    }
    each = ({path: row[number] for path, row in places.items()} for number in range(runs))
    return Sweep(places, [_entry(values) for values in each])


def _entry(values: Mapping[tuple[str, ...], object]) -> dict:
    """A run's entry with these values, in its steps' recipes."""
    study: dict = {"study": "s", "about": "", "seed": values[("seed",)], "steps": {}}
    steps: dict = {}
    for (_, *path), value in values.items():
        if not path:
            continue
        name, _, *inner, last = path
        study["steps"].setdefault(name, {"use": f"make-{name}", "with": {}})
        own = {"use": f"make-{name}", "version": "1", "with": {}}
        step = {"type": name, "status": "done", "key": "", "recipe": own}
        place = steps.setdefault(name, step)["recipe"]["with"]
        for key in inner:
            place = place.setdefault(key, {})
        place[last] = value
    return {"study": study, "steps": steps}


hidden_text = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x00\x07\x1b\x7f\x85\x9b\r\n\t\u061c\u200b\u2028\u202e\u2066\ufeff\xad"),
    ),
    max_size=30,
)
"""Texts in which characters that a terminal acts on are usual."""


@st.composite
def text_columns(draw) -> list[tuple[str, tuple[str, ...], bool, int]]:
    """Columns of a table in texts: name, cells, whether they are numbers, how useful they are."""
    rows = draw(st.integers(1, 4))
    words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=50)
    cells = st.lists(words, min_size=rows, max_size=rows).map(tuple)
    column = st.tuples(words, cells, st.booleans(), st.integers(0, 3))
    return draw(st.lists(column, min_size=1, max_size=8, unique_by=lambda each: each[0]))


# ---------------------------------------------------------------- report: strings of others


@st.composite
def texts_of_others(draw) -> str:
    """Any text, most of it of characters that hide, reorder, join or overprint others."""
    some = st.sampled_from(
        "ab <>\n\t\x00\x1b\x9b\xa0\xad\u0301\u0336\u034f\u0591\u061c\u0645\u0915\u094d\u115f\u180e"
        "\u200b\u200c\u200d\u200e\u2028\u202e\u2060\u2066\u20dd\u3000\u3164\ufe00\ufe0f\ufeff\ufff9\uffff"
        "\ud800\ue000\u2764\U0001f468\U0001f3fd\U000e0041\U000e0100\U0010ffff"
    )
    any_at_all = st.characters(categories=None)
    piece = st.tuples(some | any_at_all, st.sampled_from([1, 1, 1, 2, 7, 90]))
    return "".join(each * times for each, times in draw(st.lists(piece, max_size=40)))


# ---------------------------------------------------------------- report: what cells differ in


@st.composite
def cell_differences(draw) -> list[dict]:
    """What each of a few cells has for the same titles; some are alike in everything."""
    any_value = (
        st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.5, "a", "3", [1]])
    )
    titles = draw(st.lists(st.sampled_from(
        ["k", "d_sae", "layer", "position", "seed", "sae.lr", "sae_lr", "cell", "fvu", "a b", ""]
    ), unique=True, max_size=4))  # fmt: skip
    values = {title: draw(st.sampled_from([st.integers(0, 3), any_value])) for title in titles}
    return draw(st.lists(st.fixed_dictionaries(values), min_size=2, max_size=8))


# ---------------------------------------------------------------- report: features with their pages


texts_inside = st.text(alphabet="a1 <>&\"'\\/=\u2028\u202e\x00\U0001f468\n", max_size=8)
"""What could end the element of a page in which it stands."""


@st.composite
def cells(draw, link: str = "") -> blocks.Cell:
    """A cell whose text says its value, another, or nothing."""
    value = draw(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.integers(0, 9) | texts_inside
        | st.floats(allow_nan=False, allow_infinity=False) | st.lists(st.integers(0, 3), max_size=2)
    )  # fmt: skip
    shown = draw(st.sampled_from([str(value), ""]) | texts_inside)
    return blocks.Cell(value, shown, draw(st.just("") | texts_inside), link)


@st.composite
def features_blocks(draw, most: int = 5) -> blocks.Features:
    """A few features; pages of some, with tables, histograms, and problems shared or not."""
    numbers = draw(st.lists(st.integers(0, 99), unique=True, max_size=most))
    problems = tuple(
        blocks.Problem(f"p{i}", draw(texts_inside), tuple(draw(st.lists(texts_inside, max_size=2))))
        for i in range(draw(st.integers(1, 3)))
    )
    rows = tuple((draw(cells(f"feature-{n}")), draw(cells())) for n in numbers)
    paged = [n for n in numbers if draw(st.sampled_from([True, True, False]))]
    pages = tuple(draw(_feature_pages(n, len(problems))) for n in paged)
    columns = (
        blocks.Column("feature", "Feature", True),
        blocks.Column("x", draw(texts_inside), filter="range"),
    )
    layouts = (blocks.Layout("near", draw(texts_inside), columns, draw(texts_inside)),)
    return blocks.Features(
        "labels-features", draw(texts_inside), columns, rows, layouts, problems, pages
    )


@st.composite
def _feature_pages(draw, number: int, n_problems: int) -> blocks.FeaturePage:
    several = st.sampled_from([0, 0, 1, 2])
    samples = tuple(
        blocks.Sample(draw(st.integers(0, n_problems - 1)), draw(texts_inside), at / 3, (0,) * at)
        for at in range(draw(several))
    )
    bars = blocks.Bars("0", draw(texts_inside), tuple(range(draw(several))), draw(texts_inside))
    rows = tuple((draw(cells()), draw(cells("feature-3"))) for _ in range(draw(several)))
    return blocks.FeaturePage(
        id=f"feature-{number}", feature=number, label=draw(texts_inside), kind=draw(texts_inside),
        terms=(blocks.Term("Rank", draw(texts_inside)),), histogram=draw(st.none() | st.just(bars)),
        samples=(blocks.Samples("Strongest", samples),) if samples else (),
        tables={"near": rows} if rows else {},
    )  # fmt: skip


feature_rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 4)),
        st.one_of(st.none(), st.floats(-1e3, 1e3)),
        st.one_of(st.none(), st.sampled_from(["plus", "times", "half"])),
    ),
    max_size=12,
)
"""(feature, value, word) of few features in any order; any of the three may be missing."""

run_graphs = st.integers(0, 7).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, max(0, i - 1)), max_size=4, unique=True)
                          if i else st.just([]) for i in range(n)))
).map(list)  # fmt: skip
"""Of every step the earlier ones that it reads."""

falling_curves = st.lists(st.sampled_from([1.0, 0.5, 0.25, 0.1]), min_size=1, max_size=30).map(
    lambda shares: sorted(shares, reverse=True)
)
"""Frequencies by rank."""
