"""Names of what is stored, and its moments: seconds since 1970 here, RFC 3339 on the wire."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime

_LETTERS = string.ascii_lowercase + string.digits
# The last moment that has four digits for its year.
LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


def fresh(length: int = 12) -> str:
    """A random id of the letters that every client's pattern for ids allows."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def stamp(moment: float) -> str:
    """A moment as Google's clients parse it."""
    return datetime.fromtimestamp(min(moment, LATEST), UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
