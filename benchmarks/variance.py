"""How much estimates of a gradient vary, by the number of draws: the toys of the ARMS and CARMS repositories.

    python benchmarks/variance.py --plot docs/variance.png

Binary: f = (z - 0.49)^2 of one variable. Categorical: a linear function of three variables of three categories. Variances are over
independent estimates (--draws of them), and summed over logits; all methods take as many values of f.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pollux.estimators import binary, categorical
from pollux.estimators.pairs import gradient

BINARY = {
    "LOORF": binary.loorf,
    "DisARM": binary.disarm,
    "ARMS, Gaussian": partial(binary.arms, copula="gaussian"),
    "ARMS, Dirichlet": binary.arms,
}
CATEGORICAL = {
    "LOORF": categorical.loorf,
    "CARMS, inverse": categorical.inverse,
    "CARMS, sticks": categorical.stick_breaking,
}
COUNTS = (2, 4, 6, 8, 10)
# Millionths: rounding, where there is no variance.
_NOTHING = 1e-6
TABLE = 3.0 * np.arange(1, 10).reshape(3, 3)


def variance(make: Callable, logits: jax.Array, f: Callable, n: int, draws: int) -> float:
    """Of one estimate, summed over the logits."""

    def estimate(key):
        draw = make(key, logits, n)
        return gradient(draw, f(draw.value))

    found = jax.jit(jax.vmap(estimate))(jax.random.split(jax.random.key(n), draws))
    return float(found.var(0).sum())


def settings() -> dict[str, tuple[dict, jax.Array, Callable]]:
    """What is measured, by title: methods, logits and the function."""
    square = lambda z: (z[..., 0] - 0.49) ** 2  # noqa: E731
    found = {f"binary, p = {p}": (BINARY, jnp.array([np.log(p / (1 - p))], jnp.float32), square) for p in (0.1, 0.25, 0.5)}
    p = np.random.default_rng(1).dirichlet(np.full(3, 10.0), 3)
    linear = lambda z: (z * TABLE).sum((-1, -2))  # noqa: E731
    return found | {"categorical, 3 of 3": (CATEGORICAL, jnp.asarray(np.log(p), jnp.float32), linear)}


def _line(axis: Axes, found: list[float], name: str) -> None:
    """A line through what is above 0, which is all that a logarithmic axis has; where nothing is, the name alone."""
    some = [(n, v) for n, v in zip(COUNTS, found, strict=True) if v > _NOTHING]
    axis.plot(*(zip(*some, strict=True) if some else ([], [])), "o-", markersize=3, label=_label(name, found))


def _label(name: str, found: list[float]) -> str:
    none = [str(n) for n, v in zip(COUNTS, found, strict=True) if v <= _NOTHING]
    return name if not none else f"{name}: none" if len(none) == len(COUNTS) else f"{name}: none at {', '.join(none)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200_000, help="estimates (default: 200000)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them too")
    args = parser.parse_args()
    figure = Figure(figsize=(11, 3), layout="constrained")
    axes = figure.subplots(1, len(settings()))
    for axis, (title, (methods, logits, f)) in zip(axes, settings().items(), strict=True):
        for name, make in methods.items():
            found = [variance(make, logits, f, n, args.draws) for n in COUNTS]
            print(f"{title:22} {name:16} " + "  ".join(f"n={n}: {v:.4g}" for n, v in zip(COUNTS, found, strict=True)))
            _line(axis, [v * (1 if methods is CATEGORICAL else 1e6) for v in found], name)
        axis.set(title=title, xlabel="draws", yscale="log", xticks=COUNTS)
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=7, borderaxespad=0)
    axes[0].set_ylabel("variance of an estimate, millionths")
    axes[-1].set_ylabel("variance of an estimate")
    if args.plot:
        figure.savefig(args.plot, dpi=150)


if __name__ == "__main__":
    main()
