"""What a conversation becomes: every token's place, and exactly the answers scored."""

import numpy as np

from pollux.media.segment import Document, Text
from pollux.tasks.task import Example, Question
from pollux.tokens import template
from pollux.tokens.stream import join
from pollux.tokens.vocabulary import DOCUMENT, END, MODEL, PAGE, SPECIAL, USER, shipped

V = shipped()
ASKED = (Question("Who slept?", "the porter"), Question(" Where? ", " Lyon  "))
EXAMPLE = Example("The porter slept in Lyon.\nNobody knew.", ASKED, ((0, "day.txt"),))


def runs(mask):
    """[start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask, [0]])))
    return edges.reshape(-1, 2)


def test_exactly_the_answers_and_their_ends_are_scored():
    lesson = template.example(V, EXAMPLE)
    answers = [lesson.ids[a:b] for a, b in runs(lesson.answer)]
    assert [V.decode(ids) for ids in answers] == [" the porter", " Lyon"]
    assert all(ids[-1] == END and (ids[:-1] >= SPECIAL).all() for ids in answers)
    assert all(lesson.ids[a - 1] == MODEL for a, _ in runs(lesson.answer))


def copied(example):
    """Each answer token that is copied, and the token it is copied from, as text."""
    lesson = template.example(V, example)
    at = np.flatnonzero(lesson.source >= 0)
    assert lesson.answer[at].all() and (lesson.source[at] < at).all() and not lesson.answer[lesson.source[at]].any()
    return [(V.decode([a]), V.decode([b])) for a, b in zip(lesson.ids[at], lesson.ids[lesson.source[at]], strict=True)], lesson


def test_an_answer_points_at_its_words_in_the_evidence():
    text = "Gate 41. The porter left 4071 men behind, or 4071."
    where = text.rindex("4071")
    pairs, lesson = copied(Example(text, (Question("How many?", "4071", (where, where + 4)),)))
    assert pairs == [(c, c) for c in "4071"] and lesson.ids[-1] == END and lesson.source[-1] == -1
    at = lesson.source >= 0
    assert (lesson.passage[at] == lesson.source[at][[0, -1]]).all() and (lesson.passage[~at] == -1).all()
    inside = template.documents(V, template.reading(Example(text, ())))
    assert inside.start[lesson.source[lesson.source >= 0]].tolist() == list(range(where, where + 4))


def test_an_answer_repeats_the_very_tokens_that_stand_in_the_evidence():
    """Behind a quotation mark a word is other tokens than behind a space: here three, and not one."""
    text = 'The word was "midnight", or so he said.'
    pairs, lesson = copied(Example(text, (Question("Which word?", "midnight", (0, len(text))),)))
    assert V.decode(lesson.ids[lesson.answer]) == "midnight"
    assert [a for a, _ in pairs] == [b for _, b in pairs] == [V.decode([i]) for i in V.encode("midnight")]
    assert len(pairs) == 3 and V.encode(" midnight").size == 1


def test_an_answer_whose_tokens_hold_more_is_spelled():
    """The bracket and the quotation mark are one token, of which the answer is a part."""
    text = "At night it is set['30"
    pairs, lesson = copied(Example(text, (Question("To what?", "'30", (0, len(text))),)))
    assert V.decode(lesson.ids[lesson.answer]) == " '30" and pairs == [(" '", "['"), ("3", "3"), ("0", "0")]


def test_an_answer_in_other_case_or_another_file_is_found_and_one_inside_a_word_is_not():
    files = Example("Bought.\nSilver plate is what it was.", (), ((0, "a.txt"), (8, "b.txt")))
    asked = Question("What?", "silver plate", (8, 36))
    pairs, _ = copied(Example(files.context, (asked,), files.files))
    assert [b.strip().lower() for _, b in pairs][-1] == "plate"
    assert copied(Example("Platelets.", (Question("What?", "plate", (0, 10)),)))[0] == []


def test_a_list_is_copied_part_by_part():
    """With commas of its own between them; each part points into the range that holds it, and not into another."""
    text = "Rome is 41. Lyon is 52. Rome was 63, and (52) is no more."
    parts = (("52", (12, 23)), ("63", (24, 36)), ("52", (41, 57)))
    pairs, lesson = copied(Example(text, (Question("Which?", "52, 63, 52", parts=parts),)))
    assert V.decode(lesson.ids[lesson.answer]).strip() == "52, 63, 52"
    assert "".join(a for a, _ in pairs).split() == "".join(b for _, b in pairs).split()
    inside = template.documents(V, template.reading(Example(text, ())))
    starts = [inside.start[at] for at in lesson.source[lesson.source >= 0]]
    assert [next(n for n, (_, (a, b)) in enumerate(parts) if a <= start < b) for start in starts] in ([0, 0, 1, 1, 2, 2],)
    source, (first, last) = lesson.source[lesson.source >= 0], lesson.passage[lesson.source >= 0].T
    assert (first <= source).all() and (source <= last).all()


def test_an_answer_without_evidence_points_into_its_question():
    pairs, _ = copied(Example("", (Question("Anna met Bell in Lyon. Whom?", "Bell"),)))
    assert pairs == [(" Bell", " Bell")]


def test_files_of_an_example_are_documents_of_their_own():
    files = template.reading(Example("one\ntwo\n", (), ((0, "a.py"), (4, "b.py"))))
    assert [(f.path, f.segments[0].text, f.segments[0].start) for f in files] == [("a.py", "one\n", 0), ("b.py", "two\n", 4)]
    assert template.reading(Example("", ())) == []


def test_an_example_reads_as_a_conversation():
    stream = template.example(V, EXAMPLE)
    assert V.decode(stream.ids) == " day.txt\nThe porter slept in Lyon.\nNobody knew. Who slept? the porter Where? Lyon"
    assert stream.ids[stream.ids < SPECIAL].tolist() == [DOCUMENT, USER, MODEL, END, USER, MODEL, END]


def test_places_lead_back_to_the_context():
    stream = template.documents(V, template.reading(EXAMPLE))
    inside = stream.segment == 0
    assert "".join(EXAMPLE.context[a:b] for a, b in zip(stream.start[inside], stream.end[inside], strict=True)) == EXAMPLE.context
    assert V.decode(stream.ids[inside]) == EXAMPLE.context and set(stream.segment) == {-1, 0}


def test_serving_asks_as_training_does():
    """A question and an answer, one by one, are the tail of the example, where the answer stands behind a space."""
    stream = template.example(V, EXAMPLE)
    answer = lambda text: [*V.encode(f" {text.strip()}"), END]  # noqa: E731
    turns = [part for q in ASKED for part in (template.question(V, q.text), answer(q.answer))]
    tail = np.concatenate(turns)
    assert (stream.ids[-tail.size :] == tail).all()


def test_segments_are_counted_across_documents_and_pages_are_labelled():
    book = Document("a.pdf", (Text("a.pdf", "First page.", page=1), Text("a.pdf", "Second page.", page=2)))
    note = Document("b.txt", (Text("b.txt", "A note."),))
    stream = template.documents(V, [book, note])
    texts = ["First page.", "Second page.", "A note."]
    for number, text in enumerate(texts):
        here = stream.segment == number
        assert V.decode(stream.ids[here]) == text and stream.end[here].max() == len(text)
    assert stream.ids[stream.ids < SPECIAL].tolist() == [DOCUMENT, PAGE, PAGE, DOCUMENT]
    assert V.decode(stream.ids) == " a.pdf\n 1\nFirst page. 2\nSecond page. b.txt\nA note."


def test_nothing_is_an_empty_stream():
    assert template.documents(V, []).size == 0 and template.example(V, Example("", ())).size == 0
    assert join([template.own([1, 2]), template.own([])]).size == 2


def test_a_finished_turn_knows_where_its_words_stand():
    text = template.turn_text("Which word?", "midnight").text
    for spaced in (True, False):
        stream = template.turn(V, " Which word? ", "midnight", spaced=spaced)
        inside = np.flatnonzero(stream.segment == 0)
        said = [(V.decode([stream.ids[i]]).strip(), text[stream.start[i] : stream.end[i]].strip()) for i in inside]
        assert all(token == there for token, there in said) and "".join(token for token, _ in said) == "Whichword?midnight"
        assert V.decode(stream.ids) == " Which word?" + " " * spaced + "midnight"
