"""The answer is what a plain search over the edges of the prompt finds, and replies are graded as the dataset's card says."""

import re

import pytest

from pollux.tasks.published.graphwalks import Graphwalks, nodes, parents, reached
from pollux.tasks.task import Question


def words(text):
    return len(text.split())


CARD = [("uvwx", "alke"), ("abcd", "uvwx"), ("abcd", "efgh"), ("efgh", "uvwx")]  # the card's own graph


def test_the_cards_worked_examples():
    assert reached(CARD, "abcd", 1) == ["uvwx", "efgh"]
    assert reached(CARD, "alke", 1) == []
    assert parents(CARD, "uvwx") == ["abcd", "efgh"]
    assert parents(CARD, "abcd") == []
    assert reached(CARD, "abcd", 2) == ["alke"]  # uvwx is reached in two steps as well, but already in one
    assert parents([("a", "a"), ("b", "a"), ("b", "a")], "a") == ["b"]
    assert reached([("a", "b"), ("b", "a")], "a", 2) == []


def edges(context):
    return re.findall(r"^([0-9a-f]{10}) -> ([0-9a-f]{10})$", context, re.M)


def slow_search(found, node, depth):
    distance = {node: 0}
    queue = [node]
    for at in queue:
        for start, end in found:
            if start == at and end not in distance:
                distance[end] = distance[at] + 1
                queue.append(end)
    return {end for end, steps in distance.items() if steps == depth}


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_bfs_answers(depth):
    task = Graphwalks(1000, words, depth=depth)
    for i in range(5):
        example = task.example(i)
        (question,) = example.questions
        node = re.search(rf"Perform a BFS from node (\w+) with depth {depth}\.", question.text)[1]
        wanted = slow_search(edges(example.context), node, depth)
        assert wanted and nodes(question.answer) == wanted and node not in wanted
        assert question.evidence is None and question.kind == f"graphwalks/bfs/depth_{depth}"


def test_parents_answers():
    task = Graphwalks(1000, words, operation="parents")
    sizes = set()
    for i in range(30):
        example = task.example(i)
        (question,) = example.questions
        node = re.search(r"Find the parents of node (\w+)\.", question.text)[1]
        wanted = [start for start, end in edges(example.context) if end == node]
        assert nodes(question.answer) == set(wanted) and wanted
        start, end = question.evidence
        assert example.context[start:end] == f"{wanted[0]} -> {node}" and example.context.index(f" -> {node}") == start + 10
        sizes.add(len(wanted))
    assert len(sizes) > 2


def test_the_prompt_is_the_originals():
    example = Graphwalks(300, words, operation="parents").example(0)
    prompt = f"{example.context}\n{example.questions[0].text}"
    assert prompt.startswith(
        "You will be given a graph as a list of directed edges. All nodes are at least degree 1. You will also get a "
        "description of an operation to perform on the graph.\nYour job is to execute the operation on the graph and return"
    )
    assert "Example 1:\nOperation:\nPerform a BFS from node abcd with depth 1.\nFinal Answer: [uvwx, efgh]\n\nExample 2:" in prompt
    assert "<end example>\nHere is the graph to operate on:\nThe graph has the following edges:\n" in prompt
    assert re.search(r"\n\w{10} -> \w{10}\n\n\nOperation:\nFind the parents of node \w{10}\.\n\nYou should immediately", prompt)
    assert prompt.endswith("If the operation returns the empty set, your response should be:\nFinal Answer: []\n")


@pytest.mark.parametrize("tokens", [500, 5000, 100_000])
def test_size(tokens):
    example = Graphwalks(tokens, words, degree=4).example(0)
    assert tokens - 3 < words(example.context) <= tokens
    found = edges(example.context)
    assert len(found) == example.context.count(" -> ") - 4
    assert all(start != end for start, end in found)
    assert 3.5 < len(found) / len({node for edge in found for node in edge}) < 4.7


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("Final Answer: [a, b, c]", 1.0),
        ("I look at the edges.\nFinal Answer:[c,b , a]", 1.0),
        ("So: Final Answer: [a, b, c].", 1.0),
        ("Final Answer: [a]", 2 * (1 * 1 / 3) / (1 + 1 / 3)),
        ("Final Answer: [a, a, x]", 2 * (1 / 2 * 1 / 3) / (1 / 2 + 1 / 3)),
        ("Final Answer: [x, y]", 0.0),
        ("Final Answer: []", 0.0),
        ("Final Answer: [a, b, c]\n", 0.0),  # the very last line is empty
        ("[a, b, c]", 0.0),
        ("final answer: [a, b, c]", 0.0),
        ("", 0.0),
    ],
)
def test_score(reply, wanted):
    assert Graphwalks(500, words).score(Question("", "Final Answer: [a, b, c]"), reply) == pytest.approx(wanted)


def test_an_empty_answer_wants_an_empty_list():
    task, question = Graphwalks(500, words), Question("", "Final Answer: []")
    assert task.score(question, "Final Answer: []") == 1.0
    assert task.score(question, "Final Answer: [a]") == task.score(question, "None.") == 0.0


def test_the_same_number_gives_the_same_example():
    task = Graphwalks(500, words, size=7)
    assert len(task) == 7 and task.example(3) == Graphwalks(500, words).example(3) != task.example(4)
    assert task.score(task.example(3).questions[0], task.example(3).questions[0].answer) == 1.0


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="operation must be"):
        Graphwalks(500, words, operation="dfs")
    with pytest.raises(ValueError, match="at least 1"):
        Graphwalks(500, words, depth=0)
    with pytest.raises(ValueError, match="no room"):
        Graphwalks(100, words).example(0)
