"""Can the model *say* it? Its own answer, yes or no, to a prompt that ends in "Answer:".

    yes if  Σ p(" yes", " Yes", " YES", …) > Σ p(" no", " No", " NO", …)

The next token's probabilities, summed over spellings with and without a blank before them. Source:
the anchoring run of paper 49, section 3 of our sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.open import OpenModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAID = (("yes", "Yes", "YES"), ("no", "No", "NO"))


def says_yes(model: OpenModel, final: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(texts,): whether yes is more likely than no as the next token.

    Args:
        final: what the final norm reads at each text's last token (``last_token_states``).

    Raises:
        ProbeError: the tokenizer has no token for one of them.
    """
    import torch

    anatomy = Anatomy.of(model.model)
    ids = [_single_tokens(model, words) for words in _SAID]
    if not all(ids):
        raise ProbeError("the tokenizer has no token for 'yes' or none for 'no'")
    yes, no = (torch.tensor(sorted(i)) for i in ids)
    cap = getattr(anatomy.config, "final_logit_softcapping", None)
    out = np.zeros(len(final), dtype=bool)
    with torch.inference_mode():
        for start in range(0, len(final), 64):
            state = torch.from_numpy(final[start : start + 64]).to(anatomy.dtype)
            logits = anatomy.unembedding(anatomy.norm(state)).float()
            if cap:
                logits = cap * torch.tanh(logits / cap)
            p = logits.softmax(-1)
            out[start : start + 64] = (p[:, yes].sum(-1) > p[:, no].sum(-1)).numpy()
    return out


def _single_tokens(model: OpenModel, words: Sequence[str]) -> set[int]:
    """Those spellings that are one token, after a blank and without."""
    told = (f"{blank}{word}" for word in words for blank in ("", " "))
    lines = (model.tokenizer(t, add_special_tokens=False)["input_ids"] for t in told)
    unknown = getattr(model.tokenizer, "unk_token_id", None)
    return {line[0] for line in lines if len(line) == 1 and line[0] != unknown}
