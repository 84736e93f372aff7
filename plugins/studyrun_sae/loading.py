"""What is known of `sae-load` and `sae-save` before they run; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studyrun import CheckScope, Estimate, Fault, Ref, StudyError
from studyrun_data.sizes import size_of
from studyrun_models.digest import digest_by_role
from studyrun_sae.formats.header import Header, fingerprint_file
from studyrun_sae.formats.recognition import AUTO, CANNOT, format_objection, header_of
from studyrun_sae.params import SaeTrain
from studyrun_sae.sites import SITE, Sites, chosen_site, site_faults, stated_sites, unsaid

if TYPE_CHECKING:
    from studyrun_sae.params import SaeLoad, SaeSave

__all__ = ["check_load", "check_save", "digest", "estimate_load", "format_name"]

PASSES = 4
"""Operations for each row and weight: 2 to encode, 2 to decode."""
FLOAT = 4


def format_name(ref: Ref) -> str:
    """The name in a reference, as it is after binding or as a default."""
    return ref if isinstance(ref, str) else str(ref["use"])


def check_load(params: SaeLoad, scope: CheckScope) -> Iterator[Fault]:
    """Files that are not there or cannot be used, and a site that nobody says or that is not read.

    What is wrong with the files of a third party's format shows when they are read.
    """
    try:
        header = header_of(format_name(params.format), Path(params.path))
    except StudyError as error:
        yield Fault(("path",), str(error))
        return
    if header is not None:
        yield from _width_faults(header, scope)
    yield from _site_faults(params, header, scope)


def check_save(params: SaeSave, scope: CheckScope) -> Iterator[Fault]:
    """A format that cannot hold an SAE of the architecture that the study trains."""
    name = format_name(params.format)
    if name == AUTO:
        yield Fault(("format",), "auto only reads; say in which format to write", (*CANNOT,))
    maker = scope.steps.get(scope.inputs.get("sae", ""))
    architecture = _architecture(maker.params) if maker else ""
    message = format_objection(name, architecture)
    if message:
        others = tuple(each for each, cannot in CANNOT.items() if architecture not in cannot)
        yield Fault(("format",), message, others)


def _architecture(params: Any) -> str:
    """That of the SAE which a step of these parameters makes; empty where they do not say."""
    if not isinstance(params, SaeTrain):
        return str(getattr(params, "architecture", ""))
    try:
        return params.trained[0]
    except ValueError:  # a fault of the training step, which says so itself
        return ""


def digest(params: SaeLoad) -> str:
    """sha256 over the content of the files that are read; where they lie does not count.

    Raises:
        StudyError: there are none, or they cannot be read.
    """
    path = Path(params.path)
    header = header_of(format_name(params.format), path)
    files = _roles(path, header)
    printed = fingerprint_file(path)
    if printed is not None:
        files["fingerprint"] = printed
    return digest_by_role(files)


def estimate_load(params: SaeLoad, scope: CheckScope) -> Estimate | None:
    """Reading, and the rows' way through the SAE where there are activations.

    flops = 4 rows weights;  bytes = what is read, twice made into something else
    """
    header = header_of(format_name(params.format), Path(params.path))
    if header is None:
        return None
    size = size_of(scope.steps.values()) if "activations" in scope.inputs else None
    weights, rows = header.files[0].stat().st_size // FLOAT, size.problems if size else 0
    note = f"{weights:,} numbers in {header.format}, {rows:,} rows"
    return Estimate(flops=float(PASSES * rows * weights), bytes=3 * FLOAT * weights, note=note)


def _site_faults(params: SaeLoad, header: Header | None, scope: CheckScope) -> Iterator[Fault]:
    held = _held(scope)
    said, told = ({name: getattr(each, name, None) for name in SITE} for each in (params, header))
    site = chosen_site(said, told, held)
    if header is not None and header.complete:
        missing = list(unsaid(site, header.hook))
        yield from missing
        if missing:
            return
    if held is not None:
        site = {name: held[name][0] if site[name] is None else site[name] for name in SITE}
        yield from site_faults(site["layer"], site["position"], held["layer"], held["position"])


def _held(scope: CheckScope) -> Sites | None:
    """The sites of the activations that the step takes, where these say it."""
    step = scope.steps.get(scope.inputs.get("activations", ""))
    return None if step is None else stated_sites(step.params)


def _width_faults(header: Header, scope: CheckScope) -> Iterator[Fault]:
    width = header.d_in
    if width is None or scope.model is None or "activations" not in scope.inputs:
        return
    if width != scope.model.d_model:
        there = scope.model.d_model
        yield Fault(("path",), f"the SAE is {width} wide, the model's residual stream {there}")


def _roles(path: Path, header: Header | None) -> dict[str, Path]:
    """The files that count, each by its part; all of them, of a format that does not say which."""
    if header is not None:
        return {str(number): file for number, file in enumerate(header.files)}
    if path.is_file():
        return {"0": path}
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    return {file.relative_to(path).as_posix(): file for file in files}
