"""The net that hears: how far it looks, what its codes carry, and its own derivative."""

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.weights import count, initial
from pollux.perception.audio import net
from pollux.perception.audio.net import FRAMES, Ear, depthwise, table

SMALL = Ear(width=8, hidden=16, blocks=3, coded=1, taps=5, told=8, speakers=3)
PARAMS = initial(table(SMALL), 0)
hear, teach = (jax.jit(f, static_argnums=1) for f in (net.hear, net.teach))
STEPS = 6


def mel(steps=STEPS, rows=1, ear=SMALL, seed=0):
    """Frames of ``steps`` with their halos."""
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(-6, 1, (rows, FRAMES * (steps + 2 * ear.halo), 80)), jnp.float32)


def test_it_is_small():
    assert count(table(Ear(speakers=64))) <= 3_000_000


def test_shapes():
    felt = hear(PARAMS, SMALL, mel(rows=2))
    assert (felt.letters.shape, felt.digits.shape, felt.codes.shape) == ((2, STEPS, 29), (2, STEPS // 2, 5), (2, STEPS // 2))
    assert felt.codes.dtype == jnp.int32 and felt.codes.min() >= 0 and felt.codes.max() < 1024
    np.testing.assert_allclose(jnp.exp(felt.letters).sum(-1), 1, rtol=1e-5)


def test_a_moment_depends_on_its_halo_and_nothing_beyond():
    given = mel()
    for step in (0, STEPS - 1):
        looked = jax.grad(lambda x, step=step: hear(PARAMS, SMALL, x).letters[0, step].min())(given)
        frames = np.flatnonzero(np.abs(np.asarray(looked[0])).sum(-1))
        centre, reach = FRAMES * (step + SMALL.halo), FRAMES * (1 + SMALL.blocks * (SMALL.taps // 2))
        assert (frames[0], frames[-1]) == (centre - reach, centre + reach + 1)


def test_a_longer_stretch_hears_the_same():
    long = mel(STEPS + 8)
    whole, part = hear(PARAMS, SMALL, long), hear(PARAMS, SMALL, long[:, 8:-8])
    np.testing.assert_allclose(whole.letters[:, 4:-4], part.letters, atol=0.02)
    assert (whole.codes[:, 2:-2] == part.codes).mean() > 0.9  # a number at a level's edge may fall on either side


def test_silence_is_one_loudness():
    quiet = jnp.full_like(mel(), -10.0)
    np.testing.assert_array_equal(hear(PARAMS, SMALL, quiet).letters, hear(PARAMS, SMALL, quiet + 0.4).letters)


def test_codes_alone_tell():
    digits = hear(PARAMS, SMALL, mel()).digits
    told = teach(PARAMS, SMALL, digits)
    shapes = {name: x.shape for name, x in told.items()}
    assert shapes == {"frames": (1, 12, 80), "letters": (1, 6, 29), "speaker": (1, 3, 3), "pitch": (1, 3)}


def test_what_codes_tell_teaches_the_net():
    grads = jax.grad(lambda p: teach(p, SMALL, hear(p, SMALL, mel()).digits)["frames"].sum())(PARAMS)
    first, second = (float(jnp.abs(grads["blocks"][i]["taps"]).max()) for i in ("0", "1"))
    assert first > 0 and second == 0  # the codes come from behind the first block


def test_depthwise_is_a_convolution_and_so_is_its_derivative():
    rng = np.random.default_rng(0)
    x, w = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((2, 11, 3), (5, 3)))
    plain = lambda x, w: jnp.stack([jnp.stack([jnp.convolve(r[:, c], w[::-1, c], "valid") for c in range(3)], -1) for r in x])  # noqa: E731
    np.testing.assert_allclose(depthwise(x, w), plain(x, w), atol=1e-5)
    ours, theirs = (jax.grad(lambda x, w, f=f: jnp.sin(f(x, w)).sum(), (0, 1))(x, w) for f in (depthwise, plain))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), ours, theirs)
