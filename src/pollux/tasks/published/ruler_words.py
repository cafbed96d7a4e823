"""RULER's word lists, how it draws from them, and its tasks of tracing and aggregation: vt, cwe and fwe.

After NVIDIA/RULER, commit c3f5e3b (arXiv 2404.06654): scripts/data/synthetic/variable_tracking.py, common_words_extraction.py and
freq_words_extraction.py. The original takes its words from the wonderwords package; these lists are our own. No word of them
is part of another, so that a reply which holds one word is never taken to hold a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import pi
from random import Random
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple, Protocol

import numpy as np

NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
ADJECTIVES = tuple(
    """
    amber ancient arctic autumn azure bashful bitter bold brave brief bright brisk broken bronze bumpy busy calm careful casual
    cautious charming cheap cheerful chilly civil classic clean clever cloudy clumsy coastal common copper cosmic costly crafty
    creamy crimson crisp crooked curious curly dapper daring dazzling decent deep delicate distant dizzy double dreamy dusty eager
    early earnest eastern easy elastic elegant empty endless exact exotic faded faint faithful famous fancy feeble fierce final
    flat fluffy foggy fond formal fragile frank fresh friendly frosty fuzzy gentle giant gifted gilded glad gloomy glossy golden
    graceful grand grateful gray green handy happy hasty hazy hearty heavy helpful hidden hollow honest humble hungry idle jolly
    joyful keen kind knotty large lavish lazy lively local lonely loyal lucky mellow merry mighty mild misty modern modest muddy
    mute narrow native neat nimble noble noisy northern novel obscure olive opaque orange orderly oval pale patient peaceful
    perfect playful pleasant polite popular precise pretty proud purple quaint quick quiet rapid rare ready regal remote rigid ripe
    robust rocky rough royal rugged rustic salty scarlet secret serene severe shallow sharp shiny silent silky simple sincere
    sleepy slender slim smooth snowy sober soft solemn solid sour southern spare sparkling special spotless square stable steady
    steep sticky stout strange strict strong sturdy subtle sudden sunny super sweet swift tall tame tender thick thirsty thorny
    timid tiny tough tranquil tricky tropical trusty unique upbeat urban useful vague valid vast velvet violet vivid warm wary
    watery weary western whole wide wild windy wise witty wooden woolly worldly worthy yellow young zesty
    """.split()
)
NOUNS = tuple(
    """
    acorn acrobat airport alarm album almond anchor ankle antenna apartment apple apron armchair artist atlas attic author avenue
    badge bagel balcony ballet balloon bamboo banana bandage banjo banner barrel basin basket beach beacon bean beard beaver
    bedroom beetle bell bench berry bicycle billboard biscuit blanket blossom boat bolt bonfire border bottle bouquet bowl bracelet
    branch bread breeze brick bridge broom brother brush bubble bucket buckle budget buffalo bugle bulb bullet bundle bunker burrow
    butcher butter button cabbage cabin cable cactus camel camera canal candle cannon canoe canvas canyon captain caravan cargo
    carnival carpet carrot cartoon castle cathedral cave ceiling cellar cement ceramic cereal chain chalk channel chapel chapter
    chariot cheese cherry chess chicken chimney chocolate church cinema circle citizen clarinet cliff clinic cloak clock clover
    coach coat cobweb coconut coffee coin collar college colony comet compass concert cookie coral corner cottage cotton couch
    cousin coyote cradle crane crater crayon creek cricket crown crystal cucumber cupboard curtain cushion cyclone dagger daisy
    dancer daughter deer dentist desert desk diamond diary dinner diploma doctor dolphin donkey door dough dove dragon drawer
    driver drum duck dungeon eagle earring easel elbow elephant elevator emerald engine envelope escort evening eyebrow fabric
    factory falcon family farmer feather fence fern ferry festival fiddle finger flag flame flask fleece flower flute forest fork
    fort fountain freckle freight frog fruit furnace galaxy gallery garage garden garlic gate gazebo ghost giraffe glacier glass
    glider globe glove goat goblet goose gorilla grape grass gravel guitar hallway hammer hammock hamster harbor harness harvest
    hatchet hawk hedge helmet herald heron highway hinge honey hook horizon hornet horse hospital hotel hunter husband iceberg
    igloo island jacket jaguar jasmine jelly jewel jigsaw journal judge juggler jungle kayak kennel kernel kettle keyboard king
    kitchen kite knight ladder lagoon lake lamp lantern laundry lawyer leaf lecture legend lemon leopard letter library lightning
    lily lizard lobster locket machine magnet mailbox mansion maple marble market marsh mattress meadow medal melody melon merchant
    mermaid meteor microscope mirror mitten monkey monument moon mosaic mountain mouse museum mushroom musician mustard napkin
    necklace needle nephew nickel notebook nurse oasis ocean octopus office onion orchard orchestra organ ostrich otter oven owner
    oxygen oyster paddle painter palace pancake panda panther parade parcel parrot pasture pavement peach peanut pebble pelican
    pencil penguin pepper piano picnic pigeon pillow pilot pirate planet platform plaza plumber pocket poem poet pony potato powder
    prairie prince prison proverb pumpkin puppet puzzle pyramid quarry queen quilt rabbit raccoon radar radio radish railway
    rainbow razor recipe reef restaurant ribbon rice riddle robin robot rocket roof rooster rope rose ruby rudder saddle sailor
    salad salmon sandal sandwich satchel saucer sausage scarf school scissors scooter sculptor seagull senator shadow shark shelf
    shell shepherd sheriff shoe shovel shrimp shuttle singer sister skeleton sketch slipper snail soldier sparrow spider spinach
    spoon squirrel stadium staircase statue stove stream street studio submarine suitcase summit sunset surgeon swamp swan sword
    symbol tailor tavern taxi teacher telescope temple tennis tent theater thimble thistle throne thunder ticket tiger timber
    toaster tobacco tomato tongue torch tornado tortoise tourist tower tractor train trampoline treasure triangle trophy truck
    trumpet tulip tunnel turkey turtle tuxedo umbrella uncle uniform valley vampire vase vehicle village vineyard violin volcano
    voyage vulture waffle wagon waiter wallet walnut walrus warehouse weaver wedding whale wheat wheel whisker whistle widow wigwam
    window winter wizard wolf wombat yogurt zebra zipper
    """.split()
)
VERBS = tuple(
    """
    accept admire advise announce answer argue arrange arrive assist attack attend avoid bake balance bathe become begin behave
    believe belong blink boil borrow bounce breathe build bury calculate carry celebrate change chase choose climb collect combine
    compare complain complete confess confuse connect consider contain continue convince copy count crawl create cross damage
    deceive decide decorate delay deliver demand depend describe destroy develop disagree disappear discover divide drift drown
    educate embrace employ encourage enjoy enter escape examine excite excuse exist expand expect explain explode explore extend
    fasten fetch float follow forget forgive gather greet grow guess handle happen hesitate hover identify ignore imagine imitate
    improve include increase inform inject injure instruct intend introduce invent invite jump kneel knock launch laugh learn
    listen manage marry measure melt memorize mention multiply murmur mutter notice obey object observe obtain occur offer operate
    pause perform permit persuade polish ponder postpone pour practice praise predict prefer prepare pretend prevent proceed
    produce promise pronounce propose protect provide publish punish pursue question receive recognize recover reduce reflect
    refuse regret reject relax release remain remember remind remove repair repeat replace reply rescue retire return reveal review
    reward rinse scatter scold scratch scream scribble search select separate settle shiver shout shrug sigh sneeze solve spread
    squeeze stare stretch stumble subtract succeed suffer suggest supply suppose surprise surround survive suspect swallow tease
    telephone tempt testify tickle translate travel tremble twist unlock vanish visit wander warn wave welcome whisper wink wonder
    worry wrestle yawn
    """.split()
)
WORDS = (*NOUNS, *ADJECTIVES, *VERBS)
_SYLLABLES = [c + v for c in "bcdfghjklmnprstvwz" for v in "aeiou"]
_HEADS = [a + b for a in _SYLLABLES for b in _SYLLABLES]
_TAILS = [a + c for a in _SYLLABLES for c in "bcdfghjklmnprstvwz"]
_EXACT = 400_000  # characters up to which tokens are counted one and all
_SLICES, _SLICE = 64, 4096  # of a longer text, so many slices of so many characters are counted
_TRIES = 12
_RUN = 1 << 16  # words joined at a time: a string for each of ten million would take far more memory than the text


class Drawn(NamedTuple):
    """One example before it is a Question: the prompt up to the question, the question, the references, and, where these stand in
    needles, the needle of each."""

    context: str
    question: str
    references: list[str]
    needles: Sequence[str] = ()


class Setting(Protocol):
    """What an example is made for. ``shared``: the text that all examples have but for their needles; "" where each has its own."""

    documents: Sequence[str]
    tokens: int
    count: Callable[[str], int]

    @property
    def shared(self) -> str: ...


def measure(text: str, count: Callable[[str], int]) -> float:
    """Tokens of a text; of a long one an estimate, from slices evenly spaced, so that it takes the same time at any length."""
    if len(text) <= _EXACT:
        return count(text)
    step = (len(text) - _SLICE) / (_SLICES - 1)
    counted = sum(count(text[round(k * step) : round(k * step) + _SLICE]) for k in range(_SLICES))
    return counted * len(text) / (_SLICES * _SLICE)


def fit(draw: Callable[[int], Drawn], cost: Callable[[Drawn], float], least: int, room: int) -> tuple[Drawn, float]:
    """The largest draw that costs no more than there is room for, and its cost; the least one where even that costs more.

    In place of the original's binary search: each try goes where the mean cost of a unit points, which takes three or
    four. A cost that can only be estimated need only come within half a percent, for each try then takes seconds.
    """
    slack = room // 200 if room * 2 > _EXACT else 0
    best, low, high = draw(least), least, None
    base = used = cost(best)
    if used > room:
        return best, used
    n = least + max(1, min(room // 200, 2000))
    for _ in range(_TRIES):
        found = draw(n)
        spent = cost(found)
        if spent <= room:
            best, low, used = found, n, spent
        else:
            high = n
        rate = max(spent - base, 1) / (n - least)
        if 0 <= room - spent < max(rate, slack):
            break
        step = int((room - slack / 2 - spent) // rate)
        n = max(n + step, low + 1) if high is None else min(max(n + step, low + 1), high - 1)
        if n <= low:
            break
    return best, used


def numbers(rng: Random, amount: int) -> list[str]:
    """Seven-digit numbers, no two alike."""
    return [str(number) for number in rng.sample(range(10**6, 10**7), amount)]


def pairs(rng: Random, amount: int) -> list[str]:
    """Adjective-noun pairs, no two alike; of more than there are, each has two adjectives."""
    a, n = len(ADJECTIVES), len(NOUNS)
    if amount <= a * n:
        return [f"{ADJECTIVES[k // n]}-{NOUNS[k % n]}" for k in rng.sample(range(a * n), amount)]
    ks = rng.sample(range(a * a * n), amount)
    return [f"{ADJECTIVES[k // n // a]}-{ADJECTIVES[k // n % a]}-{NOUNS[k % n]}" for k in ks]


def _words(rng: Random, amount: int) -> list[str]:
    """Words, no two alike; where that is more than the lists hold, all of them invented, of seven letters each."""
    if amount <= len(WORDS):
        return rng.sample(WORDS, amount)
    tails = len(_TAILS)
    return [_HEADS[k // tails] + _TAILS[k % tails] for k in rng.sample(range(len(_HEADS) * tails), amount)]


def _strings(rng: Random, letters: str, length: int, amount: int) -> list[str]:
    """Random strings, no two alike."""
    drawn: dict[str, None] = {}
    while len(drawn) < amount:
        drawn["".join(rng.choices(letters, k=length))] = None
    return list(drawn)


def _shuffled(counts: Sequence[int], rng: Random) -> np.ndarray:
    """Each index as often as its count says, in random order; a shuffle of the standard library takes ten times as long."""
    indices = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    keys = np.frombuffer(rng.randbytes(8 * len(indices)), "<u8")
    return indices[np.argsort(keys, kind="stable")]


def _run_on(order: np.ndarray, entry: Callable[[int, int], str]) -> str:
    """The entry of every place and index, places counted from 1, with spaces between."""
    parts = (enumerate(order[k : k + _RUN].tolist(), k + 1) for k in range(0, len(order), _RUN))
    return " ".join([" ".join([entry(place, index) for place, index in part]) for part in parts])


@dataclass(frozen=True)
class Chain:
    """Variable tracking (vt): a number is given to a variable and handed on, amid noise; which variables have it?

    One worked example stands first, as in the original: sized to 500 tokens with names of three letters; to a third of
    the whole where that is less, which with the original's lengths, 4,096 and more, does not happen.
    """

    hops: int = 4
    output: int = 30
    least: int = 5

    def draw(self, rng: Random, units: int, setting: Setting) -> Drawn:
        names, value = self._names(rng, 5), str(rng.randint(10000, 99998))
        shown, number, seed = self._names(rng, 3), str(rng.randint(10000, 99998)), rng.getrandbits(64)
        lines = self._hide(rng, units, names, value)
        most = min(500, setting.tokens // 3)
        build = lambda n: self._hide(Random(seed), n, shown, number)  # noqa: E731
        shot, _ = fit(build, lambda d: setting.count(f"{d.context}\n{d.question}"), self.least, most)
        worked = f"{shot.context}\n{shot.question} {' '.join(shown)}\n\n"
        return lines._replace(context=worked + lines.context)

    def _names(self, rng: Random, letters: int) -> list[str]:
        return _strings(rng, ascii_uppercase, letters, self.hops + 1)

    def _hide(self, rng: Random, units: int, names: list[str], value: str) -> Drawn:
        chain = [f"VAR {names[0]} = {value}"]
        chain += [f"VAR {later} = VAR {name} " for name, later in pairwise(names)]
        lines = [NOISE] * units
        for number, place in enumerate(sorted(rng.sample(range(units), len(chain)))):
            lines.insert(place + number, chain[number])
        preface = "Memorize and track the chain(s) of variable assignment hidden in the following text."
        question = (
            f"Question: Find all variables that are assigned the value {value} in the text above. "
            "Answer: According to the chain(s) of variable assignment in the text above, "
            f"{len(names)} variables are assigned the value {value}, they are: "
        )
        return Drawn("\n".join([preface, "", *lines]), question, names, chain)


@dataclass(frozen=True)
class CommonWords:
    """Common words (cwe): a numbered list of words in which ten come more often. One worked example stands first.

    Common and other words come 30 and 3 times each, in budgets below 4,096 tokens 6 times and once.
    """

    common: int = 10
    output: int = 120
    least: int = 10

    def draw(self, rng: Random, units: int, setting: Setting) -> Drawn:
        few = setting.tokens < 4096
        shown, answer = self._list(rng, *((20, 3, 1) if few else (40, 10, 3)))
        listed, references = self._list(rng, units, *((6, 1) if few else (30, 3)))
        preface = (
            "Below is a numbered list of words. In these words, some appear more often than others. "
            "Memorize the ones that appear most often.\n"
        )
        question = (
            f"Question: What are the {self.common} most common words in the above list? "
            f"Answer: The top {self.common} words that appear most often in the list are:"
        )
        worked = " ".join(f"{number}. {word}" for number, word in enumerate(answer, 1))
        return Drawn(f"{preface}{shown}\n{question} {worked}\n{preface}{listed}", question, references)

    def _list(self, rng: Random, amount: int, often: int, seldom: int) -> tuple[str, list[str]]:
        words = _words(rng, amount)
        counts = [often] * self.common + [seldom] * (amount - self.common)
        order = _shuffled(counts, rng)
        # as they first come: the order that a reader of the list can tell
        common = sorted(range(self.common), key=lambda k: int(np.argmax(order == k)))
        return _run_on(order, lambda place, k: f"{place}. {words[k]}"), [words[k] for k in common]


@dataclass(frozen=True)
class FrequentWords:
    """Frequent words (fwe): coded words as often as a zeta distribution says, the first of them dots; which come next?

    Counts are no draw: of n words, rank k has int(n k^-2 / zeta(2)). There are as many ranks as a fiftieth of the tokens
    that the output leaves. The original lets n grow in steps of a 32nd of these tokens; here a step is one word.
    """

    output: int = 50
    least: int = 53  # below, the fourth and fifth words come equally often

    def draw(self, rng: Random, units: int, setting: Setting) -> Drawn:
        ranks = max(4, (setting.tokens - self.output) // 50)
        counts = self.counts(units, ranks)
        words = ["...", *_strings(rng, ascii_lowercase, 6, int(np.count_nonzero(counts)) - 1)]
        text = _run_on(_shuffled(counts[: len(words)], rng), lambda place, k: words[k])
        preface = (
            "Read the following coded text and track the frequency of each coded word. "
            "Find the three most frequently appeared coded words. "
        )
        question = (
            "Question: Do not provide any explanation. Please ignore the dots '....'. "
            "What are the three most frequently appeared words in the above coded text? "
            "Answer: According to the coded text above, the three most frequently appeared words are:"
        )
        return Drawn(preface + text, question, words[1:4])

    def counts(self, words: int, ranks: int) -> np.ndarray:
        """How often each rank comes in a text of about so many words."""
        return (words * np.arange(1.0, ranks + 1) ** -2 / (pi**2 / 6)).astype(np.int64)
