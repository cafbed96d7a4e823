"""The commands as a user runs them: each in a process of its own, on a tiny model whose weights are random."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

SOURCE = Path(__file__).parents[1] / "src"
# Random weights end a greedy answer at once; drawn almost evenly from all tokens, they say something.
DRAW = ("--temperature", "20", "--seed", "3", "--max-tokens", "6")


@pytest.fixture(scope="module")
def env(tmp_path_factory) -> dict[str, str]:
    flags = {"PYTHONPATH": str(SOURCE), "PYTHONUTF8": "1", "JAX_PLATFORMS": "cpu"}
    quick = {"XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"}
    rest = {name: value for name, value in os.environ.items() if name != "POLLUX_DEBUG"}
    return rest | flags | quick | {"POLLUX_CACHE": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Weights of the smallest size, as they come from the seed."""
    from pollux.base.checkpoint import save_weights
    from pollux.base.weights import initial
    from pollux.model.sizes import family
    from pollux.model.transformer import weight_table

    config = replace(family()["tiny"], vocab_size=8192)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_weights(path, initial(weight_table(config), 0), {"model": asdict(config), "run": "test", "step": 0})
    return path


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Path:
    """A folder to read, two of its files in a folder of their own."""
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "inner").mkdir()
    (folder / "note.txt").write_text("The harbour master is called Silas. He has a dog.\nIt barks.\n" * 3)
    (folder / "inner" / "a.py").write_text("def budget(year):\n    return year * 12\n")
    (folder / "inner" / "b.md").write_text("# Heading\n\nA paragraph about budgets.\n")
    (folder / "bad\x1b[31m.bin").write_bytes(bytes(range(256)) * 8)
    return folder


