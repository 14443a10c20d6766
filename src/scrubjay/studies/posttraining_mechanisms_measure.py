"""Measuring one seed of study 23: storage, truth, refusal and confidence, base beside tuned."""

from __future__ import annotations

from typing import Any

import numpy as np

from scrubjay.core.randomness import stream
from scrubjay.probing.directions import Direction, nie, random_direction
from scrubjay.probing.entropy_neurons import entropy_candidates, output_entropy, overlap
from scrubjay.probing.open import OpenModel
from scrubjay.probing.refusal import Requests, refusal_direction, refusal_scores
from scrubjay.probing.tracing import FactPairs, bin_normalise, correlation, trace
from scrubjay.probing.truth import Statements, flip
from scrubjay.studies.posttraining_mechanisms_stage import (
    SECRET,
    SORRY,
    TOLD,
    Ground,
    Size,
    base,
    noisy,
    tuned,
)

Models = dict[str, OpenModel]


def measure_seed(size: Size, seed: int, other: int) -> dict[str, Any]:
    """Everything about one seed; ``other`` is the seed of the independent base model."""
    ground = Ground(size)
    models: Models = {"base": base(size, seed), "tuned": tuned(size, seed)}
    models["noise"] = noisy(models["base"], models["tuned"], seed)
    models["independent"] = base(size, other)
    return {
        "storage": {
            half: _storage(ground, models, people)
            for half, people in (("untaught", ground.untaught), ("taught", ground.taught))
        },
        "truth": _truth(ground, models),
        "refusal": _refusal(ground, models),
        "confidence": _confidence(ground, models),
    }


def fact_pairs(ground: Ground, people: list[str], count: int) -> FactPairs:
    """Prompts of one form about two people with different birthplaces."""
    random = stream(0, "pairs", *people)
    start = "{s} was born in"
    length = len(ground.ids(start.format(s=people[0])))
    fit = [p for p in people if len(ground.ids(start.format(s=p))) == length]
    couples: list[tuple[str, str]] = []
    for _ in range(20 * count):
        a, b = random.sample(fit, 2)
        if _object(ground, a) != _object(ground, b) and len(couples) < count:
            couples.append((a, b))
    return FactPairs(
        [ground.ids(start.format(s=a)) for a, _ in couples],
        [ground.ids(start.format(s=b)) for _, b in couples],
        [_object(ground, a) for a, _ in couples],
        [_object(ground, b) for _, b in couples],
        (0, length - 3),
    )


def _object(ground: Ground, person: str) -> int:
    return ground.ids(ground.world.value(person, "birthplace"))[0]


def _storage(ground: Ground, models: Models, people: list[str]) -> dict[str, Any]:
    pairs = fact_pairs(ground, people, ground.size.pairs)
    maps = {name: trace(m.model, pairs) for name, m in models.items()}
    start = maps["base"].share
    across = {
        f"{a} into {b}": trace(models[b].model, pairs, source=models[a].model).share
        for a, b in (("base", "tuned"), ("tuned", "base"))
    }
    subject = slice(*pairs.subject)
    return {
        "knows": {n: t.knows for n, t in maps.items()},
        "r": {n: correlation(start, maps[n].share) for n in maps if n != "base"},
        "binned r": {
            n: correlation(bin_normalise(start), bin_normalise(maps[n].share))
            for n in maps
            if n != "base"
        },
        "largest difference": {
            n: float(np.abs(start - maps[n].share).max()) for n in maps if n != "base"
        },
        "across": {
            k: float(v[:, subject].max(1).mean() / maps[k.split()[-1]].share[:, subject].max(1).mean())  # noqa: E501
            for k, v in across.items()
        },
        "maps": {n: maps[n].share.tolist() for n in ("base", "tuned", "independent")},
    }  # fmt: skip


