"""The models that come with Pollux are those that the code describes, and do what they are there for."""

from pathlib import Path

import pytest

from pollux.base import models
from pollux.engine.engine import Engine
from pollux.media.decode import read

BOOK = Path(__file__).parents[2] / "examples" / "the_odd_women.txt"


@pytest.mark.parametrize("name", models.names())
def test_a_fact_in_a_page_is_found_and_cited(name, tmp_path):
    page = BOOK.read_text(encoding="utf-8")[20_000:22_000]
    (tmp_path / "page.txt").write_text(f"{page}\n\nThe combination of the safe is 40917.\n", encoding="utf-8")
    engine = Engine.load(models.find(name))
    context = engine.read(read([str(tmp_path / "page.txt")]).documents)
    (answer,) = engine.answer(context, ["What is the combination of the safe?"])
    assert answer.text == "40917" and "The combination of the safe is" in answer.evidence[0].place.snippet