@pytest.fixture(scope="module")
def pollux(env, shelf):
    """Run a command in the folder; gives its exit status, stdout and stderr. No command may show a traceback."""

    def run(*words: str | Path, stdin: str | bytes = b"", within: float = 120) -> tuple[int, str, str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        command = [sys.executable, "-m", "pollux", *map(str, words)]
        done = subprocess.run(command, input=data, capture_output=True, env=env, cwd=shelf, timeout=within)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return done.returncode, out, err

    return run


def is_error(result: tuple[int, str, str], status: int, *parts: str) -> bool:
    """Whether a result is one error in the house's form, nothing on stdout, that says these things."""
    code, out, err = result
    form = err.startswith("error: ") and "\n\nhint: " in err
    assert (code, out, form) == (status, "", True) and all(part in err for part in parts), result
    return True


class TestStart:
    def test_import_is_light_and_names_resolve(self, env):
        heavy = "heavy = {'jax', 'numpy', 'rich', 'tokenizers', 'pathspec'} & set(sys.modules); assert not heavy, heavy;"
        code = (
            f"import sys, pollux; {heavy} from pollux.cli import parser; parser().format_help(); {heavy}"
            "[getattr(pollux, name) for name in pollux.__all__]; assert 'jax' in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=120)

    def test_help_is_instant(self, pollux):
        """Less than 0.3 s; counted in processor time, which a busy machine does not stretch."""
        seconds = []
        for _ in range(3):
            start = resource.getrusage(resource.RUSAGE_CHILDREN)
            status, out, err = pollux("--help")
            end = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds.append(end.ru_utime - start.ru_utime + end.ru_stime - start.ru_stime)
            assert status == 0 and "pollux ask book.txt" in out and not err
        assert min(seconds) < 0.3

    def test_every_command_has_help_with_examples(self, capsys):
        from pollux.cli import main

        single = ([name] for name in ("ask", "chat", "serve", "studio", "train", "segment", "info", "doctor", "tokenizer"))
        for words in (*single, ["tokenizer", "count"]):
            with pytest.raises(SystemExit) as stop:
                main([*words, "--help"])
            out = capsys.readouterr().out
            assert stop.value.code == 0 and f"examples:\n  pollux {words[0]}" in out

    def test_train_help_lists_recipes(self, capsys):
        from pollux.cli import main
        from pollux.recipes.registry import RECIPES

        with pytest.raises(SystemExit):
            main(["train", "--help"])
        out = capsys.readouterr().out
        assert all(recipe.summary in out for recipe in RECIPES.values())

    def test_usage_errors(self, pollux):
        assert is_error(pollux(), 2, "COMMAND")
        assert is_error(pollux("ask"), 2, "no question")
        assert is_error(pollux("ask", "note.txt"), 2, "note.txt, is a file", "pollux ask --help")
        assert is_error(pollux("ask", "note.txt", " "), 2, "empty")
        assert is_error(pollux("ask", "Who?"), 2, "nothing to read", "--context")
        assert is_error(pollux("ask", "note.txt", "who", "rings", "Tom's", "bell?"), 2, "no file who", "in quotes")
        assert is_error(pollux("info", "--length", "long"), 2, "128k")
        assert is_error(pollux("train", "nothing", "--data", "."), 2, "laptop")
        assert is_error(pollux("train", "laptop", "--data", ".", "--mesh", "cores=2"), 2, "tensor")
        assert is_error(pollux("chat", "-"), 2, "standard input")


class TestAsk:
    def test_files_folders_patterns_and_stdin(self, pollux, model):
        words = ("inner", "*.txt", "-", "missing.txt", "What is it?", "--json", "--model", model, *DRAW)
        status, out, err = pollux("ask", *words, stdin="Piped text about a bell.")
        told = json.loads(out)
        assert status == 1 and err.startswith("error: there is no file missing.txt") and err.count("error:") == 1
        assert told["question"] == "What is it?" and told["answer"] and told["reason"] in ("end", "limit")
        assert told["tokens_read"] > 80 and told["tokens_reopened"] == 0 and told["seconds_answering"] > 0
        places = {"path", "line", "page", "start", "end", "snippet", "share"}
        assert told["evidence"] and all(set(found) == places and 0 < found["share"] <= 1 for found in told["evidence"])
        assert all(found["path"] in ("note.txt", "inner/a.py", "inner/b.md", "-") for found in told["evidence"])

    def test_one_answer_with_its_places(self, pollux, model):
        status, out, err = pollux("ask", "--model", model, "note.txt", *DRAW, "Who is it?")
        answer, *places = out.splitlines()
        assert status == 0 and answer and 1 <= len(places) <= 3
        assert all(line.startswith("  note.txt:") and " [chars " in line and line.endswith('"') for line in places)
        assert err.startswith("read ") and "tokens/s" in err and "answered in" in err and err.count("\n") == 1

    def test_what_was_read_is_counted(self, pollux, model, tmp_path):
        for name, content in {"a.txt": b"One bell.", "b.txt": b"Two bells.", "c.bin": bytes(range(256))}.items():
            (tmp_path / name).write_bytes(content)
        status, _, err = pollux("ask", "--model", model, tmp_path, *DRAW, "Who is it?")
        assert status == 0 and "tokens of 2 files in" in err and ", 1 that hold no text passed over" in err

    def test_saved_context_is_reopened_and_added_to(self, pollux, model, tmp_path):
        saved, asked = tmp_path / "deep" / "c.ctx", ("-q", "Who?", "-q", "What\x1b[2J?", "--model", model, *DRAW)
        first = pollux("ask", "note.txt", "--save", saved, *asked)
        again = pollux("ask", "--context", saved, *asked)
        assert first[0] == again[0] == 0
        assert first[1] == again[1] and "Who?" in first[1] and r"What\x1b[2J?" in first[1]
        assert "reopened" in again[2] and "read 0 tokens" in again[2]
        more = json.loads(pollux("ask", "inner", "--context", saved, *asked, "--json")[1].splitlines()[1])
        assert more["question"] == "What\x1b[2J?"
        assert more["tokens_reopened"] > 0 and more["tokens_read"] > 0

    def test_wrong_files_and_models(self, pollux, model, tmp_path):
        files = ("nope.txt", "bad\x1b[31m.bin")
        assert is_error(pollux("ask", *files, "Who?", "--model", model), 1, "nope.txt", r"bad\x1b[31m.bin", "nothing could be read")
        assert is_error(pollux("ask", "note.txt", "Who?", "--model", "no-such"), 1, "no model no-such")
        assert is_error(pollux("ask", "note.txt", "Who?", "--model", "note.txt"), 1, "note.txt is not a sound")
        assert is_error(pollux("ask", "note.txt", "Who?", "--model", model, "--context", "none.ctx"), 1, "no saved context")
        assert is_error(pollux("ask", "note.txt", "Who?", "--top-p", "3", "--model", model), 1, "top-p")
        assert is_error(pollux("ask", "note.txt", "Who?", "--save", "note.txt/x.ctx", "--model", model), 1, "note.txt")
        precious = tmp_path / "precious.txt"
        precious.write_text("kept")
        saving = ("--save", precious, "--model", model)
        assert is_error(pollux("ask", "note.txt", "Who?", *saving), 1, "precious.txt holds something else")
        assert precious.read_text() == "kept"
        cut = tmp_path / "cut.safetensors"
        cut.write_bytes(model.read_bytes()[:-100])
        assert is_error(pollux("ask", "note.txt", "Who?", "--model", cut), 1, "cut.safetensors")

    def test_the_reader_of_the_output_goes_away(self, env, shelf, model):
        words = [sys.executable, "-m", "pollux", "ask", "note.txt", "Who?", "--model", str(model), *DRAW]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=shelf) as process:
            process.stdout.read(1)
            process.stdout.close()
            err = process.stderr.read().decode()
            assert process.wait(60) == 141 and "Traceback" not in err and "Broken" not in err and "Exception" not in err

    @pytest.mark.parametrize("after", [0.0, 0.3, 3.0])
    def test_ctrl_c(self, env, shelf, model, tmp_path, after):
        """While libraries are loaded, and while a long file is read."""
        long = tmp_path / "long.txt"
        long.write_text("The bell rang twice, and nobody came down to the gate. " * 40_000)
        words = [sys.executable, "-m", "pollux", "ask", str(long), "Who?", "--model", str(model)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=shelf) as process:
            wait_for_library(process.pid, "numpy", within=60)
            time.sleep(after)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (130, b"", b"interrupted\n")


def wait_for_library(pid: int, name: str, within: float) -> None:
    """Until a process has mapped a library; where the system does not tell, a second."""
    maps, end = Path(f"/proc/{pid}/maps"), time.monotonic() + within
    if not maps.exists():
        time.sleep(1)
    while maps.exists() and name not in maps.read_text() and time.monotonic() < end:
        time.sleep(0.005)


def test_eval_goes_on_and_draws(pollux, model, tmp_path, text):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text(text)
    words = ("eval", "needle", "--data", tmp_path / "data", "--lengths", "500", "700", "--out", tmp_path / "out", "--model", model)
    status, out, err = pollux(*words, "--n", "1")
    assert status == 0 and out.count("score: 0.0%") == 2, out + err
    out = pollux(*words, "--n", "2", "--depths", "10")[1]
    assert out.count("1 of the questions asked before") == 2 and out.count("results.jsonl in") == 2
    rows = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert [row["outcomes"][0]["asked"] for row in rows] == [500, 700, 500, 700]
    assert {row["about"]["task"] for row in rows} == {"needle:gemini"}
    table, picture = (next((tmp_path / "out").glob(f"needle*.{kind}")) for kind in ("md", "png"))
    assert table.read_text().count("| needle:gemini |") == 2 and picture.read_bytes().startswith(b"\x89PNG")
    (tmp_path / "data" / "b.txt").write_text(text[::-1])
    assert "asked before" not in pollux(*words, "--n", "1")[1], "other texts, other questions"
    pollux("eval", "needle:kamradt", *words[2:], "--n", "1")
    assert len(list((tmp_path / "out").glob("*.png"))) == 3, "other texts and other variants are other pictures"


def test_eval_takes_the_novel_that_comes_with_pollux(pollux, model):
    status, out, err = pollux("eval", "needle", "--lengths", "500", "--n", "2", "--in-place", "--model", model)
    assert status == 0 and "needle:gemini, 2 contexts of 5" in out, out + err


def test_eval_of_a_model_itself(pollux, model, tmp_path, text):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text(text)
    words = ("--data", tmp_path / "data", "--model", model, "--lengths", "400")
    status, out, err = pollux("eval", "position", *words, "--n", "2", "--out", tmp_path / "out")
    assert status == 0 and "prose, 2 documents of 400 tokens" in out and "R²" in out, out + err
    assert "tokens       256 to        399" in out
    assert json.loads((tmp_path / "out" / "position.json").read_text())["prose"]["documents"] == 2
    kept = (tmp_path / "out" / "position.jsonl").read_text()
    assert len(kept.splitlines()) == 1  # both are the one text there is
    assert pollux("eval", "position", *words, "--n", "2", "--out", tmp_path / "out")[:2] == (status, out)
    assert (tmp_path / "out" / "position.jsonl").read_text() == kept  # nothing was read again
    assert (tmp_path / "out" / "position.png").read_bytes().startswith(b"\x89PNG")
    status, out, err = pollux("eval", "speed", *words)
    assert status == 0 and "next token: " in out and "GiB" in out, out + err


def test_eval_told_what_it_cannot_do(pollux, model, tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    words = ("--data", tmp_path, "--model", model)
    assert is_error(pollux("eval", "sudoku", *words), 2, "no task 'sudoku'", "babilong")
    assert is_error(pollux("eval", "ruler:qa", *words), 2, "no variant 'qa'", "niah_single_1")
    assert is_error(pollux("eval", "cloze", *words, "--lengths", "8k"), 2, "own length")
    assert is_error(pollux("eval", "needle", *words, "--shared", "0"), 2, "--shared must be 1")
    assert is_error(pollux("eval", "ruler", *words, "--needles", "9"), 2, "ruler has no --needles")
    assert is_error(pollux("eval", "speed", *words, "--depths", "9"), 2, "speed has no --depths")
    assert is_error(pollux("eval", "needle", *words, "--shared", "9", "--needles", "9"), 2, "one of the two")
    assert is_error(pollux("eval", "needle", *words, "--needles", "4", "--asked", "8"), 1, "asked must be from 1 to the 4")
    assert is_error(pollux("eval", "reading", "--model", model), 2, "--data DIR")
    assert is_error(pollux("eval", "text", *words, "--remote", "gemini:m"), 2, "on this machine")
    assert is_error(pollux("eval", "needle", *words, "--remote", "bard:m"), 1, "no dialect")
    assert is_error(pollux("eval", "needle", *words, "--lengths", "20"), 1, "tokens=20", "--lengths")
    assert is_error(pollux("eval", "definitions", *words), 1, "no source code")


def test_chat(pollux, model, tmp_path):
    lines = ["Who is it?", "/files", "/evidence", "/what", f"/save {tmp_path / 'talk.ctx'}", "/reset", "Who is it?", "/quit", "no"]
    status, out, err = pollux("chat", "note.txt", "--model", model, *DRAW, stdin="\n".join(lines))
    answer = out.split("\n  note.txt:")[0]
    assert status == 0 and out.count(answer) == 2, "after /reset the same question has the same answer"
    assert "\n  note.txt\n" in out and "%  note.txt:" in out
    assert "error: unknown command /what" in err and "saved to" in err and (tmp_path / "talk.ctx").exists()


def test_chat_stops_an_answer_only(capsys):
    """Ctrl-C between two tokens: what came is shown, nothing is remembered, and the next answer is whole."""
    from pollux.commands.chat import Chat
    from pollux.engine.contexts.context import ReadContext
    from pollux.engine.request import Answer, Event, Sampling

    class Engine:
        remembered = ()

        def ask(self, context, questions, sampling):
            yield Event(0, "one ")
            if questions == ["stop"]:
                chat.interrupt(signal.SIGINT, None)
            yield Event(0, "two", Answer("one two", (), (), "end"))

        def remember(self, context, question, answer):
            self.remembered += (question,)

    engine = Engine()
    chat = Chat(SimpleNamespace(engine=engine, context=ReadContext("weights", {}, {})), Sampling())
    for question in ("first", "stop", "last"):
        chat._turn(question)
    out, err = capsys.readouterr()
    assert out == "one two\none one two\n" and err == "\n(stopped)\n" and engine.remembered == ("first", "last")


def test_tokenizer(pollux, tmp_path):
    data = "A line of  text, 1907\n\tand ü".encode() + b"\xff\x00\n"
    status, ids, _ = pollux("tokenizer", "encode", stdin=data)
    assert status == 0 and ids.count("\n") == 1
    raw = pollux("tokenizer", "encode", "-", stdin=data)[1]
    assert raw == ids
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("the cat sat on the mat and the dog sat on the cat\n" * 20)
    made = tmp_path / "v.json"
    assert pollux("tokenizer", "train", "--data", tmp_path / "data", "--size", "300", "--out", made)[:2] == (
        0, f"300 tokens of 1 documents: {made}\n",
    )  # fmt: skip
    status, out, _ = pollux("tokenizer", "count", "note.txt", "inner", "--vocabulary", made)
    assert status == 0 and [line.split()[1] for line in out.splitlines()] == ["note.txt", "inner/a.py", "inner/b.md", "together"]
    assert is_error(pollux("tokenizer", "decode", stdin="5 x"), 1, "'x'")
    assert is_error(pollux("tokenizer", "encode", "nope.txt"), 1, "nope.txt")


def test_tokenizer_gives_every_byte_back(env):
    data = bytes(range(256)) + "ü日本\r\n  x".encode()
    run = lambda verb, given: subprocess.run(  # noqa: E731
        [sys.executable, "-m", "pollux", "tokenizer", verb], input=given, capture_output=True, env=env, check=True
    ).stdout
    assert run("decode", run("encode", data)) == data


def test_info(pollux, model):
    status, out, err = pollux("info", "--model", model, "--length", "1M")
    assert status == 0 and not err
    assert "cpu:0" in out and "recipe test, 0 steps" in out and "659,598 parameters" in out
    # one retrieval layer, one key-value head: in 4 bits keys of 64, that look ahead, and values of 32, a scale for each, 64 signs
    assert "keys and values, 64 bytes a token" in out and "1,000,000 tokens take about" in out
    assert "ultra" in out and "nano-1               1.81B" in out


def test_doctor(pollux, model):
    status, out, _ = pollux("doctor", "--model", model)
    assert status == 0 and "ok    answering" in out and "fail" not in out
    status, out, _ = pollux("doctor", "--model", "no-such")
    assert status == 1 and "fail  weights     there is no model no-such" in out and "ok    vocabulary" in out


TINY_RUN = """
import sys
from pollux.recipes import registry

def tiny(corpus, vocabulary, seed):
    from dataclasses import replace
    from pollux.data.mixture import Mixture, Source
    from pollux.model.sizes import family
    from pollux.train.loop import Run, Stage
    mixture = lambda length: Mixture((Source("prose", 1.0, texts=corpus.prose),), vocabulary, seed, 1.0)
    return Run("tiny", replace(family()["tiny"], vocab_size=vocabulary.size), (Stage(4, 2, 64, mixture),), seed=seed)

registry.RECIPES["laptop"] = registry.Recipe("", tiny)
from pollux.cli import main
sys.exit(main())
"""


def test_train_stops_and_goes_on(env, pollux, tmp_path, text):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text(text)
    assert pollux("tokenizer", "train", "--data", tmp_path / "data", "--size", "400", "--out", tmp_path / "v.json")[0] == 0
    names = {"--data": "data", "--out": "out", "--vocabulary": "v.json"}
    words = ["train", "laptop", *(word for option, name in names.items() for word in (option, str(tmp_path / name)))]

    def train(*more: str, status: int = 0) -> tuple[str, str]:
        command = [sys.executable, "-c", TINY_RUN, *words, *more]
        done = subprocess.run(command, capture_output=True, env=env, text=True, timeout=120)
        assert done.returncode == status, done.stderr
        return done.stdout, done.stderr

    weights = tmp_path / "out" / "model.safetensors"
    out, err = train("--steps", "2")
    assert out == f"weights: {weights}\n" and f"pollux ask --model {weights}" in err and "absl" not in err
    out, err = train()
    assert "going on from step 2 of 4" in err
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 1, 2, 3] and (tmp_path / "out" / "loss.png").exists()
    assert "another begin" in train("--from", str(weights), status=1)[1]
    assert "another vocabulary" in train("--from", "base", "--out", str(tmp_path / "other"), status=1)[1]
    out, _ = train("--from", str(tmp_path / "out"), "--out", str(tmp_path / "further"), "--steps", "1")
    assert out == f"weights: {tmp_path / 'further' / 'model.safetensors'}\n"
    import pollux as package

    engine = package.load(str(tmp_path / "out"))
    assert engine.vocabulary.size == engine.runner.config.vocab_size == 400, "the vocabulary beside the weights is used"


def test_train_vae(pollux, tmp_path):
    pictures = bytes(range(256)) * (98 * 8)  # 256 of 28 x 28
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images-idx3-ubyte").write_bytes(bytes.fromhex("00000803 00000100 0000001c 0000001c") + pictures)
    words = ("train", "vae", "--data", tmp_path / "data", "--out", tmp_path / "out", "--model", "linear", "--n", "2")
    status, out, err = pollux(*words, "--steps", "3", "--estimator", "loorf")
    assert status == 0 and "linear, loorf, n=2, 3 steps; 200 pictures to train with, 28 pictures to validate" in out, out + err
    assert "bound of 100 draws, test part" in out and json.loads((tmp_path / "out" / "summary.json").read_text())["steps"] == 3
    status, out, err = pollux(*words)
    assert (status, out) == (1, "") and "error: " in err and "another estimator (loorf, this one has arms)" in err
    assert is_error(pollux(*words, "--estimator", "carms-i"), 1, "not for bits", "arms")
    assert is_error(pollux(*words[:-1], "1"), 1, "2 draws or more, got n=1")
    assert is_error(pollux(*words, "--mesh", "data=2"), 2, "vae has no --mesh")
    assert is_error(pollux("train", "laptop", "--data", tmp_path, "--n", "3"), 2, "laptop has no --n")
    (tmp_path / "data" / "images-idx3-ubyte").write_bytes(pictures)
    assert is_error(pollux(*words), 1, "images-idx3-ubyte is no IDX file")
