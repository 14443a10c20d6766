"""Verbatim memory: readers with a memory of known kind, and SmolLM2 with and without its heads."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scrubjay.core.finding import Finding
from scrubjay.models.recurrent import RecurrentSpec, build_recurrent
from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.lookback import looking_back
from scrubjay.probing.open import OpenModel, load_open
from scrubjay.probing.repeated import recall
from scrubjay.probing.shuffling import permute_qk
from scrubjay.probing.surprisal import word_surprisal
from scrubjay.probing.verbatim import VerbatimMemory
from scrubjay.worlds.vignettes import CATEGORIES, PREFACE, PROMPT, TEXT, vignettes

TOKENIZER = train_tokenizer([" ".join(w for ws in CATEGORIES for w in ws), PREFACE, PROMPT, *TEXT] * 4, 4000)  # fmt: skip  # noqa: E501
V = len(TOKENIZER)
SMALL = VerbatimMemory(nouns=(3, 10), kinds=("arbitrary",), words=(20, 80), count=12, control=False)


class Reader:
    """Gives 90 % to what ``guess`` says comes next (spread evenly), the rest to everything."""

    def __init__(self, guess) -> None:
        self.guess, self.config = guess, SimpleNamespace(max_position_embeddings=1000)

    def __call__(self, input_ids, **_):
        p = torch.full((*input_ids.shape, V), 0.1 / V)
        for row, ids in enumerate(input_ids.tolist()):
            for t in range(len(ids)):
                told = self.guess(ids[: t + 1])
                for token in told:
                    p[row, t, token] += 0.9 / len(told)
                if not told:
                    p[row, t] += 0.9 / V
        return SimpleNamespace(logits=p.log())


def induction(ids):
    """What followed the last two tokens when they stood here before."""
    for i in range(len(ids) - 2, 1, -1):
        if ids[i - 2 : i] == ids[-2:]:
            return [ids[i]]
    return []


def cache(ids):
    """Anything that was there before: a memory for the set, none for the order."""
    return sorted(set(ids))


def medians(found: Finding) -> list[float]:
    return [found.numbers[f"repeat surprisal, {c}"].value for c in ("repeat", "permute", "novel")]


def test_a_reader_with_induction_remembers_order_exactly() -> None:
    found = SMALL.measure(OpenModel(Reader(induction), TOKENIZER))
    repeat, permute, novel = medians(found)
    expected = 100 * -math.log(0.9 + 0.1 / V) / -math.log(1 / V)
    assert repeat == pytest.approx(expected, abs=0.01)
    assert permute > 90
    assert novel == pytest.approx(100, abs=0.01)
    assert found.numbers["order: permute minus repeat"].low > 80
    # the first noun of list 2 has another token before it than in list 1: no cue, no recall
    assert found.numbers["first noun, repeat"].value == pytest.approx(100, abs=0.01)
    assert abs(found.numbers["points per doubling of distance"].value) < 0.01


def test_a_cache_remembers_identity_and_no_order() -> None:
    found = SMALL.measure(OpenModel(Reader(cache), TOKENIZER))
    repeat, permute, novel = medians(found)
    assert repeat == pytest.approx(permute, abs=0.01)
    assert permute < 75 < novel
    order = found.numbers["order: permute minus repeat"]
    assert order.low <= 1e-9
    assert found.numbers["identity: novel minus permute"].low > 20
    assert found.numbers["points per doubling of distance"].value > 0  # the cache fills up


def test_a_reader_without_memory_shows_none() -> None:
    found = SMALL.measure(OpenModel(Reader(lambda ids: []), TOKENIZER))
    assert medians(found) == pytest.approx([100] * 3)
    assert found.numbers["order: permute minus repeat"].value == pytest.approx(0)
    again = Finding.from_dict(found.to_dict())
    assert again.numbers == dict(found.numbers)
    assert found.figure is not None


def test_random_models_remember_nothing_whatever_their_kind() -> None:
    spec = TinySpec(V, 32, 2, 2, 64, context=256, seed=1)
    recurrent = RecurrentSpec(V, 32, 48, context=256, seed=1)
    for model in (build_tiny(spec).eval(), build_recurrent(recurrent).eval()):
        for value in medians(SMALL.measure(OpenModel(model, TOKENIZER))):
            assert value == pytest.approx(100, abs=10)


def test_surprisal_sums_pieces_and_survives_company() -> None:
    model = build_tiny(TinySpec(V, 32, 2, 2, 64, context=128, seed=2)).eval()
    texts = ["Mary noted a zyxwv and a plum.", "Before the talk began, everybody laughed."]
    spans = [[(13, 18), (25, 29)], [(32, 39)]]
    together = word_surprisal(model, TOKENIZER, texts, spans)
    assert [w.word for w in together[0]] == ["zyxwv", "plum"]
    assert together[0][0].tokens > 1
    for text, places, found in zip(texts, spans, together):
        ids = TOKENIZER(text)["input_ids"]
        with torch.no_grad():
            logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        for (a, b), word in zip(places, found):
            assert text[a:b] == word.word
            inside = range(word.first, word.first + word.tokens)
            by_hand = -sum(float(logs[t - 1, ids[t]]) for t in inside)
            assert word.nats == pytest.approx(by_hand, abs=1e-4)
        alone = word_surprisal(model, TOKENIZER, [text], [places], batch=1)
        assert [w.nats for w in alone[0]] == pytest.approx([w.nats for w in found], abs=1e-4)


def test_what_cannot_be_measured_is_said() -> None:
    model = build_tiny(TinySpec(V, 32, 1, 2, 64, context=32, seed=2)).eval()
    with pytest.raises(ProbeError, match="context is 32"):
        SMALL.measure(OpenModel(model, TOKENIZER))
    with pytest.raises(ProbeError, match="first token"):
        word_surprisal(model, TOKENIZER, ["plum pear"], [[(0, 4)]])
    with pytest.raises(ProbeError, match="no word at characters"):
        word_surprisal(model, TOKENIZER, ["plum pear"], [[(5, 99)]])
    with pytest.raises(ProbeError, match="shares a token"):
        word_surprisal(model, TOKENIZER, ["a plum"], [[(2, 4), (4, 6)]])
    broken = build_tiny(TinySpec(V, 32, 1, 2, 64, context=256, seed=2)).eval()
    with torch.no_grad():
        broken.lm_head.weight[3] = torch.nan
    with pytest.raises(ProbeError, match="not finite"):
        SMALL.measure(OpenModel(broken, TOKENIZER))
    slow = SimpleNamespace(is_fast=False)
    with pytest.raises(ProbeError, match="offsets"):
        word_surprisal(model, slow, ["plum"], [[]])
    with pytest.raises(ProbeError, match="2 heads; 5 can't"):
        VerbatimMemory(heads=5).measure(OpenModel(model, TOKENIZER))
    with pytest.raises(ProbeError, match="doesn't show its inside"):
        VerbatimMemory().measure(OpenModel(Reader(cache), TOKENIZER))
    with pytest.raises(ProbeError, match="2 to 10"):
        VerbatimMemory(nouns=(12,)).measure(OpenModel(model, TOKENIZER))
    with pytest.raises(ProbeError, match="repeated"):
        novel = vignettes(count=1, conditions=("novel",))
        SMALL.measure(OpenModel(model, TOKENIZER), novel)


def test_permuted_queries_and_keys_come_back_bit_for_bit() -> None:
    model = build_tiny(TinySpec(V, 32, 2, 2, 64, seed=3)).eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    ids = torch.tensor([[5, 6, 7, 8]])
    plain = model(ids).logits
    for per_head in (True, False):
        with pytest.raises(RuntimeError), permute_qk(model, per_head=per_head, seed=1):
            moved = model.state_dict()
            for name, old in before.items():
                same = torch.equal(moved[name], old)
                assert same == (not name.endswith(("q_proj.weight", "k_proj.weight")))
                assert torch.equal(moved[name].flatten().sort()[0], old.flatten().sort()[0])
            if per_head:
                q = moved["model.layers.1.self_attn.q_proj.weight"].view(2, -1)
                old = before["model.layers.1.self_attn.q_proj.weight"].view(2, -1)
                assert torch.equal(q.sort(1)[0], old.sort(1)[0])
            assert not torch.allclose(model(ids).logits, plain)
            raise RuntimeError
        assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_heads_that_look_back_agree_with_the_models_own_attention() -> None:
    model = build_tiny(TinySpec(V, 32, 2, 4, 64, context=128, seed=4)).eval()
    one = vignettes(nouns=4, count=1, conditions=("repeat",))
    found = looking_back(OpenModel(model, TOKENIZER), one)
    model.set_attn_implementation("eager")
    told = TOKENIZER(one[0].text, return_offsets_mapping=True)
    place = {a: t for t, (a, _) in enumerate(told["offset_mapping"])}
    maps = model(torch.tensor([told["input_ids"]]), output_attentions=True).attentions
    for layer, heads in enumerate(maps):
        rows = [
            heads[0, :, place[b[0]] - 1, place[a[0]]].detach().numpy()
            for a, b in zip(one[0].first[1:], one[0].second[1:])
        ]
        assert found[layer] == pytest.approx(np.mean(rows, 0), abs=1e-5)


def test_intervals_resample_clusters() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=8), 25)
    loose = bootstrap(values, np.mean, clusters=np.repeat(range(8), 25).tolist())
    tight = bootstrap(values, np.mean)
    assert loose.value == pytest.approx(tight.value)
    assert loose.high - loose.low > 3 * (tight.high - tight.low)
    assert bootstrap([1.0], np.mean, clusters=["a"]).low is None


def test_smollm2_remembers_lists_by_heads_that_look_back() -> None:
    model = load_open("smollm2-135m")
    tiny = VerbatimMemory(nouns=(6,), kinds=("arbitrary",), words=(0,), count=3, heads=10)
    found = tiny.measure(model).numbers
    repeat, permute = (found[f"repeat surprisal, {c}"].value for c in ("repeat", "permute"))
    assert repeat < 15 < permute - 15
    assert found["repeat surprisal, repeat, query and key weights permuted"].value > 90
    without = found["repeat surprisal, repeat, 10 looking-back heads taken out"].value
    beside = found["repeat surprisal, repeat, 10 random heads taken out"].value
    assert without > 2 * beside
    again = recall(model, vignettes(nouns=6, words=0, count=1, conditions=("repeat",)))
    assert again[0].repeat_surprisal < 20
