"""Killed for real and started again, a run ends as if it had never stopped: the same losses, the same weights, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

import pollux
from pollux.train.metrics import read_metrics

STEPS = 120
SCRIPT = Path(__file__).with_name("small_run.py")
OFTEN, NEVER = 1e-9, 60


@pytest.fixture(scope="module")
def begin(tmp_path_factory, vocabulary, text):
    """Start the run in a folder; the flags are those of users, not of these tests."""
    made = tmp_path_factory.mktemp("given")
    vocabulary.save(made / "vocabulary.json")
    (made / "text.txt").write_text(text)
    source = next(iter(pollux.__path__))
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | {"PYTHONPATH": str(Path(source).parent)}

    def start(folder, save_minutes):
        command = [sys.executable, SCRIPT, folder, made / "vocabulary.json", made / "text.txt", str(save_minutes)]
        return subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.PIPE)

    return start


def finish(process, wanted=0):
    _, errors = process.communicate(timeout=400)
    assert process.returncode == wanted, errors.decode()[-2000:]


def saved(folder):
    states = folder / "states"
    return {int(p.name) for p in states.iterdir() if p.name.isdigit()} if states.exists() else set()


def wait_until(process, happens):
    """Until it happens, looked at as often as can be."""
    until = time.monotonic() + 400
    while not happens():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.0005)


@pytest.fixture(scope="module")
def whole(begin, tmp_path_factory):
    """The run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    finish(begin(folder, NEVER))
    return folder


def test_the_loss_falls(whole):
    rows = read_metrics(whole / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(STEPS))
    mean = lambda part: sum(row["loss"] for row in part) / len(part)  # noqa: E731
    assert mean(rows[-10:]) < mean(rows[:5]) - 1.0
    assert rows[-1]["tokens"] == STEPS * 4 * 32 and (whole / "loss.png").stat().st_size > 1000


def test_killed_and_interrupted_it_ends_as_if_it_had_never_stopped(whole, begin, tmp_path):
    def kill(process):
        process.send_signal(signal.SIGKILL)
        process.communicate()

    # at a random moment past the first save
    process = begin(tmp_path, OFTEN)
    wait_until(process, lambda: saved(tmp_path))
    time.sleep(Random().uniform(0, 0.4))
    kill(process)
    first = max(saved(tmp_path))
    # while a state is half written
    process = begin(tmp_path, OFTEN)
    half = lambda: [p for p in (tmp_path / "states").iterdir() if not p.name.isdigit()]  # noqa: E731
    wait_until(process, lambda: max(saved(tmp_path)) > first and half())
    kill(process)
    second = max(saved(tmp_path))
    # asked to stop: it saves and leaves
    process = begin(tmp_path, NEVER)
    recorded = lambda: len((tmp_path / "metrics.jsonl").read_text().splitlines())  # noqa: E731
    wait_until(process, lambda: recorded() > second + 1)
    process.send_signal(signal.SIGINT)
    finish(process, 130)
    third = max(saved(tmp_path))
    assert first < second < third < STEPS and recorded() == third
    assert not (tmp_path / "model.safetensors").exists()
    finish(begin(tmp_path, NEVER))

    ours, theirs = (read_metrics(folder / "metrics.jsonl") for folder in (tmp_path, whole))
    for name in ("step", "tokens", "loss", "text", "answer", "right", "exact", "busiest"):
        assert [row[name] for row in ours] == [row[name] for row in theirs], name
    assert (tmp_path / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
