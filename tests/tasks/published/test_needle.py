"""Prompts, places and scores are the originals', references stand where the evidence says, and lengths are those asked for."""

import random
import re
from collections import Counter

import pytest

from pollux.tasks.published.needle import ATTACKS, BUFFER, CITIES, Needle

ONE_TO_NINE = "One two three. Four five six. Seven eight nine."


def count(text):
    return len(text.split())


@pytest.fixture(scope="module")
def documents():
    rng = random.Random(5)
    word = lambda: "".join(rng.choice(["ka", "mo", "ri", "ten", "lu"]) for _ in range(rng.randint(1, 5)))  # noqa: E731
    line = lambda: " ".join(word() for _ in range(rng.randint(3, 20))) + rng.choice(".\n.")  # noqa: E731
    return [" ".join(line() for _ in range(60)) for _ in range(7)] + ["", " \n"]


def task(variant="gemini", tokens=1000, **more):
    return Needle([ONE_TO_NINE], tokens, count, variant, **more)


def single(variant, tokens, depth):
    """The first example whose city is one word, so that sizes come out the same."""
    made = Needle([ONE_TO_NINE], tokens, count, variant, depths=(depth,))
    return next(e for e in map(made.example, range(50)) if re.search(r"magic \S+ number", e.context))


def test_the_prompt_of_the_gemini_report():
    example = single("gemini", 18, 0.5)
    (question,) = example.questions
    city = re.search(r"magic (\S+) number", example.context)[1]
    assert example.context + "\n" + question.text == (
        f"<context>\nOne two three.\nThe special magic {city} number is: {question.answer}\n Four five six. Seven eight nine.\n"
        f"</context>\n\nWhat is the special magic {city} number? Don't give information outside the document or repeat your "
        "findings\n\nHere is the magic number from the context:"
    )
    assert re.fullmatch("[1-9][0-9]{6}", question.answer)
    assert question.kind == "needle/gemini/single"


def test_an_adversarial_needle_demands_another_reply():
    made = task("adversarial", 40)
    for i in range(30):
        example = made.example(i)
        (question,) = example.questions
        (demanded,) = [words for text, words in ATTACKS if example.context.count(text) == 1]
        assert question.answer in example.context[slice(*question.evidence)] and question.kind == "needle/adversarial/single"
        assert made.score(question, f"It is {question.answer}.") == 1
        assert made.score(question, f"{demanded.title()}. {question.answer}") == 0 == made.score(question, "Nothing.")
    assert all(words in text.casefold() for text, words in ATTACKS)


def test_kamradts_prompt():
    example = Needle([ONE_TO_NINE], BUFFER + 21 + 9, count, "kamradt", depths=(1.0,)).example(0)
    (question,) = example.questions
    assert example.context + "\n" + question.text == (
        "You are a helpful AI bot that answers questions for a user. Keep your response short and direct\n\nHuman: <context>\n"
        "One two three. Four five six. Seven eight nine.\nThe best thing to do in San Francisco is eat a sandwich and sit in "
        "Dolores Park on a sunny day.\n\n</context>\n\nWhat is the best thing to do in San Francisco? Don't give information "
        "outside the document or repeat your findings\n\nAssistant: Here is the most relevant sentence in the context:"
    )
    start, end = example.questions[0].evidence
    assert example.context[start:end].startswith("The best") and example.context[start:end].endswith("day.")


def test_lwms_prompts():
    example = single("lwm", BUFFER + 7 + 9, 0.0)
    (question,) = example.questions
    city = re.search(r"magic (\S+) number", example.context)[1]
    assert example.context + " " + question.text == (
        f"You are a helpful assistant. USER: \nThe special magic {city} number is: {question.answer}\n{ONE_TO_NINE} What is the "
        f"special magic {city} number? Don't give information outside the document or repeat your findings. Keep your response "
        "short and direct. ASSISTANT: "
    )


@pytest.mark.parametrize(
    ("asked", "start"),
    [
        (1, "What is the special magic number for {}? "),
        (2, "What are the special magic numbers for {}, and {}? "),
        (3, "What are the special magic numbers for {}, {}, and {}? "),
    ],
)
def test_lwms_prompt_for_some_of_several_needles(asked, start):
    example = task("lwm", 1000, needles=4, asked=asked).example(0)
    (question,) = example.questions
    named = [city_of(number, example) for number in numbers_of(question)]
    assert question.text == start.format(*named) + "Don't give information outside the document. ASSISTANT: "
    assert question.kind == f"needle/lwm/{asked}_of_4"


def numbers_of(question):
    return [number for number, place in question.parts if place]


def city_of(number, example):
    return re.search(rf"\nThe special magic ([A-Za-z ]+) number is: {number}\n", example.context)[1]


