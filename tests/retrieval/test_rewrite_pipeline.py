import asyncio

import pytest

from scrubjay.core import Hit, ModelError, Passage
from scrubjay.models.types import Completion, Message
from scrubjay.retrieval import (
    ContextualRewrite,
    Pipeline,
    RewriteKeywords,
    RewritePassage,
    RewriteQuestion,
)


class Says:
    """A model that always writes the same, and remembers what it was asked."""

    name = "says"

    def __init__(self, text):
        self.text, self.prompts = text, []

    async def generate(self, prompt, *, max_tokens, **other):
        self.prompts.append(prompt)
        if self.text is None:
            raise ModelError("the endpoint is down")
        return Completion(self.text)


class Echo:
    """A retriever that finds the query and numbered others."""

    async def search(self, query, k=5, where=None):
        return [Hit(Passage(f"{i}", f"{query} {i}"), 1.0 / (i + 1), i) for i in range(k)]


class Reverse:
    async def rerank(self, query, hits, k=None):
        self.query = query
        return [Hit(h.passage, float(i), i) for i, h in enumerate(hits[::-1][:k])]


class Fails:
    async def rerank(self, query, hits, k=None):
        raise ModelError("timed out")


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (
            RewriteQuestion,
            '\nQuestion: "Where do jays hide food?"\nSure!',
            "Where do jays hide food?",
        ),
        (RewriteKeywords, "- Keywords: jay acorn cache", "jay acorn cache"),
        (RewritePassage, "Jays hide\n acorns.", "q?\nJays hide acorns."),
    ],
)
def test_formats(kind, text, expected):
    rewriter = kind(Says(text))
    assert asyncio.run(rewriter.rewrite("q?")) == expected
    assert (rewriter.calls, rewriter.failures) == (1, 0)


@pytest.mark.parametrize("kind", [RewriteQuestion, RewriteKeywords, RewritePassage])
@pytest.mark.parametrize("text", ["", " \n ", '"?"', None])
def test_an_empty_or_failed_rewrite_is_identity_and_counted(kind, text):
    rewriter = kind(Says(text))
    assert asyncio.run(rewriter.rewrite("who {{ name }}?")) == "who {{ name }}?"
    assert (rewriter.calls, rewriter.failures) == (1, 1)
    assert any("who {{ name }}?" in m.content for m in rewriter.model.prompts[0])


def test_contextual_rewrite_shows_the_conversation():
    model = Says("Where is Toronto?")
    assert asyncio.run(ContextualRewrite(model).rewrite("where is it?")) == "where is it?"
    assert model.prompts == []
    history = [Message("user", "What is Toronto?"), Message("assistant", "A city.")]
    assert asyncio.run(ContextualRewrite(model, history).rewrite("where is it?")) == model.text
    shown = model.prompts[0][-1].content
    assert [shown.index(x) for x in ("What is Toronto?", "A city.", "where is it?")] == sorted(
        shown.index(x) for x in ("What is Toronto?", "A city.", "where is it?")
    )


def search(pipeline, k=2):
    return [h.passage.text for h in asyncio.run(pipeline.search("q", k))]


def test_pipeline_stages_and_their_absence():
    rewriter, reranker = RewriteKeywords(Says("better")), Reverse()
    assert search(Pipeline(None, Echo(), None)) == ["q 0", "q 1"]
    assert search(Pipeline(rewriter, Echo(), None)) == ["better 0", "better 1"]
    assert search(Pipeline(None, Echo(), Reverse(), candidates=3)) == ["q 2", "q 1"]
    assert search(Pipeline(rewriter, Echo(), reranker, candidates=1)) == ["better 1", "better 0"]
    assert reranker.query == "q"


def test_a_failing_reranker_keeps_the_order_and_is_counted():
    pipeline = Pipeline(None, Echo(), Fails(), candidates=4)
    assert search(pipeline) == ["q 0", "q 1"]
    assert pipeline.failures == 1
