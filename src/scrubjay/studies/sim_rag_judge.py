"""Judging study 72: from practice, walks, the model's own verdicts and the loops to a finding.

Every rule gives every walked answer a probability; curves compare rules at equal searches, and
intervals resample questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.finding import Claim, Finding
from scrubjay.core.randomness import stream
from scrubjay.evaluation.statistics import Interval, bootstrap_mean, paired_bootstrap
from scrubjay.evaluation.stopping import (
    Curve,
    Sufficiency,
    Walk,
    curve_gain,
    oracle_stop,
    stop_scores,
    sufficiency,
)
from scrubjay.studies.sim_rag_stage import Size
from scrubjay.training.critic import fit_platt, train_critic
from scrubjay.training.practice import PracticeRow

CLAIMS = (
    "in worlds it never saw, the critic tells right answers from wrong ones better than always "
    "saying the more frequent label (accuracy) and than the answer's log-probability (AUROC; both "
    "intervals above 0)",
    "at equal mean searches, stopping by the critic answers more questions right than every fixed "
    "number of searches, than the model's own verdict and than log-probability (mean over budgets; "
    "each interval above 0)",
    "the critic makes fewer of both mistakes than the model's own verdict: accepting wrong answers "
    "and refusing right ones (both intervals above 0)",
    "a little practice is enough: critics from 100 questions keep nine tenths of the lead over "
    "fixed numbers of searches",
)
ENOUGH = 100
THRESHOLD = 0.5
SIZES_OF_PRACTICE = (25, 50, 100, 200)
Scores = Mapping[str, Sequence[float]]


def judge(
    learned: Sequence[PracticeRow],
    judged: Sequence[PracticeRow],
    own: Sequence[float],
    loops: Mapping[str, Sequence[Sequence[float]]],
    size: Size,
    seed: int = 0,
) -> Finding:
    """Claims, numbers, tables and the figure."""
    scores = _scores(learned, judged, own, seed)
    walks = {name: _walks(judged, s) for name, s in scores.items()}
    curves = {name: Curve(w) for name, w in walks.items()}
    fixed = Curve.fixed(walks["critic"])
    n, budgets = (
        len(walks["critic"]),
        np.linspace(0.5, size.rounds - 0.5, 4 * size.rounds - 3).tolist(),
    )
    telling = _telling(judged, scores)
    others = {"fixed numbers": fixed} | {k: c for k, c in curves.items() if k != "critic"}
    gains = {k: curve_gain(curves["critic"], c, n, budgets) for k, c in others.items()}
    fewer = _fewer(walks)
    practice = _learning(learned, judged, fixed, budgets, size.draws)
    lead = gains["fixed numbers"].value
    some = [row["lead"] for row in practice if row["questions"] == ENOUGH]
    everything = all(k in gains for k in ("own verdict", "log-probability"))
    claims = (
        Claim(
            CLAIMS[0],
            telling["all"].over_majority.above_zero and telling["all"].over_baseline.above_zero,
            f"accuracy {telling['all'].accuracy.value:.3f}, minus majority "
            f"{telling['all'].over_majority.signed}; AUROC {telling['all'].auroc.value:.3f}, minus "
            f"log-probability {telling['all'].over_baseline.signed}",
        ),
        Claim(
            CLAIMS[1],
            everything and all(g.above_zero for g in gains.values()),
            "; ".join(f"minus {k} {g.signed}" for k, g in gains.items()),
        ),
        Claim(
            CLAIMS[2],
            bool(fewer) and all(f.above_zero for f in fewer.values()),
            "; ".join(f"{k}, less by {f.signed}" for k, f in fewer.items()) or "no model was asked",
        ),
        Claim(
            CLAIMS[3],
            bool(some) and lead > 0 and some[0] >= 0.9 * lead,
            f"lead {some[0] if some else float('nan'):+.3f} with {ENOUGH} questions, {lead:+.3f} "
            "with all",
        ),
    )
    tables = {
        "Right from wrong, in unseen worlds": [_told(w, s) for w, s in telling.items()],
        "Rules at their own thresholds": _rules(walks),
        "Practice": practice,
        "The loop itself": _loop_rows(loops),
        "Reliability of the critic": _reliability(scores["critic"], judged),
    }
    numbers = {
        "AUROC, critic": telling["all"].auroc.number,
        "AUROC, critic minus log-probability": telling["all"].over_baseline.number,
        "accuracy, critic": telling["all"].accuracy.number,
        "accuracy, critic minus majority": telling["all"].over_majority.number,
        **{f"exact match at equal searches, critic minus {k}": g.number for k, g in gains.items()},
        **{f"{k}, own verdict minus critic": f.number for k, f in fewer.items()},
        **{
            f"exact match, refused answers {way}, minus nothing done": _feedback(loops, way).number
            for way in loops
            if way != "nothing"
        },
    }
    return Finding("sim-rag", numbers, claims, tables, _figure(curves, fixed))


def _scores(
    learned: Sequence[PracticeRow], judged: Sequence[PracticeRow], own: Sequence[float], seed: int
) -> dict[str, list[float]]:
    """Per rule, a probability for every judged answer; empty answers are never accepted."""
    critic = train_critic(learned, seed=seed).critic
    told = [r for r in learned if r.attempt.answer]
    platt = fit_platt([_logprob(r) for r in told], np.array([float(r.label) for r in told]))
    some = [bool(r.attempt.answer) for r in judged]
    out = {
        "critic": [critic.probability(r.state, r.attempt) for r in judged],
        "log-probability": [platt(_logprob(r)) for r in judged],
    }
    if own:
        out["own verdict"] = list(own)
    return {name: [p * s for p, s in zip(ps, some)] for name, ps in out.items()}


def _logprob(row: PracticeRow) -> float:
    return -10.0 if row.attempt.logprob is None else row.attempt.logprob


def _walks(rows: Sequence[PracticeRow], scores: Sequence[float]) -> list[Walk]:
    """One walk a question, in order of first appearance."""
    questions: dict[tuple[str, str], tuple[list[bool], list[float]]] = {}
    for row, score in zip(rows, scores):
        right, score_of = questions.setdefault((row.world, row.question), ([], []))
        right.append(row.label)
        score_of.append(score)
    return [Walk(tuple(r), tuple(s)) for r, s in questions.values()]


def _telling(rows: Sequence[PracticeRow], scores: Scores) -> dict[str, Sufficiency]:
    """``Sufficiency`` of all worlds together and of each in which there is something to tell."""
    out = {}
    for world in ["all", *dict.fromkeys(r.world for r in rows)]:
        at = [i for i, r in enumerate(rows) if world in ("all", r.world) and r.attempt.answer]
        labels = [rows[i].label for i in at]
        if any(labels) and not all(labels):
            out[world] = sufficiency(
                [scores["critic"][i] for i in at],
                labels,
                [_logprob(rows[i]) for i in at],
                [f"{rows[i].world} {rows[i].question}" for i in at],
            )
    return out


def _told(world: str, s: Sufficiency) -> dict[str, Any]:
    return {
        "world": world,
        "answers": s.n,
        "right": s.right,
        "accuracy": s.accuracy.value,
        "majority": s.majority,
        "difference": s.over_majority.signed,
        "AUROC": s.auroc.value,
        "AUROC of log-probability": s.baseline,
        "AUROC difference": s.over_baseline.signed,
    }


def _fewer(walks: Mapping[str, Sequence[Walk]]) -> dict[str, Interval]:
    """By how much the critic makes fewer mistakes than the model's own verdict, a question."""
    if "own verdict" not in walks:
        return {}
    out = {}
    for name, wrong in (
        ("over-confidence", Walk.over_confident),
        ("over-retrieval", Walk.over_retrieved),
    ):
        theirs, ours = (
            [float(wrong(w, THRESHOLD)) for w in walks[k]] for k in ("own verdict", "critic")
        )
        out[name] = paired_bootstrap(theirs, ours, bounds=(-1, 1))
    return out


