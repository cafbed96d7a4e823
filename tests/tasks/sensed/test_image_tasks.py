"""Pictures are really encoded and decoded; what is written on one changes it and no other."""

from collections import Counter
from pathlib import Path
from random import Random

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageFont

from pollux.media.image import describe, look
from pollux.media.segment import Text
from pollux.tasks.sensed.pictures import counting, needle, page
from pollux.tasks.sensed.pictures.classes import ImageClasses
from pollux.tasks.sensed.pictures.counting import ImageCount
from pollux.tasks.sensed.pictures.files import form, names, picture
from pollux.tasks.sensed.pictures.needle import ImageNeedle
from pollux.tasks.sensed.pictures.page import ImagePage, _lines
from pollux.tasks.sensed.pictures.reading import ImageText, character_errors, word_errors
from pollux.tasks.task import NoExample, Question

FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
TEXT = "The harbour lay still. A few boats came home late with their lamps lit and nobody spoke at all.\n\n" * 20


@pytest.fixture(scope="module")
def frames():
    """Five frames of mid grey, each of its own shade: whatever is far from it was written there."""
    return [np.full((90, 160, 3), 100 + 10 * i, np.uint8) for i in range(5)]


def seen(document) -> np.ndarray:
    (pixels,) = look([document.segments[0]])
    return pixels.astype(int)


def has_text(pixels) -> bool:
    return bool(np.ptp(pixels) > 90)


def test_a_picture_is_a_file_of_the_kind_that_its_name_says():
    pixels = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    for path, start in (("a.png", b"\x89PNG"), ("b.jpg", b"\xff\xd8\xff")):
        (segment,) = picture(path, pixels).segments
        assert segment.source.data.startswith(start) and (segment,) == describe(segment.source, path)[0]
    assert (seen(picture("a.png", pixels)) == pixels).all()


def test_names_are_all_different_however_many_they_are():
    found = names(Random(0), 12_000)
    assert len({name.rpartition(".")[0] for name in found}) == 12_000
    assert {form(name) for name in found} == {"png", "jpeg"}
    assert {form(name) for name in names(Random(0), 20, ("png",))} == {"png"}


@pytest.mark.parametrize("i", range(3))
def test_the_needle_is_on_the_picture_at_its_depth_and_on_no_other(frames, i):
    task = ImageNeedle(frames, 23, depths=(0.0, 0.5, 1.0))
    example, plain = task.example(i), task._plain
    (question,) = example.questions
    marked = [n for n, document in enumerate(example.documents) if has_text(seen(document))]
    assert marked == [round(question.depth * 22)] and question.depth == pytest.approx((0, 0.5, 1)[i], abs=0.021)
    assert [document.path for document in example.documents] == [document.path for document in plain]
    assert [n for n, pair in enumerate(zip(example.documents, plain, strict=True)) if pair[0] is not pair[1]] == marked
    assert task.score(question, f"{question.answer.upper()}.") == 1 and task.score(question, "nothing") == 0


def test_many_pictures_are_encoded_once_for_each_frame_and_form(frames, monkeypatch):
    asked, encoded = Counter(), needle.encoded

    def counting(pixels, form):
        asked[pixels[0, 0, 0], form] += 1
        return encoded(pixels, form)

    monkeypatch.setattr(needle, "encoded", counting)
    task = ImageNeedle(frames, 1000)
    assert len({document.path for document in task.example(0).documents}) == 1000
    task.example(1)
    assert len(asked) == 2 * len(frames) and set(asked.values()) == {1}


