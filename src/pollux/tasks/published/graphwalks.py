"""Graphwalks: a directed graph as a list of edges, and the nodes that a walk over it reaches.

After OpenAI's benchmark (huggingface.co/datasets/openai/graphwalks), which has published prompts but not how its graphs are
made. Prompt and answer form are the original's; the graphs are drawn here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from pollux.tasks.published.haystack import fill
from pollux.tasks.task import Example, Question

OPERATIONS = ("bfs", "parents")

Edge = tuple[str, str]

_HEAD = """\
You will be given a graph as a list of directed edges. All nodes are at least degree 1. \
You will also get a description of an operation to perform on the graph.
Your job is to execute the operation on the graph and return the set of nodes that the operation results in. \
If asked for a breadth-first search (BFS), only return the nodes that are reachable at that depth, \
do not return the starting node. If asked for the parents of a node, only return the nodes that have an edge leading \
to the given node, do not return the given node itself.

Here is an example:
<begin example>

The graph has the following edges:
uvwx -> alke
abcd -> uvwx
abcd -> efgh
efgh -> uvwx

Example 1:
Operation:
Perform a BFS from node abcd with depth 1.
Final Answer: [uvwx, efgh]

Example 2:
Operation:
Perform a BFS from node alke with depth 1.
Final Answer: []

Example 3:
Operation:
Find the parents of node uvwx.
Final Answer: [abcd, efgh]

Example 4:
Operation:
Find the parents of node abcd.
Final Answer: []

<end example>
Here is the graph to operate on:
The graph has the following edges:
"""
_TAIL = "\n\n"  # behind the last edge stand two empty lines; the second line break comes with the question
_QUESTION = """\
Operation:
{operation}

You should immediately return the set of nodes that the operation results in, with no additional text. \
Return your final answer as a list of nodes in the very last line of your response. \
For example, if the operation returns the set of nodes [node1, node2, node3], your response should be:
Final Answer: [node1, node2, node3]
If the operation returns the empty set, your response should be:
Final Answer: []
"""
_ASKED = {"bfs": "Perform a BFS from node {node} with depth {depth}.", "parents": "Find the parents of node {node}."}
_ANSWER = re.compile(r"Final Answer: ?\[(.*)\]")
_TRIES = 20  # nodes looked at for one whose walk does not end before the depth asked for


@dataclass(frozen=True)
class Graphwalks:
    """The nodes at a depth of a breadth-first search, or the parents of a node, in a random directed graph.

    Nodes are ten hexadecimal digits. Each edge leads from a random node to another one, so outgoing edges follow a Poisson
    distribution. The original's graphs have edges from a node to itself as well, about which its first release erred.

    Attributes:
        tokens: Length of the context, all up to the operation, in tokens.
        count: Tells how many tokens a text has.
        operation: "bfs" or "parents".
        depth: How many steps the search goes. A node that can be reached in fewer steps is no answer, as in the original
            since its correction; its prompt's new wording is not at hand, so the first one stands here.
        degree: Edges a node.
        size: How many examples there are.
    """

    tokens: int
    count: Callable[[str], int]
    operation: str = "bfs"
    depth: int = 2
    degree: int = 2
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if self.operation not in OPERATIONS:
            raise ValueError(f"operation must be one of {OPERATIONS}, got {self.operation!r}")
        if self.depth < 1 or self.degree < 1:
            raise ValueError(f"depth and degree must be at least 1, got {self.depth} and {self.degree}; 2 is usual for both")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``.

        Raises:
            ValueError: when not even two edges fit.
        """
        rng = Random(f"{self.seed}/{i}")
        room = self.tokens - self.count(_HEAD + _TAIL)
        lines = fill(self._lines(rng, room), room, self.count, "\n")
        if len(lines) < 2:
            raise ValueError(f"tokens={self.tokens} leaves no room for a graph; pass at least {self.count(_HEAD) + 200}")
        context = _HEAD + "\n".join(lines) + _TAIL
        return Example(context, (self._question(lines, rng),))

    def _lines(self, rng: Random, room: int) -> Iterator[str]:
        """Edges without end, between as many nodes as the room asks for."""
        sample = "\n".join(f"{_name(rng)} -> {_name(rng)}" for _ in range(100))
        number = max(2, 100 * room // max(1, self.count(sample) * self.degree))
        names = list(dict.fromkeys(_name(rng) for _ in range(number)))
        while True:
            start = rng.randrange(len(names))
            end = (start + rng.randrange(1, len(names))) % len(names)
            yield f"{names[start]} -> {names[end]}"

    def _question(self, lines: list[str], rng: Random) -> Question:
        edges = [(line[:10], line[-10:]) for line in lines]
        node, found = "", []
        for _ in range(_TRIES):
            start, end = rng.choice(edges)
            node = start if self.operation == "bfs" else end
            found = reached(edges, node, self.depth) if self.operation == "bfs" else parents(edges, node)
            if found:
                break
        asked = _ASKED[self.operation].format(node=node, depth=self.depth)
        kind = f"graphwalks/bfs/depth_{self.depth}" if self.operation == "bfs" else "graphwalks/parents/1"
        return Question(_QUESTION.format(operation=asked), f"Final Answer: [{', '.join(found)}]", self._evidence(edges, node), kind)

    def _evidence(self, edges: list[Edge], node: str) -> tuple[int, int] | None:
        """The first edge to a node whose parents are asked for; a search has no single place."""
        if self.operation == "bfs":
            return None
        width = len("0123456789 -> 0123456789")
        start = len(_HEAD) + (width + 1) * next(n for n, edge in enumerate(edges) if edge[1] == node)
        return start, start + width

    def score(self, question: Question, reply: str) -> float:
        """F1 of the nodes that the reply's last line names, as in the dataset's card under "Extraction and Grading".

        The card's code has two slips, which nobody can want to keep and lm-evaluation-harness mends too
        (``lm_eval/tasks/graphwalks/utils.py``): the first node is read together with the words "Final Answer: [", and a
        reply without a single right node scores 1. Here, as the card's line for an empty set must mean, only an empty list
        where the answer is empty scores 1 without a common node.
        """
        wanted, got = nodes(question.answer), nodes(reply)
        if got is None or wanted is None:
            return 0.0
        common = len(got & wanted)
        return 2 * common / (len(got) + len(wanted)) if got or wanted else 1.0


def nodes(reply: str) -> set[str] | None:
    """The nodes in a reply's very last line, None when that line is not of the form "Final Answer: [a, b]"."""
    match = _ANSWER.search(reply.split("\n")[-1])
    return {item.strip() for item in match[1].split(",") if item.strip()} if match else None


def reached(edges: list[Edge], node: str, depth: int) -> list[str]:
    """Nodes whose shortest way from a node has exactly so many steps, in the order of the edges that lead to them."""
    seen, front = {node}, [node]
    for _ in range(depth):
        now = set(front)
        front = [end for end in dict.fromkeys(end for start, end in edges if start in now) if end not in seen]
        seen.update(front)
    return front


def parents(edges: list[Edge], node: str) -> list[str]:
    """Nodes other than itself that have an edge to a node."""
    return [start for start in dict.fromkeys(start for start, end in edges if end == node) if start != node]


def _name(rng: Random) -> str:
    return f"{rng.getrandbits(40):010x}"
