"""Paper 02: what is measured, part by part; each gives plain values, ready for JSON."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.bandits import UCB1, IIDArms, race
from scrubjay.deciding.information import (
    ExploreCommitPrincipal,
    HiringInstance,
    Infeasible,
    auditor,
    best_product_mechanism,
    best_profile_mechanism,
    check_mechanism,
    optimal_mechanism,
    overlapping_sources,
    pure_equilibria,
    random_instance,
    strict_rules,
    two_workers,
    with_rules,
)
from scrubjay.studies.hiring_agents_stage import SHAPES, Size, played, problem


def workers(cap: float, steps: int) -> dict[str, Any]:
    """The two-workers problem at one cap: all classes of mechanisms."""
    instance = two_workers(cap)
    best = optimal_mechanism(instance)
    product = best_product_mechanism(instance, steps)
    single = best_profile_mechanism(instance)
    equilibria = [value for _, value in pure_equilibria(instance, best)]
    return {
        "cap": cap,
        "optimal": best.value,
        "independent": product.value,
        "one profile": single.value,
        "both asked": float(best.mu[3]),
        "worst equilibrium": min(equilibria),
        "deviation": max(check_mechanism(instance, m).worst for m in (best, product, single)),
    }


def problems(size: Size, seed: int) -> list[dict[str, Any]]:
    """Random and made problems: value of the optimum, of independent laws, of one profile."""
    rows = []
    named: list[tuple[str, HiringInstance]] = [
        ("auditor", auditor()),
        ("three overlapping sources", overlapping_sources(3, cap=0.3)),
    ]
    for shape in SHAPES:
        for number in range(size.problems):
            # Caps as tight as costs make them matter: payments of a free hand need no correlation.
            cap = (0.15, 0.3, 0.6)[number % 3]
            made = random_instance(seed * 1000 + number, *shape, cap=cap)
            named.append((f"random {'x'.join(map(str, shape))}", made))
    for name, instance in named:
        best = optimal_mechanism(instance)
        single = best_profile_mechanism(instance)
        product = best_product_mechanism(instance, 4 if max(instance.efforts) == 2 else 2)
        rows.append(
            {"problem": name, "optimal": best.value, "independent": product.value}
            | {"one profile": single.value}
            | {
                "deviation": max(
                    check_mechanism(instance, m).worst for m in (best, product, single)
                )
            }
            | {"stays": min(check_mechanism(instance, best).participation)}
        )
    return rows


def online(size: Size, seed: int) -> dict[str, Any]:
    """Regret of exploring and committing, by horizon and seed; baselines."""
    instance = two_workers(0.5)
    rules, margin = strict_rules(instance)
    best = optimal_mechanism(instance).value
    strict = [
        with_rules(instance, np.eye(len(instance.flat))[b], rules).value
        for b in range(len(instance.flat))
    ]
    principal = ExploreCommitPrincipal(rules, margin)
    ways = {
        "explore and commit": principal,
        "effort not observed": replace(principal, observe_effort=False),
        "without loosening and mixing": replace(principal, robust=False),
    }
    runs: dict[str, Any] = {}
    for name, way in ways.items():
        runs[name] = [
            {
                "T": horizon,
                "regret": [r.regret for r in done],
                "obeyed": float(np.mean([r.obeyed for r in done])),
                "alpha": float(np.mean([r.alpha for r in done])),
            }
            for horizon in size.horizons
            for done in [
                [
                    way.run(instance, horizon, numpy_stream(seed, "online", name, horizon, s))
                    for s in range(size.seeds)
                ]
            ]
        ]
    return {
        "ways": runs,
        "margin": margin,
        "best": best,
        "always the best strict profile, regret a round": best - max(strict),
        "ucb": _over_profiles(instance, strict, best, size, seed),
    }


def _over_profiles(
    instance: HiringInstance, strict: list[float], best: float, size: Size, seed: int
) -> dict[str, Any]:
    """UCB1 over single profiles with strict rules; rewards as normal as their true spread
    allows."""
    horizon = min(size.horizons[0], 20_000)
    arms = IIDArms(strict, "gaussian", 0.5)
    curve = race(arms, [UCB1()], horizon, min(size.seeds, 10), seed)["ucb1"]
    gap = best - max(strict)
    regret = curve.regret[:, -1] + gap * horizon
    return {"T": horizon, "regret": float(regret.mean()), "a round": float(regret.mean() / horizon)}


def searchers(size: Size, seed: int, folder: Path) -> dict[str, Any]:
    """Hire two real searchers by what practice showed; value of each mechanism on fresh
    episodes."""
    practice, fresh = played(size, seed, folder)
    known, true = problem(practice, size), problem(fresh, size)
    ways = {
        "optimal": optimal_mechanism(known),
        "best single profile": best_profile_mechanism(known),
        "one worker": _one_worker(known),
        "nobody": optimal_mechanism(known, support=[0]),
    }
    rows = {}
    for name, mechanism in ways.items():
        rows[name] = {
            "planned": mechanism.value,
            "values": fresh.values(mechanism).tolist(),
            "deviation": check_mechanism(true, mechanism).worst,
            "mu": mechanism.mu.tolist(),
        }
    right = (fresh.signals == fresh.truth[:, None, None]).mean(axis=0)
    return {"ways": rows, "signal right": right.tolist()}


def _one_worker(instance: HiringInstance) -> Any:
    """The best mechanism that always asks one agent for one effort and the other for none."""
    efforts = instance.efforts
    found = None
    for agent in range(2):
        for effort in range(1, efforts[agent]):
            told = [0, 0]
            told[agent] = effort
            number = int(np.ravel_multi_index(tuple(told), efforts))
            try:
                one = optimal_mechanism(instance, support=[number])
            except Infeasible:  # this effort can't be paid for within the cap
                continue
            if found is None or one.value > found.value:
                found = one
    return found or optimal_mechanism(instance, support=[0])
