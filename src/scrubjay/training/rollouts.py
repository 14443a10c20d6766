"""What a policy wrote, for training on it; and a sampler for models that are trained here.

The engine (``models.engine``) serves models that stay as they are and agents that talk to tools. A
model in training changes with every update, and its questions are short and alike: one batch with a
plain key-value cache is simpler and as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM


@dataclass(frozen=True, slots=True)
class Rollout:
    """A question, everything that followed, and which tokens the policy itself wrote.

    What others put in between (retrieved passages, corrections) has ``wrote`` false: no gradient,
    no KL, no entropy comes from it. The mask is kept as such and never guessed from token ids.
    """

    ids: tuple[int, ...]
    wrote: tuple[bool, ...]

    @property
    def written(self) -> tuple[int, ...]:
        """The policy's own tokens."""
        return tuple(t for t, own in zip(self.ids, self.wrote) if own)


def sample_rollouts(
    model: LlamaForCausalLM,
    prompts: Sequence[Sequence[int]],
    *,
    most: int,
    end: int,
    temperature: float = 1.0,
    seed: int = 0,
) -> list[Rollout]:
    """Continue every prompt until ``end`` (which is kept) or for ``most`` tokens, as one batch.

    Temperature 0 is greedy. The same seed and weights give the same rollouts.

    Raises:
        ValueError: a prompt is empty.
    """
    import torch

    if not all(prompts):
        raise ValueError("a prompt needs at least one token")
    longest = max(map(len, prompts), default=0)
    ids = torch.full((len(prompts), longest), end)
    real = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):  # prompts end together, so that answers begin together
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        real[row, longest - len(prompt) :] = 1
    draw = torch.Generator().manual_seed(seed)
    written = _decode(model, ids, real, most, end, temperature, draw) if prompts else []
    return [
        Rollout((*prompt, *new), (False,) * len(prompt) + (True,) * len(new))
        for prompt, new in zip(prompts, written)
    ]


def _decode(
    model: LlamaForCausalLM,
    ids: torch.Tensor,
    real: torch.Tensor,
    most: int,
    end: int,
    temperature: float,
    draw: torch.Generator,
) -> list[list[int]]:
    """New tokens of each row; ``ids`` and ``real`` (rows, length) are padded on the left."""
    import torch

    written: list[list[int]] = [[] for _ in ids]
    alive = torch.ones(len(ids), dtype=torch.bool)
    positions, cache = (real.cumsum(1) - 1).clamp(min=0), None
    with torch.inference_mode():
        for _ in range(most):
            out = model(
                input_ids=ids,
                attention_mask=real,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache, logits = out.past_key_values, out.logits[:, -1].float()
            if temperature:
                weights = (logits / temperature).softmax(-1)
                new = torch.multinomial(weights, 1, generator=draw)[:, 0]
            else:
                new = logits.argmax(-1)
            for row in alive.nonzero()[:, 0].tolist():
                written[row].append(int(new[row]))
            alive &= new != end
            if not alive.any():
                break
            ids, positions = new[:, None], positions[:, -1:] + 1
            real = torch.cat([real, torch.ones_like(ids)], 1)
    return written
