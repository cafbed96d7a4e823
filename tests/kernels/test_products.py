"""The product against float32, its derivative, and the operand layouts that XLA on CPU would refuse; of bf16 and of float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.kernels.products import dot, gated, linear, product


@pytest.fixture(autouse=True, params=["bfloat16", "float32"])
def operand(request, monkeypatch):
    monkeypatch.setattr("pollux.kernels.products.operand", lambda: jnp.dtype(request.param))
    yield request.param
    jax.clear_caches()  # programs of the other kind


def values(*shapes, seed=0):
    """Normal values that bf16 holds exactly, so that only the products themselves can differ."""
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape), jnp.bfloat16).astype(np.float32) for shape in shapes]


def near(a, b, share=1e-5):
    return a.shape == b.shape and np.linalg.norm(a - b) <= share * np.linalg.norm(b)


def with_gradients(f, g):
    return jax.jit(lambda a, b: (f(a, b), *jax.grad(lambda a, b: (f(a, b) * g).sum(), (0, 1))(a, b)))


@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
def test_product_and_its_gradients(lead):
    a, b, g = values((*lead, 5, 24), (*lead, 24, 7), (*lead, 5, 7))
    turn = lambda x: np.swapaxes(x, -1, -2)  # noqa: E731
    ours = with_gradients(product, g)(a, b)
    assert all(near(x, y) for x, y in zip(ours, (a @ b, g @ turn(b), turn(a) @ g), strict=True))
    assert all(x.dtype == np.float32 for x in ours)
    ours = jax.jit(jax.grad(lambda a: product(a, b).sum()))(jnp.asarray(a, jnp.bfloat16))
    assert ours.dtype == jnp.bfloat16  # a gradient has its operand's dtype


def test_sums_are_float32():
    """In bf16 the sum of 4,096 ones would stop at 256."""
    assert product(jnp.ones((2, 4096)), jnp.ones((4096, 2)))[0, 0] == 4096


@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
@pytest.mark.parametrize("contract", [(1, 0), (1, 1), (0, 0)])
@pytest.mark.parametrize(("m", "n"), [(6, 9), (9, 6), (1, 8)])
def test_dot_in_jit_whatever_the_layout_before_it(lead, contract, m, n):
    """Operands that are transposed inside the same program reach the product in a layout of XLA's choosing."""
    a_shape = (m, 16) if contract[0] == 1 else (16, m)
    b_shape = (16, n) if contract[1] == 0 else (n, 16)
    a, b = values((*lead, *a_shape), (*lead, *b_shape))
    turn = lambda x: x.swapaxes(-1, -2)  # noqa: E731
    truth = (a if contract[0] == 1 else turn(a)) @ (b if contract[1] == 0 else turn(b))

    def both(a, b):
        return dot(a, b, contract), dot(turn(turn(a) * 1), turn(jnp.sin(turn(b) * 0) + turn(b)), contract)

    for ours in jax.jit(both)(a, b):
        assert near(ours, truth)


@pytest.mark.parametrize("lead", [(), (1,), (1, 1), (2, 3)])
def test_linear_also_of_a_single_row(lead):
    x, w, g = values((*lead, 12), (12, 5), (*lead, 5))
    ours = with_gradients(linear, g)(x, w)
    rows = lambda y: y.reshape(-1, y.shape[-1])  # noqa: E731
    assert all(near(x, y) for x, y in zip(ours, (x @ w, g @ w.T, rows(x).T @ rows(g)), strict=True))


def test_gated_is_silu_of_one_half_times_the_other_with_its_gradient():
    h, g = values((3, 4, 16), (3, 4, 8))
    silu = lambda h: jax.nn.silu(h[..., :8]) * h[..., 8:]  # noqa: E731
    ours, theirs = (jax.jit(jax.value_and_grad(lambda h, f=f: (f(h) * g).sum()))(h) for f in (gated, silu))
    assert near(gated(h).astype(np.float32), silu(h), 0.004) and near(ours[1], theirs[1], 0.004)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=0.01)
