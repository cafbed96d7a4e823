"""Byte-level byte-pair vocabulary: digits one by one, runs of spaces as tokens, lossless on any bytes.

Special tokens are numbers below `SPECIAL` that no text can produce: they are never looked up by name in a text, so a document
that spells ``<|user|>`` stays a document.

Behind the last of them come the codes of what is seen and heard (`media.transcript`), which no text produces and no answer says.

Size: 8,192. Measured on 8 unseen novels and on unseen Python code (bytes per token): 4,096: 3.35 and 2.45; 8,192: 3.64 and 2.66;
16,384: 3.86 and 2.86; 32,768: 4.02 and 2.97. Twice the vocabulary shortens a text by 6% and doubles what is the largest table of
a small model, whose rows it then sees half as often.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from pollux.base.errors import ConfigError
from pollux.media.transcript import CODES, PICTURE, SOUND
from pollux.media.transcript import FRAME as A_FRAME

SPECIAL = 32
NAMES = (
    "pad", "document", "page", "user", "model", "system", "end", "tool", "result", "code",
    "image", "audio", "video", "frame", "time", "media_end",
)  # fmt: skip
PAD, DOCUMENT, PAGE, USER, MODEL, SYSTEM, END = range(7)
IMAGE, AUDIO, FRAME = (NAMES.index(name) for name in ("image", "audio", "frame"))
_MARKS = {PICTURE: IMAGE, A_FRAME: FRAME, SOUND: AUDIO}

# words with the space before them; single digits; punctuation; runs of line ends; runs of blanks less the last; blanks
_PIECES = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\n+|[^\S\n]+(?!\S)|[^\S\n]+"
# long texts are encoded in parts that end with a line, where no token can straddle
_PART = re.compile(r"(?s).{1,20000}(?:\n(?=[^\n])|\Z)|.{1,20000}")
# so many parts at once: the library keeps an object per token until a batch is done
_PARTS = 64


class Vocabulary:
    """Text to token ids and back. Ids 0 to 31 are special, the rest up to ``size`` are byte pairs; codes come behind."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.size = tokenizer.get_vocab_size() + SPECIAL

    def codes(self, codes: np.ndarray) -> np.ndarray:
        """The ids of codes and marks (`media.transcript`), int32 of the same shape."""
        ids = codes + np.int32(self.size)
        for mark, number in _MARKS.items():
            ids[codes == mark] = number
        return ids

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read a vocabulary file. Raises ConfigError when it is missing or is none."""
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as error:  # the library raises bare Exception
            raise ConfigError(f"cannot read the vocabulary {path}: {error}", "make one with: pollux tokenizer train") from error

    @classmethod
    def train(cls, texts: Iterable[str], size: int = 8192) -> Vocabulary:
        """Learn a vocabulary of ``size`` ids, special ones included, from texts."""
        if size < SPECIAL + 256:
            raise ConfigError(f"a vocabulary needs at least {SPECIAL + 256} ids, got {size}", "try --size 8192")
        tokenizer = Tokenizer(models.BPE())
        split = pre_tokenizers.Split(Regex(_PIECES), "isolated")
        bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_])
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=size - SPECIAL, show_progress=False, initial_alphabet=alphabet)
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    def save(self, path: str | Path) -> None:
        self._tokenizer.save(str(path), pretty=False)

    @cached_property
    def fingerprint(self) -> str:
        """8 hex digits that tell this vocabulary from others."""
        return f"{zlib.crc32(self._tokenizer.to_str().encode()):08x}"

    def encode(self, text: str) -> np.ndarray:
        """int32 [T]. Lone surrogates (bytes that were no UTF-8, decoded with ``surrogateescape``) become their byte's token, those
        that stand for no byte a replacement character."""
        return self.encode_places(text)[0]

    def encode_places(self, text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Token ids and the character range [start, end) of each: three int32 [T]."""
        ids, starts, ends, at = [], [], [], 0
        parts = _PART.findall(_NO_BYTE.sub("\ufffd", text))
        for part, encoding in zip(parts, self._encode_parts(parts), strict=True):
            part_ids, offsets = encoding
            ids.append(part_ids)
            starts.append(offsets[:, 0] + at)
            ends.append(offsets[:, 1] + at)
            at += len(part)
        empty = np.zeros(0, np.int32)
        joined = (np.concatenate(column) if column else empty for column in (ids, starts, ends))
        return tuple(x.astype(np.int32) for x in joined)  # type: ignore[return-value]

    def _encode_parts(self, parts: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
        if any(map(_SURROGATE.search, parts)):
            return [self._encode_with_bytes(part) for part in parts]
        if len(parts) == 1:  # no need to wake the threads
            return [_arrays(self._tokenizer.encode(parts[0]))]
        found = []
        for start in range(0, len(parts), _PARTS):
            found += map(_arrays, self._tokenizer.encode_batch(parts[start : start + _PARTS]))
        return found

    def _encode_with_bytes(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        ids, offsets, at = [], [], 0
        for piece in _SURROGATE.split(part):
            if piece:
                if _SURROGATE.fullmatch(piece):
                    found, place = np.array([self._byte_ids[ord(piece) - 0xDC00]]), np.array([[0, 1]])
                else:
                    found, place = self._encode_parts([piece])[0]
                ids.append(found)
                offsets.append(place + at)
                at += len(piece)
        return np.concatenate(ids), np.concatenate(offsets)

    @cached_property
    def _byte_ids(self) -> list[int]:
        """The id of each of the 256 single-byte tokens."""
        letters = _byte_letters()
        return [self._tokenizer.token_to_id(letters[byte]) + SPECIAL for byte in range(256)]

    @cached_property
    def _bytes(self) -> list[bytes]:
        letters = {letter: byte for byte, letter in _byte_letters().items()}
        table = [b""] * (self.size + CODES)
        for token, number in self._tokenizer.get_vocab().items():
            table[number + SPECIAL] = bytes(letters[letter] for letter in token)
        return table

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that the tokens stand for; special tokens and codes stand for none."""
        return b"".join(self._bytes[i] for i in ids)

    def decode(self, ids: Iterable[int]) -> str:
        """Text, with bytes that are no UTF-8 as lone surrogates, so that nothing is lost."""
        return self.decode_bytes(ids).decode("utf-8", "surrogateescape")


def _arrays(encoding) -> tuple[np.ndarray, np.ndarray]:
    """Ids [T] and character ranges [T, 2] of what the library has encoded."""
    return np.array(encoding.ids, np.int32) + SPECIAL, np.array(encoding.offsets, np.int32).reshape(-1, 2)


_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_SURROGATE = re.compile("([\udc80-\udcff])")


@lru_cache
def _byte_letters() -> dict[int, str]:
    """The printable letter that stands for each byte inside byte-level vocabularies (GPT-2's convention): printable Latin-1 for
    itself, the others for the letters from U+0100 on, in order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


@lru_cache
def shipped() -> Vocabulary:
    """The vocabulary that comes with Pollux."""
    with resources.as_file(resources.files("pollux.tokens") / "vocabulary.json") as path:
        return Vocabulary.load(path)
