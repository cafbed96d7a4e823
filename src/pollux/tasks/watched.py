"""Films, sound and pictures as the senses tell of them, made to learn from: what is shown and said, and when.

No pixel is drawn and nothing is spoken: an example is the transcript (`media.transcript`) that seeing and hearing would give, with
codes drawn at random, scene by scene. Real files, seen and heard, are what models are measured with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from pollux.media.segment import Document, clock
from pollux.media.transcript import FRAME, PICTURE, SIGHTS, SOUND, SOUNDS, Run, Writer
from pollux.tasks.lexicon import common, draw, invented
from pollux.tasks.prose import passage
from pollux.tasks.task import Example, NoExample, Question, exact

_SHOWN = ('The secret word is "{}"', "The secret word is {}", "Secret word: {}", "THE SECRET WORD IS {}")
_SECRET = ("What is the secret word?", "Which secret word is shown?", "Tell me the secret word.")
_SPOKEN = ("the secret keyword is {}", "and the secret keyword is {}", "remember the secret keyword is {}")
_KEYWORD = ("What is the secret keyword?", "Which secret keyword is spoken?", "What was the secret keyword that was said?")
_WHEN_SHOWN = ('At what time does "{}" appear?', 'When is "{}" shown?', 'At which second does the screen say "{}"?')
_SHOWN_AT = ("What is shown at {}?", "What does the screen say at {}?", "Which words can be read at {}?")
_WHEN_SAID = ('At what time is "{}" said?', 'When does somebody say "{}"?')
_SAID_AT = ("What is said at {}?", "What is being said from {} on?")
_SLIDE = ("Number of the {}: {}", "The number of the {}: {}", "{}: number {}", "{} – {}")
_OF_KEYWORD = ("What is the number of the secret keyword?", "Which number belongs to the secret keyword?")
_READ = ("What does {} say?", "Which words are in {}?", "Read out {}.")
_CELLS = (4, 6, 12, 24, 64)
_STILL = 0.8  # of the codes of a frame stay in the next one of a scene
_MIXED = 0.4  # of the films with speech say a keyword to which a number on one of their slides belongs
_LATEST = 385_200  # seconds, which is 107 hours

Range = tuple[int, int]


@dataclass
class _Made:
    """A transcript that is being made: how many tokens it takes, and what can be asked: question, answer, its
    characters, and where it is of several places these."""

    path: str
    writer: Writer = field(init=False)
    length: int = 0
    tokens: int = 8
    asked: list[tuple[str, str, Range, tuple[tuple[str, Range], ...]]] = field(default_factory=list)
    keyword: tuple[str, Range] | None = None
    numbers: dict[str, tuple[str, Range]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.writer = Writer(self.path)

    def ask(self, question: str, answer: str, place: Range, *parts: tuple[str, Range]) -> None:
        self.asked.append((question, answer, place, parts))

    def ask_number(self, question: str) -> None:
        """Ask for the number that is shown for the word that is said, where both are there."""
        if self.keyword and self.keyword[0] in self.numbers:
            number, place = self.numbers[self.keyword[0]]
            self.ask(question, f"{self.keyword[0]}: {number}", place, self.keyword, (number, place))

    def write(self, text: str, count: Callable[[str], int]) -> tuple[int, int]:
        """Words at the end; the characters that they take up, without the line break."""
        self.writer.words([Run(text)])
        self.tokens += count(text)
        start, self.length = self.length, self.length + len(text)
        return start, start + len(text.rstrip())

    def codes(self, codes: np.ndarray) -> None:
        self.writer.codes(codes)
        self.tokens += codes.size


@dataclass(frozen=True)
class Watched:
    """A film, a sound or some pictures, and questions about what they show and say.

    Attributes:
        documents: Running text, from which what is shown and said is taken.
        tokens: Tokens that an example takes at most, questions and answers included.
        count: Tells how many tokens a text has.
        size: How many examples there are.
    """

    documents: Sequence[str]
    tokens: int
    count: Callable[[str], int]
    seed: int = 0
    size: int = 1_000_000

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``. Raises NoExample when nothing in it can be asked about."""
        rng = Random(f"{self.seed}/{i}")
        asked = max(2, min(12, self.tokens // 128))
        make = rng.choice((self._film, self._film, self._sound, self._pictures))
        documents, questions = make(rng, self.tokens - 32 * asked)
        if not questions:
            raise NoExample("nothing in it can be asked about")
        rng.shuffle(questions)
        questions.sort(key=lambda question: not question.parts)  # there is one of these at most
        context = "".join(segment.text for document in documents for segment in document.segments)
        return Example(context, tuple(rng.sample(questions[:asked], min(asked, len(questions)))), documents=tuple(documents))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply is the answer, capitals and closing punctuation aside."""
        return exact(question, reply)

    def _film(self, rng: Random, room: int) -> tuple[list[Document], list[Question]]:
        made, cells = _Made(_path(rng, "mp4 mkv webm mov")), rng.choice(_CELLS)
        start, step = _start(rng), rng.choice((1, 1, 1, 2, 5))
        speaks, titled = rng.random() < 0.6, rng.choice((0.1, 0.3, 0.8))
        scene, secret, seen = _scene(rng, cells), rng.random(), set()
        slides, keyword = self._slides(rng) if speaks and rng.random() < _MIXED else ([], "")
        numbered = rng.choice(_SLIDE)
        for number in range(10_000):
            before, time = made.tokens, start + number * step
            if speaks and number % 6 == 0:
                self._stretch(made, rng, time, 6 * step, keyword if number or rng.random() < 0.5 else "")
                keyword = "" if made.keyword else keyword
            scene = _next(rng, scene)
            made.writer.mark(FRAME)
            at = made.write(f"{clock(time)}\n", self.count)
            if slides and rng.random() < 0.4:
                self._show_slide(made, numbered, *slides.pop())
            elif text := (shown := self._shown(rng, titled, secret > number * 0.05 and "secret" not in seen))[0]:
                where = made.write(f"{text}\n", self.count)
                self._ask_shown(made, rng, *shown, clock(time), at, where, text in seen)
                seen |= {*shown}
            made.codes(scene)
            if made.tokens + 2 * (made.tokens - before) > room:
                break
        made.ask_number(rng.choice(_OF_KEYWORD))
        return _finished(made, "watched/film")

    def _slides(self, rng: Random) -> tuple[list[tuple[str, str]], str]:
        """Words with a number each, and one of them, which is to be said."""
        words = sorted({_plain(self._word(rng)) if rng.random() < 0.5 else common(rng) for _ in range(rng.randint(2, 6))})
        rng.shuffle(words)
        return [(word, str(rng.randrange(1000, 10_000))) for word in words], rng.choice(words)

    def _show_slide(self, made: _Made, numbered: str, word: str, number: str) -> None:
        """A frame's words that tell a number."""
        text = numbered.format(word, number)
        start, _ = made.write(f"{text}\n", self.count)
        at = start + text.rindex(number)
        made.numbers[word] = (number, (at, at + len(number)))

    def _shown(self, rng: Random, titled: float, secret: bool) -> tuple[str, str]:
        """What a frame says, and its kind; nothing in most."""
        if secret and rng.random() < 0.2:
            return rng.choice(_SHOWN).format(self._word(rng)), "secret"
        if rng.random() < titled:
            return self._words(rng, 1, 6), "title"
        return "", ""

    def _ask_shown(self, made: _Made, rng: Random, text: str, kind: str, time: str, at, where, again: bool) -> None:
        if kind == "secret":
            word = text.split()[-1].strip('"')
            end = where[0] + text.rindex(word) + len(word)
            made.ask(rng.choice(_SECRET), word, (end - len(word), end))
        if not again:
            made.ask(rng.choice(_WHEN_SHOWN).format(text), time, at)
        made.ask(rng.choice(_SHOWN_AT).format(time), text, where)

    def _sound(self, rng: Random, room: int) -> tuple[list[Document], list[Question]]:
        made = _Made(_path(rng, "wav mp3 flac m4a ogg"))
        time, key, keyword = _start(rng), rng.randrange(8), _plain(self._word(rng))
        for number in range(10_000):
            before, seconds = made.tokens, rng.randint(4, 12)
            self._stretch(made, rng, time, seconds, keyword if number == key else "")
            time += seconds
            if made.tokens + (made.tokens - before) * 1.5 > room:
                break
        return _finished(made, "watched/sound")

    def _stretch(self, made: _Made, rng: Random, time: int, seconds: int, keyword: str = "") -> None:
        """Some seconds of sound, mostly with somebody who speaks, and says the keyword where there is one."""
        made.writer.mark(SOUND)
        at = made.write(f"{clock(time)}\n", self.count)
        said = _plain(self._words(rng, 2, 3 * seconds)) if rng.random() < 0.85 else ""
        word = keyword or ("" if made.keyword or rng.random() < 0.97 else _plain(self._word(rng)))
        if word:
            said = f"{said} {rng.choice(_SPOKEN).format(word)}".strip()
        if said:
            start, end = made.write(f"{said}\n", self.count)
            made.ask(rng.choice(_SAID_AT).format(clock(time)), said, (start, end))
            words = said.split()
            first = rng.randrange(len(words))
            made.ask(rng.choice(_WHEN_SAID).format(" ".join(words[first : first + rng.randint(3, 8)])), clock(time), at)
            if word:
                made.keyword = (word, (end - len(word), end))
                made.ask(rng.choice(_KEYWORD), *made.keyword)
        made.codes(np.array([SIGHTS + rng.randrange(SOUNDS) for _ in range(rng.choice((0, 2, 8, 25)) * seconds)], np.int32))

    def _pictures(self, rng: Random, room: int) -> tuple[list[Document], list[Question]]:
        documents, questions, used, length = [], [], 0, 0
        while used < room * 0.8 and len(documents) < 40:
            made = _Made(_path(rng, "png jpg webp gif"))
            made.writer.mark(PICTURE)
            for _ in range(rng.choice((0, 1, 1, 2, 4))):
                text = self._words(rng, 1, 8)
                made.write(f"{text}\n", self.count)
            made.codes(_scene(rng, rng.choice(_CELLS)))
            if used + made.tokens > room:
                break
            document = Document(made.path, (made.writer.done(),))
            text = document.segments[0].text.strip()
            if text and "\n" not in text and made.path not in {other.path for other in documents}:
                place = (length, length + len(text))
                questions.append(Question(rng.choice(_READ).format(made.path), text, place, "watched/pictures"))
            documents.append(document)
            used, length = used + made.tokens, length + made.length
        return documents, questions

    def _words(self, rng: Random, least: int, most: int) -> str:
        """Some words of a text in a row, or a name."""
        if least == 1 and rng.random() < 0.3:
            return draw(rng.choice(("person", "place", "number", "code", "date")), rng, "train")
        words = passage(rng.choice(self.documents), rng, 12 * most + 40).split()
        first = rng.randrange(max(len(words) - most, 1))
        return " ".join(words[first : first + rng.randint(least, most)])

    def _word(self, rng: Random) -> str:
        if rng.random() < 0.5:
            return invented(rng, "train")
        return self._words(rng, 1, 1).split()[0].strip(".,;:!?\"'()[]-—“”‘’_") or invented(rng, "train")


def _finished(made: _Made, kind: str) -> tuple[list[Document], list[Question]]:
    document = Document(made.path, (made.writer.done(),))
    once = {}
    for text, answer, place, parts in made.asked:  # what has two answers is not asked
        once[text] = None if text in once else Question(text, answer, None if parts else place, kind, parts)
    return [document], [question for question in once.values() if question is not None]


def _path(rng: Random, endings: str) -> str:
    stem = rng.choice("clip talk video recording lecture photo scan meeting IMG holiday slide call".split())
    return f"{stem}{rng.choice(('', '-', '_'))}{rng.choice(('', rng.randrange(10_000)))}.{rng.choice(endings.split())}"


def _start(rng: Random) -> int:
    """Where in a file an example begins, in seconds: mostly at its beginning, else anywhere, each order of magnitude alike."""
    return 0 if rng.random() < 0.4 else int(_LATEST ** rng.random())


def _scene(rng: Random, cells: int) -> np.ndarray:
    return np.array([rng.randrange(SIGHTS) for _ in range(cells)], np.int32)


def _next(rng: Random, scene: np.ndarray) -> np.ndarray:
    """The next frame: mostly of the same scene, with some cells changed."""
    if rng.random() < 0.1:
        return _scene(rng, scene.size)
    return np.array([code if rng.random() < _STILL else rng.randrange(SIGHTS) for code in scene.tolist()], np.int32)


def _plain(text: str) -> str:
    """As it is heard: small letters, and no marks but apostrophes."""
    kept = "".join(c if c.isalpha() or c == "'" else " " for c in text.replace("’", "'").lower())
    return " ".join(word for word in kept.split() if word.strip("'")) or "yes"
