"""Combined models against distributions computed by hand and against the single models."""

from __future__ import annotations

import asyncio
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel

from scrubjay.core.errors import ModelError
from scrubjay.models.combine import LogLinear, Nucleus
from scrubjay.models.combined import CombinedModel, EmulatedFineTuning
from scrubjay.models.load import load_model
from scrubjay.models.local import LocalModel
from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.models.types import LanguageModel, Message
from scrubjay.models.weights import Weights

INF = math.inf
TEXT = "the red fox sees a dog . the dog runs far away from a small house ."
TOKENIZER = train_tokenizer([TEXT] * 5, 200)
PROMPTS = ["the red", "a dog runs far away from", "the", "a small house . the fox sees"]


def tiny(seed: int, width: int = 16, sharp: float = 3.0) -> Weights:
    model = build_tiny(TinySpec(len(TOKENIZER), width, 2, 2, 32, context=48, seed=seed)).eval()
    with torch.no_grad():  # far from uniform, so that differences are large
        model.get_input_embeddings().weight *= sharp
    return Weights(f"tiny {seed}", model, TOKENIZER)


LARGE, SMALL, TUNED = tiny(1, 32), tiny(2), tiny(3)


def logs(*p: float) -> torch.Tensor:
    return torch.tensor([p]).log()


def following(weights: Weights, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return weights.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)


def test_the_rule_by_hand() -> None:
    base, tuned, ref = logs(0.5, 0.25, 0.25), logs(0.2, 0.6, 0.2), logs(0.4, 0.4, 0.2)
    found = LogLinear((1.0,))([base, tuned, ref]).exp()[0]
    expected = torch.tensor([0.5 * 0.5, 0.25 * 1.5, 0.25])
    assert found.tolist() == pytest.approx((expected / expected.sum()).tolist())
    twice = LogLinear((2.0, -1.0))([base, tuned, ref, tuned, ref]).exp()[0]
    assert twice.tolist() == pytest.approx(found.tolist())


def test_cap_and_what_both_forbid() -> None:
    base, tuned, ref = logs(0.5, 0.5, 0.0), logs(1.0, 0.0, 0.0), logs(1e-9, 1.0, 0.0)
    found = LogLinear((1.0,), cap=2.0)([base, tuned, ref])[0]
    odds = float(found[0] - found[1])
    assert odds == pytest.approx(4.0)  # +2 nats for one, -2 for the other
    assert found[2] == -INF
    allowed = logs(0.4, 0.4, 0.2)  # the base allows what both others forbid: no difference there
    assert LogLinear((1.0,), cap=2.0)([allowed, tuned, ref]).isfinite().all()


def test_nucleus_keeps_or_forbids_the_tail() -> None:
    base, tuned, ref = logs(0.6, 0.3, 0.1), logs(0.1, 0.1, 0.8), logs(0.4, 0.3, 0.3)
    kept = LogLinear((1.0,), nucleus=Nucleus(0.8))([base, tuned, ref]).exp()[0]
    raw = torch.tensor([0.6 * 0.25, 0.3 / 3, 0.1])
    assert kept.tolist() == pytest.approx((raw / raw.sum()).tolist())
    forbid = Nucleus(0.8, outside="forbid")
    raw[2] = 0
    found = LogLinear((1.0,), nucleus=forbid)([base, tuned, ref]).exp()[0]
    assert found.tolist() == pytest.approx((raw / raw.sum()).tolist())
    of_tuned = Nucleus(0.7, of="tuned", outside="forbid")
    assert LogLinear((1.0,), nucleus=of_tuned)([base, tuned, ref]).exp()[0].tolist() == [0, 0, 1]


