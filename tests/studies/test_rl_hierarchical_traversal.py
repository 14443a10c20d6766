"""Study 28: what the arms learn from, the judge on planted measurements, a small whole run."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from scrubjay.core.finding import Verdict
from scrubjay.studies import get_study
from scrubjay.studies.rl_hierarchical_traversal_judge import judge
from scrubjay.studies.rl_hierarchical_traversal_stage import (
    ARMS,
    END,
    PROMPTS,
    SIZES,
    Stage,
)
from scrubjay.training.rollouts import Rollout


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage(SIZES["smoke"], 0)


def test_held_out_nodes_are_never_told_or_asked(stage: Stage) -> None:
    told = stage.world.told(stage.size.mix)
    assert not set(stage.asked) & set(stage.held_out)
    assert {told[n] for n in [*stage.asked, *stage.held_out]} == {"fact"}
    assert {n for u in range(50) for n in stage.drawn(u)} <= set(stage.asked)


def test_filler_is_as_long_as_the_walk_and_ends_in_the_name(stage: Stage) -> None:
    for node in stage.world.tree.nodes:
        filler, walk = stage.filler(node), stage.world.walked(node)
        assert len(filler.split()) == len(walk.split()) <= stage.most
        assert stage.world.parse(filler) == ((), stage.world.tree.nodes[node].name)


def test_reward_is_for_the_right_name_whatever_the_way(stage: Stage) -> None:
    node = stage.asked[0]
    reward = stage.task().reward
    other = next(n for n in stage.world.tree.nodes if n != node)
    asked = stage.question(node)

    def said(text: str) -> float:
        new = [*stage.ids(text), END]
        return reward(node, Rollout((*asked, *new), (False,) * len(asked) + (True,) * len(new)))

    assert said(stage.world.direct(node)) == said(stage.world.walked(node)) == 1
    assert said(stage.filler(node)) == 1
    assert said(stage.world.direct(other)) == 0
    assert said(stage.world.walked(node).partition(" ; ")[0]) == -0.1


def test_a_scrambled_prompt_names_another_first_level(stage: Stage) -> None:
    names = stage.world.tree.nodes
    for node in stage.asked:
        assert names[node[0]].name in stage.forced(node, "structured")
        assert names[node[0]].name not in stage.forced(node, "scrambled")


def planted(n: int = 60) -> dict[str, Any]:
    """Measurements under which every claim holds."""
    reply = {"right": [0.0] * n, "pms": [0.2] * n, "tokens": [10.0] * n}
    replies = {f"{arm}/{prompt}": copy.deepcopy(reply) for arm in ARMS for prompt in PROMPTS}
    replies["rl/plain"]["right"] = [float(i >= 20 or i % 4 == 0) for i in range(n)]
    for key in ("rl/structured", "answer/structured"):
        replies[key]["right"] = [float(i % 5 > 0) for i in range(n)]
    replies["rl/structured"]["pms"] = [0.8 + 0.001 * i for i in range(n)]
    wobble = [0.01 * (i % 3) for i in range(n)]

    def drift(gap: float) -> dict[str, Any]:
        layers = {k: [0.9, 0.8] for k in ("statements", "queries")}
        layers |= {f"{k} cka": [0.9, 0.8] for k in ("statements", "queries")}
        probes = {k: [gap + w for w in wobble] for k in ("per probe", "raw per probe")}
        return {kind: {**layers, **probes} for kind in ("open", "closed", "wrong")}

    return {
        "depth": [2] * 20 + [3] * (n - 20),
        "replies": replies,
        "asked": {arm: [0.5] * n for arm in ARMS},
        "pass": [1.0] * 10 + [0.0] * 50,
        "vote": {"k": 4, "right": [0.0] * n},
        "bins": {"rl/plain": {"all correct": n}},
        "drift": {arm: drift(0.3 if arm == "rl" else 0.1) for arm in ARMS[1:]},
        "facts": {arm: [-0.5 + w for w in wobble] for arm in ARMS},
    }


def test_planted_measurements_hold_every_claim() -> None:
    finding = judge([planted()], planted(), None)
    assert [c.holds for c in finding.claims] == [True] * 6, [c.evidence for c in finding.claims]
    assert finding.verdict is Verdict.REPRODUCED
    assert finding.numbers["gap recovered by the structured prompt"].value == pytest.approx(1)


@pytest.mark.parametrize(
    ("claim", "spoil"),
    [
        (0, lambda m: m["replies"]["answer/plain"].update(m["replies"]["rl/plain"])),
        (1, lambda m: m.update(depth=[3] * 20 + [2] * 40)),
        (2, lambda m: m["replies"]["answer/structured"].update(right=[0.0] * 60)),
        (3, lambda m: m["replies"]["answer/structured"].update(pms=[0.95] * 60)),
        (3, lambda m: m["replies"]["answer/structured"].update(right=[1.0] + [0.0] * 59)),
        (4, lambda m: m["drift"].update(filler=m["drift"]["rl"])),
        (5, lambda m: m["facts"].update(rl=[-0.7] * 60)),
    ],
)
def test_each_claim_can_fail(claim: int, spoil: Any) -> None:
    measured = planted()
    spoil(measured)
    assert not judge([measured], planted(), None).claims[claim].holds


def test_a_small_run_ends_and_goes_on_from_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    study = get_study("rl-hierarchical-traversal")
    first = study.run("smoke", tmp_path / "a")
    again = study.run("smoke", tmp_path / "b")
    assert again.numbers == first.numbers
    assert len(first.claims) == 6
    (tmp_path / "cache/studies/rl-hierarchical-traversal/smoke-0/prefix-0.json").unlink()
    assert study.run("smoke", tmp_path / "c").numbers == first.numbers
