"""Emulated fine-tuning: several models that answer as one, to any agent a ``LanguageModel``.

    EmulatedFineTuning(base_large, tuned_small, base_small)              up-scaling
    EmulatedFineTuning(base_small, tuned_large, base_large)              down-scaling
    CombinedModel(base, [(careful, base, 0.3), (helpful, base, 0.7)])    two behaviours at once
    CombinedModel(tuned_small, [(base_large, base_small, 1.5)])          amplified knowledge

Members must share one vocabulary, token by token, but not the prompt: messages go through each
member's own chat template (a base has none and reads a plain transcript), and the *answer's* tokens
are aligned. What coroutines ask for at the same moment is one batch; rows that are done leave it.
Temperature and nucleus sampling act on the combined distribution, and its log-probabilities are
what comes back.

Source: emulated fine-tuning (paper 20); the rule is in ``combine``. Departure: this is exact for
each token, not for the sequence (nor is it in the paper), except where the sizes are equal. Only
what is scored after one prompt shares it; other rows share no prefixes, as the engine of a single
model lets them, so long common beginnings cost more.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence, Set

from scrubjay.core.errors import ModelError
from scrubjay.models.chat import Codec
from scrubjay.models.combine import CAP, LogLinear, Nucleus
from scrubjay.models.joint import JointEngine, JointRow
from scrubjay.models.local import LocalModel, _ends
from scrubjay.models.sampling import Sampler
from scrubjay.models.seam import seam
from scrubjay.models.stops import Stops
from scrubjay.models.types import Choice, Completion, Prompt, Scored, Want
from scrubjay.models.weights import Weights, load_weights

Member = Weights | LocalModel
"""A loaded model with its tokenizer; a string names one (see ``load_weights``)."""


class CombinedModel:
    """Implements ``LanguageModel`` over a base and weighted differences of other models."""

    def __init__(
        self,
        base: Member | str,
        differences: Sequence[tuple[Member | str, Member | str, float]],
        *,
        cap: float = CAP,
        nucleus: Nucleus | None = None,
        name: str = "",
    ) -> None:
        """
        Args:
            differences: (tuned, reference, weight) each; a model that is given twice runs once.
            cap: nats by which one difference may move a token.
            nucleus: to which tokens the differences are kept; all by default.

        Raises:
            ModelError: vocabularies differ, or a weight, the cap or a model can't be used.
        """
        self.rule = LogLinear(tuple(float(w) for _, _, w in differences), cap, nucleus)
        asked = [base, *(m for tuned, ref, _ in differences for m in (tuned, ref))]
        loaded: dict[str, Member] = {}
        members: list[Member] = []
        for one in asked:
            if isinstance(one, str):
                loaded.setdefault(one, load_weights(one, dtype="float32"))
            members.append(loaded[one] if isinstance(one, str) else one)
        # One model read through two chat templates is two members.
        self.members = list({_key(m): m for m in members}.values())
        """The models that run, each once; the base is the first."""
        places = {_key(m): i for i, m in enumerate(self.members)}
        self.name = name or "+".join([members[0].name, *(m.name for m in members[1::2])])
        width = shared_vocabulary(self.members)
        self._codecs = [Codec(m.tokenizer) for m in self.members]
        self.codec = self._codecs[0]
        self.tokenizer = members[0].tokenizer
        self.ends = frozenset(e for m in self.members for e in _ends(m.model, m.tokenizer))
        self.context = min(map(_context, self.members))
        """Tokens of prompt and answer together that every member can hold."""
        order = [places[_key(m)] for m in members]
        models = [m.model for m in self.members]
        self.engine = JointEngine(models, order, self.rule, width=width, ends=self.ends)

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
        """Continue the prompt; log-probabilities and entropies are the combined distribution's.

        Raises:
            ModelError: the prompt doesn't fit into some member's context, an argument is out of
                range, or attention or hidden states are wanted, which a combination doesn't have.
        """
        if max_tokens < 1 or not temperature >= 0 or not 0 < top_p <= 1:
            raise ModelError(
                f"max_tokens ({max_tokens}) must be at least 1, temperature ({temperature}) at "
                f"least 0 and top_p ({top_p}) above 0 and at most 1"
            )
        if want - {"entropy"}:
            raise ModelError(
                f"a combination of models has no {' and no '.join(sorted(want - {'entropy'}))} of "
                "its own; ask one of its members"
            )
        row = JointRow(self.prompts(prompt))
        row.most = min(max_tokens, self.context - max(map(len, row.prompts)))
        row.sampler = Sampler(temperature, top_p, seed) if temperature else None
        row.stops = stops = Stops(stop, self.codec.text)
        row.entropy = "entropy" in want
        await self.engine.write(row)
        ids = row.prompts[0]
        return Completion(
            stops.cut(self.codec.written(ids, row.tokens)),
            tuple(row.tokens),
            tuple(row.logprobs),
            tuple(row.entropies),
            row.finish,
            len(ids),
            len(row.tokens),
            {"pieces": self.codec.pieces(row.tokens)},
        )

    async def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[Scored]:
        """Log-probabilities of each continuation's tokens under the combined distribution.

        Raises:
            ModelError: a continuation is empty, or doesn't fit behind the prompt.
        """
        rows = await self._scored(prompt, continuations)
        return [Scored(text, tuple(row.logprobs)) for text, row in zip(continuations, rows)]

    async def choose(self, prompt: Prompt, options: Sequence[str]) -> Choice:
        """Softmax over the options' mean token log-probabilities, as a single local model does.

        Raises:
            ModelError: there are no options, or one is empty or doesn't fit behind the prompt.
        """
        if not options:
            raise ModelError("there are no options to choose from")
        rows = await self._scored(prompt, [seam(prompt, option) for option in options])
        means = [math.fsum(r.logprobs) / len(r.logprobs) for r in rows]
        best = max(range(len(means)), key=means.__getitem__)
        if means[best] == -math.inf:
            raise ModelError("the combined models forbid every option")
        weights = [math.exp(m - means[best]) for m in means]
        total = math.fsum(weights)
        read, said = len(rows[0].prompts[0]), sum(len(r.fixed) for r in rows)
        shares = tuple(w / total for w in weights)
        return Choice(best, options[best], shares, tokens_in=read, tokens_out=said)

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` alone, without a start token."""
        whole = text.encode("utf-8", "replace").decode()
        return len(self.tokenizer(whole, add_special_tokens=False)["input_ids"])

    async def check(self) -> None:
        """Nothing to do: models that are loaded can be asked."""

    def settle(self) -> None:
        """Nothing is kept between calls."""

    async def close(self) -> None:
        """Nothing to release."""

    def prompts(self, prompt: Prompt) -> list[list[int]]:
        """Every member's own tokens of the prompt."""
        prompts = [codec.prompt(prompt) for codec in self._codecs]
        longest = max(map(len, prompts))
        if longest >= self.context:
            raise ModelError(
                f"the prompt has {longest} tokens, but {self.name} holds {self.context} with the "
                "answer: shorten the prompt or read fewer passages"
            )
        return prompts

    async def _scored(self, prompt: Prompt, texts: Sequence[str]) -> list[JointRow]:
        prompts = self.prompts(prompt)
        rows = []
        for text in texts:
            more = self.codec.continuation(prompts[0], text)
            if not more:
                raise ModelError("an empty continuation has no probability: give it some text")
            row = JointRow(prompts, fixed=more)
            if row.length > self.context:
                raise ModelError(
                    f"prompt and continuation have {row.length} tokens, but {self.name} holds "
                    f"{self.context}: shorten one of them"
                )
            rows.append(row)
        return list(await asyncio.gather(*(self.engine.score(row) for row in rows)))