@given(st.lists(st.floats(-8, 8), min_size=3, max_size=3), st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_constants_in_logits_change_nothing(shifts: list[float], weight: float) -> None:
    generator = torch.Generator().manual_seed(7)
    members = [torch.randn(4, 9, generator=generator) for _ in range(3)]
    rule = LogLinear((weight,), nucleus=Nucleus(0.7))
    plain = rule(members)
    moved = rule([m + s for m, s in zip(members, shifts)])
    assert torch.allclose(plain, moved, atol=1e-4)
    assert torch.allclose(plain.exp().sum(-1), torch.ones(4), atol=1e-5)
    off = LogLinear((0.0,))(members)
    assert torch.allclose(off, members[0].log_softmax(-1), atol=1e-6)


def test_rules_that_cannot_be() -> None:
    with pytest.raises(ModelError, match="finite"):
        LogLinear((math.nan,))
    with pytest.raises(ModelError, match="cap"):
        LogLinear((1.0,), cap=0)
    with pytest.raises(ModelError, match="share"):
        Nucleus(0)
    with pytest.raises(ModelError, match="keeps or forbids"):
        Nucleus(0.5, outside="drop")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="not numbers"):
        LogLinear((1.0,))([torch.zeros(1, 3), torch.full((1, 3), math.nan), torch.zeros(1, 3)])
    with pytest.raises(ModelError, match="combines 3"):
        LogLinear((1.0,))([torch.zeros(1, 3)])


def test_equal_sizes_give_the_tuned_model_itself() -> None:
    emulated, tuned = EmulatedFineTuning(SMALL, TUNED, SMALL, cap=1e9), LocalModel(TUNED)
    assert isinstance(emulated, LanguageModel)
    assert len(emulated.members) == 2  # the small base runs once

    async def ask() -> None:
        for heat in (0.0, 1.0):
            told = [
                {"max_tokens": 9, "temperature": heat, "top_p": 0.9, "seed": i, "want": {"entropy"}}
                for i in range(len(PROMPTS))
            ]
            ours = await asyncio.gather(*(emulated.generate(p, **k) for p, k in zip(PROMPTS, told)))
            theirs = await asyncio.gather(*(tuned.generate(p, **k) for p, k in zip(PROMPTS, told)))
            for a, b in zip(ours, theirs):
                assert (a.tokens, a.text, a.finish) == (b.tokens, b.text, b.finish)
                assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)
                assert a.entropies == pytest.approx(b.entropies, abs=1e-3)
                assert (a.tokens_in, a.tokens_out) == (b.tokens_in, b.tokens_out)
        options = ["fox", "dog runs far", "house"]
        a, b = await emulated.choose("the red", options), await tuned.choose("the red", options)
        assert a.option == b.option
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-5)

    asyncio.run(ask())


def test_many_long_options_are_scored_as_one_by_one() -> None:
    """More than one batch of scored tokens, several prompts, options of unequal length."""
    model = EmulatedFineTuning(LARGE, TUNED, SMALL)
    words = TEXT.split()[:12]
    options = [" " + " ".join(words[: 1 + i % 9]) for i in range(70)]

    async def ask() -> None:
        together = await asyncio.gather(*(model.score(p, options) for p in PROMPTS[:2]))
        for prompt, scored in zip(PROMPTS, together):
            for i in (0, 8, 41, 69):
                (alone,) = await model.score(prompt, [options[i]])
                assert scored[i].logprobs == pytest.approx(alone.logprobs, abs=1e-4)

    asyncio.run(ask())


def test_one_model_under_two_templates_is_two_members() -> None:
    other = train_tokenizer([TEXT] * 5, 200)
    other.chat_template = "{% for m in messages %}dog {{ m.content }} fox{% endfor %}"
    model = CombinedModel(SMALL, [(Weights("told", SMALL.model, other), SMALL, 1.0)])
    assert len(model.members) == 2
    assert len({len(p) for p in model.prompts([Message("user", "the red")])}) == 2


def test_weight_zero_is_the_base() -> None:
    off, base = EmulatedFineTuning(LARGE, TUNED, SMALL, beta=0.0), LocalModel(LARGE)

    async def ask() -> None:
        for prompt in PROMPTS:
            ours = await off.generate(prompt, max_tokens=6)
            assert ours.tokens == (await base.generate(prompt, max_tokens=6)).tokens

    asyncio.run(ask())


