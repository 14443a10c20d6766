"""A literature assistant: from the abstract of a new paper to a related-work section with checked
citations. Each step is a class of its own: keywords, sources, debate, plan, writer, check.

Source: LitLLMs (arXiv 2412.15249).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.agents.review.assistant import Review, review
    from scrubjay.agents.review.check import CitationCheck, Judgement, citation_report
    from scrubjay.agents.review.debate import DebateReranker
    from scrubjay.agents.review.keywords import KeywordWriter
    from scrubjay.agents.review.plan import SentencePlan
    from scrubjay.agents.review.quotes import verify_quote
    from scrubjay.agents.review.sources import TwoSourceRetrieval, merge_budgeted
    from scrubjay.agents.review.writer import GroundedWriter, write_freely

_WHERE = {
    "CitationCheck": "check",
    "DebateReranker": "debate",
    "GroundedWriter": "writer",
    "Judgement": "check",
    "KeywordWriter": "keywords",
    "Review": "assistant",
    "SentencePlan": "plan",
    "TwoSourceRetrieval": "sources",
    "citation_report": "check",
    "merge_budgeted": "sources",
    "review": "assistant",
    "verify_quote": "quotes",
    "write_freely": "writer",
}
__getattr__ = lazy(__name__, _WHERE)
__all__ = [
    "CitationCheck",
    "DebateReranker",
    "GroundedWriter",
    "Judgement",
    "KeywordWriter",
    "Review",
    "SentencePlan",
    "TwoSourceRetrieval",
    "citation_report",
    "merge_budgeted",
    "review",
    "verify_quote",
    "write_freely",
]
