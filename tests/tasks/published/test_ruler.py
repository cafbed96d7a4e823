"""RULER's prompts, counts and scores are those that its own files ask for, and contexts fill the budget and no more."""

import re
from collections import Counter
from random import Random
from uuid import UUID

import numpy as np
import pytest

from pollux.tasks.published.haystack import uuids
from pollux.tasks.published.ruler import DEPTHS, NAMES, Needles, ruler
from pollux.tasks.published.ruler_words import (
    ADJECTIVES,
    NOISE,
    NOUNS,
    VERBS,
    WORDS,
    Chain,
    CommonWords,
    FrequentWords,
    fit,
    measure,
    pairs,
)
from pollux.tasks.task import Question

ESSAYS = [
    "\n\n".join(f"On {name}, the {n}th note says little.  It rained at {place}, and\nnobody minded!" for n in range(400))
    for name, place in (("Monday", "York"), ("Friday", "Bath"), ("Sunday", "Hull"))
]
OUTPUT = {"vt": 30, "cwe": 120, "fwe": 50}
NIAH = [name for name in NAMES if name.startswith("niah")]


def count(text):
    return len(text.split())


def task(name, tokens=1000, seed=0):
    return ruler(name, ESSAYS, tokens, count, seed)


def asked(name, i=0, tokens=1000):
    example = task(name, tokens).example(i)
    return example.context, example.questions[0]


def small(maker, units=2, tokens=1000, seed=0):
    return maker.draw(Random(seed), units, task("vt", tokens))


def test_the_eleven_names():
    assert " ".join(NAMES) == (
        "niah_single_1 niah_single_2 niah_single_3 niah_multikey_1 niah_multikey_2 niah_multikey_3 niah_multivalue "
        "niah_multiquery vt cwe fwe"
    )


def test_one_needle_is_spoken_of_in_the_singular():
    drawn = small(Needles("noise"))
    (value,) = drawn.references
    key = drawn.needles[0].removeprefix("One of the special magic numbers for ").removesuffix(f" is: {value}.")
    head = (
        "A special magic number is hidden within the following text. Make sure to memorize it. I will quiz you about the number "
        "afterwards.\n"
    )
    (needle,) = drawn.needles
    assert drawn.context in {head + "\n".join(lines) for lines in ([needle, NOISE, NOISE], [NOISE, needle, NOISE])}
    assert drawn.question == (
        f"What is the special magic number for {key} mentioned in the provided text? "
        f"The special magic number for {key} mentioned in the provided text is"
    )
    adjective, noun = key.split("-")
    assert adjective in ADJECTIVES and noun in NOUNS and re.fullmatch(r"[1-9]\d{6}", value)


def test_four_keys_are_asked_for_in_the_plural():
    context, question = asked("niah_multiquery")
    assert context.startswith(
        "Some special magic numbers are hidden within the following text. Make sure to memorize it. I will quiz you about the "
        "numbers afterwards.\n"
    )
    keys = [{v: k for k, v in needles(context)}[value] for value in question.answer.split(", ")]
    subject = f"{keys[0]}, {keys[1]}, {keys[2]}, and {keys[3]} mentioned in the provided text"
    assert question.text == (f"What are all the special magic numbers for {subject}? The special magic numbers for {subject} are")


def needles(context):
    return re.findall(r"One of the special magic (?:numbers|uuids) for (\S+) is: (\S+)\.", context)


@pytest.mark.parametrize(
    "name, keys, values, references",
    [
        ("niah_single_1", 1, 1, 1),
        ("niah_single_2", 1, 1, 1),
        ("niah_single_3", 1, 1, 1),
        ("niah_multikey_1", 4, 4, 1),
        ("niah_multivalue", 1, 4, 4),
        ("niah_multiquery", 4, 4, 4),
    ],
)
def test_as_many_needles_as_the_parameters_say(name, keys, values, references):
    context, question = asked(name)
    found = needles(context)
    assert (len({k for k, _ in found}), len({v for _, v in found}), len(found)) == (keys, values, values)
    assert len(question.answer.split(", ")) == references


@pytest.mark.parametrize("name", ["niah_multikey_2", "niah_multikey_3"])
def test_a_haystack_of_needles_has_no_key_twice(name):
    context, question = asked(name, tokens=20000)
    found = needles(context)
    assert len(found) == context.count("\n") > 1900
    assert len({k for k, _ in found}) == len(found)
    key = {v: k for k, v in found}[question.answer]
    assert f" for {key} mentioned in" in question.text
    if name.endswith("3"):
        assert UUID(key).version == UUID(question.answer).version == 4 and str(UUID(key)) == key