def _truth(ground: Ground, models: Models) -> dict[str, Any]:
    told = [ground.statements(r) for r in TOLD]
    states = {n: Statements.of(m, told) for n, m in models.items()}
    layer = states["base"].direction(np.ones(len(states["base"].labels), dtype=bool)).layer
    out: dict[str, Any] = {"layer": layer, "accuracy": {}, "cosine": {}, "nie": {}}
    thetas: dict[str, list[Direction]] = {n: [] for n in models}
    for relation in TOLD:
        test = states["base"].held_out(relation)
        for n, s in states.items():
            thetas[n].append(s.direction(~test, layer))
        for a in models:
            for b in ("base", "tuned"):
                hits = states[b].hits(thetas[a][-1], test)
                out["accuracy"].setdefault(f"{a} in {b}", []).append(hits)
    for n in models:
        out["cosine"][n] = float(
            np.mean([x.cosine(y) for x, y in zip(thetas["base"], thetas[n], strict=True)])
        )
    said = (ground.ids("true")[0], ground.ids("false")[0])
    new = [ground.statements(r, judged=False) for r in TOLD]
    out["judges"] = {n: _judges(ground, m, told, said) for n, m in models.items()}
    out["judges others"] = {n: _judges(ground, m, new, said) for n, m in models.items()}
    for a in ("base", "tuned", "random"):
        for b in ("base", "tuned"):
            theta = random_direction(thetas["base"][0]) if a == "random" else thetas[a][0]
            out["nie"][f"{a} in {b}"] = _nie(ground, models[b], theta, said)
    return out


def _judges(ground: Ground, model: OpenModel, told: Any, said: tuple[int, int]) -> float:
    """How often the model's own true or false is right."""
    prompts = [ground.ids(t) for one in told for t in one.texts]
    labels = np.array([z for one in told for z in one.labels])
    return float(((flip(model.model, prompts, None, said) > 0) == labels).mean())


def _nie(
    ground: Ground, model: OpenModel, theta: Direction, said: tuple[int, int]
) -> dict[str, float]:
    """Of moving statements of the relation that θ was not made of; both ways."""
    one = ground.statements(next(iter(TOLD)))
    found = {}
    for name, label, goal in (("true to false", True, -1.0), ("false to true", False, 1.0)):
        prompts = [ground.ids(t) for t, z in zip(one.texts, one.labels, strict=True) if z == label]
        before = flip(model.model, prompts, None, said)
        after = flip(model.model, prompts, theta, said, c=goal, width=1)
        found[name], _ = nie(before, after, goal)
    return found


def _refusal(ground: Ground, models: Models) -> dict[str, Any]:
    asked = {
        name: Requests(
            [SECRET[1].format(s=p) for p in people],
            [TOLD[r][1].format(s=p) for p in people for r in ("birthplace", "employer")],
            (SORRY.split()[0],),
        )
        for name, people in (("read", ground.taught), ("used", ground.untaught))
    }
    layer = ground.size.layers // 2
    r = {n: refusal_direction(m, asked["read"], layer) for n, m in models.items()}
    out: dict[str, Any] = {"cosine": {n: r["base"].cosine(r[n]) for n in models}, "scores": {}}
    for b in ("base", "tuned"):
        for a in ("base", "tuned", "random"):
            direction = random_direction(r[b]) if a == "random" else r[a]
            # Lengths are matched, so that what transfers is where a direction points to.
            direction = Direction(direction.unit * r[b].vector.norm(), layer)
            scores = refusal_scores(models[b], asked["used"], direction, tokens=3)
            out["scores"][f"{a} in {b}"] = {k: float(np.mean(v)) for k, v in scores.items()}
    return out


def _confidence(ground: Ground, models: Models) -> dict[str, Any]:
    prompts = [ground.ids(TOLD[r][1].format(s=p)) for p in ground.untaught for r in TOLD]
    neurons = {n: entropy_candidates(m.model) for n, m in models.items()}
    return {
        "overlap": {n: overlap(neurons["base"], neurons[n]) for n in models},
        "entropy": {n: float(np.mean(output_entropy(m.model, prompts))) for n, m in models.items()},
    }