def test_a_needle_wants_pictures_and_depths(frames):
    with pytest.raises(ValueError, match="pictures and frames"):
        ImageNeedle([], 5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        ImageNeedle(frames, 5, depths=(50.0,))


def test_every_picture_says_something_of_the_text_and_is_asked_for_by_name(frames):
    task = ImageText(frames, [TEXT], pictures=3)
    answers = set()
    for i in range(8):
        example = task.example(i)
        assert [q.text for q in example.questions] == [f"What does {d.path} say?" for d in example.documents]
        assert all(has_text(seen(document)) for document in example.documents)
        answers |= {question.answer for question in example.questions}
    running = " ".join(TEXT.split())
    assert len(answers) > 15 and all(answer in running and len(answer) <= 40 for answer in answers)
    assert {len(answer.split()) for answer in answers} <= set(range(2, 7))
    assert task.example(3).questions == task.example(3).questions


def test_what_cannot_be_written_is_left_out(frames):
    (question,) = ImageText(frames, ["“so” he said—and “there” it was one day in May"], 1).example(0).questions
    assert question.answer.isascii()
    with pytest.raises(NoExample, match="2 words that can be written"):
        ImageText(frames, ["two words ‘only’"]).example(0)


def test_error_rates_are_shares_of_the_answer_and_never_more_than_one():
    asked = Question("What does a.png say?", "the red lamp burns.")
    assert word_errors(asked, "The red  lamp burns") == character_errors(asked, "The red  lamp burns") == 0
    assert word_errors(asked, "the lamp burns") == 0.25 and character_errors(asked, "the lamp burns") == pytest.approx(4 / 18)
    assert word_errors(asked, "a b c d e f g h i") == 1 and character_errors(asked, "") == 1


@pytest.mark.parametrize("i", range(3))
def test_a_page_is_full_of_black_lines_with_the_fact_at_its_depth(i):
    task = ImagePage([TEXT], depths=(0.0, 0.5, 1.0), page=(700, 500))
    example = task.example(i)
    (question,), (document,) = example.questions, example.documents
    pixels = seen(document)
    assert pixels.shape == (500, 700, 3) and document.path.endswith(".png")
    assert np.median(pixels) > 200 and pixels.min() < 30  # ink on paper
    assert question.text.startswith("What is the special magic ") and question.depth == (0, 0.5, 1)[i]
    other = ImagePage([TEXT.replace("boats", "carts")], depths=(0.0, 0.5, 1.0), page=(700, 500)).example(i)
    assert other.questions == example.questions  # the fact is not of the text
    assert task.score(question, f"The number is {question.answer}.") == 1 and task.score(question, "1234567") == 0


def test_the_fact_stands_on_the_line_of_its_depth(monkeypatch):
    pages, scanned = [], page._scanned
    monkeypatch.setattr(page, "_scanned", lambda size, lines, *rest: pages.append(lines) or scanned(size, lines, *rest))
    task = ImagePage([TEXT], depths=(0.0, 0.5, 1.0), page=(700, 500))
    answers = [task.example(i).questions[0].answer for i in range(3)]
    for answer, lines, depth in zip(answers, pages, (0, 0.5, 1), strict=True):
        (at,) = (n for n, line in enumerate(lines) if answer in line)
        assert lines[at].startswith("The special magic ") and abs(at - depth * (len(lines) - 1)) <= 1 and len(lines) > 15


def test_lines_hold_all_words_and_are_no_wider_than_they_may_be():
    font = ImageFont.truetype(str(FONT), 20)
    lines = _lines(TEXT, font, 300)
    assert " ".join(lines).split() == TEXT.split() and max(map(font.getlength, lines)) <= 300
    assert _lines("", font, 300) == [] and _lines("unbreakable", font, 5) == ["unbreakable"]


def test_a_page_wants_room_and_text():
    with pytest.raises(ValueError, match="400 pixels or more"):
        ImagePage([TEXT], page=(300, 500))
    with pytest.raises(ValueError, match="half as high"):
        ImagePage([TEXT], page=(1240, 600))
    with pytest.raises(ValueError, match="no documents"):
        ImagePage([])


def test_as_many_pictures_have_the_word_as_the_answer_says(frames, monkeypatch):
    texts, written = [], counting.written
    monkeypatch.setattr(counting, "written", lambda pixels, text, *rest: texts.append(text) or written(pixels, text, *rest))
    task, without, others = ImageCount(frames, 4), 0, 0
    for i in range(12):
        texts.clear()
        (question,) = task.example(i).questions
        (word,) = [word for word in set(texts) if f"the word {word} written" in question.text]
        assert question.answer == str(texts.count(word)) == str(i % 4 + 1)
        assert all(text == word or (text not in word and word not in text) for text in texts)
        assert sum(map(has_text, map(seen, task.example(i).documents))) == len(texts) // 2
        without, others = without + 4 - len(texts) // 2, others + len(texts) // 2 - texts[: len(texts) // 2].count(word)
    assert without > 3 and others > 3
    assert task.score(question, "4.") == 1 and task.score(question, "3") == 0


def test_counting_wants_two_pictures(frames):
    with pytest.raises(ValueError, match="two pictures or more"):
        ImageCount(frames, 1)


@pytest.fixture(scope="module")
def labelled():
    """Three classes, each of one brightness, a few pictures of each."""
    return [
        (np.full((32, 32, 3), level + n, np.uint8), name)
        for n in range(4)
        for level, name in ((20, "cat"), (110, "dog"), (200, "ship"))
    ]


def test_each_class_is_shown_with_its_name_and_the_query_without(labelled):
    task = ImageClasses(labelled, labelled, 64, shots=2)
    level = {"cat": 20, "dog": 110, "ship": 200}
    for i in range(4):
        example = task.example(i)
        *shown, query = example.documents
        (question,) = example.questions
        told = Counter()
        for document in shown:
            _, text = document.segments
            assert isinstance(text, Text) and text.path == document.path
            assert 0 <= seen(document).mean() - level[text.text.strip()] < 5
            told[text.text.strip()] += 1
        assert told == {"cat": 2, "dog": 2, "ship": 2}
        assert len(query.segments) == 1 and seen(query).shape == (64, 64, 3) and question.text == f"What is shown in {query.path}?"
        assert question.answer == ("cat", "dog", "ship", "cat")[i] and 0 <= seen(query).mean() - level[question.answer] < 5
        assert task.score(question, question.answer) == 1 and task.score(question, "frog") == 0


def test_pictures_are_enlarged_smoothly(labelled):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    query = ImageClasses([(pixels, "noise")], [(pixels, "noise")], 64).example(0).documents[-1]
    assert (seen(query) == np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR))).all()


def test_classes_want_enough_pictures_and_the_same_names(labelled):
    with pytest.raises(ValueError, match="too few pictures of cat, dog, ship"):
        ImageClasses(labelled, labelled, 64, shots=5)
    with pytest.raises(ValueError, match="got ship for one of the two"):
        ImageClasses(labelled, labelled[:2], 64)