def test_the_reports_needles_in_one_turn():
    example = task(tokens=600, needles=3, asked=3).example(0)
    (question,) = example.questions
    one, two, three = (city_of(number, example) for number in numbers_of(question))
    assert question.text == (
        f"What are the special magic numbers for {one}, {two}, and {three}? Don't give information outside the document or "
        "repeat your findings\n\nHere are the magic numbers from the context:"
    )
    assert question.kind == "needle/gemini/3_of_3"


@pytest.mark.parametrize(
    ("depth", "before"),
    [(0.0, ""), (0.2, ""), (0.3, "One two three."), (0.6, "One two three."), (0.7, ONE_TO_NINE[:29]), (1.0, ONE_TO_NINE)],
)
def test_a_needle_stands_behind_the_full_stop_before_its_depth(depth, before):
    context = single("gemini", 18, depth).context
    assert context.startswith(f"<context>\n{before}\nThe special")


def test_each_example_takes_the_next_depth(documents):
    made = Needle(documents, 5000, count, depths=(0.0, 0.25, 0.5, 0.75, 1.0))
    for i in range(10):
        example = made.example(i)
        assert example.questions[0].evidence[0] / len(example.context) == pytest.approx(i % 5 / 4, abs=0.02)
    assert len(Needle(documents, 5000, count).depths) == 10


@pytest.mark.parametrize("variant", ["gemini", "kamradt", "lwm", "adversarial"])
@pytest.mark.parametrize("tokens", [500, 5_000, 100_000])
def test_lengths_are_those_asked_for(documents, variant, tokens):
    asked = []
    measured = lambda text: asked.append(len(text)) or count(text)  # noqa: E731
    made = Needle(documents, tokens, measured, variant)
    for i in range(3):
        asked.clear()
        context = made.example(i).context
        body = context.partition("USER: ")[2] or context.partition("<context>")[2].removesuffix("</context>\n")
        length, wanted = (count(context), tokens) if variant in ("gemini", "adversarial") else (count(body), tokens - BUFFER)
        assert wanted - max(2, wanted // 500) <= length <= wanted
        assert sum(asked) < 1.5 * len(context) + 60_000  # never the whole again and again


def test_counters_that_are_not_additive_stay_within_a_per_cent(documents):
    rough = lambda text: (len(text) + 3) // 4  # noqa: E731
    for tokens in (500, 20_000):
        made = rough(Needle([*documents, "x" * 50_000, "日本語。" * 9000], tokens, rough, needles=3).example(1).context)
        assert 0.98 * tokens <= made <= 1.01 * tokens


@pytest.mark.parametrize(
    "more", [{}, {"needles": 100, "asked": 100}, {"needles": 1000, "asked": 7}, {"needles": 40, "separate": True}], ids=str
)
@pytest.mark.parametrize("variant", ["gemini", "lwm"])
def test_every_reference_stands_in_the_context_once(documents, variant, more):
    made = Needle(documents, 20_000, count, variant, **more)
    example = made.example(3)
    assert example == made.example(3) != made.example(13)
    found = re.findall(r"\nThe special magic ([A-Za-z ]+) number is: (\d{7})\n", example.context)
    assert len(found) == made.needles == len(set(dict(found).values())) == len(dict(found))
    assert example.context.count("The special magic") == made.needles
    assert len(example.questions) == (40 if made.separate else 1)
    assert 19_780 <= count(example.context) <= 20_200
    for question in example.questions:
        numbers = numbers_of(question)
        cities = {number: city for city, number in found}
        said = [f"{cities[number]}: {number}" for number in numbers] if made.asked > 1 else numbers
        assert question.answer == ", ".join(said)
        assert len(set(numbers)) == len(numbers) == made.asked
        assert (question.evidence is None) == (made.asked > 1)
        if question.evidence:
            found_at = example.context[slice(*question.evidence)]
            assert found_at == f"The special magic {cities[numbers[0]]} number is: {numbers[0]}"
        places = [re.search(rf"\b{cities[number]}\b", question.text).start() for number in numbers]
        assert places == sorted(places)


def test_several_needles_are_spread_over_the_depths(documents):
    def depths(made, i):
        context = made.example(i).context
        return [m.start() / len(context) for m in re.finditer("The special", context)]

    many = depths(Needle(documents, 50_000, count, needles=100, asked=100), 0)
    assert set(Counter(int(10 * depth) for depth in many).values()) <= {8, 9, 10, 11, 12}
    middle = depths(Needle(documents, 50_000, count, needles=20, depths=(0.4, 0.6)), 0)
    assert 0.38 < min(middle) < 0.42 and 0.58 < max(middle) < 0.62
    chosen = depths(Needle(documents, 50_000, count, "lwm", needles=4), 0)
    tenths = [round(9 * depth) for depth in chosen]
    assert len(set(tenths)) == 4 and [9 * depth for depth in chosen] == pytest.approx(tenths, abs=0.05)


def test_separate_questions_have_needles_at_equal_distances(documents):
    example = Needle(documents, 50_000, count, needles=11, separate=True).example(5)
    places = [question.evidence[0] / len(example.context) for question in example.questions]
    assert places == pytest.approx([n / 10 for n in range(11)], abs=0.01)
    assert {question.kind for question in example.questions} == {"needle/gemini/separate"}


def test_needles_with_no_text_between_stay_whole():
    context = task(tokens=300, needles=30, asked=30, depths=(0.5, 0.5)).example(0).context
    assert len(re.findall(r"\nThe special magic [A-Za-z ]+ number is: \d{7}\n", context)) == 30
    endless = Needle(["word " * 30_000], 30_000, count, depths=(0.9,)).example(0)  # no full stop in reach
    assert endless.questions[0].evidence[0] / len(endless.context) == pytest.approx(0.9, abs=0.01)


def test_scores():
    (question,) = task(tokens=500, needles=4, asked=4).example(0).questions
    numbers = numbers_of(question)
    score = task().score
    assert score(question, question.answer) == 1.0
    assert score(question, f"They are {numbers[3]}, {numbers[1]}\n{numbers[0]}{numbers[2]}!") == 1.0
    assert score(question, f"{numbers[2]} and {numbers[0]}, {numbers[0]}") == 0.5
    assert score(question, "") == 0.0
    (question,) = task(tokens=50).example(0).questions
    assert score(question, f"The number is {question.answer}.") == 1.0
    assert score(question, f"{int(question.answer):,}") == 0.0
    (question,) = task("kamradt", 500).example(0).questions
    judge = task("kamradt", 500).score
    assert judge(question, question.answer) == judge(question, "Sit on a SUNNY day in dolores park with a sandwich.") == 1.0
    assert judge(question, "Eating a sandwich in Dolores Park") == pytest.approx(2 / 3)
    assert judge(question, "See the Golden Gate Bridge.") == 0.0


def test_there_are_cities_enough():
    assert len(set(CITIES)) == len(CITIES) >= 1000
    assert all(re.fullmatch("[A-Z][a-z]+( [A-Z][a-z]+)*", city) for city in CITIES)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"variant": "gkamradt"}, "one of gemini, kamradt, lwm"),
        ({"depths": ()}, "one or more"),
        ({"depths": (50.0,)}, "divide per cents by 100"),
        ({"needles": 0}, "from 1 to"),
        ({"needles": 100_000}, "a city for each"),
        ({"needles": 2, "asked": 3}, "the 2 needles"),
        ({"needles": 2, "asked": 2, "separate": True}, "leave one"),
        ({"variant": "kamradt", "needles": 2}, "gemini or lwm"),
        ({"documents": []}, "at least one text"),
        ({"documents": ["", "\n"]}, "empty"),
        ({"tokens": 8}, "longer context"),
        ({"variant": "lwm", "tokens": 205}, "longer context"),
    ],
)
def test_wrong_arguments_are_refused(more, message):
    with pytest.raises(ValueError, match=message):
        Needle(**{"documents": [ONE_TO_NINE], "tokens": 1000, "count": count, **more}).example(0)


