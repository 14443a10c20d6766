"""How many tokens a model needs for a text: what invented names are matched by.

The embedded model's tokenizer is built straight from its GGUF file, with no model library, and kept
in the cache as tokenizer JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from scrubjay.core.assets import SMOLLM2, fetch
from scrubjay.core.errors import MissingExtra
from scrubjay.core.files import cache_dir, write_atomic

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TokenCounter = Callable[[Sequence[str]], Sequence[int]]
"""Token counts of many texts at once (without special tokens)."""


def count_tokens(texts: Sequence[str]) -> list[int]:
    """Token counts under the embedded model (SmolLM2).

    Raises:
        MissingExtra: the packages ``tokenizers`` or ``gguf`` are not installed.
        ModelError: the model file can't be fetched (needed once).
    """
    encoded = tokenizer().encode_batch_fast(list(texts), add_special_tokens=False)
    return [len(e) for e in encoded]


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    """The embedded model's tokenizer."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra("tokenizers", "worlds") from error
    path = cache_dir("tokenizers") / f"{SMOLLM2.sha256[:16]}.json"
    if not path.exists():
        write_atomic(path, _from_gguf().to_str())
    return Tokenizer.from_file(str(path))


def _from_gguf() -> Tokenizer:
    """Byte-level BPE from the file's metadata: GPT-2 splitting, every digit a token of its own."""
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise MissingExtra("gguf", "worlds") from error
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    fields = GGUFReader(fetch(SMOLLM2)).fields
    tokens, kinds, merges = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges")
    )
    vocabulary = {token: at for at, token in enumerate(tokens)}
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    made.decoder = decoders.ByteLevel()
    control = 3  # the GGUF token type of special tokens
    made.add_special_tokens(
        [AddedToken(t, special=True) for t, kind in zip(tokens, kinds) if kind == control]
    )
    return made
