"""The command line: ``scrubjay VERB …`` (``jay`` for short).

Verbs import what they need when they run, so that ``--help`` is instant. A user's mistake ends in
one sentence on stderr and exit status 2; a broken pipe or Ctrl-C ends quietly.
"""

from __future__ import annotations

import os
import sys

import typer

from scrubjay import __version__
from scrubjay.app import (
    ask,
    auction,
    bandit,
    chat,
    compare,
    gap,
    graph,
    index,
    probe,
    prompts,
    report,
    review,
    sources,
    study,
    train,
    tree,
    tune,
    world,
)

app = typer.Typer(
    name="scrubjay",
    help="Build, measure, train and open up language models that know when to look things up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("gap")(gap.gap)
app.command("report")(report.report)
app.command("review")(review.review)
app.command("compare")(compare.compare)
app.command("prompts")(prompts.prompts)
app.command("ask")(ask.ask)
app.command("chat")(chat.chat)
app.command("tune")(tune.tune)
app.add_typer(index.app, name="index")
app.add_typer(world.app, name="world")
app.add_typer(study.app, name="study")
app.add_typer(tree.app, name="tree")
app.add_typer(graph.app, name="graph")
app.add_typer(train.app, name="train")
app.add_typer(auction.app, name="auction")
app.add_typer(sources.app, name="sources")
app.add_typer(bandit.app, name="bandit")
app.add_typer(probe.app, name="probe")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"scrubjay {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Shared options."""


def main() -> None:
    """Entry point: turns ``ScrubjayError`` into one sentence and exit status 2."""
    from scrubjay.core.errors import ScrubjayError

    _prepare_terminal()
    try:
        app()
    except ScrubjayError as error:
        print(f"scrubjay: {_shown(error)}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        print("scrubjay: stopped; the same command goes on where this one was", file=sys.stderr)
        sys.exit(130)


def _shown(message: object) -> str:
    """A message whose lines stay lines and in which nothing else can move the cursor: it may quote
    file names, servers and models."""
    from scrubjay.retrieval.files import printable

    return "\n".join(printable(line) for line in str(message).split("\n"))


def _prepare_terminal() -> None:
    """Warnings are sentences, too; a character that the terminal lacks is shown as its code."""
    import io
    import warnings

    def tell(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        if issubclass(category, UserWarning):  # the others are for developers
            print(f"scrubjay: note: {_shown(message)}", file=sys.stderr)

    warnings.showwarning = tell
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