def _rules(walks: Mapping[str, Sequence[Walk]]) -> list[dict[str, Any]]:
    """Every rule at 0.5, every fixed number of searches, and the oracle."""
    ours = walks["critic"]
    last = len(ours[0].right)
    rules = {name: (w, THRESHOLD) for name, w in walks.items()}
    for t in range(last):
        stop_here = tuple(float(i >= t) for i in range(last))
        rules[f"always {t}"] = [Walk(w.right, stop_here) for w in ours], THRESHOLD
    rules["oracle"] = (
        [Walk(w.right, tuple(float(i >= oracle_stop(w)) for i in range(last))) for w in ours],
        THRESHOLD,
    )
    return [{"rule": name, **asdict(stop_scores(*rule))} for name, rule in rules.items()]


def _learning(
    learned: Sequence[PracticeRow],
    judged: Sequence[PracticeRow],
    fixed: Curve,
    budgets: Sequence[float],
    draws: int,
) -> list[dict[str, Any]]:
    """Critics of ever more practice questions; draws with too few right answers are left out."""
    groups = list(dict.fromkeys((r.world, r.question) for r in learned))
    base, rows = fixed.value(budgets), []
    for n in [n for n in SIZES_OF_PRACTICE if n < len(groups)] + [len(groups)]:
        leads, areas = [], []
        for draw in range(draws if n < len(groups) else 1):
            order = list(groups)
            stream(draw, "practice questions").shuffle(order)
            some = set(order[:n])
            part = [r for r in learned if (r.world, r.question) in some]
            try:
                scores = _scores(part, judged, (), draw)
            except ScrubjayError:
                continue
            ours = Curve(_walks(judged, scores["critic"]))
            leads.append(ours.value(budgets) - base)
            areas.append(_telling(judged, scores)["all"].auroc.value)
        if leads:
            rows.append(
                {
                    "questions": n,
                    "draws": len(leads),
                    "lead": float(np.mean(leads)),
                    "lowest lead": min(leads),
                    "AUROC": float(np.mean(areas)),
                }
            )
    return rows


