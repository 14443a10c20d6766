"""Paper 28: what is measured on the models of one seed, as plain values that a file can keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scrubjay.core.randomness import stream
from scrubjay.evaluation.paths import answer_bins, path_matching
from scrubjay.probing.similarity import last_states, layerwise_cka, query_statement_gap
from scrubjay.studies.rl_hierarchical_traversal_stage import (
    ARMS,
    END,
    PROMPTS,
    Arm,
    Prompted,
    Report,
    Stage,
    train,
)
from scrubjay.training.grpo import written_logprobs
from scrubjay.training.rollouts import Rollout

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

RUNS = 8
"""Samples of each question at temperature 1."""
PROBES = 100


@dataclass(frozen=True, slots=True)
class Texts:
    """Probe texts of one kind: queries, and statements that belong to them."""

    queries: list[list[int]]
    statements: list[list[int]]


def measure_seed(stage: Stage, report: Report) -> dict[str, Any]:
    """Everything about one seed's models; see the functions below for the parts."""
    models = {arm: train(stage, arm, report) for arm in ARMS}
    tree = stage.world.tree
    nodes = stage.held_out
    replies: dict[str, Any] = {}
    for arm, model in models.items():
        for prompt in PROMPTS:
            said = stage.replies(model, nodes, prompt)
            replies[f"{arm}/{prompt}"] = {
                "right": [float(r.right) for r in said],
                "pms": [path_matching(r.path, tree.names(tree.path(r.node))).pms for r in said],
                "tokens": [float(r.tokens) for r in said],
            }
    asked = {
        arm: [float(r.right) for r in stage.replies(model, stage.asked)]
        for arm, model in models.items()
    }
    start = models["start"]
    return {
        "depth": [len(node) for node in nodes],
        "replies": replies,
        "asked": asked,
        "pass": _passed(stage, start),
        "vote": _vote(stage, models, replies),
        "bins": _bins(stage, models),
        "drift": {arm: _drift(stage, start, models[arm]) for arm in ARMS[1:]},
        "facts": {arm: _facts(stage, model) for arm, model in models.items()},
    }


def _samples(
    stage: Stage, model: LlamaForCausalLM, nodes: Sequence[str], prompt: Prompted, runs: int
) -> list[list[tuple[str, bool]]]:
    """(name, right) of every run of every question: (runs, nodes)."""
    many = [node for _ in range(runs) for node in nodes]
    said = stage.replies(model, many, prompt, temperature=1.0, seed=stage.seed)
    flat = [(r.name, r.right) for r in said]
    return [flat[i : i + len(nodes)] for i in range(0, len(flat), len(nodes))]


def _passed(stage: Stage, start: LlamaForCausalLM) -> list[float]:
    """Training questions of which the start model gets one of ``RUNS`` samples right."""
    runs = _samples(stage, start, stage.asked, "plain", RUNS)
    return [float(any(right for _, right in answers)) for answers in zip(*runs)]


def _vote(
    stage: Stage, models: dict[Arm, LlamaForCausalLM], replies: dict[str, Any]
) -> dict[str, Any]:
    """Majority of as many answers of the answer arm as cost the tokens of one of RL's."""
    spent = [sum(replies[f"{arm}/plain"]["tokens"]) for arm in ("rl", "answer")]
    k = max(1, round(spent[0] / max(1.0, spent[1])))
    runs = _samples(stage, models["answer"], stage.held_out, "plain", k)
    right = []
    for answers in zip(*runs):
        most = Counter(name for name, _ in answers).most_common(1)[0][0]
        right.append(float(next(ok for name, ok in answers if name == most)))
    return {"k": k, "right": right}


def _bins(stage: Stage, models: dict[Arm, LlamaForCausalLM]) -> dict[str, dict[str, int]]:
    """Held-out questions by how often ``RUNS`` samples are right."""
    asked: tuple[tuple[Arm, Prompted], ...] = (
        ("answer", "plain"),
        ("answer", "structured"),
        ("rl", "plain"),
        ("rl", "structured"),
    )
    out: dict[str, dict[str, int]] = {}
    for arm, prompt in asked:
        runs = _samples(stage, models[arm], stage.held_out, prompt, RUNS)
        counted = answer_bins([[right for _, right in run] for run in runs])
        out[f"{arm}/{prompt}"] = {str(name): n for name, n in counted.items()}
    return out


def _texts(stage: Stage) -> dict[str, Texts]:
    """Probes: as they are, closed by the same token, and with wrong names as a control.

    A query is "code … :", its statement "code … : name …". A causal model sees the same code in
    both; the statement's last token is a name, the query's a colon, unless both are closed.
    """
    nodes = sorted(stage.world.tree.nodes)
    draw = stream(stage.seed, "probes")
    draw.shuffle(nodes)
    nodes = nodes[:PROBES]
    wrong = nodes[1:] + nodes[:1]
    queries = [stage.question(node) for node in nodes]
    names = [stage.ids(stage.world.direct(node)) for node in nodes]
    others = [stage.ids(stage.world.direct(node)) for node in wrong]
    return {
        "open": Texts(queries, [q + n for q, n in zip(queries, names)]),
        "closed": Texts(
            [[*q, END] for q in queries], [[*q, *n, END] for q, n in zip(queries, names)]
        ),
        "wrong": Texts(
            [[*q, END] for q in queries], [[*q, *n, END] for q, n in zip(queries, others)]
        ),
    }


def _drift(stage: Stage, start: LlamaForCausalLM, model: LlamaForCausalLM) -> dict[str, Any]:
    """Similarity to the start model: cosines per probe (averaged over layers) and per layer."""
    out: dict[str, Any] = {}
    for kind, texts in _texts(stage).items():
        gap = query_statement_gap(start, model, texts.queries, texts.statements)
        raw = query_statement_gap(start, model, texts.queries, texts.statements, centred=False)
        cka = [
            layerwise_cka(last_states(start, part), last_states(model, part)).tolist()
            for part in (texts.statements, texts.queries)
        ]
        out[kind] = {
            "per probe": gap.per_probe.tolist(),
            "raw per probe": raw.per_probe.tolist(),
            "statements": gap.statements.mean(0).tolist(),
            "queries": gap.queries.mean(0).tolist(),
            "statements cka": cka[0],
            "queries cka": cka[1],
        }
    return out


def _facts(stage: Stage, model: LlamaForCausalLM) -> list[float]:
    """Mean log-probability of a name's tokens in each node's local fact, nats per token."""
    import torch

    rollouts = []
    for line in stage.lines:
        if line.kind == "fact":
            ids = (END, *stage.ids(line.text))
            rollouts.append(Rollout(ids, (False,) * (len(ids) - 2) + (True,) * 2))
    with torch.no_grad():
        logs, _ = written_logprobs(model, rollouts)
    return logs.view(-1, 2).mean(1).double().tolist()
