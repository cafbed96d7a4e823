"""The engine: read documents into a context, ask it questions, stream the answers with their evidence.

    Reading ─read─> ReadContext ─ask─> Event, Event, …
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pollux.base.checkpoint import fingerprint, load_weights
from pollux.base.errors import CheckpointError, ConfigError
from pollux.base.weights import Tree, abstract, flatten
from pollux.engine.contexts.amend import amended, spans
from pollux.engine.contexts.context import ReadContext
from pollux.engine.evidence import gather, passages
from pollux.engine.request import Answer, Event, Sampling
from pollux.engine.row import Row
from pollux.engine.runner import Runner, Turn
from pollux.media.segment import Document
from pollux.model.sizes import LayerSpec, ModelConfig
from pollux.model.transformer import weight_table
from pollux.perception.perceive import Perception
from pollux.perception.senses import KEY, perception
from pollux.tokens import template
from pollux.tokens.stream import Stream
from pollux.tokens.vocabulary import END, Vocabulary, shipped

# The longest question, in tokens: longer material belongs in a file, which is read at linear cost.
LONGEST_QUESTION = 4096
# Questions answered at once, and their tokens with padding, bound the memory beside the cache: every token rates every key.
MOST_ROWS, MOST_TOKENS = 32, 8192

# A reading that is kept in a file notes there this often how far it has come.
NOTE_SECONDS = 10.0

Progress = Callable[[int, int], None]


def config_from(about: dict, path: Path) -> ModelConfig:
    """The model that a weights file says it is. Raises CheckpointError when it does not say."""
    try:
        fields = dict(about["model"])
        fields["layers"] = tuple(LayerSpec(**layer) for layer in fields["layers"])
        return ModelConfig(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not say which model it is: {error!r}", "train it again with this version") from error


def _check(params: Tree, config: ModelConfig, vocabulary: Vocabulary, path: Path) -> None:
    """Every weight is there, in its shape, and there is one for every token."""
    wanted = {name: row.shape for name, row in flatten(abstract(weight_table(config))).items()}
    found = {name: x.shape for name, x in flatten(params).items()}
    if wrong := sorted(name for name in wanted | found if wanted.get(name) != found.get(name)):
        raise CheckpointError(f"{path} does not hold the weights that it names: {wrong[0]}", "fetch or train it again")
    if vocabulary.size != config.vocab_size:
        raise CheckpointError(
            f"{path} was made for {config.vocab_size:,} tokens, and the vocabulary has {vocabulary.size:,}",
            "put the vocabulary that it was trained with beside it, as vocabulary.json",
        )


class Engine:
    """A model that reads and answers. Not safe for use from several threads at once.

    Attributes:
        perception: What makes pictures, sound and films into documents that can be read; None where the model knows text alone.
    """

    def __init__(self, runner: Runner, vocabulary: Vocabulary, perception: Perception | None = None) -> None:
        self.runner, self.vocabulary, self.perception = runner, vocabulary, perception

    @classmethod
    def load(cls, path: Path, vocabulary: Vocabulary | None = None) -> Engine:
        """Open a weights file. Raises CheckpointError when it is not sound, or made for another vocabulary."""
        params, about = load_weights(path)
        vocabulary = vocabulary or shipped()
        config, senses = config_from(about, path), perception(params, about)
        params = {name: part for name, part in params.items() if name != KEY}
        _check(params, config, vocabulary, path)
        return cls(Runner(params, config, f"{fingerprint(path)}/{vocabulary.fingerprint}"), vocabulary, senses)

    def read(
        self,
        documents: Sequence[Document],
        progress: Progress | None = None,
        context: ReadContext | None = None,
        save: Path | None = None,
    ) -> ReadContext:
        """Read documents into a new context, or after what ``context`` holds, which changes. ``progress(done, total)`` is called
        with tokens after each chunk.

        Args:
            save: A file to keep the context in. A new context is written there while it is read: a process that is killed has lost
                at most `NOTE_SECONDS`, and the same call goes on from there.

        Raises:
            ConfigError: when something was seen or heard, and the model knows text alone.
            ContextError: when there is no room for the context, or nothing can be saved to ``save``.
        """
        segments = [segment for document in documents for segment in document.segments]
        stream = template.documents(self.vocabulary, list(documents))
        if stream.ids.max(initial=0) >= self.vocabulary.size + self.runner.config.codes:
            raise ConfigError("this model reads text alone, and there are pictures, sound or films", "read them with --model base")
        if context is None and save is not None:
            return self._read_to(save, stream, segments, progress)
        context = self.runner.empty() if context is None else context
        self._read(context, stream, segments, progress)
        if save is not None:
            context.save(save)
        return context

    def amend(self, context: ReadContext, documents: Sequence[Document]) -> bool:
        """Make a context hold other documents than it does, reading again only what a change can reach. False, and nothing is done,
        where they are not those read but for stretches of as many tokens in one of them: then all has to be read. If interrupted,
        it leaves a context that is of no use."""
        if (found := amended(context, documents, self.vocabulary)) is None:
            return False
        stream, segments = found
        for first, stop in spans(context.stream.ids, stream.ids, self.runner.config.reach + self.runner.config.ahead):
            self._read_again(context, stream.ids, first, stop)
        context.stream, context.segments = stream, segments
        return True

    def _read_again(self, context: ReadContext, ids: np.ndarray, first: int, stop: int) -> None:
        """Tokens ``first`` to ``stop`` are others now: read them, in the chunks that all was read in, from far enough before to
        know what stands there to where nothing of them can tell any more, and on until the last keys have looked ahead."""
        config, chunk = self.runner.config, self.runner.chunk
        since, until = max(first - config.ahead, 0), min(stop + config.reach, ids.size)
        begin = max(since - config.reach, 0) // chunk * chunk
        tails, context.tails = context.tails, self.runner.empty().tails
        for at in range(begin, min(until + config.ahead, ids.size), chunk):
            self.runner.read(context, at, ids[at : at + chunk], since, until)
        if at + chunk < ids.size:
            context.tails = tails

    def remember(self, context: ReadContext, question: str, answer: Answer) -> None:
        """Add a finished turn to a context, so that what is asked next can refer to it, and cite it."""
        segment = template.turn_text(question, answer.text)
        spaced = not answer.tokens or self.vocabulary.decode(answer.tokens[:1]).startswith(" ")
        self._read(context, template.turn(self.vocabulary, question, answer.text, spaced=spaced), [segment], None)

    def _read(self, context: ReadContext, stream: Stream, segments: list, progress: Progress | None) -> None:
        at, tails = len(context), dict(context.tails)
        context.reserve(at + stream.size)
        try:
            for _ in self._chunks(context, stream.ids, at, 0, progress):
                pass
        except BaseException:
            # what the stores hold past its length, a context never looks at; what they hold before is as it was (`Runner.read`)
            context.tails = tails
            raise
        context.extend(stream, segments)

    def _read_to(self, path: Path, stream: Stream, segments: list, progress: Progress | None) -> ReadContext:
        """Read into the file that the context is to be kept in, noting now and then how far that has come."""
        context = self.runner.empty()
        context.extend(stream, segments)
        part, before = context.begin(path)
        if before and progress:
            progress(before, stream.size)
        last, noted = (before, dict(context.tails)), time.monotonic()
        try:
            for done in self._chunks(context, stream.ids, 0, before, progress):
                last = (done, dict(context.tails))  # at once: an interrupt may come anywhere
                if time.monotonic() - noted > NOTE_SECONDS:
                    part.write_note(*last)
                    noted = time.monotonic()
            context.finish(part)
        except BaseException:
            part.write_note(*last)
            raise
        finally:
            part.close()
        return ReadContext.load(path, self.runner.weights)

    def _chunks(self, context: ReadContext, ids: np.ndarray, at: int, done: int, progress: Progress | None) -> Iterator[int]:
        """Read ``ids`` from number ``done`` on, the first of all at index ``at``; gives how many are read, after each chunk."""
        while done < ids.size:
            self.runner.read(context, at + done, ids[done : done + self.runner.chunk])
            done = min(done + self.runner.chunk, ids.size)
            if progress:
                progress(done, ids.size)
            yield done

    def ask(self, context: ReadContext, questions: Sequence[str], sampling: Sampling = Sampling()) -> Iterator[Event]:
        """Answer questions about a context, each on its own, together in batches; events of a batch interleave.

        Raises:
            ConfigError: when a question is empty or longer than `LONGEST_QUESTION` tokens.
        """
        prompts = [self.prompt(question) for question in questions]
        shared = self.runner.device_context(context)
        for start, stop in _batches([ids.size for ids in prompts]):
            yield from self._ask_batch(context, shared, prompts[start:stop], start, sampling)

    def answer(self, context: ReadContext, questions: Sequence[str], sampling: Sampling = Sampling()) -> list[Answer]:
        """`ask`, waiting for the whole answers, in the order of the questions."""
        done = {event.row: event.answer for event in self.ask(context, questions, sampling) if event.answer}
        return [done[row] for row in range(len(questions))]

    def prompt(self, question: str) -> np.ndarray:
        """A question's tokens, int32 [T]. Raises ConfigError as `ask` does."""
        if not question.strip():
            raise ConfigError("the question is empty", "say what you want to know")
        ids = template.question(self.vocabulary, question)
        if ids.size > LONGEST_QUESTION:
            message = f"a question may have {LONGEST_QUESTION} tokens, this one has {ids.size}"
            raise ConfigError(message, "put long material into a file and name it")
        return ids

    def _ask_batch(self, context, shared, prompts: list[np.ndarray], first: int, sampling: Sampling) -> Iterator[Event]:
        rows = [Row(first + i, sampling, self.vocabulary) for i in range(len(prompts))]
        counts = np.array([ids.size for ids in prompts], np.int32)
        tokens = np.zeros((len(prompts), _bucket(int(counts.max()))), np.int32)
        for i, ids in enumerate(prompts):
            tokens[i, : ids.size] = ids
        turn: Turn = self.runner.start_turn(context, len(prompts), _bucket(tokens.shape[1] + sampling.limit))
        while not all(row.done for row in rows):
            turn, step = self.runner.step(turn, tokens, counts, shared)
            logits, index, weight = (np.asarray(x) for x in step)
            tokens, counts = np.zeros((len(rows), 1), np.int32), np.ones(len(rows), np.int32)
            for i, row in enumerate(rows):
                if row.done:
                    continue
                text = row.take(logits[i], (index[i], weight[i]))
                tokens[i, 0] = row.tokens[-1] if row.tokens else END
                answer = self._finish(context, row) if row.done else None
                if text or answer:
                    yield Event(row.number, text, answer)

    def _finish(self, context: ReadContext, row: Row) -> Answer:
        evidence = passages(context, gather(row.looks), row.text)
        return Answer(row.text, tuple(row.tokens), evidence, row.reason)


def _batches(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of questions, given their tokens, that are answered together; one that is longer than all may be is answered alone."""
    start = longest = 0
    for i, size in enumerate(sizes):
        longest = max(longest, size)
        count = i - start
        if count and (count == MOST_ROWS or (count + 1) * _bucket(longest) > MOST_TOKENS):
            yield start, i
            start, longest = i, size
    if sizes:
        yield start, len(sizes)


def _bucket(length: int) -> int:
    """Array lengths are powers of two, so that few shapes are compiled."""
    size = 32
    while size < length:
        size *= 2
    return size
