"""What a training of sight is: which of its two halves, where pictures come from, and how long.

look   trunk, codes and the finding of text, together
read   the reading of a line
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pollux.base.errors import ConfigError
from pollux.train.optimizer import OptimizerConfig

LOOK, READ = "look", "read"


@dataclass(frozen=True)
class Sources:
    """Folders that training pictures are made of.

    Attributes:
        fonts: Folders of fonts. photos: a folder of photographs. texts: one of plain texts.
        classes: A folder with one of small photographs for each class (CIFAR-10's layout), for ``look``.
        digits: A folder with MNIST's two files, likewise.
    """

    fonts: tuple[Path, ...]
    photos: Path
    texts: Path
    classes: Path | None = None
    digits: Path | None = None


@dataclass(frozen=True)
class SightRun:
    """One training run; ``pollux.train.sight.run.train`` starts it or goes on with it.

    Attributes:
        half: ``"look"`` or ``"read"``.
        scenes: Pictures with text in a step (4 are enough to look at). labelled: pictures with a class in a step of ``look``.
        workers: Processes that make pictures.
        begin: A model whose sight to begin from; None for random weights. A run that goes on has no more use for it.
    """

    half: str
    sources: Sources
    steps: int
    scenes: int = 8
    labelled: int = 64
    seed: int = 0
    workers: int = 1
    save_minutes: float = 5.0
    begin: Path | None = None
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(matrix_rate=0.02, rate=2e-3, decay=0.4, warmup=300))

    def __post_init__(self) -> None:
        if self.half not in (LOOK, READ):
            raise ConfigError(f"sight is trained in halves, {LOOK!r} and {READ!r}, got {self.half!r}", "name one of them")
        if self.half == LOOK and not (self.sources.classes and self.sources.digits):
            raise ConfigError(
                "codes are taught with pictures of known classes, and none are named", "set Sources.classes and digits"
            )
        for name in ("steps", "scenes", "labelled", "workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, got {getattr(self, name)}", "leave it out for the default")
