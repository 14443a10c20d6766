"""Words that are one token after a blank: what most instruments read answers off.

one = word_tokens(tokenizer, ["apple", "clock"])      # {"apple": 17180, "clock": 8854}
some = single(tokenizer, words)                       # those of the words that are one token
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scrubjay.probing.errors import ProbeError


def single(tokenizer: Any, words: Iterable[str]) -> list[str]:
    """Those of the words that are one token."""
    return [word for word in words if len(_ids(tokenizer, word)) == 1]


def word_tokens(tokenizer: Any, words: Iterable[str]) -> dict[str, int]:
    """The token of each word.

    Raises:
        ProbeError: a word is more than one token.
    """
    found = {}
    for word in sorted(set(words)):
        ids = _ids(tokenizer, word)
        if len(ids) != 1:
            raise ProbeError(
                f"'{word}' is more than one token for this model ({len(ids)}); take words that "
                "are one"
            )
        found[word] = ids[0]
    return found


def _ids(tokenizer: Any, word: str) -> list[int]:
    ids: list[int] = tokenizer(" " + word, add_special_tokens=False)["input_ids"]
    return ids
