"""Both forms of the expert feed-forward against one expert at a time, forward and backward."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.kernels.experts import block_size, expert_feed_forward

EXPERTS, WIDTH, HIDDEN = 5, 16, 12


def one_by_one(x, expert, weight, gate, up, down):
    """Each token by each of its experts, bf16 operands where the fast forms have them."""
    low = lambda y: y.astype(jnp.bfloat16).astype(jnp.float32)  # noqa: E731
    x, gate, up, down = map(low, (x, gate, up, down))
    out = jnp.zeros_like(x)
    for e in range(gate.shape[0]):
        h = low(jax.nn.silu(x @ gate[e]) * (x @ up[e]))
        out += (h @ down[e]) * jnp.where(expert == e, weight, 0.0).sum(1, keepdims=True)
    return out


def assignments(kind, n, rng):
    experts = np.stack([rng.permutation(EXPERTS)[:2] for _ in range(n)])
    if kind == "all to one":
        experts[:] = [3, 1]
    if kind == "nobody to the first and last":
        experts = np.stack([1 + rng.permutation(EXPERTS - 2)[:2] for _ in range(n)])
    if kind == "some not here":
        experts[rng.random(experts.shape) < 0.4] = EXPERTS
    if kind == "none here":
        experts[:] = EXPERTS + 1
    return jnp.asarray(experts, jnp.int32)


KINDS = ["random", "all to one", "nobody to the first and last", "some not here", "none here"]


@partial(jax.jit, static_argnums=0)
def run(form, x, expert, weight, weights, g):
    """The output of a form, and its gradients."""
    total = lambda x, weight, weights: (form(x, expert, weight, *weights) * g).sum()  # noqa: E731
    return form(x, expert, weight, *weights), jax.grad(total, (0, 1, 2))(x, weight, weights)


FORMS = {grouped: partial(expert_feed_forward, grouped=grouped) for grouped in (False, True)}


@pytest.mark.parametrize(("kind", "n"), [*((kind, 70) for kind in KINDS), ("random", 1)])
def test_the_forms_agree_with_one_expert_at_a_time(kind, n):
    """With all tokens on one expert too: nothing is dropped."""
    rng = np.random.default_rng(n)
    make = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    weights = make(EXPERTS, WIDTH, HIDDEN) / 4, make(EXPERTS, WIDTH, HIDDEN) / 4, make(EXPERTS, HIDDEN, WIDTH) / 4
    expert, weight = assignments(kind, n, rng), jnp.asarray(rng.random((n, 2)), jnp.float32)
    given = make(n, WIDTH), expert, weight, weights, make(n, WIDTH)
    truth = jax.tree.leaves(run(one_by_one, *given))
    for grouped, form in FORMS.items():
        for a, b in zip(jax.tree.leaves(run(form, *given)), truth, strict=True):
            assert np.linalg.norm(a - b) <= 0.015 * np.linalg.norm(b), (grouped, a.shape)


def test_blocks_are_a_power_of_two_and_not_much_larger_than_an_expert_share():
    for assigned in (1, 7, 64, 1000, 65_536):
        for experts in (1, 4, 64):
            size = block_size(assigned, experts)
            assert 8 <= size <= 512 and size & (size - 1) == 0
            assert size <= max(8, assigned / experts)
