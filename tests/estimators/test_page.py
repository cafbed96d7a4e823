"""What the page shows runs as it is written."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "estimators.md"


def test_the_snippets_run_one_after_another(capsys):
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    for snippet in snippets:
        exec(snippet, names)
    assert len(snippets) >= 5 and "(32, 20, 10)" in capsys.readouterr().out
