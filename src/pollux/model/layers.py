"""The small pieces: norm, rotary positions, convolution, gated feed-forward.

Axis letters: B batch, T tokens, M some of them, S tokens with the past, H heads, K key-value heads, D model width or head size,
C convolution taps.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from pollux.kernels.products import gated, linear

F32 = jnp.float32


def pick(x_BT: jax.Array, where_BM: jax.Array | None) -> jax.Array:
    """What stands [B, T, ...] at some places of each row: [B, M, ...]; all of it for None."""
    if where_BM is None:
        return x_BT
    return jnp.take_along_axis(x_BT, where_BM.reshape(*where_BM.shape, *[1] * (x_BT.ndim - 2)), axis=1)


def rms_norm(x: jax.Array, gain: jax.Array | None = None) -> jax.Array:
    """Root-mean-square norm over the last axis (arXiv 1910.07467), in float32."""
    x = x.astype(F32)
    y = x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-6)
    return y if gain is None else y * gain


def rotary(x_BTHD: jax.Array, position_BT: jax.Array | np.ndarray, base: float) -> jax.Array:
    """Rotary positions (arXiv 2104.09864), halves rotated together. Angles in float32: bf16 rounds 257 to 256.

    Args:
        position_BT: B may be 1. Where they are numpy's, their cosines and sines are constants of the program; others XLA makes anew
            on a CPU for each number that they are multiplied with.
    """
    xp, half = np if isinstance(position_BT, np.ndarray) else jnp, x_BTHD.shape[-1] // 2
    frequency = base ** (-xp.arange(half, dtype=F32) / half)
    angle = position_BT[..., None, None].astype(F32) * frequency
    cos, sin = xp.cos(angle).astype(F32), xp.sin(angle).astype(F32)
    a, b = x_BTHD[..., :half], x_BTHD[..., half:]
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def address(index_BT: jax.Array, periods: int) -> jax.Array:
    """A code of each token's place in the stream: cosine and sine of its phase in ``periods`` periods, float32 [B, T, 2 * periods].

    Places near each other have like codes, any others codes as unlike as random ones: a fingerprint by which one layer can find
    what stands beside that which an earlier layer has found, millions of tokens back. Periods are primes, the phase is a remainder
    of integers: exact at any distance, and every phase is met in a few hundred tokens of training.
    """
    period = jnp.array(primes(periods), jnp.int32)
    phase = (index_BT[..., None] % period).astype(F32) * (2 * jnp.pi / period)
    return jnp.concatenate([jnp.cos(phase), jnp.sin(phase)], axis=-1)


def primes(count: int) -> list[int]:
    """``count`` different primes, from 17 to about 500, each about as much larger than the last."""
    primes = [n for n in range(17, 4096) if all(n % d for d in range(2, int(n**0.5) + 1))]
    chosen: list[int] = []
    for i in range(count):
        least = 17 * 30 ** (i / max(count - 1, 1))
        chosen.append(next(p for p in primes if p >= least and p not in chosen))
    return chosen


def causal_conv(x_BTD: jax.Array, past_BCD: jax.Array, same_BTC: jax.Array, w_CD: jax.Array) -> jax.Array:
    """Depthwise causal convolution over the last C tokens, so that a key knows the words just before it.

    Args:
        x_BTD: The sequence. past_BCD: the C-1 rows before it (zeros at the start).
        same_BTC: 1 where the token ``c`` steps back belongs to the same document, else 0.
        w_CD: One weight per tap and channel; tap 0 is the token itself.
    """
    taps, length = w_CD.shape[0], x_BTD.shape[1]
    rows = jnp.concatenate([past_BCD.astype(F32), x_BTD], axis=1)
    out = x_BTD * w_CD[0]
    for c in range(1, taps):
        out += rows[:, taps - 1 - c : taps - 1 - c + length] * same_BTC[:, :, c, None] * w_CD[c]
    return out


def feed_forward(x: jax.Array, w: dict[str, jax.Array]) -> jax.Array:
    """Gated feed-forward (arXiv 2002.05202, SwiGLU): x [..., D] -> [..., D]."""
    return linear(gated(linear(x, jnp.concatenate([w["gate"], w["up"]], axis=-1))), w["down"])
