"""Prompts and scores are the original's, and a context holds one story's facts, in order, among the sentences of the books."""

import re
from hashlib import sha256
from itertools import pairwise
from statistics import mean

import pytest
from test_babi import FACT, solve

from pollux.tasks.published.babi import TASKS
from pollux.tasks.published.babilong import Babilong
from pollux.tasks.task import Question

BOOKS = [
    "\n\n".join(f"Nobody in the old port had ever heard of page {n} of\nvolume {book} before. Why? No." for n in range(700))
    for book in range(3)
]
SENTENCE = re.compile(r"Nobody in the old port had ever heard of page (\d+) of\nvolume (\d) before\.")
# Of the repository's get_formatted_input with context "F", question "Q" and its own prompts, with examples and without.
DIGESTS = {
    "qa1": ("ff8530ed13e14d61", "ae2eecc389c9af7f"),
    "qa2": ("d47df19c517974df", "23752ade22f7db71"),
    "qa3": ("bcffa0da653e2b64", "9e629c6709d5e38a"),
    "qa4": ("4c7fc28b9810f766", "1fe401db7543988a"),
    "qa5": ("5fc785eebb05c6f1", "4bc479e1cacd9063"),
}
PROMPT = """\
I will give you context with the facts about different people, their location and actions, hidden in some random text and a \
question. You need to answer the question based only on the information from the facts.

<example>
The hallway is south of the kitchen. The bedroom is north of the kitchen. What is the kitchen south of?
Answer: bedroom
</example>
<example>
The garden is west of the bedroom. The bedroom is west of the kitchen. What is west of the bedroom?
Answer: garden
</example>

Your answer should contain only one word - location. Do not write anything else after that.

<context>
{facts}
</context>

Question: {question}"""


def words(text):
    return len(text.split())


def body(example):
    """What stands between the tags, and where it starts."""
    start = example.context.index("<context>\n") + len("<context>\n")
    return example.context[start : example.context.index("\n</context>")], start


def facts(example):
    return [match[0] for match in FACT.finditer(body(example)[0])]


def test_the_prompt_reads_as_the_original_does():
    example = Babilong((), 0, words, task="qa4").example(1)
    (question,) = example.questions
    told = "The hallway is west of the office. The hallway is east of the kitchen."
    expected = PROMPT.format(facts=told, question="What is east of the hallway?")
    assert example.context + "\n" + question.text == expected
    assert question == Question("Question: What is east of the hallway?", "office", (594, 628), "babilong/qa4")


@pytest.mark.parametrize("task", TASKS)
def test_all_prompts_have_the_wording_of_the_repository(task):
    for shots, digest in zip((True, False), DIGESTS[task], strict=True):
        example = Babilong((), 0, words, task=task, shots=shots).example(0)
        prompt = example.context.replace(body(example)[0], "F") + "\nQuestion: Q"
        assert sha256(prompt.encode()).hexdigest()[:16] == digest
        assert ("<example>" in prompt) == shots


@pytest.mark.parametrize("tokens", [500, 5_000])
@pytest.mark.parametrize("task", TASKS)
def test_the_answer_follows_from_the_facts_in_the_text_and_lies_at_the_evidence(task, tokens):
    task = Babilong(BOOKS, tokens, words, task=task, seed=3)
    for i in range(3 if tokens > 1_000 else 12):
        example = task.example(i)
        (question,) = example.questions
        assert solve(facts(example), question.text.removeprefix("Question: ")) == question.answer
        evidence = example.context[slice(*question.evidence)]
        assert FACT.fullmatch(evidence) and question.answer in evidence and question.evidence[0] >= body(example)[1]
        assert words(example.context) == tokens
        assert task.score(question, f"It is {question.answer}.") == 1


@pytest.mark.parametrize("task", TASKS)
def test_the_facts_are_those_of_the_short_form_in_the_same_order(task):
    for i in range(3):
        alone = Babilong((), 0, words, task=task).example(i)
        spread = Babilong(BOOKS, 3_000, words, task=task).example(i)
        assert body(alone)[0] == " ".join(facts(alone)) == " ".join(facts(spread))
        assert alone.questions[0].text == spread.questions[0].text


def test_all_else_are_the_sentences_of_the_books_in_order_but_for_short_ones():
    text, _ = body(Babilong(BOOKS, 20_000, words).example(0))
    rest = FACT.sub("", text)
    pages = [int(page) + 700 * int(book) for page, book in SENTENCE.findall(rest)]
    assert [b - a for a, b in pairwise(pages)].count(1 - 2100) <= 1
    assert all((b - a) % 2100 == 1 for a, b in pairwise(pages))
    left = SENTENCE.sub("", rest).split()  # the last sentence is cut to fit
    assert left == next(SENTENCE.finditer(rest))[0].split()[: len(left)] and "Why?" not in text


def test_books_that_are_too_short_are_repeated():
    text, _ = body(Babilong([BOOKS[0][:700], "", BOOKS[1][:300]], 3_000, words).example(0))
    assert text.count("of page 1 of") > 10 and text.count("volume 1 before") > 5


def test_facts_lie_anywhere():
    task = Babilong(BOOKS, 800, words, shots=False)
    texts = [body(task.example(i))[0] for i in range(120)]
    depths = [match.start() / len(text) for text in texts for match in FACT.finditer(text)]
    assert abs(mean(depths) - 0.5) < 0.04
    assert all(0.18 < mean(low <= d < low + 0.25 for d in depths) < 0.32 for low in (0, 0.25, 0.5, 0.75))
    assert any(FACT.match(text) for text in texts)


