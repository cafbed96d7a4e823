"""Eight simulated devices, quick compiles and a cache of its own: set before jax is imported, which this file never does."""

import os
import sys
import tempfile

import pytest
from hypothesis import settings

# a slow moment of the machine is no failure
settings.register_profile("pollux", deadline=None)
settings.load_profile("pollux")

# Half of the time of a test run is LLVM's: without its costly passes steps compile in half of it and compute the same.
FLAGS = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"

if "jax" not in sys.modules:
    os.environ["XLA_FLAGS"] = FLAGS
    os.environ["JAX_PLATFORMS"] = "cpu"
    cache = os.environ.setdefault("POLLUX_CACHE", tempfile.mkdtemp(prefix="pollux-tests-"))
    # the same program made anew, as by a run that goes on, is compiled once
    os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{cache}/compiled"
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.5"


@pytest.fixture(scope="session")
def text() -> str:
    """Running text made by a seed: sentences of few words, so that a small model learns something of it in few steps."""
    from random import Random

    rng = Random(7)
    who, did = ["The porter", "A sailor", "My aunt", "The old clerk"], ["found", "lost", "sold", "painted"]
    what, where = ["a brass lamp", "the letter", "two keys", "his coat"], ["in the yard", "by the river", "at dawn"]
    names = ["".join(rng.choice(["ka", "mo", "ri", "ten", "lu", "sa", "vel", "os"]) for _ in range(3)).title() for _ in range(150)]
    end = lambda: f" with {rng.choice(names)} on day {rng.randrange(100)}."  # noqa: E731
    line = lambda: " ".join(rng.choice(x) for x in (who, did, what, where)) + end()  # noqa: E731
    return "\n\n".join(" ".join(line() for _ in range(5)) for _ in range(150))


@pytest.fixture(scope="session")
def vocabulary(text):
    """512 ids learned from `text`."""
    from pollux.tokens.vocabulary import Vocabulary

    return Vocabulary.train([text], size=512)
