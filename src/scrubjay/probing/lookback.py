"""Which heads look back at the noun that is to be said next?

    score(head) = mean attention from the token before noun i of list 2 (where noun i is predicted)
                  to the tokens of the same noun in list 1,        i = 2, 3, …

A head that copies by induction attends there: the token before it has just been seen again. Source:
the head-selected ablation of paper 52, section 3.4 of our sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.open import OpenModel
from scrubjay.probing.recording import record
from scrubjay.probing.surprisal import read_words
from scrubjay.worlds.vignettes import Vignette

if TYPE_CHECKING:
    from numpy.typing import NDArray


def looking_back(model: OpenModel, stimuli: Sequence[Vignette]) -> NDArray[np.float64]:
    """Mean attention to the noun to be said: (layers, heads).

    Args:
        stimuli: vignettes whose second list repeats the first.

    Raises:
        ProbeError: there are none, or a vignette repeats nothing.
    """
    import torch

    if not stimuli or any(v.condition != "repeat" for v in stimuli):
        raise ProbeError("heads that look back are found on vignettes that repeat their list")
    anatomy = Anatomy.of(model.model)
    sites = anatomy.sites("attn")
    total = np.zeros((anatomy.n_layers, anatomy.n_heads))
    for vignette in stimuli:
        spans = [*vignette.first, *vignette.second]
        ids, words = read_words(model.tokenizer, vignette.text, spans)
        first, second = words[: len(vignette.first)], words[len(vignette.first) :]
        asking = [f - 1 for f, _ in second[1:]]
        with torch.inference_mode(), record(model.model, *sites, positions=asking) as seen:
            anatomy.model(input_ids=torch.tensor([ids]), use_cache=False)
        for layer, site in enumerate(sites):
            rows = seen[site][0]  # (queries, heads, keys) of the one text
            for i, (start, end) in enumerate(first[1:]):
                total[layer] += rows[i, :, start:end].sum(-1).double().numpy()
    return total / sum(len(v.second) - 1 for v in stimuli)
