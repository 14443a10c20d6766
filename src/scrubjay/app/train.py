"""``scrubjay train``: better parts from practice whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scrubjay.app import explorer, objective

if TYPE_CHECKING:
    from scrubjay.evaluation.stopping import Sufficiency
    from scrubjay.training.critic import Trained

app = typer.Typer(no_args_is_help=True, help="Train parts on practice whose truth is known.")
app.command("objective")(objective.objective)
app.command("explorer")(explorer.explorer)


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


@app.command()
def adapt(
    out: Annotated[Path, typer.Option(help="Folder of the adapted model.")],
    world: Annotated[
        list[str] | None, typer.Option(help="Documents of a world: atlas, random:N, a folder …")
    ] = None,
    twin: Annotated[
        int | None, typer.Option(help="Take this twin of the worlds, not the worlds themselves.")
    ] = None,
    documents: Annotated[
        list[Path] | None, typer.Option(help="Files and folders, as 'index build' takes them.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="smollm2-135m, a folder or a Hugging Face id (a Llama or its like).")
    ] = "smollm2-135m",
    epochs: Annotated[float, typer.Option(min=0.01, help="Passes over the text.")] = 2.0,
    rate: Annotated[float, typer.Option(min=0, help="Peak learning rate.")] = 1e-4,
    batch: Annotated[int, typer.Option(min=1, help="Windows of text a step.")] = 8,
    length: Annotated[int, typer.Option(min=8, help="Most tokens of a window.")] = 256,
    seed: Annotated[int, typer.Option(help="Fixes random worlds and the order of texts.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Go on training a model on a domain's own text, so that it can draft in the domain's words.

    A killed command goes on where it was when it is given again. Use the result with
    SCRUBJAY_DRAFTER=FOLDER scrubjay ask … --agent adapt-retrieve-revise, or with --model FOLDER.

    Example: scrubjay train adapt --documents docs --out drafter
    """
    import json

    from scrubjay.app.show import bars, emit, table
    from scrubjay.core.errors import InputError
    from scrubjay.training.adapt import CARD, Adaptation, adapt_model

    if not world and not documents:
        raise InputError("there is nothing to train on; name a --world or --documents")
    texts = [*_world_texts(world or (), twin, seed), *_file_texts(documents or ())]
    how = Adaptation(epochs, rate, batch, length, seed)
    with bars() as progress:
        adapt_model(model, texts, out, how, look=lambda n, of, _: progress("training", n, of))
    card = json.loads((out / CARD).read_text("utf-8"))
    row = {k: card[k] for k in ("count", "steps", "first", "last")}
    row = dict(zip(("texts", "steps", "first loss", "last loss"), row.values()))
    emit({"model": str(out), **row}, as_json, lambda: table([row], title=f"{out}: from {model}"))


def _world_texts(specs: Sequence[str], twin: int | None, seed: int) -> list[str]:
    from scrubjay.worlds import load_world

    worlds = [load_world(spec, seed=seed) for spec in specs]
    told = [w if twin is None else w.twin(twin) for w in worlds]
    return [f"{p.title}\n{p.text}" for w in told for p in w.documents()]


def _file_texts(paths: Sequence[Path]) -> list[str]:
    """What an index of the files would hold, read as safely."""
    from tempfile import TemporaryDirectory

    from scrubjay.retrieval.index import Index
    from scrubjay.retrieval.sync import sync

    if not paths:
        return []
    with TemporaryDirectory() as folder:
        sync(paths, Path(folder) / "texts")
        found = sorted(Index.open(Path(folder) / "texts").passages(), key=lambda p: p.id)
        return [f"{p.title}\n{p.text}".strip() for p in found]


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
