"""Sentence templates of the arithmetic word problems, worked out and told.

A template is data: its operations say which numbers meet (given in the question or results of
earlier operations), and each operation carries one or more wordings for every operator that makes
sense at its place. So a problem can be told again with other numbers or with another operator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from studyrun_data.facts import WordStep, compute

NAMES = ("Anna", "Ben", "Clara", "David", "Emma", "Felix",
         "Grace", "Hugo", "Iris", "Jonas", "Kira", "Leo")  # fmt: skip
ITEMS = ("apples", "books", "beads", "stamps", "marbles", "pencils",
         "shells", "cards", "stickers", "buttons", "cookies", "pears")  # fmt: skip
CONTAINERS = ("boxes", "bags", "baskets", "jars")


@dataclass(frozen=True, slots=True)
class Operation:
    """One calculation of a template, with its words for each operator it may use."""

    wordings: Mapping[str, tuple[str, ...]]
    """Operator -> sentences; `{left}` and `{right}` stand for given numbers."""
    left: int | None = None
    """Index of the operation whose result is the left operand; None: a given number."""
    right: int | None = None
    """The same for the right operand."""


@dataclass(frozen=True, slots=True)
class Template:
    """A story: `text` with the operations' sentences at `{0}`, `{1}`, ..."""

    name: str
    """Unique name."""
    text: str
    """The frame; `{name}`, `{other}`, `{item}` and `{container}` are filled at random."""
    operations: tuple[Operation, ...]
    """In the order in which their numbers appear in the text."""


