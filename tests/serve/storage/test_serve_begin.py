"""The beginning of a conversation, read before it is known how it goes on: what is asked at last is the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollux.media.segment import Document, Text
from pollux.serve.material.arrange import LONG, Message, arrange, begin

LONGER = "It rained on the quay.\n" * (LONG // 20)
TEXTS = ["", "Hello.", "Why?", "x " * (LONG // 3), LONGER, LONGER + "\n\nWho was it?"]
FILES = [Document(f"{number}.txt", (Text(f"{number}.txt", str(number)),)) for number in range(4)]
messages = st.lists(
    st.builds(Message, st.sampled_from(["user", "model"]), st.lists(st.sampled_from([*TEXTS, *FILES]), max_size=4).map(tuple)),
    max_size=4,
)


@given(before=messages, after=messages, system=st.sampled_from(["", "Be brief."]))
def test_what_is_read_first_and_the_rest_ask_what_the_whole_asks(before, after, system):
    # what goes on from a user's message begins with a text
    after = [Message("user", ("And now,",)), *after, Message("user", ("who?",))]
    documents, said = begin(before, system)
    whole, rest = arrange([*before, *after], system), arrange([*said, *after])
    assert (*documents, *rest.documents) == whole.documents
    assert (rest.turns, rest.question) == (whole.turns, whole.question)


def test_a_long_text_before_the_last_one_is_material_whole():
    ask = arrange([Message("user", (LONGER + "\n\nThe end.", "Who was it?"))])
    (document,) = ask.documents
    assert ask.question == "Who was it?" and document.segments[0].text == LONGER + "\n\nThe end."
