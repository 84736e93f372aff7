"""The step that a study gets for every component of a served kind (`use: clamp`).

A step component with `serves="intervention"` is a template. Its parameters and the
intervention's are joined in one class, whose instances know the component they serve.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, get_type_hints

from studyrun import params

if TYPE_CHECKING:
    from studyrun.contracts import Component

__all__ = ["derive"]


def derive(template: Component, served: Component) -> Component:
    """The step named like `served`: the template's target, both parameters, both versions.

    Its params have a method `served()`, which is the reference `{use, with}` of the component
    they serve: `context.bind("intervention", params.served())`.

    Raises:
        TypeError: the two parameter classes cannot be joined; the message says why.
    """
    return dataclasses.replace(
        template,
        name=served.name,
        version=f"{template.version}/{served.version}",
        params=_joined(template.params, served),
        summary=served.summary,
        serves="",
        laws=(),
        arity=served.arity,
    )


def _joined(template: type, served: Component) -> type:
    own, common = dataclasses.fields(served.params), dataclasses.fields(template)
    both = sorted({field.name for field in own} & {field.name for field in common})
    if both:
        raise TypeError(f"its parameter {both[0]!r} is one that every {served.kind} step has")
    hints = get_type_hints(template, include_extras=True)
    hints |= get_type_hints(served.params, include_extras=True)
    names = tuple(field.name for field in own)

    def reference(self: Any) -> dict[str, Any]:
        """The component that this step serves, with its parameters."""
        values = params.to_builtins(self)
        return {"use": served.name, "with": {name: values[name] for name in names}}

    return dataclasses.make_dataclass(
        "".join(word.capitalize() for word in served.name.split("-")) + "Step",
        [(field.name, hints[field.name], _again(field)) for field in (*own, *common)],
        bases=tuple(dict.fromkeys((served.params, template))),  # their docs and methods
        namespace={"served": reference, "__module__": served.params.__module__},
        frozen=True,
        kw_only=True,  # a required one may follow an optional one
    )


def _again(field: dataclasses.Field[Any]) -> Any:
    """The same default in a class of its own."""
    if field.default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=field.default_factory)
    if field.default is not dataclasses.MISSING:
        return dataclasses.field(default=field.default)
    return dataclasses.field()
