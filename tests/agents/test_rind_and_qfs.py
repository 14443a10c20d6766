"""RIND and QFS on arrays made by hand, and against raw attention of SmolLM2 in float32."""

from __future__ import annotations

import asyncio
import json
import math
import re
from functools import cache
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from scrubjay.agents.draft import Draft, read_draft
from scrubjay.agents.dynamic_rag import DynamicRAG, dragin
from scrubjay.agents.queries import (
    QFS,
    FullContext,
    LastSentence,
    LastTokens,
    MaskedSentence,
    qfs,
    qfs_released,
)
from scrubjay.agents.rind import RIND, EntropyOnly, rind, rind_released
from scrubjay.agents.session import Session
from scrubjay.agents.triggers import Flag, LowProbability, OracleTrigger, RandomRate
from scrubjay.core.nouns import Hit, Passage, Question
from scrubjay.core.trace import Noted, Searched
from scrubjay.models.words import STOP_WORDS, merge_subwords

PIECES = (" The", " Tor", "vik", " is", " old", ".")
#          stop    content       stop   content sign
H = (3.0, 1.0, 2.0, 4.0, 0.5, 6.0)


def causal(n: int, extra: int = 0, seed: int = 0) -> np.ndarray:
    """Random attention of ``n`` tokens behind ``extra`` others; rows sum to 1."""
    a = np.random.default_rng(seed).random((n, extra + n))
    a *= np.tril(np.ones((n, extra + n)), extra)
    return a / a.sum(1, keepdims=True)


def draft(**given) -> Draft:
    given = {
        "entropies": H,
        "logprobs": tuple(math.log(p) for p in (0.9, 0.3, 0.7, 0.9, 0.95, 1)),
    } | given
    return Draft("Where is it?", (), PIECES, **given)


def test_rind_is_entropy_times_the_most_later_attention_on_content_words():
    a = np.array(
        [
            [0.5, 0.5, 0, 0, 0, 0, 0],
            [0.1, 0.3, 0.6, 0, 0, 0, 0],
            [0.1, 0.2, 0.4, 0.3, 0, 0, 0],
            [0.0, 0.2, 0.1, 0.5, 0.2, 0, 0],
            [0.2, 0.1, 0.3, 0.1, 0.2, 0.1, 0],
            [0.1, 0.2, 0.1, 0.2, 0.1, 0.1, 0.2],
        ]
    )  # fmt: skip
    words = merge_subwords(PIECES)
    content = [w.text not in ("The", "is") for w in words]
    # Columns 1..6 are the tokens; most later attention: 0.3, 0.4, 0.5, 0.2, 0.1, none.
    assert rind(H, a, words, content) == pytest.approx([0, 1 * 0.4, 2 * 0.5, 0, 0.5 * 0.1, 0])
    with pytest.raises(ValueError, match="shape"):
        rind(H, a[:, :5], words, content)
    assert rind([], np.zeros((0, 4)), [], []).size == 0


def test_the_last_word_never_triggers_and_the_first_token_above_theta_does():
    only_last = draft(attention=causal(6), entropies=(0, 0, 0, 0, 9.0, 0))
    s = RIND().token_scores(only_last)
    assert s[-1] == 0
    assert s[4] > 0  # "old" is followed by "."
    a = np.zeros((6, 6))
    a[5, 1], a[5, 2], a[5, 4] = 0.3, 0.4, 0.9
    found = RIND(theta=0.25).find(draft(attention=a), Random(0))
    assert found == Flag((0, 19), (1,), 1)  # " Tor": 1.0 * 0.3
    assert RIND(theta=0.35).find(draft(attention=a), Random(0)).token == 2  # "vik": 2.0 * 0.4
    assert RIND(theta=0.81).find(draft(attention=a), Random(0)) is None


def test_released_scores_are_mean_entropy_times_share_of_attention_in_the_sentence():
    heads = np.stack([causal(6, seed=1), causal(6, seed=2)])
    words = merge_subwords(PIECES)
    got = rind_released(H, heads, words, [False, True, False, True], [(0, 19)])
    column = [sum(max(h[j][i] for j in range(6)) for h in heads) / 2 for i in range(6)]
    per_word = [column[0], column[1] + column[2], column[3], column[4]]
    entropy = [3.0, 1.5, 4.0, 0.5]
    truth = [4 * e * w / sum(per_word) for e, w in zip(entropy, per_word)]
    assert got == pytest.approx([0, truth[1], 0, truth[3]])
    # One nat everywhere, at equal influence: every score is 1.
    even = np.full((1, 6, 6), 0.2)
    ones = rind_released(
        [1.0] * 6,
        even[:, :, :],
        merge_subwords([" a", " b", " c", " d", " e", " f"]),
        [True] * 6,
        [(0, 12)],
    )
    assert ones == pytest.approx([1.0] * 6)


