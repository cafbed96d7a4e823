"""What an experiment is: a net with discrete latent variables, an estimator of its encoder's gradient, and how many draws it takes.

No jax here: the command line lists the names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pollux.base.errors import ConfigError


@dataclass(frozen=True)
class Shape:
    """A net: hidden layers of these widths on either side of ``latents`` binary variables, or categorical ones."""

    name: str
    summary: str
    hidden: tuple[int, ...]
    latents: int
    categories: int | None = None

    def __post_init__(self) -> None:
        if min(self.latents, *self.hidden, 1) < 1:
            what = f"the model {self.name} has hidden layers of {self.hidden} and {self.latents} latent variables"
            raise ConfigError(what, "each needs 1 or more")
        if self.categories is not None and self.categories < 2:
            raise ConfigError(f"a categorical variable needs 2 categories or more, got {self.categories}", "leave it out for bits")

    @property
    def code(self) -> tuple[int, ...]:
        """The axes of the latent variables' logits, [D] or [D, C]."""
        return (self.latents,) if self.categories is None else (self.latents, self.categories)

    @property
    def width(self) -> int:
        return math.prod(self.code)


@dataclass(frozen=True)
class Method:
    """An estimator: what it does, the latent variables that it takes, and the draws.

    Attributes:
        multiple: draws come in multiples of this number.
        least: the fewest draws.
        bound: whether it teaches the multi-sample bound, not the ELBO.
    """

    summary: str
    binary: bool = True
    categorical: bool = False
    multiple: int = 1
    least: int = 2
    bound: bool = False


_MODELS = (
    Shape("linear", "200 bits, no hidden layer", (), 200),
    Shape("nonlinear", "200 bits, two hidden layers of 200 on either side", (200, 200), 200),
    Shape("categorical", "20 variables of 10 categories, two hidden layers of 200", (200, 200), 20, 10),
)
MODELS = {shape.name: shape for shape in _MODELS}
METHODS = {
    "loorf": Method("independent draws, the others' mean as baseline", categorical=True),
    "disarm": Method("n / 2 antithetic pairs", multiple=2),
    "arms": Method("n antithetic draws"),
    "carms-i": Method("n antithetic draws of categories, by inverse cumulative probabilities", binary=False, categorical=True),
    "carms-sb": Method("n antithetic draws of categories, by stick breaking", binary=False, categorical=True),
    "gumbel-st": Method("relaxed draws, straight through (biased)", categorical=True),
    "vimco": Method("the n-sample bound, n independent draws", bound=True),
    "vimco-halves": Method("the n/2-sample bound, n / 2 independent draws, twice", multiple=2, least=4, bound=True),
    "local-disarm": Method("the n/2-sample bound, n / 2 antithetic pairs", multiple=2, least=4, bound=True),
    "local-arms": Method("the n/2-sample bound, n / 2 independent draws and as many antithetic", multiple=2, least=4, bound=True),
}


@dataclass(frozen=True)
class Experiment:
    """One run. Whatever the estimator, a step evaluates log p(x, z) at ``n`` draws of z for each of ``batch`` pictures.

    Attributes:
        compared: Estimators whose variance is measured at each checkpoint, at this run's parameters; empty for `rivals`.
        every: Steps between checkpoints.
        estimates: Fresh estimates of a gradient by which a variance is measured. drawn: draws of an ELBO; final: of the last bound.
        rate: Adam's, of encoder and decoder. prior_rate: of plain descent, for the prior.
    """

    model: Shape = MODELS["nonlinear"]
    estimator: str = "arms"
    n: int = 4
    seed: int = 0
    compared: tuple[str, ...] = ()
    every: int = 1000
    batch: int = 50
    estimates: int = 32
    drawn: int = 10
    final: int = 100
    rate: float = 1e-4
    prior_rate: float = 1e-2

    def __post_init__(self) -> None:
        for name in (self.estimator, *self.compared):
            self._check(name)
        for name in ("every", "batch", "drawn", "final"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, got {getattr(self, name)}", "leave it out for the default")
        if self.seed < 0:
            raise ConfigError(f"a seed is a whole number from 0 on, got {self.seed}", "--seed 0, or more")
        if self.estimates < 2:
            raise ConfigError(f"a variance takes 2 estimates or more, got {self.estimates}", "leave it out for the default")

    @property
    def rivals(self) -> tuple[str, ...]:
        """Every estimator of as many draws that teaches as this one does, itself among them."""
        bound = METHODS[self.estimator].bound
        fits = [name for name in self._fitting() if METHODS[name].bound == bound]
        return tuple(name for name in fits if self.n >= METHODS[name].least and not self.n % METHODS[name].multiple)

    def _fitting(self) -> list[str]:
        categorical = self.model.categories is not None
        return [name for name, method in METHODS.items() if (method.categorical if categorical else method.binary)]

    def _check(self, name: str) -> None:
        if name not in METHODS:
            raise ConfigError(f"there is no estimator {name!r}", f"use one of {', '.join(METHODS)}")
        method = METHODS[name]
        if name not in self._fitting():
            kind = "bits" if self.model.categories is None else "categorical variables"
            what = f"the estimator {name} is not for {kind}, which the model {self.model.name} has"
            raise ConfigError(what, f"use one of {', '.join(self._fitting())}")
        if self.n < method.least:
            raise ConfigError(f"{name} takes {method.least} draws or more, got n={self.n}", f"--n {method.least}, or more")
        if self.n % method.multiple:
            raise ConfigError(f"{name} takes an even number of draws, got n={self.n}", f"--n {self.n + 1}")
