"""Reading in chunks, then answering, equals one forward pass over everything; saved equals never closed."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.base.errors import ContextError
from pollux.base.weights import initial
from pollux.engine.contexts.context import ReadContext
from pollux.engine.engine import Engine
from pollux.engine.request import Answer, Sampling
from pollux.engine.runner import Runner
from pollux.kernels.attention import Sight
from pollux.kernels.coded import Coded
from pollux.media.segment import Document, Text
from pollux.model.attention import first_of, windows
from pollux.model.layers import primes
from pollux.model.recency import ages
from pollux.model.sizes import LOCAL, family
from pollux.model.transformer import forward, predict, weight_table
from pollux.tokens.template import TURN, own
from pollux.tokens.vocabulary import USER, shipped

# every chunk of the context is selected: a question sees all that it sees in one pass over everything
CONFIG = replace(family()["tiny"], vocab_size=8192, reading_window=64, selected=1024, cache_bits=8)


@pytest.fixture(scope="module")
def runner() -> Runner:
    params = initial(weight_table(CONFIG), 0)
    for i, layer in enumerate(CONFIG.layers):
        if layer.reach != LOCAL:  # which begins at zero, and would tell nothing
            slopes = jax.random.normal(jax.random.key(i), (CONFIG.width, CONFIG.heads)) / 8
            params["layers"][str(i)]["attention"]["recency"] = slopes
    return Runner(params, CONFIG, "test")


def stream(length: int, *turns: int) -> np.ndarray:
    """Random tokens; where a turn begins, the token that begins one."""
    ids = np.random.default_rng(0).integers(32, 8192, length).astype(np.int32)
    ids[list(turns)] = USER
    return ids


def full(runner: Runner, ids: np.ndarray) -> np.ndarray:
    """Logits after the last token, from one pass as in training."""
    tokens, sight = jnp.asarray(ids)[None], Sight(jnp.arange(ids.size)[None], jnp.zeros((1, ids.size), jnp.int32))
    window = windows(tokens, sight, runner.config.look_back)
    age = ages(tokens, sight, first_of(sight))
    output = forward(runner.params, runner.config, tokens, sight, window=window, age_BT=age)
    return np.asarray(predict(runner.params, runner.config, output)[0, -1])


def read(runner: Runner, ids: np.ndarray, cuts: list[int]) -> ReadContext:
    context = runner.empty()
    for start, stop in zip([0, *cuts], [*cuts, ids.size], strict=True):
        runner.read(context, start, ids[start:stop])
    context.extend(own(ids))
    return context


def turn(runner: Runner, context: ReadContext, rows: list[np.ndarray], pieces: list[list[int]]) -> np.ndarray:
    """Logits after feeding each row's tokens in pieces: a prompt, then one by one."""
    shared = runner.device_context(context)
    state = runner.start_turn(context, len(rows), 64)
    for piece in range(len(pieces[0])):
        counts = np.array([row[piece] for row in pieces], np.int32)
        tokens = np.zeros((len(rows), 32 if piece == 0 else 1), np.int32)
        for i, row in enumerate(rows):
            at = sum(pieces[i][:piece])
            tokens[i, : counts[i]] = row[at : at + counts[i]]
        state, step = runner.step(state, tokens, counts, shared)
    return np.asarray(step.logits)


def decoded(coded: Coded) -> np.ndarray:
    return np.asarray(coded.decode())


def assert_close(a: np.ndarray, b: np.ndarray, atol: float = 0.04) -> None:
    """bf16 products differ in the last bits between shapes; the logits' spread is about 1."""
    np.testing.assert_allclose(a, b, atol=atol)
    assert np.argmax(a) == np.argmax(b) or np.sort(b)[-1] - np.sort(b)[-2] < atol


@pytest.mark.parametrize("cuts", [[], [17], [30, 31, 60]])
def test_prefill_and_decode_equal_one_forward_pass(runner, cuts):
    ids = stream(100, 64, 80)
    context = read(runner, ids[:64], cuts)
    assert_close(turn(runner, context, [ids[64:]], [[20, *[1] * 16]])[0], full(runner, ids))


WIDE = {"layers": tuple(replace(layer, kv_heads=2) if layer.reach == LOCAL else layer for layer in CONFIG.layers)}


@pytest.mark.parametrize("fields", [{"heads": 4, "kv_heads": 2}, {"ahead": 0, "copies": False}, WIDE])
def test_prefill_and_decode_equal_one_forward_pass_in_other_models(fields):
    config, ids = replace(CONFIG, **fields), stream(100, 64, 80)
    runner = Runner(initial(weight_table(config), 0), config, "test")
    found = turn(runner, read(runner, ids[:64], [17]), [ids[64:]], [[20, *[1] * 16]])[0]
    assert_close(found, full(runner, ids), atol=0.12)  # one of a few copied tokens may be 0.1 off


