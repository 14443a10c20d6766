"""Paper 28 with a language model that nobody here trained: ICD-10-CM codes, prompts only.

    plain        Question: what does the code stand for?  Answer: <one of four names>
    structured   the model first writes chapter, block and category from memory

Four names to choose from, the wrong ones from beside the right one: chance is a quarter. A small
model has hardly seen these codes; the study says what it gets, and takes any other model by name.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from scrubjay.agents.session import Session
from scrubjay.core.randomness import stream
from scrubjay.models import load_model
from scrubjay.models.prompting.prompts import render_prompt
from scrubjay.models.prompting.traversal import StructuredTraversal
from scrubjay.worlds.hierarchy import Tree
from scrubjay.worlds.sources.hierarchies import icd10cm

MODEL = os.environ.get("SCRUBJAY_STUDY_MODEL", "smollm2-135m")
"""The model asked: set the variable to a Hugging Face id or endpoint:URL#name for full scale."""
LEVELS = ("Chapter", "Block", "Category")
QUESTIONS = 40


def measure_icd(seed: int) -> dict[str, Any]:
    """Right or not, per question, with each prompt."""
    tree = icd10cm()
    asked = [id for id in tree.leaves if len(tree.path(id)) >= 4]
    stream(seed, "icd codes").shuffle(asked)
    # The agents' questions go the other way, from a description to its code: see the benchmark.
    asked = [id for id in asked if len(tree.children(tree.nodes[id].parent)) >= 4][:QUESTIONS]
    return asyncio.run(_ask(tree, asked, seed))


async def _ask(tree: Tree, asked: list[str], seed: int) -> dict[str, Any]:
    model = load_model(MODEL)
    try:
        await model.check()
        out: dict[str, Any] = {"model": MODEL}
        for form in ("plain", "structured"):
            sessions = [Session(model) for _ in asked]
            out[form] = await asyncio.gather(
                *(_one(tree, id, form, seed, s) for id, s in zip(asked, sessions))
            )
            out[f"{form} tokens"] = sum(s.spent.tokens for s in sessions) / len(sessions)
        return out
    finally:
        await model.close()


async def _one(tree: Tree, id: str, form: str, seed: int, session: Session) -> float:
    draw = stream(seed, "icd options", id)
    beside = [o for o in tree.children(tree.nodes[id].parent) if o != id]
    names = [tree.nodes[o].name for o in [id, *draw.sample(beside, 3)]]
    draw.shuffle(names)
    way: list[str] = []
    if form == "structured":
        traversal = StructuredTraversal(LEVELS)
        question = prompt("code_levels", code=id, levels=LEVELS, beginning=traversal.beginning)
        reply = await session.generate(question, max_tokens=60, stop=("\n\n", "Answer"))
        entries = traversal.parse(reply.text)
        way = [f"{level}: {entry}" for level, entry in zip(LEVELS, entries)]
    choice = await session.choose(prompt("code_name", code=id, way=way, options=names), names)
    return float(choice.option == tree.nodes[id].name)


def prompt(name: str, **values: object) -> str:
    """A prompt file of this room, as one text to be continued."""
    (turn,) = render_prompt("scrubjay.studies", name, **values)
    return turn.content
