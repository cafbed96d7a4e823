"""The prompt is that of "Lost in the Middle", and the value asked for is in the JSON object where it was wanted."""

import json
from uuid import UUID

import pytest

from pollux.tasks.published.key_value import KeyValue, fill


def words(text):
    return len(text.split())


def pairs(context):
    return json.loads(context[context.index("{") :], object_pairs_hook=list)


def test_the_prompt_is_the_originals():
    example = KeyValue(22, words, depths=[0.5]).example(0)
    (question,) = example.questions
    (a, b), (c, d), (e, f) = pairs(example.context)
    assert (question.answer, question.kind) == (d, "key_value/json")
    assert f"{example.context}\n{question.text}" == "\n".join(
        [
            "Extract the value corresponding to the specified key in the JSON object below.",
            "",
            "JSON data:",
            f'{{"{a}": "{b}",',
            f' "{c}": "{d}",',
            f' "{e}": "{f}"}}',
            "",
            f'Key: "{c}"',
            "Corresponding value:",
        ]
    )


@pytest.mark.parametrize("tokens", [500, 5000, 100_000])
def test_size_keys_and_evidence(tokens):
    example = KeyValue(tokens, words).example(1)
    (question,) = example.questions
    assert tokens - 2 < words(example.context) <= tokens
    found = pairs(example.context)
    keys = dict(found)
    assert len(keys) == len(found) == (tokens - 16) // 2
    key = question.text.split('"')[1]
    assert keys[key] == question.answer
    start, end = question.evidence
    assert example.context[start:end] == f'"{key}": "{question.answer}"'
    assert all(str(UUID(text)) == text and UUID(text).version == 4 and UUID(text).variant == UUID(key).variant for text in keys)


def test_a_tokenizer_of_other_grain_fills_the_context_too():
    def count(text):
        return len(text) // 3 + 1

    for tokens in (500, 5000, 50_000):
        assert 0.92 * tokens < count(KeyValue(tokens, count).example(0).context) <= 1.01 * tokens


def test_depths_are_taken_in_turn():
    task = KeyValue(213, words, depths=(0, 0.25, 1))
    places = []
    for i in range(6):
        example = task.example(i)
        found = pairs(example.context)
        places.append([value for _, value in found].index(example.questions[0].answer))
    assert places == [0, round(0.25 * (len(found) - 1)), len(found) - 1] * 2
    anywhere = {KeyValue(213, words).example(i).questions[0].evidence[0] for i in range(30)}
    assert len(anywhere) > 20


def test_the_same_number_gives_the_same_example():
    task = KeyValue(300, words, size=7)
    assert len(task) == 7 and task.example(3) == KeyValue(300, words).example(3)
    assert task.example(3) != task.example(4) and task.example(3) != KeyValue(300, words, seed=1).example(3)


def test_score_is_containment():
    task = KeyValue(300, words)
    (question,) = task.example(0).questions
    assert task.score(question, f'It is "{question.answer.upper()}".') == 1.0
    assert task.score(question, question.answer[:-1]) == 0.0
    assert task.score(question, "") == 0.0


def test_fill_takes_what_fits():
    lines = [f"{'x ' * (n % 7)}end" for n in range(1000)]  # 1 to 7 words each
    for tokens in (0, 1, 5, 300, 2000, 3000):
        kept = fill(iter(lines), tokens, words, "\n")
        assert kept == lines[: len(kept)]
        assert words("\n".join(kept)) <= tokens < words("\n".join(lines[: len(kept) + 1]))
    assert fill(iter(lines), 10_000, words, "\n") == lines
    assert fill(iter(()), 10, words, "\n") == []


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="between 0"):
        KeyValue(300, words, depths=[1.5])
    with pytest.raises(ValueError, match="no room"):
        KeyValue(19, words).example(0)
    with pytest.raises(ValueError, match="counts a text's tokens"):
        KeyValue(300, lambda text: 0).example(0)
