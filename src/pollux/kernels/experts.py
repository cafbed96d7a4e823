"""Expert feed-forwards over tokens sorted by expert: every token is computed, whatever the balance (dropless).

Two forms of one function. Accelerators have a grouped product (`ragged_dot`). On CPU that crawls (7.7 against 137 GFLOP/s), so
there tokens are laid out in blocks that belong to one expert each, and the product is an ordinary batched one.

Axis letters: N tokens, A experts per token, E experts, D width, F expert width, R = N * A assignments, J blocks, P tokens per
block, S = J * P slots.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from pollux.kernels.products import gated, operand, product


def expert_feed_forward(x_ND, expert_NA, weight_NA, gate_EDF, up_EDF, down_EFD, *, grouped: bool | None = None):
    """Sum over a token's experts of weight * down(silu(gate x) * up x), float32 [N, D].

    Args:
        expert_NA: int32 expert of each assignment; an index of E or more means "not here" and adds nothing.
        weight_NA: float32 weight of each assignment.
        grouped: Use the accelerator's grouped product; by default whatever is fast on this platform.
    """
    if grouped is None:
        grouped = jax.default_backend() != "cpu"
    form = _ragged if grouped else _blocked
    return form(x_ND, expert_NA, weight_NA, gate_EDF, up_EDF, down_EFD)


def _ragged(x_ND, expert_NA, weight_NA, gate, up, down):
    experts, a = gate.shape[0], expert_NA.shape[1]
    order_R = jnp.argsort(expert_NA.reshape(-1), stable=True)
    sizes_E = jnp.bincount(expert_NA.reshape(-1), length=experts)
    dot = lambda x, w: jax.lax.ragged_dot(  # noqa: E731
        x.astype(jnp.bfloat16), w.astype(jnp.bfloat16), sizes_E.astype(jnp.int32), preferred_element_type=jnp.float32
    )
    here_R = expert_NA.reshape(-1)[order_R] < experts
    # rows behind the last group, which belong to no expert, come out of the product as anything at all: blank them on both sides
    rows = jnp.where(here_R[:, None], x_ND[order_R // a], 0.0)
    out_RD = dot(gated(dot(rows, jnp.concatenate([gate, up], axis=-1))), down)
    weighed = jnp.where(here_R[:, None], out_RD * weight_NA.reshape(-1)[order_R, None], 0.0)
    return jnp.zeros_like(x_ND).at[order_R // a].add(weighed)


def block_size(assignments: int, experts: int) -> int:
    """Tokens per block, a power of two: large enough for a good product (on two cores 131 GFLOP/s at 256 tokens, 257 at 512), and
    at most a quarter of an expert's mean load, so that padding (half a block per expert) stays small."""
    return min(512, max(8, 1 << max(assignments // experts // 4, 1).bit_length() - 1))


def _blocked(x_ND, expert_NA, weight_NA, gate, up, down):
    experts, (n, a) = gate.shape[0], expert_NA.shape
    size = block_size(n * a, experts)
    blocks = -(-n * a // size) + experts
    slot_NA, owner_J, token_S, free_S = _lay_out(expert_NA, experts, size, blocks)
    x_JPD = _spread(x_ND, slot_NA, token_S, free_S).reshape(blocks, size, -1)
    dot = lambda x, w: product(x, _pick(w, owner_J))  # noqa: E731
    y_JPD = dot(gated(dot(x_JPD, jnp.concatenate([gate, up], axis=-1))), down)
    return _collect(y_JPD.reshape(blocks * size, -1), weight_NA, slot_NA, token_S, free_S)


def _lay_out(expert_NA, experts: int, size: int, blocks: int):
    """Give each assignment a slot: experts in order, each group starting on a block boundary.

    Returns slots [N, A] (one past the end for experts that are not here), the expert of each block [J], and for each slot the
    assignment that fills it (n * A + a) and whether it is free.
    """
    flat_R = expert_NA.reshape(-1)
    order_R = jnp.argsort(flat_R, stable=True)
    count_E = jnp.bincount(flat_R, length=experts)
    first_E = jnp.cumsum(count_E) - count_E
    stop_E = jnp.cumsum(-(-count_E // size) * size)
    start_E = stop_E - -(-count_E // size) * size
    sorted_R = flat_R[order_R]
    here_R = sorted_R < experts
    safe_R = jnp.minimum(sorted_R, experts - 1)
    slot_R = jnp.where(here_R, start_E[safe_R] + jnp.arange(flat_R.size) - first_E[safe_R], blocks * size)
    slot_NA = jnp.zeros_like(flat_R).at[order_R].set(slot_R, unique_indices=True).reshape(expert_NA.shape)
    filler_S = jnp.full(blocks * size, -1, jnp.int32).at[slot_R].set(order_R.astype(jnp.int32), mode="drop")
    owner_J = jnp.minimum(jnp.searchsorted(stop_E, jnp.arange(blocks) * size, side="right"), experts - 1)
    return slot_NA, owner_J, jnp.maximum(filler_S, 0), filler_S < 0


# Gathers whose derivatives are gathers too: automatic differentiation would scatter, one row at a time on CPU.


@jax.custom_vjp
def _spread(x_ND, slot_NA, token_S, free_S):
    rows = x_ND.astype(operand())[token_S // slot_NA.shape[1]]
    return jnp.where(free_S[:, None], 0, rows)


def _gather_slots(y_SD, slot_NA):
    """Rows of y at each assignment's slot: [N, A, D]. A slot past the end ("not here") gives some row, to be weighed by zero."""
    return jnp.take(y_SD, slot_NA, axis=0, mode="clip")


def _here(slot_NA, free_S):
    return (slot_NA < free_S.size).astype(jnp.float32)


_spread.defvjp(
    lambda x, slot, token, free: (_spread(x, slot, token, free), (slot, free)),
    lambda saved, g: (jnp.einsum("nad,na->nd", _gather_slots(g, saved[0]), _here(*saved)), None, None, None),
)


@jax.custom_vjp
def _collect(y_SD, weight_NA, slot_NA, token_S, free_S):
    return jnp.einsum("nad,na->nd", _gather_slots(y_SD, slot_NA), weight_NA * _here(slot_NA, free_S))


def _collect_backward(saved, g_ND):
    y_SD, weight_NA, slot_NA, token_S, free_S = saved
    scale_S = jnp.where(free_S, 0.0, weight_NA.reshape(-1)[token_S])
    g_SD = g_ND[token_S // slot_NA.shape[1]]
    # in slots, where both rows are at hand, rather than by gathering y once more
    d_weight_S = jnp.sum(y_SD * g_SD, axis=-1)
    return g_SD * scale_S[:, None], _gather_slots(d_weight_S, slot_NA) * _here(slot_NA, free_S), None, None, None


_collect.defvjp(lambda *args: (_collect(*args), args), _collect_backward)


@jax.custom_vjp
def _pick(w_EXY, owner_J):
    return w_EXY.astype(operand())[owner_J]


def _pick_backward(saved, g_JXY):
    owner_J, experts = saved
    one_hot_EJ = (owner_J[None, :] == jnp.arange(experts.shape[0])[:, None]).astype(jnp.float32)
    j, x, y = g_JXY.shape
    return (one_hot_EJ @ g_JXY.astype(jnp.float32).reshape(j, x * y)).reshape(-1, x, y), None


_pick.defvjp(lambda w, owner: (_pick(w, owner), (owner, jnp.zeros(w.shape[0]))), _pick_backward)
