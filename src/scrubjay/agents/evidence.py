"""Evidence: what an attempt's state says about whether its answer is right, as a few numbers.

A critic must hold in worlds it never saw, where no name is known. So nothing here knows *what* is
said; everything measures *how things stand to each other*: is the answer in the documents, does the
sentence that holds it speak of what was asked, are the question's names anywhere in them, how sure
was the model. Similarity is that of an encoder's vectors, or shared words where there is none.

Departure from SIM-RAG (paper 72), whose critic reads the text itself (783 million weights): vectors
of whole texts, from a small encoder, name the entities of the practice worlds, and a critic trained
on some hundred rows learns those by heart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

from scrubjay.agents.reasoner import Attempt
from scrubjay.agents.search_state import SearchState

Similar = Callable[[str, str], float]
"""Two texts -> similarity, 1 for the same."""

NAMES = (
    "logprob", "probability", "tokens", "no_answer", "round", "passages", "no_context",
    "answer_in_context", "answer_in_question", "answer_sentences", "answer_in_title",
    "question_covered", "names_covered", "best_covered", "support_covered", "support_gap",
    "support_names", "best_similar", "support_similar", "said_similar", "similar_gap",
    "newest_support", "wants_time", "has_digits", "time_fits", "asked_words", "echo", "cut_name",
    "lower_case",
)  # fmt: skip
"""The numbers, in order. *Best* is the sentence nearest to the question, *support* the nearest of
those that hold the answer; *covered* is the share of the question's words (or names) found
there; *echo* the share of the answer's words that the question says itself; *cut name*: the answer
ends inside a name of its sentence; *lower case*: share of the answer's words that are no names."""

_WORD = re.compile(r"\w+")
_END = re.compile(r"(?<=[.!?])\s+|\n+")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an the is are was were be of in on at to for from by with and or which what who whom "
        "whose when where how many much does do did that this it its has have had as",
    )
)
_TIME = re.compile(r"\b(?:when|date|year|born on)\b", re.IGNORECASE)


def evidence(state: SearchState, attempt: Attempt, similar: Similar) -> list[float]:
    """The numbers called ``NAMES``, for one attempt."""
    question, answer = state.question.text, attempt.answer
    lines = sentences(state)
    asked, names, said = words(question), _names(question), words(answer)
    holding = [s for s in lines if said and _holds(s, answer)]
    best = _nearest(question, lines, similar)
    support = _nearest(question, holding, similar)
    everything = set[str]().union(*map(words, lines))
    near, backed = _similar(question, best, similar), _similar(question, support, similar)
    covered, supported = share(asked, words(best)), share(asked, words(support))
    newest = {p.text for p in state.rounds[-1].passages} if state.rounds else set[str]()
    time, digits = bool(_TIME.search(question)), any(c.isdigit() for c in answer)
    logprob = attempt.logprob if attempt.logprob is not None else -5.0
    return [
        max(logprob, -10.0),
        math.exp(logprob),
        math.log1p(attempt.tokens),
        float(not said),
        len(state.rounds),
        math.log1p(len(state.passages)),
        float(not lines),
        float(bool(holding)),
        float(bool(said) and _holds(question, answer)),
        math.log1p(len(holding)),
        float(bool(said) and any(_holds(p.title, answer) for p in state.passages)),
        share(asked, everything),
        share(names, everything),
        covered,
        supported,
        covered - supported,
        share(names, words(support)),
        near,
        backed,
        _similar(f"{question} {answer}", support or best, similar),
        near - backed,
        float(bool(said) and any(_holds(text, answer) for text in newest)),
        float(time),
        float(digits),
        float(time == digits),
        math.log1p(len(asked)),
        share(said, asked),
        float(_cuts_name(support, answer)),
        share_of(answer, str.islower),
    ]


def needed(state: SearchState, attempt: Attempt) -> list[str]:
    """The texts whose similarities ``evidence`` asks for, so that they are encoded together."""
    question = state.question.text
    return [question, f"{question} {attempt.answer}", *sentences(state)]


def sentences(state: SearchState) -> list[str]:
    """The sentences of everything found, oldest first, no sentence twice; titles stand in front."""
    out: dict[str, None] = {}
    for passage in state.passages:
        for sentence in _END.split(passage.text):
            if text := sentence.strip():
                known = not passage.title or _holds(text, passage.title)
                out[text if known else f"{passage.title}: {text}"] = None
    return list(out)


def shared_words(a: str, b: str) -> float:
    """Similarity without an encoder: cosine of the two sets of words that aren't common."""
    x, y = words(a), words(b)
    return len(x & y) / math.sqrt(len(x) * len(y)) if x and y else 0.0


def from_vectors(vectors: Mapping[str, Sequence[float]]) -> Similar:
    """Similarity as the dot product of unit vectors, by text."""
    import numpy as np

    return lambda a, b: float(np.dot(vectors[a], vectors[b]))


def words(text: str) -> set[str]:
    """Words in lower case, without the most common ones."""
    return {w for w in _WORD.findall(text.lower()) if w not in _COMMON}


def share(wanted: set[str], there: set[str]) -> float:
    """Share of the wanted words that are there; 0 when none is wanted."""
    return len(wanted & there) / len(wanted) if wanted else 0.0


def share_of(text: str, kind: Callable[[str], bool]) -> float:
    """Share of the text's words that are of a kind; 0 for no word."""
    found = _WORD.findall(text)
    return sum(map(kind, found)) / len(found) if found else 0.0


def _cuts_name(sentence: str, answer: str) -> bool:
    """Whether a name goes on beside the answer: "Kalen" where "Kalen Brusk" stands."""
    there, part = _WORD.findall(sentence), _WORD.findall(answer.lower())
    lower = [w.lower() for w in there]
    for i in range(len(there) - len(part) + 1):
        if part and lower[i : i + len(part)] == part:
            before = there[i - 1] if i > 1 else ""
            after = there[i + len(part)] if i + len(part) < len(there) else ""
            return before[:1].isupper() or after[:1].isupper()
    return False


def _names(text: str) -> set[str]:
    """Words with a capital letter or digit, but for the first word of the text."""
    found = _WORD.findall(text)[1:]
    return {w.lower() for w in found if w[0].isupper() or w[0].isdigit()}


def _holds(text: str, part: str) -> bool:
    inner = " ".join(_WORD.findall(part.lower()))
    return bool(inner) and f" {inner} " in f" {' '.join(_WORD.findall(text.lower()))} "


def _nearest(question: str, lines: Sequence[str], similar: Similar) -> str:
    return max(lines, key=lambda s: similar(question, s), default="")


def _similar(a: str, b: str, similar: Similar) -> float:
    return similar(a, b) if b else 0.0
