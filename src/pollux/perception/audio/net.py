"""The net that hears: from log-mel frames to letters, 50 steps a second, and codes, 25 a second.

    mel [F, 80] -> pairs -> stem -> block .. block -> block .. block -> letters
                                        └─> pairs of steps -> codes

A block is a convolution over time of each channel by itself, and a feed-forward of each moment by itself (ConvNeXt). Nothing is
padded: each convolution gives fewer steps than it takes, so that a stretch of sound is heard with 1 s on either side of it, and
what comes out does not depend on where it was cut.

`teach` is for training alone: by codes alone it draws the mel frames again, and tells what is said, who says it and how high.

Axis letters: B rows, F frames of 10 ms, M mel bands, T steps of 20 ms, U codes of 40 ms, C channels, H hidden, K taps of a
convolution, D digits of a code, L symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.base.weights import Tree, Weight
from pollux.kernels.products import linear
from pollux.media.mel import BANDS
from pollux.perception.blocks import head, matrix, norm, read_out, vector
from pollux.perception.codes import DIGITS, codes_table, numbered, quantised

FRAMES = 2  # of a step
SYMBOLS = 29  # nothing, the space, the apostrophe, a to z
_QUIET, _MIDDLE, _SPREAD = -9.5, -7.0, 2.0  # log10 energy: of what passes for silence; what becomes 0; what becomes 1, less that


@dataclass(frozen=True)
class Ear:
    """Sizes of the net.

    Attributes:
        width: Channels. hidden: of the feed-forwards.
        blocks: How many; codes come from the first ``coded`` of them.
        taps: Steps that a convolution sees, an odd number. stem: likewise, of the first one.
        told: Channels of `teach`. speakers: how many it tells apart.
    """

    width: int = 144
    hidden: int = 768
    blocks: int = 12
    coded: int = 4
    taps: int = 9
    stem: int = 3
    told: int = 96
    speakers: int = 1

    @property
    def halo(self) -> int:
        """Steps that are needed on either side of those wanted: an even number, so that codes are of the same pairs."""
        needed = (self.stem - 1) // 2 + self.blocks * (self.taps - 1) // 2
        return needed + needed % 2


class Felt(NamedTuple):
    """What the net makes of sound.

    Attributes:
        letters: Log-probabilities of symbols, float32 [B, T, L].
        digits: Of codes, as `codes.quantised` gives them, float32 [B, U, D].
    """

    letters: jax.Array
    digits: jax.Array

    @property
    def codes(self) -> jax.Array:
        """int32 [B, U], 0 to 1,023."""
        return numbered(self.digits)


def table(ear: Ear) -> Tree:
    """One row per weight; those of ``teach`` are of use in training alone."""
    return {
        "stem": matrix(ear.stem * FRAMES * BANDS, ear.width),
        "blocks": {str(i): _block(ear) for i in range(ear.blocks)},
        "letters": head(ear.width, SYMBOLS),
        "codes": codes_table(2 * ear.width),
        "teach": _taught(ear),
    }


def _block(ear: Ear) -> Tree:
    return {
        "taps": Weight((ear.taps, ear.width), (None, None), scale=ear.taps**-0.5),
        "norm": vector(ear.width, "ones"),
        "rise": matrix(ear.width, ear.hidden),
        "fall": matrix(ear.hidden, ear.width, 0.5),
    }


def _taught(ear: Ear) -> Tree:
    """A net over codes, and what it tells of each 40 ms: four frames, two steps of letters, who speaks, how high."""
    outputs = {"frames": 2 * FRAMES * BANDS, "letters": 2 * SYMBOLS, "speaker": ear.speakers, "pitch": 1}
    return {
        "enter": matrix(ear.taps * DIGITS, ear.told),
        "taps": Weight((ear.taps, ear.told), (None, None), scale=ear.taps**-0.5),
        "middle": matrix(ear.told, ear.told),
        **{name: head(ear.told, count) for name, count in outputs.items()},
    }


def hear(params: Tree, ear: Ear, mel_BFM: jax.Array) -> Felt:
    """Log-mel frames as `media.mel` gives them, with ``2 * ear.halo`` more on either side than the 2 T that are wanted."""
    steps = mel_BFM.shape[1] // FRAMES - 2 * ear.halo
    x_BTC = scaled(mel_BFM).reshape(len(mel_BFM), -1, FRAMES * BANDS)
    x_BTC = linear(_beside(x_BTC, ear.stem), params["stem"])
    for i in range(ear.blocks):
        if i == ear.coded:
            coded_BTC = _middle(x_BTC, steps)
        x_BTC = _through(params["blocks"][str(i)], x_BTC)
    letters_BTL = jax.nn.log_softmax(read_out(params["letters"], _middle(x_BTC, steps)))
    return Felt(letters_BTL, quantised(params["codes"], coded_BTC.reshape(len(mel_BFM), steps // 2, -1)))


def teach(params: Tree, ear: Ear, digits_BUD: jax.Array) -> dict[str, jax.Array]:
    """What codes alone tell: ``frames`` [B, F, M] scaled as the net takes them, ``letters`` [B, T, L] log-probabilities,
    ``speaker`` [B, U, speakers] logits, ``pitch`` [B, U] octaves over 100 Hz; float32."""
    own, (rows, count, _) = params["teach"], digits_BUD.shape
    edge = ((0, 0), (ear.taps // 2, ear.taps // 2), (0, 0))
    x = jnp.square(jax.nn.relu(linear(_beside(jnp.pad(digits_BUD, edge), ear.taps), own["enter"])))
    x = x + jnp.square(jax.nn.relu(linear(depthwise(jnp.pad(x, edge), own["taps"]), own["middle"])))
    return {
        "frames": read_out(own["frames"], x).reshape(rows, 2 * FRAMES * count, BANDS),
        "letters": jax.nn.log_softmax(read_out(own["letters"], x).reshape(rows, 2 * count, SYMBOLS)),
        "speaker": read_out(own["speaker"], x),
        "pitch": read_out(own["pitch"], x)[..., 0],
    }


def scaled(mel: jax.Array) -> jax.Array:
    """Log-mel frames as the net takes them."""
    return (jnp.maximum(mel, _QUIET) - _MIDDLE) / _SPREAD


def _through(weights: Tree, x_BTC: jax.Array) -> jax.Array:
    """A block: as many steps fewer as its convolution has taps, less one."""
    y_BTC = norm(depthwise(x_BTC, weights["taps"]), weights["norm"])
    y_BTH = jnp.square(jax.nn.relu(linear(y_BTC, weights["rise"])))
    return _middle(x_BTC, y_BTC.shape[1]) + linear(y_BTH, weights["fall"])


def _middle(x_BTC: jax.Array, steps: int) -> jax.Array:
    edge = (x_BTC.shape[1] - steps) // 2
    return x_BTC[:, edge : edge + steps]


def _beside(x_BTC: jax.Array, taps: int) -> jax.Array:
    """Each step with those beside it, float32 [B, T - taps + 1, taps * C]."""
    steps = x_BTC.shape[1] - taps + 1
    return jnp.concatenate([x_BTC[:, k : k + steps] for k in range(taps)], axis=-1)


@jax.custom_vjp
def depthwise(x_BTC: jax.Array, taps_KC: jax.Array) -> jax.Array:
    """Each channel's own convolution over time: float32 [B, T - K + 1, C].

    Sums of shifted products, since XLA's convolution is 20 times slower here on a CPU. It has its own derivative because XLA would
    fuse the ones of input and taps, and compute products anew for each of 2 K sums.
    """
    steps = x_BTC.shape[1] - taps_KC.shape[0] + 1
    return sum(x_BTC[:, k : k + steps] * tap_C for k, tap_C in enumerate(taps_KC))


def _depthwise_backward(saved, g_BTC):
    x_BTC, taps_KC = jax.lax.optimization_barrier(saved)
    count, steps = taps_KC.shape[0], g_BTC.shape[1]
    padded = jax.lax.optimization_barrier(jnp.pad(g_BTC, ((0, 0), (count - 1, count - 1), (0, 0))))

    def one(row, total):  # a row at a time stays in the cache
        x_TC, g_TC = x_BTC[row], g_BTC[row]
        return total + jnp.stack([(x_TC[k : k + steps] * g_TC).sum(0) for k in range(count)])

    return depthwise(padded, taps_KC[::-1]), jax.lax.fori_loop(0, x_BTC.shape[0], one, jnp.zeros_like(taps_KC))


depthwise.defvjp(lambda x, taps: (depthwise(x, taps), (x, taps)), _depthwise_backward)