def test_qfs_takes_the_top_columns_in_text_order_and_whole_words():
    words = merge_subwords([" Who", " wrote", " Vel", "mor", "?", " It", " is"])
    row = [0.05, 0.2, 0.01, 0.3, 0.4, 0.03, 0.01]
    assert [w.text for w in qfs(row, words, 3)] == ["wrote", "Velmor"]  # "?" is no word
    assert [w.text for w in qfs(row, words, 4)] == ["Who", "wrote", "Velmor"]
    assert [w.text for w in qfs(row[:3], words, 9)] == ["Who", "wrote"]  # Velmor isn't whole yet
    assert [w.text for w in qfs([0.5, 0.5, 0.5], words, 1)] == ["Who"]


def test_released_qfs_leaves_out_stop_words_and_flagged_words():
    pieces = [" Who", " wrote", " Velmor", "?", " Ar", "lo", " wrote", " it"]
    words = merge_subwords(pieces)  # Who wrote Velmor Arlo wrote it
    content = [w.text not in ("Who", "it") for w in words]
    a = causal(4, 4, seed=3)
    got = qfs_released(a, 4, words, content, [3], 2)
    assert [w.text for w in got] == ["wrote", "Velmor"]
    got = qfs_released(a, 4, words, content, [4], 1)
    row = a[1, :6]  # the place before " wrote"
    best = max(
        [("wrote", row[1]), ("Velmor", row[2]), ("Arlo", row[4] + row[5])], key=lambda x: x[1]
    )
    assert [w.text for w in got] == [best[0]]


def test_a_flagged_word_that_grew_out_of_the_context_is_still_found():
    """The draft goes on inside a word: "Tor" + "vik" is one word of both together."""
    a = causal(3, 3, seed=4)
    d = Draft("q", (), ("vik", " is", " old"), context=(" What", " town", " Tor"), attention=a)
    assert d.words[0].text == "vik"
    for mode in ("paper", "released"):
        query = QFS(9, mode).form(d, Flag((0, 10), (0,), 0))
        assert set(query.split()) <= {"What", "town"}
    nothing = QFS(9, "released").form(d, Flag((0, 10)))
    assert nothing == "q"


def test_other_triggers():
    d = draft()
    assert EntropyOnly(1.9).find(d, Random(0)).words == (1,)
    assert EntropyOnly(2.1).find(d, Random(0)) is None
    assert LowProbability(0.8).find(d, Random(0)).token == 1
    assert LowProbability(0.2).find(d, Random(0)) is None
    mean = np.mean([0.1, 0.7, 0.3, 0.1, 0.05, 0])
    assert LowProbability(mean - 0.01, average=True).find(d, Random(0)) is not None
    assert LowProbability(mean + 0.01, average=True).find(d, Random(0)) is None
    rate = sum(RandomRate(0.3).find(d, Random(i)) is not None for i in range(2000)) / 2000
    assert rate == pytest.approx(0.3, abs=0.04)
    oracle = OracleTrigger(lambda sentence, question: "Torvik" in sentence)
    assert oracle.find(d, Random(0)).sentence == (0, 19)
    assert oracle.find(Draft("q", (), (" It", ".")), Random(0)) is None


def test_other_queries():
    so_far = (" Velmor", " is", " a", " river", ".", " It", " is", " long", ".")
    d = Draft("Where is it?", so_far, PIECES, tuple(map(math.log, (0.9, 0.3, 0.7, 0.9, 0.95, 1))))
    flag = Flag((0, 19), (1,), 1)
    assert LastSentence().form(d, flag) == "It is long."
    assert LastTokens(3).form(d, flag) == "is long."
    assert FullContext().form(d, flag) == "Where is it? Velmor is a river. It is long."
    assert MaskedSentence(0.4).form(d, flag) == "The is old"
    assert MaskedSentence(0.99).form(d, flag) == "Where is it?"
    empty = Draft("Where is it?")
    assert (
        LastSentence().form(empty, Flag((0, 0)))
        == LastTokens().form(empty, Flag((0, 0)))
        == "Where is it?"
    )


# -- against an independent computation from raw attention --------------------------------------

PAGES = [
    Passage("a", "Kalen Brusk was born in Torvik, a town in Brenland.", "Kalen Brusk"),
    Passage("b", "The capital of Peru is Lima. The river Rimac flows through Lima.", "Lima"),
]
QUESTIONS = [
    "What is the capital of the country of Machu Picchu?",
    "In which country was the composer of The Magic Flute born?",
    "Who was king of the country in which the town of Solvik lies?",
]


class Shelf:
    async def search(self, query, k=5, where=None):
        return [Hit(p, 1.0, i) for i, p in enumerate(PAGES[:k])]


@pytest.fixture(scope="module")
def smollm2():
    pytest.importorskip("torch")
    from scrubjay.models.local import LocalModel

    return LocalModel.load("smollm2-135m", dtype="float32")


