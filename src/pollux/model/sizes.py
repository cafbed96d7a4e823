"""The family as data: a model is a `ModelConfig`, a layer is a `LayerSpec`, and the code branches on their fields alone.

Named sizes run from 2M parameters to the classes of the Gemini reports. Google published sizes for Nano only (1.8B and 3.25B,
arXiv 2312.11805, table 1 and section 2); Flash, Pro and Ultra are estimates of ours, and say so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pollux.media.transcript import CODES

LOCAL, RETRIEVAL = "local", "retrieval"


@dataclass(frozen=True)
class LayerSpec:
    """One layer.

    Attributes:
        reach: ``"local"`` sees the last ``window`` tokens, with rotary positions; ``"retrieval"`` the whole past, without
            positions, at a temperature that grows with the logarithm of how much is at hand.
        window: Tokens that a local layer sees, its own among them.
        kv_heads: Key-value heads, each serving as many query heads; 0 for the model's number. What a local layer keeps
            does not grow with what is read, and may be wide.
        hidden: Width of the gated feed-forward, of each expert where there are experts.
        experts: Number of experts; 0 makes the feed-forward dense.
        active: Experts that each token is sent to.
        shared: Experts that every token passes through besides.
        parallel: Attention and feed-forward read the same input and are added together (Gemini 1.5 Flash), not in sequence.
    """

    reach: str = LOCAL
    window: int = 128
    kv_heads: int = 0
    hidden: int = 384
    experts: int = 0
    active: int = 2
    shared: int = 0
    parallel: bool = False

    def __post_init__(self) -> None:
        if self.reach not in (LOCAL, RETRIEVAL):
            raise ValueError(f"a layer's reach is {LOCAL!r} or {RETRIEVAL!r}, got {self.reach!r}")
        if self.kv_heads < 0:
            raise ValueError(f"kv_heads must be 0 or more, got {self.kv_heads}")
        if self.experts and not 0 < self.active <= self.experts:
            raise ValueError(f"a token can be sent to 1 to {self.experts} experts, got active={self.active}")


@dataclass(frozen=True)
class ModelConfig:
    """A model: widths, heads and its layers.

    Attributes:
        width: Size of the residual stream.
        heads: Query heads. kv_heads: key-value heads of layers that name no number, each serving heads / kv_heads query heads
            (1: multi-query).
        vocab_size: Tokens that can be said; codes: those of what is seen and heard, behind them, which can only be read.
        conv: Taps of the causal depthwise convolution before attention; 0 leaves it out.
        reading_window: What a retrieval layer has at hand of the tokens before while a long input is read, in tokens: a text's
            tokens look back over these (`look_back`), in training too; a question's and an answer's look over everything.
        reading_chunk: Tokens of a long input that are read at once.
        addresses: Periods of the code by which every token knows its place in the stream (`layers.address`); 0 leaves it out.
        ahead: Tokens that the keys of retrieval layers look at, their own and those that follow, which must all be past before a
            query sees such a key (`ahead.look_ahead`); 0 for keys that know nothing of what follows.
        ahead_heads: Heads per key-value head by which keys look ahead, each of half the size of a head.
        copies: Whether the tokens that the last layer, a retrieval layer, looks at can be said as they are (`model.copying`).
        recency: Whether what is asked may prefer what stands late in a text, or early, head by head (`model.recency`).
        chunk: Tokens per chunk of the cache that retrieval selects; selected: chunks that a query keeps.
        cache_bits: Bits of each number of the keys and values of what was read, 4 or 8.
    """

    name: str
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    layers: tuple[LayerSpec, ...]
    vocab_size: int = 8192
    codes: int = 0
    conv: int = 4
    addresses: int = 0
    ahead: int = 0
    ahead_heads: int = 2
    copies: bool = False
    recency: bool = False
    rotary_base: float = 10_000.0
    reading_window: int = 256
    reading_chunk: int = 1024
    chunk: int = 32
    selected: int = 32
    cache_bits: int = 4

    @property
    def follows(self) -> int:
        """Numbers in a key that looks ahead, per key-value head, that hold what follows it."""
        return self.ahead_heads * self.head_dim // 2

    @property
    def look_back(self) -> int:
        """Tokens that a text's tokens look back over in retrieval layers: so few that they stand in the reading window even where
        their keys are seen ``ahead`` - 1 tokens late."""
        return self.reading_window - max(self.ahead - 1, 0)

    @property
    def reach(self) -> int:
        """How many tokens before a token can tell in what reading keeps of it: all layers but the last attend, and all convolve."""
        windows = [layer.window if layer.reach == LOCAL else self.reading_window for layer in self.layers[:-1]]
        return sum(window - 1 for window in windows) + max(self.conv - 1, 0) * len(self.layers)

    def kv_heads_of(self, layer: LayerSpec) -> int:
        """Key-value heads of one of the layers."""
        return layer.kv_heads or self.kv_heads

    def __post_init__(self) -> None:
        for kv_heads in {self.kv_heads, *map(self.kv_heads_of, self.layers)}:
            if self.heads % kv_heads:
                raise ValueError(f"heads must be a multiple of kv_heads, got {self.heads} and {kv_heads}")
        if self.reading_chunk % max(self.reading_window, 1) or self.reading_window < 1:
            sizes = f"{self.reading_chunk} and {self.reading_window}"
            raise ValueError(f"reading_chunk must be a multiple of reading_window, got {sizes}")
        if not 0 <= self.ahead <= self.reading_window:
            raise ValueError(f"ahead must lie within the reading window of {self.reading_window}, got {self.ahead}")
        if self.cache_bits not in (4, 8) or self.head_dim % 2:
            sizes = f"{self.cache_bits} and {self.head_dim}"
            raise ValueError(f"cache_bits must be 4 or 8, and head_dim even, got {sizes}")
        if self.copies and (not self.layers or self.layers[-1].reach != RETRIEVAL):
            raise ValueError("a model that copies looks at what it copies with its last layer, which must be a retrieval layer")
        if self.ahead and self.head_dim % 4:
            raise ValueError(f"keys that look ahead need a head_dim that is a multiple of 4, got {self.head_dim}")


def pattern(count: int, local: LayerSpec, *, every: int = 2) -> tuple[LayerSpec, ...]:
    """``count`` layers of which each ``every``-th is a retrieval layer (its key-value heads the model's), the others local."""
    retrieval = replace(local, reach=RETRIEVAL, kv_heads=0)
    return tuple(retrieval if (i + 1) % every == 0 else local for i in range(count))


def _config(name, width, heads, kv_heads, head_dim, count, layer, *, every=2, **fields) -> ModelConfig:
    return ModelConfig(name, width, heads, kv_heads, head_dim, pattern(count, layer, every=every), **fields)


def family() -> dict[str, ModelConfig]:
    """The named sizes. Sizes of `flash`, `pro` and `ultra` are our estimates: the reports give none."""
    mixture = LayerSpec(hidden=128, experts=8, active=2, shared=1)
    large = {"vocab_size": 262_144, "reading_window": 1024, "reading_chunk": 4096, "chunk": 64, "addresses": 64, "ahead": 32}
    small = {"reading_window": 64, "reading_chunk": 64, "chunk": 8, "addresses": 4, "ahead": 4, "copies": True}
    medium = {"addresses": 32, "ahead": 32, "ahead_heads": 4, "copies": True}
    large, small, medium = (shape | {"recency": True} for shape in (large, small, medium))
    wide = LayerSpec(window=1024)
    rows = [
        _config("tiny", 64, 2, 1, 32, 2, LayerSpec(window=16, hidden=64, experts=4), vocab_size=512, **small),
        _config("laptop", 128, 2, 1, 64, 4, mixture, **medium),
        _config("base", 192, 4, 1, 64, 6, replace(mixture, kv_heads=4), codes=CODES, **medium),
        _config("mixtral-shape", 256, 4, 1, 64, 6, LayerSpec(hidden=256, experts=8)),
        _config("nano-1", 2048, 8, 1, 256, 21, replace(wide, hidden=8192), every=6, **large),
        _config("nano-2", 2560, 10, 1, 256, 31, replace(wide, hidden=8704), every=6, **large),
        _config("flash", 4096, 16, 1, 256, 40, replace(wide, hidden=14_336, parallel=True), every=5, **large),
        _config("pro", 6144, 48, 8, 128, 48, replace(wide, hidden=4096, experts=64, active=4, shared=1), every=4, **large),
        _config("ultra", 16_384, 128, 8, 128, 96, replace(wide, hidden=65_536), every=6, **large),
    ]
    return {row.name: row for row in rows}


def dense_twin(config: ModelConfig) -> ModelConfig:
    """The same model with one dense feed-forward per layer, as wide as the experts that a token passes through."""

    def dense(layer: LayerSpec) -> LayerSpec:
        if not layer.experts:
            return layer
        return replace(layer, hidden=layer.hidden * (layer.active + layer.shared), experts=0, shared=0)

    return replace(config, name=f"{config.name}-dense", layers=tuple(dense(layer) for layer in config.layers))