@pytest.mark.parametrize("name", NIAH)
def test_every_reference_is_in_the_context_and_a_single_one_at_the_evidence(name):
    for i in range(20):
        context, question = asked(name, i)
        references = question.answer.split(", ")
        assert (question.evidence is None) == (len(references) > 1)
        if question.evidence:
            needle = context[slice(*question.evidence)]
            assert re.fullmatch(rf"One of the special magic \w+ for \S+ is: {references[0]}\.", needle)
        assert all(context.count(f"is: {reference}.") == 1 for reference in references)
        assert question.kind == f"ruler/{name}"
        assert task(name).score(question, question.answer) == 1


def test_forty_depths_and_needles_between_sentences():
    assert list(DEPTHS) == list(np.round(np.linspace(0, 100, num=40, endpoint=True)).astype(int))
    places = []
    for i in range(200):
        context, question = asked("niah_single_2", i)
        start, end = question.evidence
        body = context.index("\n") + 1
        assert start == body + 1 or end == len(context) - 1 or re.search(r"[.!] $", context[:start])
        rest = context[body:start] + context[end + 1 :]
        assert rest.strip() in " ".join(" ".join(ESSAYS * 2).split())
        places.append((start - body) / (len(context) - body))
    assert min(places) < 0.01 and max(places) > 0.9 and 0.4 < np.mean(places) < 0.6


def test_a_chain_of_five_variables_behind_a_worked_example():
    context, question = asked("vt", tokens=4096)
    names = question.answer.split(", ")
    shot, rest = context.split("\n\nMemorize and track", 1)
    rest = "Memorize and track" + rest
    lines = rest.split("\n")
    assert lines[:2] == ["Memorize and track the chain(s) of variable assignment hidden in the following text.", ""]
    chain = [line for line in lines[2:] if line != NOISE]
    value = chain[0].removeprefix(f"VAR {names[0]} = ")
    assert 10000 <= int(value) < 99999 and all(re.fullmatch("[A-Z]{5}", name) for name in names) and len(set(names)) == 5
    assert chain == [f"VAR {names[0]} = {value}", *(f"VAR {names[k + 1]} = VAR {names[k]} " for k in range(4))]
    assert question.text == (
        f"Question: Find all variables that are assigned the value {value} in the text above. Answer: According to the chain(s) "
        f"of variable assignment in the text above, 5 variables are assigned the value {value}, they are: "
    )
    assert context[slice(*question.evidence)] == chain[0]
    shown = re.findall(r"^VAR ([A-Z]{3}) =", shot, re.M)
    assert shot.startswith(lines[0] + "\n\n") and f"VAR {shown[0]} = " in shot
    assert shot.endswith("they are:  " + " ".join(shown)) and len(shown) == 5
    assert 470 < count(shot) <= 510