def test_scores_and_greedy_tokens_are_the_products_of_three_models() -> None:
    model = EmulatedFineTuning(LARGE, TUNED, SMALL, beta=1.3)

    def by_hand(ids: list[int]) -> torch.Tensor:
        difference = (following(TUNED, ids) - following(SMALL, ids)).clamp(-10, 10)
        return (following(LARGE, ids) + 1.3 * difference).log_softmax(-1)

    async def ask() -> None:
        texts = [" fox sees a dog", " house"]
        together = await asyncio.gather(*(model.score(p, texts) for p in PROMPTS))
        for prompt, scored in zip(PROMPTS, together):
            for text, found in zip(texts, scored):
                ids = TOKENIZER.encode(prompt, add_special_tokens=False)
                for token, logprob in zip(
                    TOKENIZER.encode(text, add_special_tokens=False), found.logprobs, strict=True
                ):
                    assert logprob == pytest.approx(float(by_hand(ids)[token]), abs=1e-4)
                    ids.append(token)
        told = await asyncio.gather(*(model.generate(p, max_tokens=7) for p in PROMPTS))
        for prompt, answer in zip(PROMPTS, told):
            ids = TOKENIZER.encode(prompt, add_special_tokens=False)
            for token in answer.tokens:
                assert int(by_hand(ids).argmax()) == token
                ids.append(token)
            if answer.finish == "stop":
                assert int(by_hand(ids).argmax()) in model.ends

    asyncio.run(ask())


def test_token_by_token_is_not_the_product_over_sequences() -> None:
    """Enumerated: the chain of per-token rules is a distribution, and another than the product of
    sequence probabilities normalised once; with one size they are the same."""
    tokens = list(range(5, 8))  # three words, three places; all else is left out by renormalising
    known: dict[tuple[object, ...], torch.Tensor] = {}

    def chain(base: Weights, start: list[int], text: tuple[int, ...], rule: bool) -> float:
        total = 0.0
        for i, token in enumerate(text):
            ids = [*start, *text[:i]]
            parts = []
            for w in (base, TUNED, SMALL):
                if (w.name, *ids) not in known:
                    known[w.name, *ids] = following(w, ids)[tokens].log_softmax(-1)
                parts.append(known[w.name, *ids])
            if rule:
                total += float(LogLinear((1.0,), cap=1e9)(parts)[token - 5])
            else:
                total += float((parts[0] + parts[1] - parts[2])[token - 5])
        return total

    def both(base: Weights) -> float:
        texts = list(itertools.product(tokens, repeat=3))
        each = torch.tensor([chain(base, [5], t, True) for t in texts]).exp()
        whole = torch.tensor([chain(base, [5], t, False) for t in texts]).softmax(0)
        assert float(each.sum()) == pytest.approx(1, abs=1e-4)
        return float((each - whole).abs().sum() / 2)

    assert both(SMALL) == pytest.approx(0, abs=1e-4)
    assert both(LARGE) > 0.01


def test_members_read_their_own_prompts() -> None:
    """A member with a chat template reads a longer prompt than the base; answers stay aligned."""
    chatty = train_tokenizer([TEXT] * 5, 200)
    chatty.chat_template = (
        "{% for m in messages %}dog dog dog {{ m.content }} a dog runs{% endfor %}"
    )
    tuned = Weights("chatty", TUNED.model, chatty)
    model = EmulatedFineTuning(LARGE, tuned, SMALL)
    message = [Message("user", "the red fox")]
    read = model.prompts(message)
    assert len({len(p) for p in read}) == 2
    where = {m.name: p for m, p in zip(model.members, read)}

    def by_hand(said: list[int]) -> torch.Tensor:
        parts = [
            following(w, [*where[n], *said])
            for w, n in ((LARGE, "tiny 1"), (TUNED, "chatty"), (SMALL, "tiny 2"))
        ]
        return (parts[0] + (parts[1] - parts[2]).clamp(-10, 10)).log_softmax(-1)

    answer = asyncio.run(model.generate(message, max_tokens=5))
    said: list[int] = []
    for token in answer.tokens:
        assert int(by_hand(said).argmax()) == token
        said.append(token)