def _loop_rows(loops: Mapping[str, Sequence[Sequence[float]]]) -> list[dict[str, Any]]:
    return [
        {
            "refused answers": how,
            "exact match": float(np.mean([r for r, _ in rows])),
            "searches": float(np.mean([s for _, s in rows])),
            "questions": len(rows),
        }
        for how, rows in loops.items()
    ]


def _feedback(loops: Mapping[str, Sequence[Sequence[float]]], way: str) -> Interval:
    ours, nothing = ([r for r, _ in loops[how]] for how in (way, "nothing"))
    return paired_bootstrap(ours, nothing, bounds=(-1, 1))


def _reliability(scores: Sequence[float], rows: Sequence[PracticeRow]) -> list[dict[str, Any]]:
    """Mean probability and share of right answers, by fifths of the scale."""
    out = []
    p, y = np.array(scores), np.array([float(r.label) for r in rows])
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        here = (p >= low) & ((p < low + 0.2) | (low == 0.8))
        if here.any():
            right = bootstrap_mean(y[here], bounds=(0, 1))
            out.append(
                {
                    "probability": f"{low:.1f} to {low + 0.2:.1f}",
                    "mean": float(p[here].mean()),
                    "right": right.value,
                    "low": right.low,
                    "high": right.high,
                    "answers": int(here.sum()),
                }
            )
    return out


def _figure(curves: Mapping[str, Curve], fixed: Curve) -> dict[str, Any]:
    values = [
        {"rule": name, "searches": s, "exact match": r}
        for name, curve in {**curves, "always as many": fixed}.items()
        for s, r in curve.points()[:: 1 if name == "always as many" else 4]
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "searches", "type": "quantitative", "title": "searches per question"},
            "y": {"field": "exact match", "type": "quantitative", "scale": {"zero": False}},
            "color": {"field": "rule", "type": "nominal"},
        },
    }
