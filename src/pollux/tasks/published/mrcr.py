"""Multi-round coreference: a long chat in which the same thing is asked for several times, and one of the replies to repeat.

Three forms are in use, and each keeps its original's wording and score: "public" is OpenAI-MRCR
(huggingface.co/datasets/openai/mrcr); "michelangelo" is MRCR V2, which Google DeepMind released for the evaluation of
Michelangelo (Vodrahalli et al. 2024; github.com/google-deepmind/eval_hub, eval_hub/mrcr_v2); "gemini" is the one that the
Gemini 1.5 report describes (section on long context, "Reproduce the first poem about penguins.").

The originals have their poems and essays written by a language model. There is none here, so that the write-ups are
passages of the given documents, no passage twice; what tells them apart is only the request and its number, as in the
originals, but a reply does not fit its request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, chain, islice
from random import Random
from string import ascii_letters, digits

from pollux.tasks.published.haystack import fill
from pollux.tasks.task import Example, Question

FORMS = ("public", "michelangelo", "gemini")

Key = tuple[str, str, str]  # what is to be written, about what, in which style

_REQUEST = {
    "public": "write a {what} about {topic}",
    "michelangelo": "Write a {what} about {topic} in {style} style.",
    "gemini": "Write a {what} about {topic}.",
}
_ASKED = {
    "public": "Prepend {mark} to the {ordinal} (1 indexed) {what} about {topic}. Do not include any other text in your response.",
    "michelangelo": "Prepend {mark} to the {word} {what} about {topic} in a {style} style. "
    "Do not include any other text in your response.",
    "gemini": "Reproduce the {word} {what} about {topic}.",
}
_MARK = {"public": 10, "michelangelo": 12, "gemini": 0}  # letters and digits that a reply has to start with
_PREFACE = "Here are some examples of conversations succeeded by a follow-up question answered correctly:"
_EXAMPLE = {
    "public": "\n\n======EXAMPLE======\n{chat}\n\n======END EXAMPLE======",
    "michelangelo": "\n======== EXAMPLE {number} ========\n\n{chat}\n\n======== END EXAMPLE {number} ========\n",
}
_LAST = "\n======== EXAMPLE {number} ========\n\n"  # the chat itself is one more
_JOIN = "\n\n"
_ORDINALS = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th")
_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_WHAT = "poem|song|riddle|short essay|short story|blog post|news article|email|social media post|speech".split("|")
_STYLES = ("formal", "informal", "humorous", "technical", "archaic")
_TOPICS = """
    tapirs rocks horses records fields departments frames editors penguins flamingos ducks frogs lions rivers bridges clocks
    lanterns mountains harbours gardens kitchens trains letters markets islands forests castles violins teachers sailors bakers
    pilots doctors farmers tailors painters lawyers engineers neighbours cousins children winters storms comets eclipses deserts
    glaciers volcanoes orchards vineyards meadows cities villages railways museums libraries theatres hospitals schools stations
    bicycles carriages balloons submarines telescopes compasses mirrors candles umbrellas carpets baskets bottles hammers ropes
    coins stamps maps novels diaries newspapers dreams promises agreements quarrels secrets holidays weddings journeys voyages
    dances festivals contests taxes elections habits rumours proverbs puzzles recipes sandwiches apples mushrooms spices bees
    spiders owls whales wolves foxes camels""".split()
_ASKABLE = len(_WHAT) * len(_TOPICS) // 4
_FEWEST, _MOST = 40, 120  # words of a passage
_BLOCK = 1 << 16  # characters of a document split into words at a time
# Three small letters, then a stop: the end of a sentence, but not "Mr." or an initial.
_STOP = re.compile(r"[a-z]{3}[.!?][\"'”’)\]]*$")


@dataclass(frozen=True)
class Mrcr:
    """The write-up that answered one of several requests of the same wording, among others about other things.

    Attributes:
        documents: Running text; the write-ups are passages of 40 to 120 words of it. About as much of it is needed as the
            context is long.
        tokens: Length of the context, worked examples included, in tokens.
        count: Tells how many tokens a text has.
        form: "public", "michelangelo" or "gemini" (see the module).
        needles: How many requests are alike. OpenAI-MRCR has 2, 4 and 8, MRCR V2 reports 8, the Gemini report has 2.
        shots: Worked examples before the chat. The originals have two.
        asked: How many different requests come ``needles`` times in a chat, each asked about by a question of its own. The
            originals have one; with several, a long chat serves as many questions.
        size: How many examples there are.
    """

    documents: Sequence[str]
    tokens: int
    count: Callable[[str], int]
    form: str = "public"
    needles: int = 2
    shots: int = 2
    asked: int = 1
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if not len(self.documents):
            raise ValueError("no documents to take write-ups from; pass at least one book")
        if self.form not in FORMS:
            raise ValueError(f"form must be one of {FORMS}, got {self.form!r}")
        if not 2 <= self.needles <= len(_WORDS) or self.shots < 0:
            raise ValueError(f"needles must be 2 to 8 and shots not negative, got {self.needles} and {self.shots}; 2 is usual")
        if not 1 <= self.asked <= _ASKABLE:
            raise ValueError(f"asked must be from 1 to {_ASKABLE}, so that some requests come once, got {self.asked}")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``.

        Raises:
            ValueError: when the needles do not fit into the context, or the documents hold too few passages.
        """
        rng = Random(f"{self.seed}/{i}")
        passages = _passages(self.documents, rng)
        keys = self._keys(rng)
        requests = set(map(self._request, keys))
        others = (other for other in iter(lambda: _key(rng), None) if self._request(other) not in requests)
        head = self._head(others, passages, rng)
        needles = [self._take(passages, self.needles) for _ in keys]
        turns = [[_turn(self._request(key), text) for text in texts] for key, texts in zip(keys, needles, strict=True)]
        near = [other for key in keys for other in _near(key, rng) if self._request(other) not in requests]
        rest = head + _JOIN.join(turn for alike in turns for turn in alike)
        fillers = self._fillers(chain(near, others), passages, rest, rng)
        asked = [rng.randrange(self.needles) for _ in keys]
        chat, where = _mixed(turns, fillers, rng)
        ends = accumulate(len(turn) + len(_JOIN) for turn in chat)
        stops = [len(head) + end - len(_JOIN) for end in ends]
        questions = []
        for key, which, texts, places in zip(keys, asked, needles, where, strict=True):
            text, answer = self._ask(key, which, texts[which], rng)
            if self.form == "michelangelo":  # its prompts end where the reply is to follow
                text = f"User: {text}\n\nAssistant:"
            end = stops[places[which]]
            questions.append(Question(text, answer, (end - len(texts[which]), end), f"mrcr/{self.form}/{self.needles}"))
        return Example(head + _JOIN.join(chat) + "\n", tuple(questions))

    def _keys(self, rng: Random) -> list[Key]:
        """What is asked for, no request twice."""
        found: dict[str, Key] = {}
        while len(found) < self.asked:
            key = _key(rng)
            found.setdefault(self._request(key), key)
        return list(found.values())

    def _head(self, keys: Iterator[Key], passages: Iterator[str], rng: Random) -> str:
        """Worked examples, which ask for the first of two different things and the second of two alike in turn."""
        if not self.shots:
            return ""
        mark = _EXAMPLE["michelangelo" if self.form == "michelangelo" else "public"]
        parts = [_PREFACE]
        for shot in range(self.shots):
            parts.append(mark.format(number=shot + 1, chat=self._worked(shot % 2, keys, passages, rng)))
        parts.append(_LAST.format(number=self.shots + 1) if self.form == "michelangelo" else _JOIN)
        return "".join(parts)

    def _worked(self, asked: int, keys: Iterator[Key], passages: Iterator[str], rng: Random) -> str:
        write_ups = self._take(passages, 2)
        key = next(keys)
        other = key if asked else next(other for other in keys if self._request(other) != self._request(key))
        turns = [_turn(self._request(each), write_up) for each, write_up in zip((key, other), write_ups, strict=True)]
        return _JOIN.join([*turns, _turn(*self._ask(key, asked, write_ups[asked], rng))])

    def _fillers(self, keys: Iterator[Key], passages: Iterator[str], rest: str, rng: Random) -> list[str]:
        """Turns about other things, in any order: as many as fit beside the rest."""
        room = self.tokens - self.count(rest)
        if room < 0:
            hint = f"pass at least {self.tokens - room}, or fewer needles or shots"
            raise ValueError(f"tokens={self.tokens} is too little for {self.needles} needles and {self.shots} shots; {hint}")
        turns = map(_turn, map(self._request, keys), passages)
        # The empty line at the end is kept only when all passages are, and then there were too few.
        kept = fill(chain(turns, ("",)), room, self.count, _JOIN)
        if kept[-1:] == [""]:
            raise ValueError(self._short())
        rng.shuffle(kept)
        return kept

    def _take(self, passages: Iterator[str], number: int) -> list[str]:
        taken = list(islice(passages, number))
        if len(taken) < number:
            raise ValueError(self._short())
        return taken

    def _short(self) -> str:
        have = f"the {len(self.documents)} documents hold too few different passages of {_FEWEST} to {_MOST} words"
        return f"{have} for tokens={self.tokens}; pass more text, or ask for fewer tokens"

    def _request(self, key: Key) -> str:
        return _REQUEST[self.form].format(what=key[0], topic=key[1], style=key[2])

    def _ask(self, key: Key, asked: int, write_up: str, rng: Random) -> tuple[str, str]:
        """The question, and the reply to it."""
        mark = "".join(rng.choice(ascii_letters + digits) for _ in range(_MARK[self.form]))
        what, topic, style = key
        which = {"ordinal": _ORDINALS[asked], "word": _WORDS[asked]}
        return _ASKED[self.form].format(mark=mark, what=what, topic=topic, style=style, **which), mark + write_up

    def score(self, question: Question, reply: str) -> float:
        """How much of the reply is the write-up: difflib's ratio, by the rule of the form.

        "public" is ``grade`` of the dataset's card: 0 unless the reply starts with the string to prepend, which is then taken
        off. "michelangelo" is ``mrcr_v2_metric`` of ``run_evaluation.py`` as its description has it: the same, but white
        space around is no matter, and what counts stands behind the last string to prepend. "gemini" compares as it is.
        """
        mark, wanted = question.answer[: _MARK[self.form]], question.answer[_MARK[self.form] :]
        if self.form == "michelangelo":
            reply = reply.strip()
        if not reply.startswith(mark):
            return 0.0
        if self.form == "michelangelo":
            return SequenceMatcher(None, wanted.strip(), reply[reply.rfind(mark) + len(mark) :].strip()).ratio()
        return SequenceMatcher(None, reply.removeprefix(mark), wanted).ratio()


