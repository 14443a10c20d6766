"""A transformers model on this machine, as a ``LanguageModel``.

Everything runs in the event loop's own thread: awaiting coroutines are batched by the engine, and
the same coroutines give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import Any

from scrubjay.core.errors import ModelError
from scrubjay.models.chat import Codec
from scrubjay.models.engine import Engine
from scrubjay.models.inside import found_inside, look_inside
from scrubjay.models.rows import Row
from scrubjay.models.sampling import Sampler
from scrubjay.models.seam import seam
from scrubjay.models.stops import Stops
from scrubjay.models.types import Choice, Completion, Prompt, Scored, Want
from scrubjay.models.weights import Weights, load_weights


class LocalModel:
    """Implements ``LanguageModel``; ``model`` and ``tokenizer`` are transformers' own objects."""

    def __init__(self, weights: Weights, *, memory: int = 800_000_000) -> None:
        """
        Args:
            memory: bytes the engine may use for keys and values.
        """
        self.name, self.model, self.tokenizer = weights.name, weights.model, weights.tokenizer
        self.codec = Codec(self.tokenizer)
        config = self.model.config.get_text_config()
        self.context = int(getattr(config, "max_position_embeddings", None) or 2048)
        """Tokens of prompt and answer together that the model can hold."""
        self.engine = Engine(self.model, ends=_ends(self.model, self.tokenizer), memory=memory)

    @classmethod
    def load(cls, spec: str, *, dtype: str = "auto", memory: int = 800_000_000) -> LocalModel:
        """``load_weights`` and an engine around them.

        Raises:
            ModelError: the model can't be loaded.
        """
        return cls(load_weights(spec, dtype=dtype), memory=memory)

    async def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
        want: Set[Want] = frozenset(),
    ) -> Completion:
        """Continue the prompt. ``tokens`` includes the tokens of a stop string, not the end token.
        'attention', 'heads' and 'hidden' come from the same pass (see ``inside``).

        Raises:
            ModelError: the prompt doesn't fit into the model's context, or an argument is out of
                range.
        """
        if max_tokens < 1 or temperature < 0 or not 0 < top_p <= 1:
            raise ModelError(
                f"max_tokens ({max_tokens}) must be at least 1, temperature ({temperature}) at "
                f"least 0 and top_p ({top_p}) above 0 and at most 1"
            )
        ids = self._fitting(self.codec.prompt(prompt))
        stops = Stops(stop, self.codec.text)
        row = Row(ids)
        row.most = min(max_tokens, self.context - len(ids))
        row.sampler = Sampler(temperature, top_p, seed) if temperature else None
        row.stops = stops if stops.stops else None
        row.want = want
        await self.engine.run([row])
        extra: dict[str, Any] = {"pieces": self.codec.pieces(row.tokens)}
        if want:
            plain = self.engine.plain is not None
            extra |= look_inside(self.model, ids, row.tokens, want) if plain else found_inside(row)
        if row.watched:
            extra["prompt_pieces"] = self.codec.pieces(ids)
        return Completion(
            stops.cut(self.codec.written(ids, row.tokens)),
            tuple(row.tokens),
            tuple(row.logprobs),
            tuple(row.entropies),
            row.finish,
            len(ids),
            len(row.tokens),
            extra,
        )

    async def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[Scored]:
        """Exact log-probabilities; the prompt is computed once for all continuations.

        Raises:
            ModelError: a continuation is empty, or doesn't fit behind the prompt.
        """
        scored, _, _ = await self._score(prompt, continuations)
        return scored

    async def choose(self, prompt: Prompt, options: Sequence[str]) -> Choice:
        """Softmax over the options' mean token log-probabilities.

        After text that doesn't end in white space, an option gets a leading blank.

        Raises:
            ModelError: there are no options, or one is empty or doesn't fit behind the prompt.
        """
        if not options:
            raise ModelError("there are no options to choose from")
        texts = [seam(prompt, option) for option in options]
        scored, tokens_in, tokens_out = await self._score(prompt, texts)
        means = [s.mean for s in scored]
        best = max(range(len(means)), key=means.__getitem__)
        weights = [math.exp(m - means[best]) for m in means]
        total = math.fsum(weights)
        probabilities = tuple(w / total for w in weights)
        return Choice(
            best, options[best], probabilities, tokens_in=tokens_in, tokens_out=tokens_out
        )

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` alone, without a start token."""
        whole = text.encode("utf-8", "replace").decode()
        return len(self.tokenizer(whole, add_special_tokens=False)["input_ids"])

    async def check(self) -> None:
        """Nothing to do: a model that is loaded can be asked."""

    def settle(self) -> None:
        """Forget shared prefixes."""
        self.engine.settle()

    async def close(self) -> None:
        """Nothing runs outside the event loop; only the caches are dropped."""
        self.engine.settle()

    async def _score(
        self, prompt: Prompt, continuations: Sequence[str]
    ) -> tuple[list[Scored], int, int]:
        ids = self.codec.prompt(prompt)
        rows = []
        for text in continuations:
            more = self.codec.continuation(ids, text)
            if not more:
                raise ModelError("an empty continuation has no probability: give it some text")
            row = Row(self._fitting([*ids, *more]))
            row.scored_from = len(ids)
            rows.append(row)
        await self.engine.run(rows)
        scored = [Scored(t, tuple(r.logprobs)) for t, r in zip(continuations, rows)]
        return scored, len(ids), sum(len(r.logprobs) for r in rows)

    def _fitting(self, ids: list[int]) -> list[int]:
        if len(ids) >= self.context:
            raise ModelError(
                f"the prompt has {len(ids)} tokens, but {self.name} holds {self.context} with the "
                f"answer: shorten the prompt or read fewer passages"
            )
        return ids


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """Token ids that end a text: the generation settings', or else the tokenizer's."""
    ids = getattr(model.generation_config, "eos_token_id", None)
    if ids is None:
        ids = tokenizer.eos_token_id
    return set() if ids is None else {ids} if isinstance(ids, int) else set(ids)
