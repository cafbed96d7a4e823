"""Of the requests alike the one asked for is the right one, and replies are scored by the rule of each form's original."""

import re
from difflib import SequenceMatcher
from itertools import pairwise
from random import Random

import pytest

from pollux.tasks.published.mrcr import FORMS, Mrcr
from pollux.tasks.task import Example, Question

RNG = Random(0)
VOCABULARY = ["".join(RNG.choice("abcdeiloprstu") for _ in range(RNG.randint(3, 8))) for _ in range(2000)]


def book(number):
    rng = Random(number)
    return "\n\n".join(
        " ".join(" ".join(rng.choice(VOCABULARY) for _ in range(rng.randint(5, 15))) + "." for _ in range(8)) for _ in range(300)
    )


BOOKS = [book(0), book(1)]
ORDINALS = {"1st": 0, "2nd": 1, "3rd": 2, "4th": 3, "5th": 4, "6th": 5, "7th": 6, "8th": 7}
WORDS = {word: n for n, word in enumerate("first second third fourth fifth sixth seventh eighth".split())}


def words(text):
    return len(text.split())


def chat(context):
    """Requests and replies behind the worked examples."""
    body = re.split(r"=+ END EXAMPLE \d =+|=+END EXAMPLE=+|=+ EXAMPLE 3 =+", context)[-1].strip()
    return [tuple(turn.split("\n\nAssistant: ")) for turn in body.removeprefix("User: ").split("\n\nUser: ")]


def solve(example, form):
    """The reply, found from the prompt alone."""
    text = example.questions[0].text
    if form == "public":
        mark, which, what = re.fullmatch(r"Prepend (\w{10}) to the (\w+) \(1 indexed\) (.+)\. Do not .+", text).groups()
        request, place = f"write a {what}", ORDINALS[which]
    elif form == "michelangelo":
        pattern = r"User: Prepend (\w{12}) to the (\w+) (.+) in a (\w+) style\. Do not .+\n\nAssistant:"
        mark, which, what, style = re.fullmatch(pattern, text).groups()
        request, place = f"Write a {what} in {style} style.", WORDS[which]
    else:
        which, what = re.fullmatch(r"Reproduce the (\w+) (.+)\.", text).groups()
        mark, request, place = "", f"Write a {what}.", WORDS[which]
    return mark + [reply for asked, reply in chat(example.context) if asked == request][place], request


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("needles", [2, 8])
def test_the_prompt_alone_gives_the_answer(form, needles):
    task = Mrcr(BOOKS, 3000, words, form=form, needles=needles)
    asked = set()
    for i in range(12):
        example = task.example(i)
        (question,) = example.questions
        answer, request = solve(example, form)
        assert question.answer == answer and question.kind == f"mrcr/{form}/{needles}"
        assert task.score(question, answer) == 1.0
        start, end = question.evidence
        assert answer.endswith(example.context[start:end]) and end - start > 150
        turns = chat(example.context)
        assert [each for each, _ in turns].count(request) == needles == example.context.count(f"User: {request}\n")
        assert len({reply for _, reply in turns}) == len(turns)
        assert all(40 <= words(reply) <= 120 for _, reply in turns)
        asked.add([reply for each, reply in turns if each == request].index(example.context[start:end]))
    assert len(asked) > needles / 3


def test_several_requests_of_one_chat_are_each_asked_about():
    task = Mrcr(BOOKS, 6000, words, form="gemini", asked=5)
    for i in range(4):
        example = task.example(i)
        assert len(example.questions) == 5 and words(example.context) <= 6000
        for question in example.questions:
            alone = Example(example.context, (question,))
            reply, request = solve(alone, "gemini")
            assert reply == question.answer == example.context[slice(*question.evidence)]
            assert sum(asked == request for asked, _ in chat(example.context)) == 2
    assert {q.answer for q in example.questions if task.score(q, q.answer) == 1} == {q.answer for q in example.questions}


def test_write_ups_are_passages_of_the_documents_and_no_two_overlap():
    flat = [" ".join(text.split()) for text in BOOKS]
    for i in range(3):
        taken = []
        for _, reply in chat(Mrcr(BOOKS, 20_000, words).example(i).context):
            number = next(n for n, text in enumerate(flat) if reply in text)
            taken.append((number, flat[number].index(reply), flat[number].index(reply) + len(reply)))
        taken.sort()
        assert all(a[0] < b[0] or a[2] <= b[1] for a, b in pairwise(taken))
        assert sum(flat[number][end - 1] == "." for number, _, end in taken) > 0.9 * len(taken)


