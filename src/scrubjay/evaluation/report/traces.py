"""A trace as steps a person can follow: what was searched, read, written, at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scrubjay.core.trace import Trace

MOST_STEPS = 24
_LONG, _SHORT = 1400, 500
"""Characters of a prompt that are shown: in short traces, and in long ones."""
_FEW = 8


@dataclass(frozen=True, slots=True)
class StepView:
    """One step: ``verb`` and ``text`` in the line, ``items`` under it, ``prompt`` on demand."""

    verb: str
    opened: str
    """'memory', 'context', 'world' or ''."""
    text: str
    items: tuple[str, ...] = ()
    prompt: str = ""
    cost: str = ""


def titles_of(steps: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Titles by id, as far as the steps mention both."""
    titles: dict[str, str] = {}
    for step in steps:
        for key in ("found", "passages"):
            titles.update(zip(step.get(key, ()), step.get("titles", ())))
    return titles


def view_steps(
    steps: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> tuple[list[StepView], int]:
    """The first steps of a trace, and how many are left out."""
    shown = steps[:MOST_STEPS]
    room = _LONG if len(steps) <= 6 else _SHORT
    opened = [s.opened for s in Trace.from_list([dict(s) for s in shown])]
    views = [_view(s, o, titles, room) for s, o in zip(shown, opened)]
    return views, len(steps) - len(shown)


def _view(step: Mapping[str, Any], opened: str, titles: Mapping[str, str], room: int) -> StepView:
    verb, text, items = _TELL[step["kind"]](step, titles)
    return StepView(
        verb=verb,
        opened=opened,
        text=_clip(text, 700),
        items=tuple(_clip(i, 160) for i in items),
        prompt=_clip(step.get("prompt", ""), room),
        cost=_cost(step.get("cost", {})),
    )


Told = tuple[str, str, Sequence[str]]


def _generate(step: Mapping[str, Any], titles: Mapping[str, str]) -> Told:
    return "wrote", step["text"], [f"had read {titles.get(p, p)}" for p in step["passages"]]


def _choose(step: Mapping[str, Any], _: Mapping[str, str]) -> Told:
    options, chosen = step["options"], step["chosen"]
    chances = step["probabilities"]
    best = sorted(range(len(chances)), key=lambda i: (-(chances[i] or 0), i))[:_FEW]
    items = [f"{100 * (chances[i] or 0):.1f} %  {options[i]}" for i in best]
    return f"chose among {len(options)}", options[chosen] if options else "", items


def _score(step: Mapping[str, Any], _: Mapping[str, str]) -> Told:
    texts, logs = step["continuations"], step["logprobs"]
    known = [i for i in range(len(logs)) if logs[i] is not None]
    best = sorted(known, key=lambda i: (-logs[i], i))[:_FEW]
    items = [f"{logs[i]:.2f}  {texts[i].strip()}" for i in best]
    return f"weighed {len(texts)}", texts[best[0]].strip() if best else "", items


def _search(step: Mapping[str, Any], _: Mapping[str, str]) -> Told:
    names = step["titles"] or step["found"]
    scores = [*step["scores"], *[None] * len(names)]
    items = [n if s is None else f"{n}  ({s:.3f})" for n, s in zip(names, scores)]
    return "searched", step["query"], items or ["nothing found"]


def _read(step: Mapping[str, Any], titles: Mapping[str, str]) -> Told:
    return "read", " · ".join(titles.get(p) or p for p in step["passages"]) or "nothing", ()


def _move(step: Mapping[str, Any], titles: Mapping[str, str]) -> Told:
    origin, target = (titles.get(step[k]) or step[k] for k in ("origin", "target"))
    verb = "went back" if step["action"] == "back" else "clicked"
    return verb, f"{origin} → {target}" if step["ok"] else f"{target}: not possible", ()


def _note(step: Mapping[str, Any], _: Mapping[str, str]) -> Told:
    return "noted", step["text"], ()


_TELL = {
    "generate": _generate,
    "choose": _choose,
    "score": _score,
    "search": _search,
    "read": _read,
    "move": _move,
    "note": _note,
}


def _cost(cost: Mapping[str, float]) -> str:
    parts = []
    if cost.get("tokens_in") or cost.get("tokens_out"):
        parts.append(f"{cost['tokens_in']:,.0f} in, {cost['tokens_out']:,.0f} out")
    if cost.get("seconds", 0) >= 0.0005:
        parts.append(f"{cost['seconds']:.3f} s")
    return " · ".join(parts)


def _clip(text: str, room: int) -> str:
    """The text, or its beginning and end where it is longer than ``room``."""
    if len(text) <= room:
        return text
    return f"{text[: room // 2]}\n … {len(text) - room:,} characters …\n{text[-room // 2 :]}"