@pytest.mark.parametrize("tokens, often, seldom, shot", [(4095, 6, 1, (20, 3, 1)), (4096, 30, 3, (40, 10, 3))])
def test_common_words_come_as_often_as_the_original_says(tokens, often, seldom, shot):
    drawn = small(CommonWords(), 30, tokens)
    preface = (
        "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that appear most "
        "often.\n"
    )
    assert drawn.question == (
        "Question: What are the 10 most common words in the above list? "
        "Answer: The top 10 words that appear most often in the list are:"
    )
    empty, shown, listed = drawn.context.split(preface)
    shown, worked = shown.split(f"\n{drawn.question} ")
    assert not empty and worked.endswith("\n")
    for text, answer, (words, most, least) in (
        (shown, re.sub(r"\d+\. ", "", worked).split(), shot),
        (listed, drawn.references, (30, often, seldom)),
    ):
        entries = text.split()
        assert entries[::2] == [f"{n}." for n in range(1, len(entries) // 2 + 1)]
        counts = Counter(entries[1::2])
        assert words == len(counts)
        assert set(counts) <= set(WORDS) and set(counts.values()) == {most, least}
        assert {word for word, n in counts.items() if n == most} == set(answer) and len(answer) == 10


def test_more_words_than_the_lists_hold_are_invented_alike():
    drawn = small(CommonWords(), len(WORDS) + 1, 40000)
    words = Counter(re.findall("[a-z]+", drawn.context.rsplit("\n", 1)[1]))
    assert len(words) == len(WORDS) + 1 and {len(word) for word in words} == {7} and words.most_common(1)[0][1] == 30


def test_frequent_words_follow_the_zeta_distribution():
    assert FrequentWords().counts(100, 9).tolist() == [60, 15, 6, 3, 2, 1, 1, 0, 0]
    assert FrequentWords().counts(1000, 4).tolist() == [607, 151, 67, 37]
    context, question = asked("fwe", tokens=2000)
    preface = (
        "Read the following coded text and track the frequency of each coded word. "
        "Find the three most frequently appeared coded words. "
    )
    assert context.startswith(preface) and "\n" not in context
    counts = Counter(context.removeprefix(preface).split())
    (dots, most), *others = counts.most_common(4)
    assert dots == "..." and [word for word, _ in others] == question.answer.split(", ")
    n = next(n for n in range(10**4) if int(n / (np.pi**2 / 6)) == most)
    expected = [[k for k in FrequentWords().counts(n + d, (2000 - 50) // 50).tolist() if k] for d in (0, 1)]
    assert sorted(counts.values(), reverse=True) in expected
    assert all(re.fullmatch("[a-z]{6}", word) for word in counts if word != "...")
    assert question.text == (
        "Question: Do not provide any explanation. Please ignore the dots '....'. What are the three most frequently appeared "
        "words in the above coded text? Answer: According to the coded text above, the three most frequently appeared words are:"
    )


def test_the_score_is_the_share_of_references_held_case_aside():
    score = task("vt").score
    question = Question("", "ABCDE, FGHIJ, KLMNO, PQRST, UVWXY")
    assert score(question, "they are abcde and KLMNO.") == 2 / 5
    assert score(question, "xABCDEFGHIJx") == 2 / 5
    assert score(question, "UVWXY PQRST KLMNO FGHIJ ABCDE ZZZZZ") == 1
    assert score(question, "") == 0
    assert score(Question("", "d4AD-63d2"), "It is D4ad-63D2") == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tokens, spare", [(500, 25), (5000, 25), (100_000, 600)])
def test_prompt_and_output_fill_the_budget(name, tokens, spare):
    context, question = asked(name, tokens=tokens)
    used = count(context) + count(question.text) + OUTPUT.get(name, 128)
    assert tokens - spare <= used <= tokens * (1 if tokens < 10_000 else 1.01)


@pytest.mark.parametrize("name", ["niah_single_2", "niah_single_3", "niah_multikey_1", "niah_multivalue", "niah_multiquery"])
def test_needles_in_place_leave_all_other_words_where_they_were(name):
    made = ruler(name, ESSAYS, 3000, count, in_place=True)
    shared, frame = made.shared.split(), None
    for i in range(6):
        example = made.example(i)
        preface, text = example.context.split("\n")
        frame = frame or preface
        assert preface == frame
        needles = re.findall(r"One of the special magic \w+ for \S+ is: \S+\.", text)
        assert len(needles) == {"niah_single_2": 1, "niah_single_3": 1}.get(name, 4)
        assert sum(a != b for a, b in zip(text.split(), shared, strict=True)) <= sum(map(count, needles))
        assert all(value in text for value in example.questions[0].answer.split(", "))
        assert 2800 <= count(example.context) + 128 + count(example.questions[0].text) <= 3000


def test_other_tasks_are_made_anew_all_the_same():
    assert ruler("vt", ESSAYS, 1000, count, in_place=True).example(1) == task("vt").example(1)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_number_gives_the_same_example(name):
    assert [task(name).example(i) for i in range(3)] == [task(name).example(i) for i in range(3)]
    assert len({task(name, seed=seed).example(i).questions[0].answer for i in range(5) for seed in range(2)}) == 10
    assert len(task(name)) == 1_000_000


def test_the_word_lists_hold_no_word_twice_or_within_another():
    assert len(ADJECTIVES) >= 150 and len(NOUNS) >= 300 and (*NOUNS, *ADJECTIVES, *VERBS) == WORDS
    text = " " + " ".join(WORDS) + " "
    assert all(text.count(word) == 1 for word in WORDS)


def test_keys_stay_unique_beyond_the_pairs_there_are():
    amount = len(ADJECTIVES) * len(NOUNS) + 1
    keys = pairs(Random(0), amount)
    assert len(set(keys)) == amount and keys[0].count("-") == 2
    assert len(set(uuids(Random(0), 1000))) == 1000


def test_a_long_text_is_measured_by_samples():
    seen = []
    text = "word " * 1_000_000
    estimate = measure(text, lambda part: seen.append(len(part)) or count(part))
    assert abs(estimate / 1_000_000 - 1) < 0.005 and sum(seen) < 300_000


def test_fitting_finds_the_largest_draw_in_few_tries():
    tries = []
    draw = lambda n: tries.append(n) or n  # noqa: E731
    best, used = fit(draw, lambda n: 40 + n * 3, 1, 5000)
    assert (best, used) == (1653, 4999)
    assert len(tries) < 12
    assert fit(draw, lambda n: 40 + n, 10, 20) == (10, 50)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="pass one of niah_single_1"):
        task("niah_single_4")
    with pytest.raises(ValueError, match="pass some texts"):
        ruler("niah_multivalue", ["", " \n"], 4096, count)
    with pytest.raises(ValueError, match="tokens must be at least 1, got 0"):
        task("vt", 0)
    with pytest.raises(ValueError, match=r"cwe needs at least \d+ tokens, got 200; raise tokens"):
        task("cwe", 200).example(0)
    assert Chain().hops == 4 and ruler("vt", [], 4096, count).example(0).context


def test_short_documents_are_repeated():
    context = ruler("niah_single_2", ["A sentence. ", "Another one."], 2000, count).example(0).context
    assert context.count("Another one. A sentence.") > 300
