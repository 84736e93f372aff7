"""What a third party adds to read and write SAEs: the contract of components of kind `sae-format`.

A format knows files; architectures and their maths are the SAE room's. Between the two stands
`SaeWeights`, an SAE as plain data in one layout. Nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from studyrun.contracts import Position

__all__ = ["SaeFormat", "SaeFormatSource", "SaeWeights"]


@dataclass(frozen=True, slots=True, eq=False)
class SaeWeights:
    """An SAE between a file and the SAE room.

    pre_acts = (x - b_dec if pre_bias) @ W_enc + b_enc;  x_hat = z @ W_dec + b_dec
    """

    architecture: str
    """How z is made of pre_acts: `topk`, `abstopk`, `groupmax`, `batchtopk`, `matryoshka`,
    `jumprelu`, `gated` or `standard`."""
    tensors: Mapping[str, Tensor]
    """float32: `W_enc` (d_in, d_sae), `b_enc` (d_sae), `W_dec` (d_sae, d_in), `b_dec` (d_in);
    `threshold` (d_sae) of a jumprelu, () of a batchtopk or matryoshka; `b_gate`, `r_mag` and
    `b_mag` (d_sae) of a gated one."""
    settings: Mapping[str, Any]
    """JSON values: `pre_bias`; `k`, except of jumprelu, gated and standard; `group_sizes` of a
    matryoshka."""
    layer: int | None = None
    """The residual stream after this block, from 0, is what it was trained on, where that is
    known."""
    position: Position | None = None
    """At this position."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of where it comes from, as JSON values: `model`, `hook`."""


class SaeFormat(Protocol):
    """Reads and writes SAEs as one tool does; both are pure but for the file that is read."""

    def read(self, path: Path) -> SaeWeights:
        """The SAE of a file or a folder, computing what the tool itself computes with it.

        Raises:
            StudyError: in one line, what is wrong: file, key, cure.
        """

    def write(self, sae: SaeWeights) -> Mapping[str, bytes]:
        """The files, by name below a folder, with which the tool computes the same z and x_hat.

        Raises:
            StudyError: the format cannot represent this SAE, and why.
        """


class SaeFormatSource(Protocol):
    """kind `sae-format`: the target is called with its parameters."""

    def __call__(self, params: Any) -> SaeFormat:
        """The format."""
