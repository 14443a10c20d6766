import asyncio
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.core import Hit, ModelError, Passage
from scrubjay.models.types import Choice, Completion, Scored
from scrubjay.retrieval import (
    CrossEncoderReranker,
    ListwiseReranker,
    PairwiseReranker,
    QueryLikelihoodReranker,
    YesNoReranker,
)
from scrubjay.retrieval.rerankers import repair_order


class Judge:
    """A model that knows how good a passage is: the number after 'worth' in its text."""

    name = "judge"

    def __init__(self, bias=0.0, broken=False):
        self.bias, self.broken, self.calls = bias, broken, 0

    def worths(self, prompt):
        words = " ".join(m.content for m in prompt).split()
        return [float(b) for a, b in pairwise(words) if a == "worth"]

    async def choose(self, prompt, options):
        self.calls += 1
        worth = self.worths(prompt)
        if list(options) == ["Yes", "No"]:
            p = 1 / (1 + math.exp(-worth[0]))
        else:
            p = 1 / (1 + math.exp(worth[1] - worth[0] - self.bias))
        return Choice(int(p < 0.5), options[int(p < 0.5)], (p, 1 - p))

    async def score(self, prompt, continuations):
        (worth,) = self.worths(prompt)
        # Tokens of the query cost less where the passage is worth more.
        return [Scored(c, tuple(-10.0 + worth for _ in c.split())) for c in continuations]

    async def generate(self, prompt, *, max_tokens, **other):
        worth = self.worths(prompt)
        order = sorted(range(len(worth)), key=lambda i: -worth[i])
        if self.broken:
            return Completion(f"I think [{order[0] + 1}] is best, [{order[0] + 1}] and [77].")
        return Completion(" > ".join(f"[{i + 1}]" for i in order))


def hits(*worths):
    return [Hit(Passage(f"p{i}", f"worth {w}"), 1.0 - i, i) for i, w in enumerate(worths)]


def order(reranker, some, k=None):
    found = asyncio.run(reranker.rerank("which one", some, k))
    assert [h.rank for h in found] == list(range(len(found)))
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    return [h.passage.id for h in found]


@pytest.mark.parametrize(
    "kind", [YesNoReranker, QueryLikelihoodReranker, ListwiseReranker, PairwiseReranker]
)
def test_every_language_model_reranker_finds_the_planted_order(kind):
    some = hits(0, 3, 1, 2)
    assert order(kind(Judge()), some) == ["p1", "p3", "p2", "p0"]
    assert order(kind(Judge()), some, k=2) == ["p1", "p3"]
    assert order(kind(Judge()), []) == []


def test_yes_no_scores_are_probabilities_of_yes():
    found = asyncio.run(YesNoReranker(Judge()).rerank("q", hits(0, 2)))
    assert [h.score for h in found] == pytest.approx([1 / (1 + math.exp(-2)), 0.5])


def test_query_likelihood_is_the_mean_over_query_tokens():
    for query in ("one", "a query of many words"):
        found = asyncio.run(QueryLikelihoodReranker(Judge()).rerank(query, hits(4, 2.5)))
        assert [h.score for h in found] == pytest.approx([-6.0, -7.5])


def test_ties_keep_the_old_order():
    assert order(YesNoReranker(Judge()), hits(1, 1, 1)) == ["p0", "p1", "p2"]
    assert order(PairwiseReranker(Judge()), hits(1, 1, 1)) == ["p0", "p1", "p2"]


def test_pairwise_asks_both_orders_and_splits_what_position_decides():
    judge = Judge(bias=1.5)  # prefers what comes first
    found = asyncio.run(PairwiseReranker(judge).rerank("q", hits(0, 1, 5)))
    assert judge.calls == 3 * 2
    # 0 against 1 is decided by position alone: half a point each; 5 beats both.
    assert [(h.passage.id, h.score) for h in found] == [("p2", 2), ("p0", 0.5), ("p1", 0.5)]


def test_a_sliding_window_carries_the_best_to_the_front():
    reranker = ListwiseReranker(Judge(), window=4, step=2)
    assert order(reranker, hits(1, 2, 0, 3, 4, 1, 0, 2, 9))[:2] == ["p8", "p4"]
    # Nine hits: the windows start at 5, 3, 1 and 0.
    assert (reranker.windows, reranker.repairs) == (4, 0)
    with pytest.raises(ValueError, match="overlap"):
        ListwiseReranker(Judge(), window=4, step=4)


def test_malformed_lists_are_repaired_and_counted():
    reranker = ListwiseReranker(Judge(broken=True), window=3, step=1)
    assert order(reranker, hits(0, 1, 2)) == ["p2", "p0", "p1"]
    assert (reranker.windows, reranker.repairs) == (1, 1)
    assert repair_order("[3] > [1] > [2]", 3) == ([2, 0, 1], False)
    assert repair_order("no idea", 2) == ([0, 1], True)
    assert repair_order("9" * 5000, 2) == ([0, 1], True)


@given(st.text(alphabet="[]> 0123456789٣", max_size=40), st.integers(1, 8))
def test_a_repaired_order_is_a_permutation(text, n):
    assert sorted(repair_order(text, n)[0]) == list(range(n))


@pytest.fixture(scope="module")
def tiny_cross_encoder(tmp_path_factory):
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("cross")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "which", "one", "worth", *"0123456789"]
    vocabulary = {word: i for i, word in enumerate(words)}
    BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForSequenceClassification(
            BertConfig(
                vocab_size=len(words),
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=32,
                num_labels=1,
                initializer_range=0.25,
            )
        )
    model.save_pretrained(folder)
    return folder


def test_cross_encoder_scores_are_the_models(tiny_cross_encoder):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_cross_encoder)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_cross_encoder).eval()
    some = hits(3, 1, 4, 5)
    inputs = tokenizer(
        ["which one"] * 4, [h.passage.text for h in some], return_tensors="pt", padding=True
    )
    with torch.no_grad():
        expected = torch.sigmoid(model(**inputs).logits[:, 0]).tolist()
    reranker = CrossEncoderReranker(tiny_cross_encoder)

    async def go():
        return await asyncio.gather(*(reranker.rerank("which one", some, k) for k in (None, 2)))

    found, two = asyncio.run(go())
    assert {h.passage.id: h.score for h in found} == pytest.approx(
        {h.passage.id: s for h, s in zip(some, expected)}, abs=1e-5
    )
    assert len(set(expected)) == 4
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    assert two == found[:2]


def test_a_cross_encoder_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="can't load the cross-encoder"):
        CrossEncoderReranker(tmp_path)