@pytest.mark.parametrize("cuts", [[17], [30, 31, 33, 60]])
def test_what_is_kept_does_not_depend_on_where_a_reading_is_cut(runner, cuts):
    """Also of the last keys before a cut, which look ahead beyond it."""
    ids = stream(64, 40)
    whole, parts = read(runner, ids, []), read(runner, ids, cuts)
    for i, store in whole.stores.items():
        for kept, truth in ((parts.stores[i].key, store.key), (parts.stores[i].value, store.value)):
            np.testing.assert_allclose(decoded(kept)[:, : ids.size], decoded(truth)[:, : ids.size], atol=0.1)
        unseen = decoded(read(runner, ids[: cuts[0]], []).stores[i].key)[:, cuts[0] - 1]
        assert np.abs(unseen - decoded(store.key)[:, cuts[0] - 1]).max() > 0.5


@pytest.mark.parametrize("cuts", [[64, 128], [50, 70, 134], list(range(9, 150, 9))])
def test_a_text_longer_than_the_reading_window_is_read_as_in_training(cuts):
    """With two retrieval layers the first's tokens look back over the window alone, and the answer depends on that."""
    config = replace(CONFIG, layers=CONFIG.layers * 2, reading_window=32)
    runner = Runner(initial(weight_table(config), 0), config, "test")
    ids = stream(190, 150, 170)
    assert_close(turn(runner, read(runner, ids[:150], cuts), [ids[150:]], [[24, *[1] * 16]])[0], full(runner, ids), atol=0.12)
    wide = Runner(runner.params, replace(config, reading_window=256, reading_chunk=256), "test")
    assert np.abs(full(wide, ids) - full(runner, ids)).max() > 0.1


def test_without_context_a_turn_is_a_forward_pass(runner):
    ids = stream(30)
    assert_close(turn(runner, runner.empty(), [ids], [[30]])[0], full(runner, ids))


def test_questions_in_a_batch_equal_questions_alone(runner):
    ids = stream(90, 50, 60)
    context = read(runner, ids[:50], [])
    rows, pieces = [ids[50:70], ids[60:90]], [[15, 1, 1], [28, 1, 1]]
    together = turn(runner, context, rows, pieces)
    for i in range(2):
        assert_close(together[i], turn(runner, context, [rows[i]], [pieces[i]])[0])
        assert_close(together[i], full(runner, np.concatenate([ids[:50], rows[i][: sum(pieces[i])]])))


def test_where_a_question_looked_is_the_same_alone_and_in_a_batch():
    config = replace(CONFIG, heads=4, kv_heads=2)
    runner = Runner(initial(weight_table(config), 0), config, "test")
    ids = stream(90)
    context = read(runner, ids[:50], [])
    rows, counts = [ids[50:70], ids[60:90]], np.array([20, 30], np.int32)
    tokens = np.zeros((2, 32), np.int32)
    for i, row in enumerate(rows):
        tokens[i, : row.size] = row
    shared = runner.device_context(context)
    _, both = runner.step(runner.start_turn(context, 2, 64), tokens, counts, shared)
    for i in range(2):
        _, alone = runner.step(runner.start_turn(context, 1, 64), tokens[i : i + 1], counts[i : i + 1], shared)
        np.testing.assert_array_equal(both.index[i], alone.index[0])
        np.testing.assert_allclose(both.weight[i], alone.weight[0], atol=1e-3)
    # shares are of the whole softmax, context and turn: with every place reported they stay below 1
    assert both.weight.shape[:3] == (2, 1, 4) and (np.asarray(both.weight).sum(-1) < 1).all()


def test_what_is_read_millions_of_tokens_in_is_read_as_at_the_start(runner):
    """To the last bit, where every address is as at the start: at a multiple of all periods. The second chunk finds a past, and
    writes the last keys of the first anew."""
    ids, found, far = stream(90), {}, math.prod(primes(CONFIG.addresses))
    assert 10_000_000 < far < 2**31
    for at in (0, far):
        context, written = runner.empty(), []
        context.stores = {i: Written(at, written) for i in context.stores}
        runner.read(context, at, ids[:60])
        runner.read(context, at + 60, ids[60:])
        tails = [tail for name, tail in context.tails.items() if "index" not in name]
        (_, *first), (place, *second) = written
        found[at] = [*tails, *(x[-60:] for x in first), place, *second]
    assert len(found[0]) == len(found[far]) > 10
    for near, away in zip(found[0], found[far], strict=True):
        np.testing.assert_array_equal(near, away)


