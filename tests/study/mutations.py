"""Ways to break the example study; every one of them must end with a diagnostic."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Mutation = Callable[[random.Random, str], str]
MUTATIONS: list[Mutation] = []
OWN_KEYS = [
    "study", "about", "seed", "model", "data", "steps", "hypotheses", "use", "with", "checkpoint",
    "problems", "validation", "layers", "positions", "d_sae", "classifier", "ranks", "effects",
    "pairs", "claim", "given", "expect",
]  # fmt: skip
COMPONENTS = ["codi", "word-problems", "extract", "sae-train", "sae-encode", "classify", "answer"]


def mutation(function: Mutation) -> Mutation:
    MUTATIONS.append(function)
    return function


def misspelt(rng: random.Random, word: str) -> str:
    at = rng.randrange(len(word))
    return rng.choice([word[:at] + word[at] * 2 + word[at + 1 :], word[:at] + "x" + word[at + 1 :]])


def put(rng: random.Random, text: str, pattern: str, new: str) -> str:
    """The text with one match of the pattern (its first group) replaced."""
    found = rng.choice(list(re.finditer(pattern, text, re.MULTILINE)))
    return text[: found.start(1)] + new + text[found.end(1) :]


def line_of(rng: random.Random, text: str, first: str = "") -> int:
    lines = text.splitlines()
    return rng.choice(
        [i for i, line in enumerate(lines) if line.startswith(first) and line.strip()]
    )


@mutation
def misspell_a_key(rng, text):
    key = rng.choice(OWN_KEYS)
    return put(rng, text, rf"(?:^ *|[{{ ])\b({key}):", misspelt(rng, key))


@mutation
def misspell_a_component(rng, text):
    name = rng.choice(COMPONENTS)
    return put(rng, text, rf"(?:use: |classifier: |, )({name})\b", misspelt(rng, name))


@mutation
def misspell_a_table(rng, text):
    name = rng.choice(["ablation", "labels"])
    return put(rng, text, rf"FROM ({name})\b", misspelt(rng, name))


@mutation
def change_a_type(rng, text):
    pattern, others = rng.choice(
        [
            (r"(?:problems|d_sae|top): ([\w.]+)", ["many", "'3'", "[3]", "{a: 1}", "true", "1.5"]),
            (r"(?:seed): ([\w.]+)", ["many", "'3'", "[3]", "{a: 1}", "true", "1.5", "null"]),
            (r"(?:layers|positions|ranks): (\[[^]]*\])", ["14", "{a: 1}", "[[1]]", "[{}]", "~"]),
            (r"(?:validation): ([\w.]+)", ["half", "'0.2'", "[0.2]", "true", "null"]),
            (r"(?:study|claim): (.*)$", ["5", "1e3", "true", "[a]", "{a: b}", "null", "", "0x1F"]),
            (r"(?:given|expect): (S.*)$", ["5", "1e3", "true", "[a]", "{a: b}", "null", ""]),
            (r"(?:use): ([\w-]+)", ["5", "[extract]", "{a: b}", "null", "true", "'  '", "1:30x"]),
            (r"(?:with): (\{.*\})\}$", ["null", "5", "[]", "text", "[1, 2]"]),
            (r"^(?:steps|hypotheses):()$", [" []", " 5", " text", " [a, b]", " null\nother:"]),
            (r"^(?:model|data): +(\{.*\})$", ["null", "codi", "[codi]", "5", "{}"]),
        ]
    )  # fmt: skip
    return put(rng, text, pattern, rng.choice(others))


@mutation
def leave_the_range(rng, text):
    pattern, others = rng.choice(
        [
            (r"layers: \[(14)\]", ["16", "-1", "99", "1000000000000"]),
            (r"positions: \[(3)\]", ["7", "-1", "99"]),
            (r"d_sae: (\d+)", ["0", "-512", "99999999999999999999", ".inf", "31"]),
            (r"k: (\d+)", ["0", "-1", "513", ".nan", "1" * 5000]),
            (r"seed: (0)", ["-1", "4294967296", "1e999"]),
            (r"problems: (\d+)", ["0", "-7473", "9223372036854775808"]),
            (r"validation: (0.2)", ["1.5", "-0.2", ".nan", "-.inf"]),
            (r"top: (10)", ["0", "-1", "513"]),
            (r"(1-20)", ["20-1", "0-20", "1-", "1-20-30", "1-1000"]),
        ]
    )
    return put(rng, text, pattern, rng.choice(others))


@mutation
def remove_a_section(rng, text):
    first = rng.choice(["study:", "model:", "data:", "  activations:", "  sae:", "  features:"])
    at = line_of(rng, text, first)
    lines = text.splitlines(keepends=True)
    return "".join(lines[:at] + lines[at + 1 :])


@mutation
def remove_the_steps(rng, text):
    return re.sub(
        r"^steps:\n(  .*\n)+", rng.choice(["", "steps: {}\n", "steps:\n"]), text, flags=re.M
    )


@mutation
def repeat_a_key(rng, text):
    lines = text.splitlines()
    at = line_of(rng, text, rng.choice(["study", "model", "  sae", "  report", "    claim"]))
    return "\n".join([*lines[: at + 1], lines[at], *lines[at + 1 :]])


@mutation
def repeat_a_key_in_braces(rng, text):
    return put(rng, text, r"(\})\}$", ", k: 1, k: 2}")


@mutation
def indent_with_a_tab(rng, text):
    lines = text.splitlines()
    at = line_of(rng, text, "  ")
    lines[at] = "\t" + lines[at].lstrip()
    return "\n".join(lines)


@mutation
def nest_deeply(rng, text):
    deep = rng.choice(["[" * 5000, "{a: " * 5000, "[" * 200 + "]" * 200, "- " * 300 + "x"])
    return put(rng, text, r"about: (.*)$", deep)


@mutation
def build_an_alias_bomb(rng, text):
    width = rng.randrange(5, 12)
    bomb = ["b0: &b0 [" + ", ".join(["x"] * width) + "]"]
    bomb += [f"b{i}: &b{i} [" + ", ".join([f"*b{i - 1}"] * width) + "]" for i in range(1, 20)]
    return "\n".join([*bomb, text] if rng.random() < 0.5 else [text, *bomb])


@mutation
def use_an_anchor_badly(rng, text):
    new = rng.choice(["*nowhere", "&a [*a]", "&a {b: *a}", "{<<: *x}", "*"])
    return put(rng, text, r"with: (\{.*\})\}$", new)


@mutation
def write_a_tag(rng, text):
    tag = rng.choice(["!!python/object/apply:os.system [ls]", "!x 5", "!!binary aGk=", "!!set {a}"])
    return put(rng, text, r"(?:about|seed): (.*)$", tag)


@mutation
def unbalance(rng, text):
    return put(rng, text, r"(?:about|claim): (\w)", rng.choice(["'", '"', "[", "{", "}", "@", "%"]))


@mutation
def drop_a_bracket(rng, text):
    return (
        put(rng, text, r"\[[^]]*(\])", "") if rng.random() < 0.5 else put(rng, text, r"(\{)use", "")
    )


@mutation
def replace_steps_by_a_list(rng, text):
    return re.sub(
        r"^  (\w+): +(\{use.*)$", rng.choice([r"  - \2", r"  - {\1: \2}"]), text, flags=re.M
    )


@mutation
def name_a_step_oddly(rng, text):
    name = rng.choice(
        [
            "' '",
            "''",
            "größe",
            "步骤",
            "a b",
            "../x",
            "5",
            "1e3",
            "null",
            "data",
            "verdicts",
            "? [a]\n ",
            '"a\\tb"',
        ]
    )
    return put(rng, text, r"^  (swaps):", name)


@mutation
def name_the_study_oddly(rng, text):
    name = rng.choice(
        ["' '", "..", "a/b", "store", "CON", "ü", "'a\n  b'", '"a\\0"', "x" * 300, "-", "."]
    )
    return put(rng, text, r"^study: (.*)$", name)


@mutation
def add_an_unknown_key(rng, text):
    key = rng.choice(["größe", '""', "' '", '"\\u202e"', "step", "x" * 2000, "null", "[a]", "{}"])
    return rng.choice([f"{key}: 1\n{text}", put(rng, text, r"with: \{()", f"{key}: 1, ")])


@mutation
def begin_a_second_document(rng, text):
    return f"{text}\n---\n{text}"


@mutation
def break_the_sql(rng, text):
    new = rng.choice(
        [
            "",
            "DELETE FROM ablation",
            "SELECT",
            "SELECT 1",
            "SELECT a > 1 FROM ablation; SELECT 2",
            "SELECT (a FROM ablation",
            "?",
            "FROM ablation",
        ]
    )
    return put(rng, text, r"(?:given|expect): (S.*)$", new)


@mutation
def need_what_is_not_there(rng, text):
    needs = rng.choice(["[nothing]", "[swaps]", "nothing", "[[]]", "[5]", "[null]"])
    return put(rng, text, r"pairs: auto\}()\}", f", needs: {needs}")


@mutation
def hide_a_character(rng, text):
    at = rng.randrange(text.index("study:"), len(text))
    return text[:at] + rng.choice("\x00\x01\x07\x1b\x7f\x85\u2028\ufeff\ufffe") + text[at:]


@mutation
def break_the_matrix(rng, text):
    new = rng.choice(
        [
            "[]",
            "{}",
            "{seed: 3}",
            "{steps.sea.with.k: [1]}",
            "{steps.sae.with.k: [x]}",
            "{study: [a]}",
            "{a: {paths: 1}}",
            "{seed: [-1, 0]}",
        ]
    )
    return f"{text}\nmatrix: {new}\n"


@mutation
def extend_what_is_not_there(rng, text):
    return f"extends: {rng.choice(['nothing.yaml', '..', '/', '[a]', '5', '', 'null'])}\n{text}"


def broken_bytes(rng: random.Random, text: str) -> bytes:
    """Bytes that are not UTF-8, somewhere."""
    data = text.encode()
    at = rng.randrange(len(data))
    bad = rng.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80", b"\x80"])
    return rng.choice([data[:at] + bad + b"!" + data[at:], text.encode("utf-16")])


def mutant(seed: int, text: str) -> tuple[str, bytes]:
    """The name of a mutation and what it made of the text; the same for the same seed."""
    rng = random.Random(seed)
    if seed % (len(MUTATIONS) + 1) == 0:
        return "broken_bytes", broken_bytes(rng, text)
    mutation = MUTATIONS[seed % (len(MUTATIONS) + 1) - 1]
    return mutation.__name__, mutation(rng, text).encode()
