"""Vega's own JavaScript, which makes the figures answer the pointer; part of `vl-convert`.

Putting it together takes more than a second of CPU, so it is kept in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

import vl_convert

__all__ = ["alone", "kept_in", "vega"]

SILENT = "Object.fromEntries(['log', 'info', 'debug', 'warn', 'error'].map((to) => [to, () => {}]))"
"""A console for Vega: what it would tell a specification's author is nothing for the readers."""


@cache
def vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script that needs nothing else."""
    script = _kept()
    if script is None:
        script = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub errs
        _keep(script)
    if "</script" in script.lower() or "<!--" in script:
        raise AssertionError("Vega's script would end the element that it stands in")
    return alone(f"const console = {SILENT};\n{script}")


def alone(script: str) -> str:
    """The script with names of its own: those of Vega's minified one would replace the page's."""
    return f'(() => {{ "use strict";\n{script}\n}})();\n'


def kept_in() -> Path:
    """Where the script of this version of vl-convert is kept; it can be deleted at any time."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "studyrun" / f"vega-of-vl-convert-{version('vl-convert-python')}.js"


def _kept() -> str | None:
    """The kept script; none where there is none, or not to the last byte what was written."""
    try:
        digest, _, script = kept_in().read_bytes().partition(b"\n")
    except (OSError, RuntimeError):  # RuntimeError: nobody knows where the user's home is
        return None
    return script.decode() if digest == _digest(script) else None


def _keep(script: str) -> None:
    """Write beside and rename; a folder that cannot be written to is done without: it is slower."""
    content = script.encode()
    with contextlib.suppress(OSError, RuntimeError):
        file = kept_in()
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(b"%b\n%b" % (_digest(content), content))
            Path(name).replace(file)
        finally:
            Path(name).unlink(missing_ok=True)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
