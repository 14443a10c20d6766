"""``scrubjay train``: better parts from practice whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scrubjay.evaluation.stopping import Sufficiency
    from scrubjay.training.critic import Trained

app = typer.Typer(no_args_is_help=True, help="Train parts on practice whose truth is known.")


@app.callback()
def _root() -> None:
    """So that the one verb below keeps its name."""


@app.command()
def critic(
    world: Annotated[
        list[str] | None,
        typer.Option(
            help="random:N, atlas, a saved world or a file of facts; give it several times. "
            "Default: random:300 three times."
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(help="smollm2-135m, a Hugging Face id or folder, or endpoint:URL#name."),
    ] = "smollm2-135m",
    questions: Annotated[int, typer.Option(min=4, help="Questions to practise on, a world.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, max=10, help="Searches per question.")] = 3,
    rationale: Annotated[
        int, typer.Option(min=0, help="Most tokens of a rationale; 0: none (small models).")
    ] = 0,
    encoder: Annotated[
        str, typer.Option(help="Compare texts by this encoder's vectors, e.g. all-minilm-l6-v2.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Fixes random worlds, questions and splits.")] = 0,
    out: Annotated[Path, typer.Option(help="The critic; practice is kept beside it.")] = Path(
        "critic.json"
    ),
    practice: Annotated[
        Path | None, typer.Option(help="Folder of the practice, if it shall lie elsewhere.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Let a model practise searching in worlds, and train the critic that says when to stop.

    A killed command goes on with its practice when it is given again.

    Example: scrubjay train critic --world random:300 --questions 100 --out critic.json
    """
    import asyncio

    from scrubjay.app.show import bars, emit, table
    from scrubjay.core.errors import InputError
    from scrubjay.models import load_model
    from scrubjay.training import Practice, practice_worlds, practise_worlds, train_critic

    if out.is_dir() or not out.absolute().parent.is_dir():
        raise InputError("is no place for a critic; name a file in a folder that exists", file=out)
    specs = world or ["random:300"] * 3
    worlds = practice_worlds(specs, seed)
    similar = _encoder(encoder)
    loaded = load_model(model)
    folder = practice or out.with_name(f"{out.name}.practice")

    async def rows() -> Any:
        from scrubjay.agents.reasoner import PromptedReasoner

        try:
            await loaded.check()
            with bars() as progress:
                return await practise_worlds(
                    worlds,
                    loaded,
                    questions,
                    folder,
                    reasoner=PromptedReasoner(rationale=rationale),
                    practice=Practice(rounds),
                    seed=seed,
                    progress=progress,
                )
        finally:
            await loaded.close()

    told = f"{model} in {', '.join(specs)} from seed {seed}: {questions} questions each, "
    told += f"{rounds} searches"
    trained = train_critic(asyncio.run(rows()), similar, seed=seed, trained_on=told)
    trained.critic.save(out)
    held = _quality(trained)
    row = {
        "rows": held.n,
        "right": held.right,
        "accuracy": held.accuracy.value,
        "majority": held.majority,
        "AUROC": held.auroc.value,
        "AUROC of log-probability": held.baseline,
    }
    emit(
        {"critic": str(out), **row},
        as_json,
        lambda: table([row], title=f"{out}: practice it didn't learn from (whole questions)"),
    )


def _quality(trained: Trained) -> Sufficiency:
    from scrubjay.evaluation.stopping import sufficiency

    rows = trained.rows
    return sufficiency(
        trained.probabilities,
        [r.label for r in rows],
        [r.attempt.logprob if r.attempt.logprob is not None else -10.0 for r in rows],
        [f"{r.world} {r.question}" for r in rows],
    )


def _encoder(name: str) -> Any:
    from scrubjay.retrieval import load_encoder

    return load_encoder(name) if name else None