class EmulatedFineTuning(CombinedModel):
    """A large base that behaves as a small fine-tuned model does (or the other way round):

    log p̃ = log π_base + β (log π_tuned - log π_reference) - log Z
    """

    def __init__(
        self,
        base: Member | str,
        tuned: Member | str,
        reference: Member | str,
        *,
        beta: float = 1.0,
        cap: float = CAP,
        nucleus: Nucleus | None = None,
        name: str = "",
    ) -> None:
        """
        Args:
            base: whose knowledge is wanted.
            tuned: whose behaviour is wanted.
            reference: what ``tuned`` was before it was tuned.
            beta: weight of the behaviour; 0 is the base itself, below 0 its opposite.

        Raises:
            ModelError: vocabularies differ, or an argument is out of range.
        """
        differences = [(tuned, reference, beta)]
        super().__init__(base, differences, cap=cap, nucleus=nucleus, name=name)


def _key(member: Member) -> tuple[int, int]:
    return id(member.model), id(member.tokenizer)


def _context(member: Member) -> int:
    config = member.model.config.get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or 2048)


def shared_vocabulary(members: Sequence[Member]) -> int:
    """How many logits the members share, the same token at every place.

    Raises:
        ModelError: two of them number their tokens differently.
    """
    first = members[0]
    known = first.tokenizer.get_vocab()
    for other in members[1:]:
        theirs = other.tokenizer.get_vocab()
        if theirs == known:
            continue
        odd = next((t for t in sorted({*known, *theirs}) if known.get(t) != theirs.get(t)), "")
        raise ModelError(
            f"{first.name} and {other.name} can't be combined: their vocabularies differ (for one "
            f"token, {odd!r} is {known.get(odd)} here and {theirs.get(odd)} there); take models "
            "of one family"
        )
    width = min(int(m.model.get_output_embeddings().weight.shape[0]) for m in members)
    if max(known.values(), default=-1) >= width:
        raise ModelError(f"{first.name} has more tokens than some model it is combined with")
    return width
