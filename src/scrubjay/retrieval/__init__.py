"""From a query to passages: index, encoders, fusion, rewriters, rerankers, page graph."""

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.retrieval.build import build_index
    from scrubjay.retrieval.encoders import SentenceEncoder, load_encoder
    from scrubjay.retrieval.fusion import reciprocal_rank_fusion
    from scrubjay.retrieval.graph import PPRRetriever
    from scrubjay.retrieval.index import Index
    from scrubjay.retrieval.pipeline import Pipeline
    from scrubjay.retrieval.rerankers import (
        CrossEncoderReranker,
        ListwiseReranker,
        PairwiseReranker,
        QueryLikelihoodReranker,
        YesNoReranker,
    )
    from scrubjay.retrieval.rewrite import (
        ContextualRewrite,
        RewriteKeywords,
        RewritePassage,
        RewriteQuestion,
    )
    from scrubjay.retrieval.types import Encoder, Reranker, Retriever, Rewriter

_HOME = {
    "build_index": "build",
    "SentenceEncoder": "encoders",
    "load_encoder": "encoders",
    "reciprocal_rank_fusion": "fusion",
    "PPRRetriever": "graph",
    "Index": "index",
    "Pipeline": "pipeline",
    "CrossEncoderReranker": "rerankers",
    "ListwiseReranker": "rerankers",
    "PairwiseReranker": "rerankers",
    "QueryLikelihoodReranker": "rerankers",
    "YesNoReranker": "rerankers",
    "ContextualRewrite": "rewrite",
    "RewriteKeywords": "rewrite",
    "RewritePassage": "rewrite",
    "RewriteQuestion": "rewrite",
    "Encoder": "types",
    "Reranker": "types",
    "Retriever": "types",
    "Rewriter": "types",
}

__all__ = [
    "ContextualRewrite",
    "CrossEncoderReranker",
    "Encoder",
    "Index",
    "ListwiseReranker",
    "PPRRetriever",
    "PairwiseReranker",
    "Pipeline",
    "QueryLikelihoodReranker",
    "Reranker",
    "Retriever",
    "RewriteKeywords",
    "RewritePassage",
    "RewriteQuestion",
    "Rewriter",
    "SentenceEncoder",
    "YesNoReranker",
    "build_index",
    "load_encoder",
    "reciprocal_rank_fusion",
]

__getattr__ = lazy(__name__, _HOME)
