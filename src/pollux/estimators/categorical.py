"""Draws of categorical variables: independent (LOORF), and antithetic (CARMS, arXiv 2110.14002) in three ways.

All take a key, logits float32 [B, D, C] and n, and give a `Draw` with one-hot values [N, B, D, C].

Axis letters: N draws; B stands for any axes of a batch; D latent variables; C categories; O orders of them.
"""

from __future__ import annotations

import math
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np

from pollux.estimators.copulas import both_below, dirichlet
from pollux.estimators.pairs import Draw, checked, drawn


def loorf(key: jax.Array, logits: jax.Array, n: int) -> Draw:
    """Independent draws."""
    logits = checked(logits, n, categories=True)
    which = jax.random.categorical(key, logits, shape=(n, *logits.shape[:-1]))
    return drawn(jax.nn.one_hot(which, logits.shape[-1]), jnp.ones((1, 1, *logits.shape[:-1])), logits, categories=True)


def stick_breaking(key: jax.Array, logits: jax.Array, n: int) -> Draw:
    """From the rarest category to the commonest one: is it this? Each such question is an antithetic binary draw (CARMS-SB). Exact
    for any probabilities; takes O(C log C + n^2) a latent variable: the one for many categories."""
    logits = checked(logits, n, categories=True)
    order = jnp.argsort(logits, axis=-1)
    log_p = jnp.take_along_axis(logits, order, -1)
    log_left = jax.lax.cumlogsumexp(log_p, axis=log_p.ndim - 1, reverse=True)
    log_stick = (log_p - log_left)[..., :-1]  # the last stick is what is left, whole
    hits = dirichlet(key, n, log_stick.shape) < log_stick
    rank = jnp.argmax(jnp.concatenate([hits, jnp.ones_like(hits[..., :1])], -1), -1)
    value = jax.nn.one_hot(jnp.take_along_axis(order[None], rank[..., None], -1)[..., 0], logits.shape[-1])
    table = jnp.pad(_stick_ratios(log_stick, n), [(0, 0)] * (logits.ndim - 1) + [(0, 1)])  # 0: both drew the last, and are alike
    earlier = jnp.minimum(rank[:, None], rank[None])
    ratio = jnp.take_along_axis(table[None, None], earlier[..., None], -1)[..., 0]
    return drawn(value, jnp.where(rank[:, None] == rank[None], 0.0, ratio), logits, categories=True)


def _stick_ratios(log_stick: jax.Array, n: int) -> jax.Array:
    """The ratio for two draws of which the earlier ended at each stick."""
    stick, again = jnp.exp(log_stick), both_below(log_stick, n)
    passed = 2 * jnp.log1p(-stick) - jnp.log1p(-stick * (2 - again))  # neither ended there
    ended = jnp.log1p(-stick) - jnp.log1p(-again)  # one did
    # a half stick with one draw's mate is passed by neither: it is the last but one, and nothing lies behind
    before = jnp.cumsum(jnp.where(jnp.isfinite(passed), passed, 0.0), -1) - jnp.where(jnp.isfinite(passed), passed, 0.0)
    return jnp.exp(before + ended)


def inverse(key: jax.Array, logits: jax.Array, n: int, *, orders: str = "pairs") -> Draw:
    """Antithetic uniform numbers cut by the cumulative probabilities, in an order of the categories that is drawn for each group
    (CARMS-I).

    Args:
        orders: "pairs", one for each two categories that may be first and last, as in the paper: O(n^2 C^2). "cyclic": the C cyclic
            shifts, O(n^2 C), for 3 draws or more: of two, which mirror each other, some categories would never meet.
    """
    logits = checked(logits, n, categories=True)
    if orders == "cyclic" and n < 3:
        raise ValueError(f'cyclic orders take 3 draws or more, got n={n}; use "pairs"')
    p, permutation_OC = jax.nn.softmax(logits), _orders(logits.shape[-1], orders)
    sorted_ = p[..., permutation_OC]  # [B, D, O, C]
    below = jnp.cumsum(sorted_, -1) - sorted_
    which_key, copula_key = jax.random.split(key)
    which = jax.random.randint(which_key, p.shape[:-1], 0, len(permutation_OC))
    chosen = jnp.take_along_axis(below, which[..., None, None], -2)[..., 0, :]
    u = jnp.exp(dirichlet(copula_key, n, p.shape[:-1]))
    place = (u[..., None] >= chosen).sum(-1) - 1
    category = jnp.take_along_axis(jnp.asarray(permutation_OC)[which][None], place[..., None], -1)[..., 0]
    low = jnp.take_along_axis(below, jnp.broadcast_to(np.argsort(permutation_OC, -1), below.shape), -1)  # by category
    every = lambda x: jnp.broadcast_to(x, (n, *x.shape))  # noqa: E731
    pick = lambda x, axes: jnp.take_along_axis(every(x), category.reshape(category.shape + axes), -1)[..., 0]  # noqa: E731
    low_NBDO, p_NBD = pick(low, (1, 1)), pick(p, (1,))
    both = rectangle(low_NBDO[:, None], p_NBD[:, None, ..., None], low_NBDO[None], p_NBD[None, ..., None], n).mean(-1)
    alike = category[:, None] == category[None]
    ratio = p_NBD[:, None] * p_NBD[None] / jnp.where(alike, 1.0, both)
    return drawn(jax.nn.one_hot(category, p.shape[-1]), jnp.where(alike, 0.0, ratio), logits, categories=True)