class Written:
    """A store that notes what it is given, and where counted from ``start``: ten million tokens before need no memory."""

    def __init__(self, start: int, notes: list) -> None:
        self.start, self.notes = start, notes

    def write(self, at: int, key: Coded, value: Coded, signs: np.ndarray) -> None:
        self.notes.append((at - self.start, *key, *value, signs))


def documents() -> list[Document]:
    text = "".join(f"Line {i} says that the colour of box {i * 7} is {'red' if i % 2 else 'green'}.\n" for i in range(60))
    return [Document("notes.txt", (Text("notes.txt", text),))]


def test_a_saved_context_reopened_answers_as_if_never_closed(runner, tmp_path):
    engine = Engine(runner, shipped())
    context = engine.read(documents())
    sampling = Sampling(limit=8)
    before = engine.answer(context, ["What colour is box 14?"], sampling)
    context.save(tmp_path / "notes.pollux")
    again = ReadContext.load(tmp_path / "notes.pollux", "test")
    assert engine.answer(again, ["What colour is box 14?"], sampling) == before
    engine.remember(again, "What colour is box 14?", before[0])
    engine.remember(context, "What colour is box 14?", before[0])
    assert engine.answer(again, ["And box 21?"], sampling) == engine.answer(context, ["And box 21?"], sampling)


def test_a_context_keeps_the_line_maps_of_its_files(runner, tmp_path):
    texts = [Text("a.html", "One.\nTwo.", lines=((0, 3), (5, 9))), Text("b.txt", "Three."), Text("c.html", "4", lines=((0, 7),))]
    context = Engine(runner, shipped()).read([Document(text.path, (text,)) for text in texts])
    context.save(tmp_path / "c")
    assert ReadContext.load(tmp_path / "c", "test").segments == tuple(texts)


def test_a_remembered_turn_can_be_cited(runner):
    engine = Engine(runner, shipped())
    context = engine.read(documents())
    before = len(context)
    engine.remember(context, " Who paid? ", Answer("Anna Bell", (), (), "end"))
    inside = [at for at in range(before, len(context)) if context.stream.segment[at] >= 0]
    place = context.place(inside[0], inside[-1])
    assert place.path == TURN and context.segments[-1].text == "Who paid?\nAnna Bell"
    words = [context.segments[-1].text[context.stream.start[at] : context.stream.end[at]] for at in inside]
    assert "".join(words).split() == ["Who", "paid?", "Anna", "Bell"]


def test_a_context_of_other_weights_is_refused(runner, tmp_path):
    read(runner, stream(10), []).save(tmp_path / "c")
    with pytest.raises(ContextError, match="other weights"):
        ReadContext.load(tmp_path / "c", "different")


@pytest.mark.parametrize("where", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_damaged_context_is_refused(runner, tmp_path, where):
    path = tmp_path / "c"
    read(runner, stream(40), []).save(path)
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 0x20
    path.write_bytes(data)
    with pytest.raises(ContextError):
        ReadContext.load(path, "test")


def test_a_cut_context_is_refused(runner, tmp_path):
    path = tmp_path / "c"
    read(runner, stream(40), []).save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ContextError):
        ReadContext.load(path, "test")
    with pytest.raises(ContextError, match="no saved context"):
        ReadContext.load(tmp_path / "none", "test")


def test_a_context_is_saved_to_files_only(runner, tmp_path):
    context = read(runner, stream(10), [])
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, Path("/"), tmp_path / "pipe"):
        with pytest.raises(ContextError, match="not a file"):
            context.save(path)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_reading_that_is_stopped_leaves_the_context_as_it_was(runner):
    engine = Engine(runner, shipped())
    context = engine.read(documents())
    before, length = engine.answer(context, ["What colour is box 14?"], Sampling(limit=4))[0], len(context)
    kept = {i: decoded(store.key)[:, :length] for i, store in context.stores.items()}

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.read(documents(), stop, context)
    assert len(context) == length
    after = engine.answer(context, ["What colour is box 14?"], Sampling(limit=4))[0]
    assert after.tokens == before.tokens and [e.place for e in after.evidence] == [e.place for e in before.evidence]
    shares = ([e.share for e in answer.evidence] for answer in (after, before))
    np.testing.assert_allclose(*shares, atol=1e-3)  # the last keys were written anew, and may be a bit off
    for i, store in context.stores.items():
        np.testing.assert_allclose(decoded(store.key)[:, :length], kept[i], atol=0.1)
