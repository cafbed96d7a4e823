"""Documents that were decoded lately, so that a file that every request names is taken apart once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from pollux.media.segment import Document

# Characters kept; some 4 bytes each at worst.
_MOST = 200_000_000


class Shelf:
    """A document by a key that names its bytes. The longest unused go first. Used from any thread."""

    def __init__(self, most: int = _MOST) -> None:
        self._most, self._size = most, 0
        self._documents: OrderedDict[Hashable, Document] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, key: Hashable, decode: Callable[[], Document]) -> Document:
        """The document, decoded where it is not at hand; raises what ``decode`` raises."""
        with self._lock:
            if key in self._documents:
                self._documents.move_to_end(key)
                return self._documents[key]
        document = decode()
        with self._lock:
            self._put(key, document)
        return document

    def _put(self, key: Hashable, document: Document) -> None:
        if key in self._documents:
            return
        self._documents[key] = document
        self._size += _characters(document)
        while self._size > self._most and len(self._documents) > 1:
            self._size -= _characters(self._documents.popitem(last=False)[1])


def _characters(document: Document) -> int:
    return sum(len(segment.text) for segment in document.segments)