@cache
def raw(model, prompt: str, tokens):
    """Entropies and last-layer attention from one plain eager pass of transformers."""
    import torch

    ids = model.tokenizer(prompt)["input_ids"]
    config = model.model.config
    usual, config._attn_implementation = config._attn_implementation, "eager"
    try:
        with torch.inference_mode():
            out = model.model(torch.tensor([ids + list(tokens)]), output_attentions=True)
    finally:
        config._attn_implementation = usual
    p = out.logits[0, len(ids) - 1 : -1].double().softmax(-1)
    entropy = (-(p * p.log()).nan_to_num(0).sum(-1)).tolist()
    return entropy, out.attentions[-1][0].double().mean(0).numpy(), ids


def by_hand(model, prompt: str, question: str, tokens, theta: float, n: int):
    """(scores, first token above θ, query) straight from the definitions, by loops."""
    entropy, a, ids = raw(model, prompt, tokens)
    p, total = len(ids), len(ids) + len(tokens)
    texts = [model.tokenizer.decode([t]) for t in [*ids, *tokens]]
    edges = np.cumsum([0, *map(len, texts)])
    whole = "".join(texts)
    spans = [m.span() for m in re.finditer(r"\w+(?:[-'’.,/]\w+)*", whole)]

    def word_of(t):
        return next(
            (s for s in spans if edges[t] < s[1] and edges[t + 1] > s[0] and s[0] >= edges[p] - 1),
            None,
        )

    scores = []
    for i in range(p, total):
        later = max((a[j, i] for j in range(i + 1, total)), default=0.0)
        s = word_of(i)
        means = s is not None and whole[s[0] : s[1]].lower() not in STOP_WORDS
        scores.append(entropy[i - p] * later * means)
    above = [i for i, s in enumerate(scores) if s > theta]
    if not above:
        return scores, None, ""
    at = p + above[0]
    begin = next(t for t in range(p) if edges[t + 1] > whole[: edges[p]].rindex(question))
    ranked = sorted(range(begin, at), key=lambda t: (-a[at, t], t))[:n]
    query = [
        whole[s[0] : s[1]]
        for s in spans
        if s[0] >= edges[begin]
        and whole[s[0] : s[1]] != "Answer"  # the label
        and s[1] <= edges[at]
        and any(edges[t] < s[1] and edges[t + 1] > s[0] for t in ranked)
    ]
    return scores, above[0], " ".join(query)


@pytest.mark.parametrize("theta", [0.05, 0.3])
def test_triggers_and_queries_equal_those_from_raw_attention(smollm2, theta):
    """All questions at once: shared prefixes, packed passes; then each alone by transformers."""
    agent = DynamicRAG(RIND(theta), QFS(9), "dragin", ahead=20, rounds=2)
    seen = []
    generate = smollm2.generate

    class Watched:
        name = "watched"

        async def generate(self, prompt, **options):
            done = await generate(prompt, **options)
            if options["want"]:
                seen.append((prompt, done))
            return done

    async def ask():
        sessions = [Session(Watched(), Shelf()) for _ in QUESTIONS]
        await asyncio.gather(
            *(
                agent.answer(Question(str(i), q), s)
                for i, (q, s) in enumerate(zip(QUESTIONS, sessions))
            )
        )
        return sessions

    sessions = asyncio.run(ask())
    smollm2.settle()
    notes = {}
    for asked, session in zip(QUESTIONS, sessions):
        steps = list(session.trace)
        for step, after in pairwise(steps):
            if isinstance(step, Noted) and step.text.startswith("{"):
                note = json.loads(step.text)
                note["query"] = after.query if isinstance(after, Searched) else ""
                notes.setdefault((asked, note["draft"]), []).append(note)
    assert seen
    hits = 0
    for prompt, done in seen:
        question = next(q for q in QUESTIONS if q in prompt)
        read = read_draft(done, prompt, question)
        n = len(read.pieces)  # a stop string's own tokens are not part of the draft
        tokens = done.tokens[:n]
        scores, token, query = by_hand(smollm2, prompt, question, tokens, theta, 9)
        assert RIND().token_scores(read) == pytest.approx(scores, abs=1e-4)
        near = any(abs(s - theta) < 1e-4 for s in scores)
        (note, *_) = [x for x in notes[question, read.text] if x.get("token") == token] or [None]
        assert note is not None or near
        if token is not None and note is not None:
            assert note["query"] == query
            hits += 1
    assert hits
    assert hits < len(seen) or theta < 0.1


def test_an_endpoint_without_attention_is_refused_with_a_way_out():
    from scrubjay.core.errors import ScrubjayError
    from scrubjay.models.load import load_endpoint

    model = load_endpoint("endpoint:http://127.0.0.1:9/v1#any", cache=False)
    session = Session(model, Shelf())
    with pytest.raises(ScrubjayError, match=r"white-box.*flare.*fixed-sentence"):
        asyncio.run(dragin().answer(Question("1", "Who?"), session))
    assert session.spent.searches == 0
