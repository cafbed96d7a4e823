"""Every error that Pollux raises on purpose.

    PolluxError             something the user can act on: a message, and a hint that says what to do
    ├── ConfigError         a setting is wrong, or two settings disagree
    ├── MediaError          a file cannot be turned into segments
    ├── CheckpointError     saved weights or state cannot be found, read or fitted to the model
    ├── ContextError        what was given does not fit the context, or a saved context is not usable
    ├── RemoteError         a model behind an HTTP API refuses, or cannot be reached
    ├── BusyError           more is being asked than the queue holds
    │   └── AwayError       it is shutting down
    ├── LateError           an answer was not ready by its deadline
    └── TrainingError       a training run cannot start or go on

The command line prints one as ``error: {message}``, an empty line, ``hint: {hint}``. Anything else that escapes is a bug, and
is shown with its traceback.
"""

from __future__ import annotations


class PolluxError(Exception):
    """An error that its reader can act on.

    Attributes:
        message: What was wanted and what came instead, as one sentence; also what ``str()`` gives.
        hint: What to do about it, as one sentence; empty where there is nothing to advise.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(PolluxError):
    """A setting is wrong, or two settings disagree."""


class MediaError(PolluxError):
    """A file cannot be turned into segments; ``path`` is the file, named as the user named it."""

    def __init__(self, message: str, hint: str = "", *, path: str = "") -> None:
        super().__init__(message, hint)
        self.path = path


class CheckpointError(PolluxError):
    """Saved weights or state cannot be found, read or fitted to the model."""


class ContextError(PolluxError):
    """What was given does not fit the context, or a saved context is not usable."""


class RemoteError(PolluxError):
    """A model behind an HTTP API refuses, cannot be reached, or gives what cannot be understood."""


class BusyError(PolluxError):
    """More is being asked than the queue holds; ``seconds``: after how long it is worth asking again."""

    def __init__(self, message: str, hint: str = "", *, seconds: float = 1.0) -> None:
        super().__init__(message, hint)
        self.seconds = seconds


class AwayError(BusyError):
    """Who was asked is going, and takes on no more."""


class LateError(PolluxError):
    """An answer was not ready by its deadline."""


class TrainingError(PolluxError):
    """A training run cannot start or go on."""
