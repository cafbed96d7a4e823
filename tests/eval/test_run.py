"""Whether what is given as evidence is what the answer was drawn from."""

from pollux.eval.run import cited
from pollux.media.segment import Text
from pollux.tasks.task import Question

TEXT = Text("a.txt", "Selby has the code of the Aurelia. Fog. The code of the Aurelia is 4711.")
NUMBER, WHOSE, FOG = TEXT.place(68, 72), TEXT.place(26, 33), TEXT.place(35, 38)


def test_one_passage_counts_where_the_answer_is_one_and_as_many_as_it_has_parts():
    one = Question("?", "4711", (40, 72))
    two = Question("?", "Aurelia: 4711", (40, 72), parts=(("Aurelia", (0, 34)), ("4711", (40, 72))))
    asked = Question("?", "Aurelia: 4711", (40, 72), parts=(("Aurelia", None), ("4711", (40, 72))))
    assert cited(one, (NUMBER, WHOSE)) and not cited(one, (WHOSE, NUMBER)) and not cited(one, ())
    assert cited(two, (WHOSE, NUMBER)) and cited(two, (NUMBER,)) and not cited(two, (WHOSE, FOG, NUMBER))
    assert not cited(asked, (WHOSE, NUMBER))  # the question itself holds the other part
    assert not cited(Question("?", "4711"), (NUMBER,))
