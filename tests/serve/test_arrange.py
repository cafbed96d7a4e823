"""A conversation's material, finished turns and question."""

import pytest

from pollux.media.segment import Document, Text
from pollux.serve.errors import ApiError
from pollux.serve.material.arrange import LONG, SYSTEM, Message, arrange

BOOK = Document("a.txt", (Text("a.txt", "It rained."),))
BLANK = Document("b.txt", (Text("b.txt", " \n"),))


def test_documents_come_first_then_turns_then_the_question():
    said = [("user", ("Hello.", BOOK)), ("model", ("Good ",)), ("model", ("day.",)), ("user", ("Why?",))]
    ask = arrange([Message(*each) for each in said], "Be brief.")
    assert [document.path for document in ask.documents] == [SYSTEM, "a.txt"]
    assert ask.turns == (("Hello.", "Good day."),) and ask.question == "Why?"


def test_two_messages_of_one_side_are_one():
    ask = arrange([Message("user", ("One.",)), Message("user", ("Two?",))])
    assert ask.question == "One.\nTwo?" and not ask.turns


@pytest.mark.parametrize("between", ["\n\n", "\n", " "])
def test_a_long_text_is_material_and_its_last_lines_the_question(between):
    text = "It rained on the quay. " * (LONG // 20) + "The lamp was green." + between + "What colour was the lamp?"
    ask = arrange([Message("user", (text,))])
    (document,) = ask.documents
    assert ask.question == "What colour was the lamp?"
    assert document.segments[0].text + ask.question == text


def test_what_stands_behind_the_question_belongs_to_it():
    book = "It rained on the quay. " * (LONG // 20)
    question = "What is the magic number? Don't repeat your findings\n\nHere is the magic number from the context:"
    ask = arrange([Message("user", (f"<context>\n{book}\n</context>\n\n{question}",))])
    assert ask.question == question and ask.documents[0].segments[0].text.endswith("</context>\n\n")


def test_a_long_text_without_a_break_is_cut_all_the_same():
    ask = arrange([Message("user", ("x" * 5000,))])
    assert ask.question and ask.documents[0].segments[0].text + ask.question == "x" * 5000


@pytest.mark.parametrize("length", [1, LONG])
def test_files_alone_ask_what_the_last_words_in_them_ask(length):
    letter = Document("c.txt", (Text("c.txt", "It rained.\n" * length + "What colour was the lamp?"),))
    ask = arrange([Message("user", ("Hello.",)), Message("model", ("Hi.",)), Message("user", (BOOK, letter, BLANK))])
    assert ask.question == ("It rained.\n" if length == 1 else "") + "What colour was the lamp?"
    assert ask.documents == (BOOK, letter, BLANK)


@pytest.mark.parametrize("messages", [[], [Message("user", ("Hi",)), Message("model", ("Ho",))], [Message("user", (BLANK,))]])
def test_where_nothing_is_asked_that_is_told(messages):
    with pytest.raises(ApiError) as told:
        arrange(messages)
    assert told.value.code == 400