def _orders(count: int, kind: str) -> np.ndarray:
    """int [O, C]. Raises ValueError for a kind that there is not."""
    every = range(count)
    if kind == "cyclic":
        return np.array([np.roll(every, shift) for shift in every])
    if kind == "pairs":
        between = lambda a, b: [k for k in every if k not in (a, b)]  # noqa: E731
        return np.array([[a, *between(a, b), b] for a, b in combinations(every, 2)])
    raise ValueError(f'orders are "pairs" or "cyclic", got {kind!r}')


def rectangle(x: jax.Array, width: jax.Array, y: jax.Array, height: jax.Array, n: int) -> jax.Array:
    """P(x <= u_i < x + width, y <= u_j < y + height) of the Dirichlet copula, whose distribution function is
    max(0, x^(1/m) + y^(1/m) - 1)^m, m = n - 1. Made of products and sums of positive numbers alone, so that small probabilities
    keep their digits."""
    m = n - 1
    side = lambda low, size: jnp.where(  # noqa: E731 (how much longer the root gets)
        low > 0, jnp.maximum(low, 1e-37) ** (1 / m) * jnp.expm1(jnp.log1p(size / jnp.maximum(low, 1e-37)) / m), size ** (1 / m)
    )
    a, c = side(x, width), side(y, height)
    corner = x ** (1 / m) + y ** (1 / m) - 1
    right, upper, top = (jnp.maximum(corner + more, 0.0) for more in (a, c, a + c))
    below = jnp.minimum(corner, 0.0)
    # where the corner's own mass is gone, what of a and c lies beyond it counts: top = right + upper - below
    first, second, third = jnp.where(corner > 0, a, right), jnp.where(corner > 0, c, upper), jnp.where(corner > 0, corner, -below)
    whole = _mixed(first, second, third, m, with_third=corner <= 0)
    thin = jnp.where(right > 0, _mixed_line(right, c, m), jnp.where(upper > 0, _mixed_line(upper, a, m), top**m))
    return jnp.where((corner > 0) | ((right > 0) & (upper > 0)), whole, thin)


def _mixed(a, c, t, m: int, *, with_third) -> jax.Array:
    """(a + c + t)^m less the powers that hold no a or no c; ``with_third`` less a^m and c^m alone."""
    total = 0.0
    for i in range(m + 1):
        for k in range(m + 1 - i):
            term = math.comb(m, i) * math.comb(m - i, k) * a**i * c**k * t ** (m - i - k)
            if i and k:
                total += term
            elif m not in (i, k):
                total += jnp.where(with_third, term, 0.0)
    return total


def _mixed_line(a, c, m: int) -> jax.Array:
    """(a + c)^m - a^m."""
    return sum(math.comb(m, k) * a ** (m - k) * c**k for k in range(1, m + 1))


def gumbel(key: jax.Array, logits: jax.Array, n: int, *, trials: int = 200) -> Draw:
    """The largest of logits with antithetic Gumbel noise (CARMS-G). How often two draws meet in two categories has no closed form,
    and is counted in ``trials`` further groups, N = (trials + 1) n (n - 1) pairs: estimates are **biased**. What two categories
    that meet with probability P give falls short by a share of (1 - P)^N: 1 to 3% with three categories, but three quarters of the
    gradient with 64 even ones and n = 3. Not for many categories (`tests/estimators/test_categorical.py` holds both)."""
    logits = checked(logits, n, categories=True)
    if trials < 1:
        raise ValueError(f"trials must be 1 or more, got {trials}")

    def group(key):
        log_u = dirichlet(key, n, logits.shape)
        return jax.nn.one_hot(jnp.argmax(logits - jnp.log(-log_u), -1), logits.shape[-1])

    def meetings(value):
        total = value.sum(0)
        return total[..., :, None] * total[..., None, :] - jnp.einsum("n...a,n...c->...ac", value, value)

    own, *_ = keys = jax.random.split(key, trials + 1)
    value = group(own)
    counted = jax.lax.map(lambda k: meetings(group(k)), keys[1:]).sum(0) + meetings(value)  # the draw itself: never none
    both = counted / ((trials + 1) * n * (n - 1))
    p = jax.nn.softmax(logits)
    at = lambda table: jnp.einsum("i...a,...ac,j...c->ij...", value, table, value)  # noqa: E731
    alike = jnp.einsum("i...a,j...a->ij...", value, value)
    ratio = at(p[..., :, None] * p[..., None, :]) / jnp.where(alike > 0, 1.0, at(both))
    return drawn(value, jnp.where(alike > 0, 0.0, ratio), logits, categories=True)