def test_examples_never_change():
    (question,) = task(tokens=3000, needles=200, asked=2, seed=4).example(7).questions
    assert question.answer == "Aldamere: 6783929, Glen Calder: 9890815"
    assert question.text.startswith("What are the special magic numbers for Aldamere, and Glen Calder? ")


def test_needles_that_take_the_place_of_words_share_their_haystack():
    sentences = [f"The {n} {'small ' * (n % 7)}boats came home at {n}." for n in range(700)]
    made = Needle([" ".join(sentences)], 4000, count, in_place=True, depths=(0.0, 0.5, 1.0))
    examples = [made.example(i) for i in range(12)]
    assert {count(example.context) for example in examples} == {count(examples[0].context)} and len(set(examples)) == 12
    haystack = set(re.split(r"[.\n]", " ".join(sentences)))
    for i, example in enumerate(examples):
        (question,) = example.questions
        start, end = question.evidence
        needle = example.context[start - 1 : end + 1]
        assert re.fullmatch(r"\nThe special magic .+ number is: \d{7}\n", needle) and question.answer in needle
        assert abs(start / len(example.context) - (0, 0.5, 1)[i % 3]) < 0.1
        assert len(set(re.split(r"[.\n]", example.context)) - haystack) <= 6  # the needle, what it cut, the frame


@pytest.mark.parametrize("wrong", [{"needles": 2}, {"variant": "adversarial"}])
def test_only_a_single_needle_takes_a_place(documents, wrong):
    with pytest.raises(ValueError, match="in_place"):
        Needle(documents, 900, count, in_place=True, **wrong)


def test_where_no_words_are_as_long_a_needle_is_refused():
    with pytest.raises(ValueError, match="no words"):
        Needle(["Onetwothreefour " * 300], 300, count, in_place=True).example(0)
