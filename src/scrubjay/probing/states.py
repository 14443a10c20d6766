"""One state per text and depth: what the last token holds at the embedding and after each layer.

    states = last_token_states(model, prompts, site="resid_post")
    states.at                    # (texts, layers + 1, width), float32
    states.final                 # (texts, width): what the final norm reads

``resid_post`` is the stream leaving a block, ``mlp_in`` the *normalised* input of its MLP (the site
of the public code of paper 49); their curves differ. Row 0 is the embedding, in both cases. The
last token is found by length, with filler on the right, so a text's states don't depend on who is
in its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import padded
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

Where = Literal["resid_post", "mlp_in"]
BATCH = 1024
"""Tokens computed at once, filler included."""


class States(NamedTuple):
    """See the top of this file."""

    at: NDArray[np.float32]
    final: NDArray[np.float32]


def last_token_states(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    site: Where = "resid_post",
    batch: int = BATCH,
    look: Callable[[int], None] = lambda done: None,
) -> States:
    """States of each prompt's last token.

    Args:
        model: see ``Anatomy.of``.
        prompts: token ids.
        look: called with the number of prompts done.

    Raises:
        ProbeError: there are no prompts, one is empty or too long, there is no such site, or an
            activation isn't finite (the sentence names the layer).
    """
    import torch

    if site not in ("resid_post", "mlp_in"):
        raise ProbeError(f"states are read at 'resid_post' or 'mlp_in', not '{site}'")
    if not prompts or not all(map(len, prompts)):
        raise ProbeError("states need at least one prompt, and every prompt a token")
    anatomy = Anatomy.of(model)
    inner = "resid_post" if site == "resid_post" else _before_mlp(anatomy)
    last_site = Site("resid_post", anatomy.n_layers - 1)
    sites = [Site("resid_pre", 0), *anatomy.sites(inner)]
    wanted = tuple(dict.fromkeys([*sites, last_site]))
    final = np.empty((len(prompts), anatomy.d_model), dtype=np.float32)
    out = np.empty((len(prompts), anatomy.n_layers + 1, anatomy.d_model), dtype=np.float32)
    order = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), i))
    start = 0
    while start < len(order):
        part = order[start : start + max(1, batch // len(prompts[order[start]]))]
        inputs = padded([prompts[i] for i in part], side="right")
        last = torch.tensor([len(prompts[i]) - 1 for i in part])
        with torch.inference_mode(), record(anatomy, *wanted, positions=last) as seen:
            anatomy.model(**inputs, use_cache=False, logits_to_keep=1)
        out[part, 0] = seen[sites[0]].float().numpy()
        for layer, place in enumerate(sites[1:]):
            out[part, layer + 1] = _normed(anatomy, layer, seen[place], site).numpy()
        final[part] = seen[last_site].float().numpy()
        start += len(part)
        look(start)
    return States(out, final)


def mean_embeddings(model: Any, prompts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """A bag of words: the mean of each prompt's input embeddings, (texts, width)."""
    import torch

    table = Anatomy.of(model).w_e.detach()
    return np.stack([table[torch.tensor(list(p))].float().mean(0).numpy() for p in prompts])


def _before_mlp(anatomy: Anatomy) -> str:
    """The stream that the MLP's norm reads."""
    return "resid_pre" if anatomy.parallel else "resid_mid"


def _normed(anatomy: Anatomy, layer: int, state: Any, site: Where) -> Any:
    import torch

    norm = anatomy.blocks[layer].mlp_norm
    if site == "resid_post" or norm is None:
        return state.float()
    with torch.inference_mode():
        return norm(state.to(anatomy.dtype)).float()