def test_distractors_come_near_the_request():
    example = Mrcr(BOOKS, 3000, words).example(5)
    what, topic = solve(example, "public")[1].removeprefix("write a ").split(" about ")
    others = [tuple(asked.removeprefix("write a ").split(" about ")) for asked, _ in chat(example.context)]
    assert any(one == what and two != topic for one, two in others) and any(one != what and two == topic for one, two in others)


def test_prefaces_are_the_originals():
    start = "Here are some examples of conversations succeeded by a follow-up question answered correctly:\n"
    public = Mrcr(BOOKS, 3000, words).example(0).context
    assert public.startswith(start + "\n======EXAMPLE======\nUser: write a ")
    assert public.count("\n======EXAMPLE======\n") == public.count("\n\n======END EXAMPLE======\n") == 2
    context = Mrcr(BOOKS, 3000, words, form="michelangelo").example(0).context
    assert context.startswith(start + "======== EXAMPLE 1 ========\n\nUser: Write a ")
    assert "\n\n======== END EXAMPLE 1 ========\n\n======== EXAMPLE 2 ========\n\nUser: " in context
    assert "\n\n======== END EXAMPLE 2 ========\n\n======== EXAMPLE 3 ========\n\nUser: " in context
    mark, which, reply = re.search(r"User: Prepend (\w+) to the (\w+) .+\n\nAssistant: (.+)\n\n=+ END EXAMPLE 2", context).groups()
    assert which == "second" and reply.startswith(mark)
    assert context.count(reply.removeprefix(mark)) == 2  # once in its turn, once as the worked answer
    assert Mrcr(BOOKS, 3000, words, shots=0).example(0).context.startswith("User: write a ")


@pytest.mark.parametrize(("tokens", "shots"), [(500, 0), (5000, 2), (100_000, 2)])
def test_size(tokens, shots):
    documents = BOOKS if tokens < 10_000 else [book(n) for n in range(7)]
    for i in range(3 if tokens < 100_000 else 1):
        size = words(Mrcr(documents, tokens, words, shots=shots).example(i).context)
        assert tokens - 135 < size <= tokens  # a turn is 52 to 132 words with its request


def test_score_public():
    task, question = Mrcr(BOOKS, 3000, words), Question("", "AAAAAAAAAAthe quick fox")
    assert task.score(question, "AAAAAAAAAAthe quick fox") == 1.0
    assert task.score(question, "the quick fox") == task.score(question, " AAAAAAAAAAthe quick fox") == 0.0
    assert task.score(question, "AAAAAAAAAA") == 0.0
    assert task.score(question, "AAAAAAAAAAthe quick") == pytest.approx(2 * 9 / (9 + 13))
    reply = "AAAAAAAAAAa slow fox and hound"
    assert task.score(question, reply) == SequenceMatcher(None, "a slow fox and hound", "the quick fox").ratio()


def test_score_michelangelo():
    mark = "AbCd1234EfGh"
    task, question = Mrcr(BOOKS, 3000, words, form="michelangelo"), Question("", mark + "expected answer")
    assert task.score(question, mark + "expected answer") == task.score(question, f" {mark} expected answer\n") == 1.0
    assert task.score(question, f"preface {mark}expected answer") == 0.0
    assert task.score(question, f"{mark}wrong answer {mark}expected answer") == 1.0


def test_score_gemini():
    task, question = Mrcr(BOOKS, 3000, words, form="gemini"), Question("", "the quick fox")
    assert task.score(question, "the quick fox") == 1.0
    assert task.score(question, "the quick") == pytest.approx(2 * 9 / (9 + 13))


def test_the_same_number_gives_the_same_example():
    task = Mrcr(BOOKS, 3000, words, size=7)
    assert len(task) == 7 and task.example(3) == Mrcr(BOOKS, 3000, words).example(3) != task.example(4)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="at least one book"):
        Mrcr([], 3000, words)
    with pytest.raises(ValueError, match="form must be"):
        Mrcr(BOOKS, 3000, words, form="openai")
    with pytest.raises(ValueError, match="needles must be 2 to 8"):
        Mrcr(BOOKS, 3000, words, needles=9)
    with pytest.raises(ValueError, match="asked must be from 1"):
        Mrcr(BOOKS, 3000, words, asked=0)
    with pytest.raises(ValueError, match="too little for 8 needles"):
        Mrcr(BOOKS, 500, words, needles=8).example(0)
    with pytest.raises(ValueError, match="pass more text"):
        Mrcr(BOOKS, 100_000, words).example(0)
    with pytest.raises(ValueError, match="pass more text"):
        Mrcr(["", "a few words"], 3000, words).example(0)
    with pytest.raises(ValueError, match="pass more text"):  # the same paragraph again and again
        Mrcr([" ".join(["word"] * 100_000)], 20_000, words).example(0)
