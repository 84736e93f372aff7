"""The keys of a study that the core defines, as JSON Schema."""

from __future__ import annotations

from typing import Any

__all__ = ["KIND_MARK", "LONGEST_NAME", "NEEDS", "RESERVED_STEPS", "VARIANT", "sections", "study"]

Schema = dict[str, Any]

KIND_MARK = "x-studyrun-kind"
"""Schema keyword: this value, or the `use` of this mapping, names a component of that kind."""
RESERVED_STEPS = ("data", "model", "study", "verdicts")
"""Sections, and tables that a study has without a step of that name."""
FOLDER_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?$"
RESERVED_FOLDERS = ("store", r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
"""The store lies beside the studies; the others are devices on Windows. In any case of letters."""
NAME = r"^[A-Za-z][A-Za-z0-9_-]*$"
"""Good as a folder, a file and a table on every system."""
LONGEST_NAME = 64
"""Characters of a step's or a hypothesis' name."""
VARIANT = "@"
"""Between the names of a step and of its variant, `sae@seed-1`; never in a study's own name."""
LARGEST_SEED = 2**32 - 1
"""What every random generator in use accepts."""

NEEDS: Schema = {
    "needs": {
        "description": "Steps that it takes its inputs from; the nearest that fits, if absent.",
        "type": "array",
        "items": {"type": "string"},
    }
}


def study() -> Schema:
    """A study: closed, with `study` and `steps`, or with less where it extends another one."""
    names = ("model", "data", "steps", "hypotheses")
    complete = {name: {"$ref": f"#/$defs/{name}"} for name in names}
    partial = {name: {"$ref": f"#/$defs/partial.{name}"} for name in names}
    return {
        "title": "studyrun study",
        "type": "object",
        "properties": _properties(),
        "additionalProperties": False,
        "if": {"required": ["extends"]},
        "then": {"properties": partial},
        "else": {"required": ["study", "steps"], "properties": complete},
    }


def _properties() -> Schema:
    return {
        "study": {
            "description": "The study's name; its results lie in outputs/<name>/.",
            "type": "string",
            "pattern": FOLDER_NAME,
            "maxLength": 100,
            "not": {"pattern": f"^({'|'.join(map(_any_case, RESERVED_FOLDERS))})$"},
        },
        "about": {"description": "What it asks, for the reader.", "type": "string"},
        "extends": {
            "description": "A study this one is laid over: mappings merge, null removes.",
            "type": "string",
            "minLength": 1,
        },
        "seed": {
            "description": "Of everything random.",
            "type": "integer",
            "minimum": 0,
            "maximum": LARGEST_SEED,
            "default": 0,
        },
        "model": {"description": "The model that is studied."},
        "data": {"description": "The problems it is given."},
        "steps": {"description": "What is computed, in order, by names of your own."},
        "hypotheses": {"description": "What is claimed before the run, judged after it."},
        "matrix": _matrix(),
        "runtime": _runtime(),
        "plugins": {
            "description": "Modules or .py files with components, as `-p` names them.",
            "type": "array",
            "items": {"type": "string", "minLength": 1},
        },
    }


def _any_case(pattern: str) -> str:
    letters = (f"[{c}{c.upper()}]" if c.isalpha() else c for c in pattern)
    return "".join(letters)


def _matrix() -> Schema:
    values = {"type": "array", "minItems": 1}
    paths = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    return {
        "description": "Axes by the dotted path that they set; one cell per combination.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "type": ["array", "object"],
            "if": {"type": "array"},
            "then": values,
            "else": {
                "required": ["paths", "values"],
                "properties": {"paths": paths, "values": values},
                "additionalProperties": False,
            },
        },
    }


def _runtime() -> Schema:
    count = {"type": "integer", "minimum": 1}
    return {
        "description": "How it is computed; only dtype can change a result.",
        "type": "object",
        "properties": {
            "device": {"enum": ["auto", "cpu", "cuda"], "default": "auto"},
            "dtype": {"enum": ["float32", "bfloat16"], "default": "float32"},
            "batch_size": {"description": "Rows at once; halved if memory runs out.", **count},
            "threads": {"description": "CPU threads.", **count},
            "cache_bytes": {
                "description": "What is kept of passes for further edits; 2 GiB if not given.",
                **count,
            },
            "many_bytes": {
                "description": "Memory for steps computed together, beyond one's; half of what "
                "is free if not given.",
                **count,
            },
        },
        "additionalProperties": False,
    }


def sections() -> dict[str, Schema]:
    """The sections that components fill, complete and (`partial.`) laid over another study's."""
    steps = {
        "type": "object",
        "propertyNames": {
            "pattern": NAME,
            "maxLength": LONGEST_NAME,
            "not": {"enum": list(RESERVED_STEPS)},
        },
    }
    claims = {"type": "object", "propertyNames": {"pattern": NAME, "maxLength": LONGEST_NAME}}
    return {
        "model": {"$ref": "#/$defs/use.model"},
        "data": {"$ref": "#/$defs/use.data"},
        "steps": {
            **steps,
            "minProperties": 1,
            "additionalProperties": {"$ref": "#/$defs/use.step"},
        },
        "hypotheses": {**claims, "additionalProperties": {"$ref": "#/$defs/hypothesis"}},
        "hypothesis": _hypothesis(),
        "partial.model": _partial_use(),
        "partial.data": _partial_use(),
        "partial.steps": {**steps, "additionalProperties": _partial_use(NEEDS)},
        "partial.hypotheses": {
            **claims,
            "additionalProperties": {**_hypothesis(), "type": ["object", "null"], "required": []},
        },
    }


def _partial_use(also: Schema | None = None) -> Schema:
    return {
        "type": ["object", "null"],
        "properties": {
            "use": {"type": "string"},
            "with": {"type": ["object", "null"]},
            **(also or {}),
        },
        "additionalProperties": False,
    }


def _hypothesis() -> Schema:
    sql = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "required": ["claim", "expect"],
        "properties": {
            "claim": {"description": "In words.", "type": "string", "minLength": 1},
            "given": {"description": "SELECT: is there evidence enough?", **sql},
            "expect": {"description": "SELECT: what was claimed.", **sql},
        },
        "additionalProperties": False,
    }
