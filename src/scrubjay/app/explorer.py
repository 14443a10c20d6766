"""``scrubjay train explorer``: does an agent that only exploits come to explore?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from scrubjay.training.rl.trial import Trial


def explorer(
    out: Annotated[Path, typer.Option(help="Folder of the agent; a killed command goes on in it.")],
    task: Annotated[
        str, typer.Option(help="arms (normal), coins (0 or 1), lake (4 × 4) or lookup.")
    ] = "arms",
    block: Annotated[int, typer.Option(help="Episodes with the same task.")] = 32,
    gamma: Annotated[
        float, typer.Option(help="What later episodes count; 0: an agent without foresight.")
    ] = 0.9,
    memory: Annotated[
        str, typer.Option(help="all, one-step, nothing, or steps (of a transformer).")
    ] = "all",
    network: Annotated[str, typer.Option(help="gru or transformer.")] = "gru",
    updates: Annotated[int, typer.Option(help="Updates; each plays 128 lanes of tasks.")] = 500,
    tests: Annotated[int, typer.Option(min=1, help="Blocks that everybody is tested on.")] = 2000,
    seed: Annotated[int, typer.Option(help="Fixes weights, tasks and luck.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Train an agent on reward alone, over tasks that come again, and test it beside others.

    Example: scrubjay train explorer --task lookup --block 8 --out explorer
    """
    from dataclasses import asdict

    from scrubjay.app.show import bars, emit, table
    from scrubjay.core.folders import begin, locked
    from scrubjay.training.rl.dqn import DQN
    from scrubjay.training.rl.explorer import Plan, task_named, train_explorer
    from scrubjay.training.rl.players import GreedyQ
    from scrubjay.training.rl.trial import (
        hold_trial,
        load_agent,
        optimum,
        rival_names,
        save_agent,
    )
    from scrubjay.worlds.blocks import RepeatedTask

    tasks = task_named(task)
    plan = Plan(
        RepeatedTask(tasks, block),
        _memory(memory),
        cast(Any, network),
        learn=DQN(updates, gamma_episode=gamma),
        steps=max(block, 60) if tasks.longest > 1 else block,
        seed=seed,
    )
    plan.network()
    settings = {"task": task, "block": block, "gamma": gamma, "memory": memory}
    settings |= {"network": network, "updates": updates, "seed": seed}
    weights = out / "agent.safetensors"
    with locked(out), bars() as progress:
        begin(out / "plan.json", settings)
        if not weights.exists():
            agent, _ = train_explorer(
                plan,
                checkpoint=out / "state",
                look=lambda done, _: progress("training", done, updates),
            )
            save_agent(agent, weights)
            (out / "state").unlink(missing_ok=True)
        names = rival_names(tasks, block)
        players: list[Any] = [GreedyQ(load_agent(weights)), *names]
        trials = []
        for number, player in enumerate(players):
            trials.append(hold_trial(tasks, block, tests, seed, player))
            progress("tests", number + 1, len(players))
    value: dict[str, Any] = {"agent": str(weights), "trials": [asdict(t) for t in trials]}
    best = optimum(tasks, block)
    if best is not None:
        value["optimum"] = best
    title = f"{task}, blocks of {block}: return of an episode, mean of {tests} blocks"
    if best is not None:
        title += f" (at best {best:.3f})"
    emit(value, as_json, lambda: table([_row(t) for t in trials], title=title))


def _row(trial: Trial) -> dict[str, Any]:
    row: dict[str, Any] = {"player": trial.player, "all": trial.reward}
    row |= {"first": trial.by_episode[0], "last": trial.by_episode[-1]}
    if trial.coverage is not None:
        row |= {"arms tried in 3": trial.coverage[0], "explore index": trial.explore_index}
    if trial.looked is not None:
        row |= {"looked up at first": trial.looked[0], "at last": trial.looked[-1]}
    return row


def _memory(text: str) -> Any:
    if text.lstrip("-").isdigit():
        return int(text)
    return text.replace("-", " ")
