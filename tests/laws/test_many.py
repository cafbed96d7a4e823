"""Many at once: what is answered, and cited, is what each would have been answered alone."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

import pollux.engine.many.table
from pollux.base.errors import BusyError, ConfigError, ContextError, LateError
from pollux.base.programs import Program
from pollux.base.weights import initial
from pollux.engine.engine import Engine
from pollux.engine.many.desk import Desk, Limits
from pollux.engine.request import Answer, Ask, Done, Failed, Piece, Progress, Sampling
from pollux.engine.runner import Runner
from pollux.media.segment import Document, Text
from pollux.model.sizes import family
from pollux.model.transformer import weight_table
from pollux.tokens.vocabulary import END, shipped

CONFIG = replace(family()["tiny"], vocab_size=8192, reading_window=64, selected=1024)
LINE = "It was day {} of the long rain. Nobody went out, and the lamp burned low.\n"
SHORT = Sampling(limit=12)


def book(first: int = 0, lines: int = 30, path: str = "a.txt") -> Document:
    return Document(path, (Text(path, "".join(LINE.format(first + n) for n in range(lines))),))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Runner(initial(weight_table(CONFIG), 0), CONFIG, "test/1"), shipped())


@pytest.fixture
def desk(engine, tmp_path, monkeypatch):
    """Small rooms, so that answers outgrow them."""
    monkeypatch.setattr(pollux.engine.many.table, "ROOMS", (64, 256))
    for module in ("desk", "opening"):
        monkeypatch.setattr(f"pollux.engine.many.{module}.ROOMS", (64, 256))
    monkeypatch.setattr("pollux.engine.many.opening.ANSWER", 8)
    desk = Desk(engine, "tiny", Limits(memory=1 << 30), tmp_path)
    yield desk
    desk.close()


class Heard:
    """What was said of a request; ``done`` is called when it went well."""

    def __init__(self, done=lambda: None) -> None:
        self.said: list = []
        self._done = done
        self._over = threading.Event()

    def __call__(self, said) -> None:
        self.said.append(said)
        if isinstance(said, Done):
            self._done()
        if isinstance(said, Done | Failed):
            self._over.set()

    def last(self):
        assert self._over.wait(120), self.said[-3:]
        return self.said[-1]

    @property
    def answer(self) -> Answer:
        last = self.last()
        assert isinstance(last, Done), last
        return last.answer


def ask(desk: Desk, question: str, *documents: Document, **fields) -> Heard:
    heard = Heard()
    desk.submit(Ask(question, documents, sampling=fields.pop("sampling", SHORT), **fields), heard)
    return heard


def test_an_answer_is_the_engines_own_whoever_else_asks(engine, desk):
    """Rows of one context and of several, answers longer than their room, drawn ones among them."""
    drawn = replace(SHORT, temperature=1.0, seed=3)
    long = replace(SHORT, limit=90)
    wanted = [("Who slept?", (book(),), SHORT), ("What burned on day 7?", (book(),), drawn), ("And then?", (), long)]
    wanted += [("Which day was it?", (book(90),), long), *[(f"Is this number {n}?", (), SHORT) for n in range(10)]]
    heard = [ask(desk, question, *documents, sampling=sampling) for question, documents, sampling in wanted]
    for (question, documents, sampling), each in zip(wanted, heard, strict=True):
        (alone,) = engine.answer(engine.read(list(documents)), [question], sampling)
        assert each.answer.tokens == alone.tokens and each.answer.text == alone.text
        assert [e.place for e in each.answer.evidence] == [e.place for e in alone.evidence]
        assert "".join(said.text for said in each.said if isinstance(said, Piece)) == alone.text


def test_a_warm_desk_has_what_short_requests_need(engine, tmp_path, monkeypatch):
    desk = Desk(engine, "tiny", Limits(memory=1 << 30), tmp_path, warm=True)
    try:
        assert ask(desk, "What did Ada say?").answer and not desk.ready  # what is asked comes before what is left
        until = time.monotonic() + 300
        while not desk.ready and time.monotonic() < until:
            time.sleep(0.05)
        monkeypatch.setattr(Program, "_find", lambda *args: pytest.fail("compiled only now"))
        heard = [ask(desk, "How long was the rain?" * n, book(lines=2)) for n in (1, 2, 9)] + [ask(desk, "Who went out?")]
        assert all(each.answer for each in heard)
    finally:
        desk.close()


def test_short_turns_are_taken_in_side_by_side(engine, desk, monkeypatch):
    rows, step = [], desk.runner.step
    monkeypatch.setattr(desk.runner, "step", lambda turn, tokens, *rest: (rows.append(tokens.shape), step(turn, tokens, *rest))[1])
    questions = [f"What is {'very ' * n}number {n}?" for n in range(11)]
    together = threading.Event()
    desk._asides.append(together.wait)  # until all have come
    heard = [ask(desk, question) for question in questions]
    together.set()
    answers = [each.answer for each in heard]
    assert (pollux.engine.many.table.MOST_BESIDE, pollux.engine.many.table.BESIDE) in rows
    for question, answer in zip(questions, answers, strict=True):
        assert ask(desk, question).answer.tokens == answer.tokens


def test_what_was_read_is_not_read_again(engine, desk):
    first, second = (ask(desk, "Who slept?", book()) for _ in range(2))
    assert first.answer.tokens == second.answer.tokens
    third = ask(desk, "Who slept?", book())
    assert third.answer.tokens == first.answer.tokens
    assert third.last().usage.kept == third.last().usage.prompt - first_turn(desk)
    assert desk.load().read == engine.read([book()]).stream.size


def first_turn(desk: Desk) -> int:
    return desk.tokens(Ask("Who slept?"))


@pytest.mark.parametrize("more", ["behind", "changed"])
def test_a_beginning_that_was_read_is_gone_on_from(engine, desk, more):
    ask(desk, "Who slept?", book()).last()
    before = desk.load().read
    text = book().segments[0].text
    text = text + LINE.format(400) if more == "behind" else text[: len(text) * 3 // 4] + LINE.format(500) * 5
    documents = (book(), book(500, 3, "b.txt")) if more == "behind" else (Document("a.txt", (Text("a.txt", text),)),)
    heard = ask(desk, "Which day was it?", *documents)
    (alone,) = engine.answer(engine.read(list(documents)), ["Which day was it?"], SHORT)
    assert heard.answer.tokens == alone.tokens
    assert 0 < heard.last().usage.kept < heard.last().usage.prompt
    assert desk.load().read - before < engine.read(list(documents)).stream.size


def test_finished_turns_come_before_the_question(engine, desk):
    turns = (("Who slept?", "the porter"), ("Why?", "it rained"))
    heard = ask(desk, "And then?", book(), turns=turns)
    other = ask(desk, "And then?", book())
    assert heard.answer.tokens != other.answer.tokens
    assert heard.last().usage.prompt == desk.tokens(Ask("And then?", (book(),), turns)) > other.last().usage.prompt


def test_turns_that_are_too_long_are_read(desk):
    turns = tuple((f"Is it day {n}? " + "It rained. " * 200, "yes") for n in range(12))
    heard = ask(desk, "And then?", turns=turns)
    assert heard.answer.tokens and heard.last().usage.prompt == desk.tokens(Ask("And then?", turns=turns))


def test_a_kept_context_answers_as_one_that_is_read_and_is_there_again_after_a_restart(engine, desk, tmp_path):
    kept = Heard()
    desk.keep("one", Ask("", (book(lines=60),)), tmp_path / "one.pollux", kept)
    size = kept.last().usage.prompt
    assert kept.last().answer is None and desk.tokens(Ask("Who slept?", kept="one")) == size + first_turn(desk)
    plain = ask(desk, "Who slept?", book(lines=60))
    heard = ask(desk, "Who slept?", kept="one")
    more = ask(desk, "Who slept?", book(800, 5, "b.txt"), kept="one")
    assert heard.answer.tokens == plain.answer.tokens and heard.last().usage.kept == size
    (alone,) = engine.answer(engine.read([book(lines=60), book(800, 5, "b.txt")]), ["Who slept?"], SHORT)
    assert more.answer.tokens == alone.tokens
    again = Desk(engine, "tiny", folder=tmp_path / "other")
    try:
        assert again.reopen("two", tmp_path / "one.pollux") == size
        assert ask(again, "Who slept?", kept="two").answer.tokens == plain.answer.tokens
        again.forget("two")
        with pytest.raises(ConfigError, match="no kept context"):
            ask(again, "Who slept?", kept="two")
        with pytest.raises(ContextError):
            again.reopen("three", tmp_path / "nowhere")
    finally:
        again.close()


def test_contexts_go_to_disk_and_come_back(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("pollux.engine.many.shelf._LEAST_SPILLED", 100)
    desk = Desk(engine, "tiny", Limits(memory=1), tmp_path)
    try:
        first = ask(desk, "Who slept?", book()).answer.tokens
        ask(desk, "Who slept?", book(300)).last()
        before = desk.load().read
        assert desk.load().disk_bytes > 0
        assert ask(desk, "Who slept?", book()).answer.tokens == first and desk.load().read == before
    finally:
        desk.close()
    assert not list(tmp_path.glob("spilled*"))


def test_who_leaves_is_not_worked_for(desk):
    heard = Heard()
    ticket = desk.submit(Ask("Who slept?", (book(lines=3000),), sampling=replace(SHORT, limit=8000)), heard)
    while not any(isinstance(said, Progress) for said in heard.said):
        time.sleep(0.001)
    ticket.cancel()
    other = ask(desk, "And then?")
    assert other.answer.tokens
    while desk.load().reading or desk.load().answering:
        time.sleep(0.01)
    assert not any(isinstance(said, Done | Failed) for said in heard.said)


def test_a_long_reading_does_not_hold_answers_up(desk):
    done: queue.Queue = queue.Queue()
    long, short = Heard(lambda: done.put("long")), Heard(lambda: done.put("short"))
    desk.submit(Ask("Who slept?", (book(lines=3000),), sampling=SHORT), long)
    desk.submit(Ask("And then?", sampling=SHORT), short)
    assert [done.get(timeout=120), done.get(timeout=120)] == ["short", "long"]
    reads = [said.done for said in long.said if isinstance(said, Progress)]
    assert reads == sorted(reads) and len(reads) > 10


def test_clients_have_turns_and_a_full_line_is_told(engine, tmp_path):
    desk = Desk(engine, "tiny", Limits(waiting=9, going=1), tmp_path)
    order: list[str] = []
    try:
        first = ask(desk, "Is it day 1?", sampling=replace(SHORT, limit=400), client="greedy")
        while not first.said:
            time.sleep(0.001)
        many = []
        for n, client in enumerate([*["greedy"] * 8, "modest"]):
            heard = Heard(lambda client=client: order.append(client))
            desk.submit(Ask(f"Is it {n}?", sampling=replace(SHORT, limit=1), client=client), heard)
            many.append(heard)
        with pytest.raises(BusyError) as told:
            ask(desk, "One more?")
        assert told.value.seconds > 0
        assert all(isinstance(heard.last(), Done) for heard in many) and order.index("modest") <= 2
    finally:
        desk.close()


def test_a_deadline_is_kept(desk):
    heard = ask(desk, "Who slept?", book(lines=3000), deadline=time.monotonic() + 0.01)
    assert isinstance(heard.last().error, LateError)


class Only:
    """Lets one text through."""

    def __init__(self, text: str) -> None:
        self.left = [*shipped().encode(text).tolist(), END]

    def allowed(self) -> np.ndarray:
        return np.arange(8192) == self.left[0]

    def take(self, token: int) -> None:
        assert token == self.left.pop(0)


def test_a_constraint_is_obeyed_and_log_probabilities_are_the_models_own(desk):
    sampling, only = replace(SHORT, limit=40), lambda: Only(' {"who": "the porter"}')
    heard = ask(desk, "Who slept?", book(), constraint=only, sampling=sampling, top=3)
    assert heard.answer.text == '{"who": "the porter"}' and heard.answer.reason == "end"
    produced = [token for said in heard.said if isinstance(said, Piece) for token in said.tokens]
    assert [token.token for token in produced] == list(heard.answer.tokens)
    assert b"".join(token.bytes for token in produced).strip() == heard.answer.text.encode()
    for token in produced:
        assert len(token.likeliest) == 3 and token.log_probability <= token.likeliest[0][1] < 0
        assert [p for _, p in token.likeliest] == sorted((p for _, p in token.likeliest), reverse=True)


class Broken(Only):
    """Gives up at its third token."""

    def take(self, token: int) -> None:
        super().take(token)
        if token == shipped().encode(" {who")[-1]:
            raise ConfigError("this form takes too much work", "ask for a simpler one")


def test_a_constraint_that_gives_up_takes_nobody_with_it(desk):
    broken = ask(desk, "Who slept?", constraint=lambda: Broken(" {who: me}"), sampling=replace(SHORT, limit=40))
    other = ask(desk, "And then?", sampling=replace(SHORT, limit=40))
    assert isinstance(broken.last(), Failed) and "too much work" in broken.last().error.message
    assert other.answer.tokens


def test_a_listener_that_fails_loses_its_own_answer_only(desk):
    def broken(said) -> None:
        raise RuntimeError("gone")

    desk.submit(Ask("Who slept?", sampling=SHORT), broken)
    assert ask(desk, "And then?").answer.tokens


def test_vectors_are_of_length_one_and_tell_texts_apart(desk):
    rows = desk.embed(["the porter slept", "the porter slept ", "a ship of the line", LINE * 100])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(rows[0], rows[1])
    assert rows[0] @ rows[2] < 0.999 and desk.embed([]).shape == (0, CONFIG.width)
    with pytest.raises(ConfigError, match="number 2 is empty"):
        desk.embed(["one", " "])


def test_bad_requests_are_told_at_once(desk):
    with pytest.raises(ConfigError, match="empty"):
        ask(desk, "  ")
    with pytest.raises(ConfigError, match="may have"):
        ask(desk, "why " * 9000)
    with pytest.raises(ConfigError, match="nothing to keep"):
        desk.keep("one", Ask(""), desk.shelf.folder / "x", Heard())


def test_closing_lets_those_under_way_finish_and_tells_the_others(engine, tmp_path):
    desk = Desk(engine, "tiny", folder=tmp_path)
    heard, endless = ask(desk, "And then?"), ask(desk, "Who slept?", sampling=Sampling(limit=8000, temperature=5.0))
    while not heard.said:
        time.sleep(0.001)
    heard.last()
    desk.close(seconds=0.1)
    assert heard.answer.tokens and isinstance(endless.last(), Done | Failed)
    with pytest.raises(BusyError):
        ask(desk, "And then?")
