"""What can be measured, by name: families of tasks and their variants, each made for a length of context."""

from __future__ import annotations

from pollux.base.errors import ConfigError
from pollux.eval.family import Family, Wanted
from pollux.eval.sensed import SENSED
from pollux.tasks.cloze import Cloze
from pollux.tasks.definitions import Definitions
from pollux.tasks.published.babi import TASKS as BABILONG
from pollux.tasks.published.babilong import Babilong
from pollux.tasks.published.graphwalks import Graphwalks
from pollux.tasks.published.key_value import KeyValue
from pollux.tasks.published.mrcr import Mrcr
from pollux.tasks.published.needle import Needle, obeyed
from pollux.tasks.published.ruler import NAMES, ruler
from pollux.tasks.reading import Reading, f1
from pollux.tasks.recall import Recall
from pollux.tasks.task import Task
from pollux.tasks.two_step import TwoStep

# Characters per token of English prose under the shipped vocabulary, for tasks that count characters.
CHARACTERS = 3.7


def _recall(variant: str, w: Wanted) -> Task:
    size, facts = (round(w.tokens * CHARACTERS),) * 2, (w.facts or (50 if w.tokens >= 64_000 else 10),) * 2
    # names and values of the held-out half of the lexicon, whichever the phrasings
    return Recall(w.corpus.prose, w.phrasings, "heldout", characters=size, facts=facts, questions=facts, seed=w.seed)


def _two_step(variant: str, w: Wanted) -> Task:
    size, count = (round(w.tokens * CHARACTERS),) * 2, w.facts or (50 if w.tokens >= 64_000 else 10)
    sizes = {"characters": size, "facts": (count, count), "links": ((count + 1) // 2,) * 2}
    return TwoStep(w.corpus.prose, w.phrasings, "heldout", **sizes, seed=w.seed)


def _needle(variant: str, w: Wanted) -> Task:
    several = {"needles": w.shared, "separate": True} if w.shared > 1 else {"needles": w.needles, "asked": w.asked or w.needles}
    return Needle(w.corpus.prose, w.tokens, w.count, variant, w.shares, **several, in_place=w.in_place, seed=w.seed)


def _ruler(variant: str, w: Wanted) -> Task:
    return ruler(variant, w.corpus.prose, w.tokens, w.count, w.seed, in_place=w.in_place)


def _babilong(variant: str, w: Wanted) -> Task:
    return Babilong(w.corpus.prose, w.tokens, w.count, variant, in_place=w.in_place, seed=w.seed)


def _mrcr(variant: str, w: Wanted) -> Task:
    form, needles = {"gemini": ("gemini", 2), "michelangelo": ("michelangelo", 8)}.get(variant) or ("public", int(variant))
    return Mrcr(w.corpus.prose, w.tokens, w.count, form, needles, asked=w.shared, seed=w.seed)


def _definitions(variant: str, w: Wanted) -> Task:
    if not w.corpus.code:
        raise ConfigError("there is no source code in the data", "name a folder with Python or JavaScript files: --data DIR")
    return Definitions(w.corpus.code, characters=(w.tokens * 5 // 2,) * 2, questions=(4, 4), seed=w.seed)


def _reading(variant: str, w: Wanted) -> Task:
    if not w.corpus.pairs:
        raise ConfigError("there are no question/answer pairs in the data", "name a folder with *.jsonl or *.jsonl.xz files")
    return Reading(w.corpus.pairs, split="heldout", seed=w.seed)


_F1 = (("f1", f1),)
_OBEYED = (("obeyed the attack", obeyed),)
SUITE = {
    "recall": Family(_recall, exact=True, settings=("facts", "phrasings")),
    "two_step": Family(_two_step, exact=True, settings=("facts", "phrasings")),
    "needle": Family(
        _needle, ("gemini", "kamradt", "lwm", "adversarial"), settings=("needles", "asked", "shared", "in_place"), extra=_OBEYED
    ),
    "ruler": Family(_ruler, NAMES, all=True, settings=("in_place",)),
    "babilong": Family(_babilong, BABILONG, all=True, settings=("in_place",)),
    "mrcr": Family(_mrcr, ("gemini", "michelangelo", "2", "4", "8"), settings=("shared",)),
    "graphwalks": Family(lambda v, w: Graphwalks(w.tokens, w.count, v, seed=w.seed), ("bfs", "parents"), reads=""),
    "key_value": Family(lambda v, w: KeyValue(w.tokens, w.count, w.shares, w.seed), reads=""),
    "cloze": Family(lambda v, w: Cloze(w.corpus.prose, seed=w.seed), own_length=True, exact=True, extra=_F1),
    "definitions": Family(_definitions, reads="code", exact=True),
    "reading": Family(_reading, reads="pairs", own_length=True, exact=True, extra=_F1),
    **SENSED,
}


def tasks(name: str, wanted: Wanted) -> dict[str, Task]:
    """The tasks that ``FAMILY`` or ``FAMILY:VARIANT`` stands for, by their full names.

    Raises:
        ConfigError: there is no such task, or the data holds nothing for it.
    """
    family, _, variant = name.partition(":")
    found = SUITE[family]
    variants = (variant,) if variant else found.variants if found.all else found.variants[:1]
    try:
        return {f"{family}:{v}" if v else family: found.make(v, wanted) for v in variants}
    except ValueError as error:
        raise ConfigError(str(error), f"see pollux eval --help; {family} was asked for at {wanted.tokens:,} tokens") from error
