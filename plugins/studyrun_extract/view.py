"""The typed view of an `activations` artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import Artifact, Position

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Activations"]


class Activations(Artifact):
    """Residual streams at sites: `run["activations"].at(layer=14, position=3)`."""

    @property
    def sites(self) -> list[tuple[int, Position]]:
        """Every (layer, position) that was read."""
        return [(i, p) for i in self.meta["layers"] for p in self.meta["positions"]]

    def at(self, *, layer: int, position: Position) -> Tensor:
        """The residuals at one site, (n, d_model), float32; row i belongs to row i of `table`.

        Raises:
            KeyError: the site was not read; the message lists those that were.
        """
        from studyrun_extract.mapped import mapped

        if (layer, position) not in self.sites:
            known = ", ".join(map(str, self.sites))
            raise KeyError(f"no site ({layer}, {position!r}); there are {known}")
        i, j = self.meta["layers"].index(layer), self.meta["positions"].index(position)
        return mapped(self.file("tensors.safetensors"), "activations").site(i, j)