@pytest.mark.parametrize("count", [len, lambda text: len(text) // 4 + 1, lambda text: len(re.findall(r"\w+|[^\w\s]", text)) + 2])
@pytest.mark.parametrize("tokens", [4_000, 100_000])
def test_lengths_are_near_the_target_by_any_count(count, tokens):
    assert 0.98 * tokens < count(Babilong(BOOKS, tokens, count).example(0).context) <= 1.01 * tokens


def test_a_long_text_is_counted_about_once():
    seen = []
    count = lambda text: seen.append(len(text)) or words(text)  # noqa: E731
    example = Babilong(BOOKS, 100_000, count).example(0)
    assert words(example.context) == 100_000
    assert max(seen) < 150_000 and sum(seen) < 3 * len(example.context)


@pytest.mark.parametrize(
    ("task", "asked", "answer", "reply", "score"),
    [
        ("qa1", "Where is Mary?", "bathroom", "The most recent location of Mary is bathroom.", 1),
        ("qa1", "Where is Mary?", "bathroom", "BATHROOM", 1),
        ("qa1", "Where is Mary?", "bathroom", "bathroom. Then the garden.", 1),
        ("qa1", "Where is Mary?", "bathroom", "garden. No, the bathroom.", 0),
        ("qa1", "Where is Mary?", "bathroom", "bathroom or garden", 0),
        ("qa1", "Where is Mary?", "bathroom", "bathroom\n<context> garden", 1),
        ("qa1", "Where is Mary?", "bathroom", "bathroom <example> garden", 1),
        ("qa1", "Where is Mary?", "bathroom", "bathroom\nQuestion: who is in the garden", 0),
        ("qa1", "Where is Mary?", "bathroom", "the bathrooms", 1),
        ("qa1", "Where is Mary?", "bathroom", "bath", 0),
        ("qa1", "Where is Mary?", "bathroom", "", 0),
        ("qa3", "Where was the milk before the office?", "garden", "Before the office the milk was in the garden.", 1),
        ("qa3", "Where was the milk before the office?", "garden", "Before the kitchen the milk was in the garden.", 0),
        ("qa5", "Who gave the milk to Fred?", "Bill", "bill gave the milk to Fred", 1),
        ("qa5", "Who gave the milk to Fred?", "Bill", "Bill gave the apple to Fred", 0),
        ("qa5", "What did Fred give to Bill?", "apple", "Fred gave the apple to Bill", 1),
        ("qa5", "What did Fred give to Bill?", "apple", "apple in the garden", 1),
    ],
)
def test_scores_are_those_of_the_repository(task, asked, answer, reply, score):
    assert Babilong((), 0, words, task=task).score(Question(f"Question: {asked}", answer), reply) == score


def test_facts_in_place_leave_all_other_words_where_they_were():
    task = Babilong(BOOKS, 6_000, words, in_place=True, seed=3)
    examples = [task.example(i) for i in range(8)]
    assert {words(example.context) for example in examples} == {words(examples[0].context)} and len(set(examples)) == 8
    plain = task._text.split()
    for example in examples:
        (question,) = example.questions
        assert solve(facts(example), question.text.removeprefix("Question: ")) == question.answer
        assert FACT.fullmatch(example.context[slice(*question.evidence)])
        told = sum(map(words, facts(example)))
        changed = sum(a != b for a, b in zip(body(example)[0].split(), plain, strict=True))
        assert told // 2 <= changed <= told
    starts = [question.evidence[0] / len(example.context) for example in examples for question in example.questions]
    assert min(starts) < 0.4 and max(starts) > 0.6


def test_the_same_number_gives_the_same_example():
    task = Babilong(BOOKS, 2_000, words, task="qa2", size=7)
    assert len(task) == 7 and task.example(4) == task.example(4)
    assert len({task.example(i).context for i in range(7)}) == 7
    assert Babilong(BOOKS, 2_000, words, task="qa2", seed=1).example(4) != task.example(4)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="in_place"):
        Babilong((), 0, words, in_place=True)
    with pytest.raises(ValueError, match="'qa6'"):
        Babilong(BOOKS, 1_000, words, task="qa6")
    with pytest.raises(ValueError, match="got -1"):
        Babilong(BOOKS, -1, words)
    for documents in ([], ["", " \n"]):
        with pytest.raises(ValueError, match="at least one document"):
            Babilong(documents, 1_000, words)
    with pytest.raises(ValueError, match="tokens=100 leaves"):
        Babilong(BOOKS, 100, words).example(0)


def test_others_asks_whatever_the_facts_answer():
    alone, all_of_it = (Babilong((), 0, len, "qa1", shots=False, others=others) for others in (False, True))
    for i in range(30):
        (single,) = alone.example(i).questions
        example = all_of_it.example(i)
        asked = {question.text: question for question in example.questions}
        assert asked[single.text].answer == single.answer and len(asked) == len(example.questions)
        people = set(re.findall(r"(\w+) (?:moved|went|journeyed|travelled) ", example.context.split("<context>")[1]))
        assert len(asked) == len(people)
        for question in asked.values():
            start, end = question.evidence
            fact = example.context[start:end]
            assert fact.split()[0] in question.text and fact.endswith(f" {question.answer}.")