def _wordings(words: Mapping[str, str | tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """Every value as a tuple of sentences, read-only."""
    return MappingProxyType({k: (v,) if isinstance(v, str) else v for k, v in words.items()})


def _given(words: Mapping[str, str | tuple[str, ...]]) -> Operation:
    """Both operands are given."""
    return Operation(_wordings(words))


def _then(previous: int, words: Mapping[str, str | tuple[str, ...]]) -> Operation:
    """The result of `previous`, then a given number."""
    return Operation(_wordings(words), left=previous)


def _against(previous: int, words: Mapping[str, str | tuple[str, ...]]) -> Operation:
    """A given number, then the result of `previous`."""
    return Operation(_wordings(words), right=previous)


def _both(left: int, right: int, words: Mapping[str, str | tuple[str, ...]]) -> Operation:
    """Two earlier results."""
    return Operation(_wordings(words), left=left, right=right)


OPENERS = ("{name} has {left} {item}.", "{name} starts with {left} {item}.")
EVENTS: Mapping[str, tuple[str, ...]] = _wordings({
    "+": ("{name} gets {right} more.", "Then {name} finds {right} {item}.",
          "{other} gives {name} {right} {item}."),
    "-": ("{name} loses {right} of them.", "Then {name} sells {right} {item}.",
          "{other} takes {right} {item}."),
    "*": ("Soon there are {right} times as many.", "The number is multiplied by {right}."),
    "/": ("{name} keeps one of {right} equal parts.", "The number is divided by {right}."),
})  # fmt: skip


def _chain(n_steps: int) -> Template:
    """A start and `n_steps` events, each with any operator."""
    first = {
        operator: tuple(f"{opener} {event}" for opener in OPENERS for event in events)
        for operator, events in EVENTS.items()
    }
    operations = [_given(first), *(_then(i, EVENTS) for i in range(n_steps - 1))]
    events = " ".join(f"{{{i}}}" for i in range(n_steps))
    text = f"{events} How many {{item}} does {{name}} have now?"
    return Template(f"chain-{n_steps}", text, tuple(operations))


CHAINS: Mapping[int, Template] = MappingProxyType({n: _chain(n) for n in (1, 2, 3, 4)})

_STOCK = {
    "+": "{name} has {left} red and {right} blue {item}.",
    "-": "{name} has {left} {item} and drops {right}.",
    "*": "{name} has {left} {container} with {right} {item} each.",
    "/": "{name} splits {left} {item} over {right} {container} and opens one.",
}
_OTHER_STOCK = {
    "+": "{other} has {left} old and {right} new {item}.",
    "-": "{other} has {left} {item} and sells {right}.",
    "*": "{other} has {left} {container} of {right} {item}.",
}
_TOGETHER = {
    "+": "How many {item} do they have together?",
    "-": "How many more {item} does {name} have than {other}?",
}
_PURCHASE = {
    "+": "{name} buys a hat for {left} and a cup for {right} dollars",
    "*": "{name} buys {left} {item} for {right} dollars each",
}
_RIDERS = {"+": "{left} riders sit in a bus and {right} get on.",
           "-": "{left} riders sit in a bus and {right} get off."}  # fmt: skip
_STOP = {"+": "At the next stop {right} get on.", "-": "At the next stop {right} get off."}

ONE_STEP = (
    Template("shelf", "{0}", (_given({
        "+": "{left} {item} lie on a shelf and {right} on a table. How many {item} is that?",
        "-": "{left} {item} lie on a shelf and {right} fall down. How many {item} stay there?",
    }),)),
    Template("packing", "{0}", (_given({
        "*": "{name} fills {left} {container} with {right} {item} each. How many {item} is that?",
        "/": "{name} spreads {left} {item} over {right} {container}. How many {item} are in each?",
    }),)),
    Template("bus-stop", "{0} How many riders are in the bus now?", (_given(_RIDERS),)),
    Template("price", "{0}", (_given({
        "*": "{name} buys {left} {item} for {right} dollars each. How many dollars is that?",
        "/": "{name} pays {left} dollars for {right} {item}. How many dollars is each?",
    }),)),
    Template("age", "{name} is {0}", (_given({
        "+": "{left} years old. How old will {name} be in {right} years?",
        "-": "{left} years old. How old was {name} {right} years ago?",
    }),)),
    Template("neighbour", "{name} has {0} How many {item} does {other} have?", (_given({
        "+": "{left} {item}. {other} has {right} more.",
        "-": "{left} {item}. {other} has {right} less.",
        "*": "{left} {item}. {other} has {right} times as many.",
        "/": "{left} {item}. {other} has that number divided by {right}.",
    }),)),
)  # fmt: skip

TWO_STEPS = (
    Template("stock", "{0} {1} How many {item} does {name} have?", (
        _given(_STOCK),
        _then(0, {"+": "Then {name} adds {right} {item}.",
                  "-": "Then {name} removes {right} {item}."}),
    )),
    Template("market", "{0} {1}", (
        _given({"+": _STOCK["+"], "-": _STOCK["-"]}),
        _then(0, {"*": "They sell for {right} dollars each. How many dollars is that?",
                  "/": "They fill {right} {container}. How many {item} are in each?"}),
    )),
    Template("change", "{0} and {1}", (
        _given(_PURCHASE),
        _against(0, {"-": "pays with {left} dollars. How many dollars come back?",
                     "+": "keeps {left} dollars. How many dollars did {name} have before?"}),
    )),
    Template("bus-ride", "{0} {1} How many riders are in the bus now?",
             (_given(_RIDERS), _then(0, _STOP))),
    Template("reading", "{0} {1}", (
        _given({"*": "{name} reads {left} pages a day for {right} days.",
                "+": "{name} reads {left} pages today and {right} tomorrow."}),
        _then(0, {"-": "{right} pages have no text. How many pages have text?",
                  "/": "Each chapter has {right} pages. How many chapters is that?"}),
    )),
    Template("garden", "{0} {1}", (
        _given({"*": "A garden has {left} rows of {right} trees.",
                "-": "A garden had {left} trees and {right} were cut."}),
        _then(0, {"+": "{name} plants {right} more. How many trees are there?",
                  "*": "Each tree gives {right} pears. How many pears is that?",
                  "/": "{right} friends care for the same number of trees. How many does each?"}),
    )),
    Template("teams", "{0} {1}", (
        _given({"/": "A class of {left} children forms {right} teams.",
                "+": "A team has {left} girls and {right} boys."}),
        _then(0, {"-": "In a team {right} are sick. How many of the team are there?",
                  "*": "Each child of a team makes {right} points. How many points is that?"}),
    )),
    Template("saving", "{name} has {0} {1} How many dollars does {name} have?", (
        _given({"*": "{left} notes of {right} dollars.",
                "-": "{left} dollars and spends {right}."}),
        _then(0, {"+": "{name} earns {right} dollars.",
                  "/": "Shared by {right} friends, one part stays with {name}."}),
    )),
)  # fmt: skip

THREE_STEPS = (
    Template("owners", "{0} {1} {2}", (
        _given(_STOCK), _given(_OTHER_STOCK), _both(0, 1, _TOGETHER))),
    Template("shopping", "{0}. {1} {2}", (
        _given(_PURCHASE),
        _then(0, {"+": "A cake costs {right} dollars more.",
                  "-": "The shop takes {right} dollars off."}),
        _against(1, {"-": "{name} pays with {left} dollars. How many dollars come back?",
                     "+": "{name} keeps {left} dollars. How many dollars were there before?"}),
    )),
    Template("harvest", "{0} {1} {2}", (
        _given({"*": "{left} trees give {right} pears each.",
                "+": "{left} pears are picked today and {right} tomorrow."}),
        _then(0, {"-": "{right} pears are bad.", "+": "{name} adds {right} pears."}),
        _then(1, {"/": "The good ones fill {right} {container}. How many pears are in each?",
                  "*": "Each good one sells for {right} dollars. How many dollars is that?"}),
    )),
    Template("tank", "{0} {1} {2}", (
        _given({"+": "A tank holds {left} litres and {right} flow in.",
                "-": "A tank holds {left} litres and {right} flow out."}),
        _then(0, {"+": "Then rain adds {right} litres.", "-": "Then {name} uses {right} litres."}),
        _then(1, {"/": "The rest fills {right} cans. How many litres are in each?",
                  "*": "There are {right} such tanks. How many litres is that?"}),
    )),
    Template("workshop", "{0} {1} {2}", (
        _given({"/": "{name} cuts {left} metres of rope into {right} parts and takes one.",
                "*": "{name} ties {left} ropes of {right} metres."}),
        _then(0, {"+": "{other} adds {right} metres.", "-": "{other} cuts off {right} metres.",
                  "*": "{other} makes it {right} times as long."}),
        _then(1, {"-": "Then {right} metres are lost. How many metres stay?",
                  "/": "Then it is cut into {right} parts. How many metres is each?"}),
    )),
    Template("hall", "{0} {1} {2}", (
        _given({"-": "A hall had {left} rows and {right} were removed.",
                "+": "A hall had {left} rows and {right} were added."}),
        _given({"+": "Each row had {left} seats and got {right} more.",
                "-": "Each row had {left} seats and lost {right}.",
                "/": "Before, {left} seats were shared evenly by {right} rows."}),
        _both(0, 1, {"*": "How many seats are there now?"}),
    )),
    Template("trip", "{name} rides {0} {1} {2}", (
        _given({"*": "{left} hours with {right} miles in each.",
                "+": "{left} miles by train and {right} by bus."}),
        _then(0, {"+": "Then {name} walks {right} miles.", "-": "Then {name} goes {right} back.",
                  "/": "It took {right} equal days and {name} counts one."}),
        _against(1, {"-": "The way is {left} miles long. How many miles are left?"}),
    )),
)  # fmt: skip

FOUR_STEPS = (
    Template("owners-then", "{0} {1} {2} {3} How many {item} is that?", (
        _given(_STOCK), _given(_OTHER_STOCK),
        _both(0, 1, {"+": "They put all together.", "-": "They count how many more {name} has."}),
        _then(2, {"+": "Then {right} are added.", "-": "Then {right} are removed.",
                  "*": "Then there are {right} times as many.",
                  "/": "Then one of {right} equal parts is taken."}),
    )),
    Template("owners-unequal", "{0} {1} {2} {3}", (
        _given(_STOCK), _then(0, {op: EVENTS[op][:1] for op in "+-/"}),
        _given(_OTHER_STOCK), _both(1, 2, _TOGETHER),
    )),
    Template("goal", "{0} {1} {2} {3}", (
        _given({"*": "{name} runs {left} miles on each of {right} days.",
                "+": "{name} runs {left} miles today and {right} tomorrow."}),
        _given({"*": "{other} runs {left} miles on each of {right} days.",
                "-": "{other} plans {left} miles but stops {right} before the end."}),
        _both(0, 1, {"+": "They count all miles.", "-": "They count how many more {name} runs."}),
        _against(2, {"-": "The goal is {left} miles. How many miles are left?",
                     "+": "They ran {left} miles before. How many miles is that in all?"}),
    )),
    Template("farm", "{0} {1} {2} {3}", (
        _given({"*": "A farm has {left} houses with {right} hens each.",
                "+": "A farm has {left} white and {right} brown hens."}),
        _then(0, {"-": "{right} hens are sold.", "+": "{right} hens are bought."}),
        _then(1, {"*": "Each hen lays {right} eggs.",
                  "/": "Of {right} equal groups one lays an egg each."}),
        _then(2, {"-": "{right} eggs break. How many eggs are good?",
                  "/": "The eggs fill {right} {container}. How many eggs are in each?"}),
    )),
    Template("bus-line", "{0} {1} {2} {3}", (
        _given(_RIDERS), _then(0, _STOP), _then(1, _STOP),
        _then(2, {"*": "Each rider pays {right} dollars. How many dollars is that?",
                  "/": "The riders form {right} groups. How many are in each?",
                  "-": "Then {right} get off. How many riders are in the bus now?"}),
    )),
    Template("party", "{0}. {1} {2} {3}", (
        _given(_PURCHASE),
        _then(0, {"-": "The shop takes {right} dollars off.",
                  "+": "A cake costs {right} dollars more."}),
        _then(1, {"/": "Of {right} friends each pays the same part.",
                  "*": "In all, {right} friends buy all this, each alone."}),
        _against(2, {"-": "{name} had {left} dollars and pays that. How many dollars are left?",
                     "+": "{name} pays that and keeps {left} dollars. "
                          "How many were there before?"}),
    )),
)  # fmt: skip

STORIES: Mapping[int, tuple[Template, ...]] = MappingProxyType(
    {1: ONE_STEP, 2: TWO_STEPS, 3: THREE_STEPS, 4: FOUR_STEPS}
)


@dataclass(frozen=True, slots=True)
class Form:
    """Everything that determines a problem, so that it can be told again with a change."""

    template: Template
    """The story."""
    operators: tuple[str, ...]
    """One per operation of the template."""
    operands: tuple[int, ...]
    """The given numbers in the order of the question."""
    variants: tuple[int, ...]
    """Which wording each operation uses, modulo the number of wordings."""
    name: str
    other: str
    item: str
    container: str


def work_out(
    template: Template, operators: Sequence[str], operands: Sequence[int]
) -> tuple[WordStep, ...] | None:
    """The steps that these operands give, or None where one of them is not allowed."""
    given = iter(operands)
    steps: list[WordStep] = []
    for operation, operator in zip(template.operations, operators, strict=True):
        left = next(given) if operation.left is None else steps[operation.left].result
        right = next(given) if operation.right is None else steps[operation.right].result
        result = compute(left, operator, right)
        if result is None:
            return None
        steps.append(WordStep(left, operator, right, result))
    return tuple(steps)


def render(form: Form) -> str:
    """The question in words."""
    fillers = {
        "name": form.name,
        "other": form.other,
        "item": form.item,
        "container": form.container,
    }
    given = iter(form.operands)
    phrases = []
    choices = zip(form.template.operations, form.operators, form.variants, strict=True)
    for operation, operator, variant in choices:
        wordings = operation.wordings[operator]
        left = next(given) if operation.left is None else None
        right = next(given) if operation.right is None else None
        phrase = wordings[variant % len(wordings)]
        phrases.append(phrase.format(left=left, right=right, **fillers))
    return form.template.text.format(*phrases, **fillers)