def test_positions_that_are_learned_survive_the_filler() -> None:
    """GPT-2 numbers its places: rows of unequal length in one batch are as if alone."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        config = GPT2Config(
            vocab_size=len(TOKENIZER), n_positions=40, n_embd=16, n_layer=2, n_head=2,
            bos_token_id=1, eos_token_id=1,
        )  # fmt: skip
        pair = [GPT2LMHeadModel(config).eval() for _ in range(2)]
    a, b = (Weights(f"gpt {i}", m, TOKENIZER) for i, m in enumerate(pair))
    model = CombinedModel(a, [(b, a, 0.5)])

    async def ask() -> None:
        kwargs = {"max_tokens": 6, "temperature": 1.0, "seed": 4}
        together = await asyncio.gather(*(model.generate(p, **kwargs) for p in PROMPTS))
        for prompt, answer in zip(PROMPTS, together):
            alone = await model.generate(prompt, **kwargs)
            assert alone.tokens == answer.tokens
            ids, logprobs = TOKENIZER.encode(prompt, add_special_tokens=False), []
            for token in answer.tokens:
                mixed = 0.5 * following(a, ids) + 0.5 * following(b, ids)
                logprobs.append(float(mixed.log_softmax(-1)[token]))
                ids.append(token)
            assert answer.logprobs == pytest.approx(logprobs, abs=1e-4)

    asyncio.run(ask())


def test_vocabularies_must_be_the_same() -> None:
    other = train_tokenizer(["zebras and a dog ."] * 5, 200)
    stranger = Weights(
        "stranger", build_tiny(TinySpec(len(other), 16, 1, 2, 32, seed=9)).eval(), other
    )
    with pytest.raises(ModelError, match=r"tiny 1 and stranger.*vocabularies differ.*one family"):
        EmulatedFineTuning(LARGE, stranger, SMALL)


def test_what_cannot_be_asked_is_said() -> None:
    model = EmulatedFineTuning(LARGE, TUNED, SMALL)

    def fails(words: str, asked) -> None:
        with pytest.raises(ModelError, match=words):
            asyncio.run(asked)

    fails("holds 48", model.generate("dog " * 60, max_tokens=3))
    fails("holds 48", model.score("dog " * 40, [" dog" * 20]))
    fails("empty continuation", model.score("a dog", [""]))
    fails("no options", model.choose("a dog", []))
    fails("no attention", model.generate("a dog", max_tokens=3, want={"attention"}))
    fails("max_tokens", model.generate("a dog", max_tokens=0))
    fails("temperature", model.generate("a dog", max_tokens=1, temperature=math.nan))
    fails("prompt is empty", model.generate("", max_tokens=3))
    full = asyncio.run(model.generate("dog " * 46, max_tokens=30))
    assert len(full.tokens) <= 2


def test_a_spec_names_three_models(tmp_path) -> None:
    for name, weights in (("large", LARGE), ("tuned", TUNED), ("small", SMALL)):
        weights.model.save_pretrained(tmp_path / name)
        weights.tokenizer.save_pretrained(tmp_path / name)
    parts = [str(tmp_path / n) for n in ("large", "tuned", "small")]
    named = load_model("emulate:" + "|".join(parts), dtype="float32")
    by_hand = EmulatedFineTuning(LARGE, TUNED, SMALL)
    off = load_model("emulate:" + "|".join([*parts, "0"]), dtype="float32")

    async def ask() -> None:
        for model, like in ((named, by_hand), (off, LocalModel(LARGE))):
            answer = await model.generate("the red", max_tokens=5)
            assert answer.tokens == (await like.generate("the red", max_tokens=5)).tokens

    asyncio.run(ask())
    with pytest.raises(ModelError, match="needs a base, a tuned model"):
        load_model("emulate:one|two")
    with pytest.raises(ModelError, match="no number"):
        load_model("emulate:" + "|".join([*parts, "much"]))
    with pytest.raises(ModelError, match="no folder"):
        load_model("emulate:/nowhere|/nowhere|/nowhere")


def test_stop_strings_and_many_askers() -> None:
    model = CombinedModel(LARGE, [(TUNED, SMALL, 0.4), (SMALL, TUNED, -0.2)])

    async def ask() -> None:
        plain = await model.generate("the red", max_tokens=9)
        stop = plain.text.split()[-1]
        cut = await model.generate("the red", max_tokens=9, stop=[stop])
        assert cut.finish == "stop"
        assert stop not in cut.text
        many = await asyncio.gather(*(model.generate("a dog", max_tokens=3) for _ in range(40)))
        assert len({m.tokens for m in many}) == 1

    asyncio.run(ask())