def _key(rng: Random) -> Key:
    return rng.choice(_WHAT), rng.choice(_TOPICS), rng.choice(_STYLES)


def _near(key: Key, rng: Random) -> list[Key]:
    """Something else about the same, and the same about something else: what is taken for the key most easily."""
    what = rng.choice([other for other in _WHAT if other != key[0]])
    topic = rng.choice([other for other in _TOPICS if other != key[1]])
    return [(what, key[1], key[2]), (key[0], topic, key[2])]


def _turn(request: str, reply: str) -> str:
    return f"User: {request}\n\nAssistant: {reply}"


def _mixed(alike: list[list[str]], fillers: list[str], rng: Random) -> tuple[list[str], list[list[int]]]:
    """Turns that answer requests of one wording at places drawn for them, in their order, and fillers at all others; and the
    places of each."""
    total = sum(map(len, alike)) + len(fillers)
    drawn = rng.sample(range(total), total - len(fillers))
    where, chat = [], [""] * total
    for turns in alike:
        where.append(sorted(drawn[: len(turns)]))
        drawn = drawn[len(turns) :]
        for place, turn in zip(where[-1], turns, strict=True):
            chat[place] = turn
    rest = iter(fillers)
    return [turn or next(rest) for turn in chat], where


def _passages(documents: Sequence[str], rng: Random) -> Iterator[str]:
    """Passages of 40 to 120 words, each from another place and none like another, up to a sentence's end where one is near."""
    seen: set[str] = set()
    for words in _words(documents, rng):
        buffer: list[str] = []
        while True:
            size = rng.randint(_FEWEST, _MOST)
            buffer += islice(words, max(0, size - len(buffer)))
            if len(buffer) < _FEWEST:
                break
            last = min(size, len(buffer))
            keep = next((n for n in range(last, _FEWEST - 1, -1) if _STOP.search(buffer[n - 1])), last)
            passage = " ".join(buffer[:keep])
            del buffer[:keep]
            if passage not in seen:
                seen.add(passage)
                yield passage


def _words(documents: Sequence[str], rng: Random) -> Iterator[Iterator[str]]:
    """For each document, in any order, its words. The first starts somewhere within, and what was left out comes last."""
    order = rng.sample(range(len(documents)), len(documents))
    first = documents[order[0]]
    start = first.rfind("\n\n", 0, rng.randrange(len(first) + 1)) + 1
    yield _split(first, start, len(first))
    for number in order[1:]:
        yield _split(documents[number], 0, len(documents[number]))
    yield _split(first, 0, start)


def _split(text: str, at: int, end: int) -> Iterator[str]:
    while at < end:
        stop = text.find(" ", at + _BLOCK)
        stop = end if not 0 <= stop < end else stop
        yield from text[at:stop].split()
        at = stop
