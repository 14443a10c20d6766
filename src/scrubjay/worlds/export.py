"""A world as plain files, so that any other pipeline can be measured on it.

``pages/000001.md`` … are the pages in Markdown, linked to each other; ``questions.jsonl`` holds
the questions with their right answers and the files of their gold pages. File names are neutral
numbers, the same in a world and its twins, and entity ids are left out: neither tells a real name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from scrubjay.core.files import dump_json, folder_atomic
from scrubjay.core.nouns import Passage, Question

if TYPE_CHECKING:
    from scrubjay.worlds.world import World

SPECIAL = str.maketrans({c: "\\" + c for c in "\\`*_[]<>#|"})


def export(
    world: World, folder: str | PathLike[str], questions: Sequence[Question] | None = None
) -> None:
    """Write ``world`` to ``folder``, whole or not at all.

    Args:
        questions: questions of this world (default: none, only the pages).

    Raises:
        DiskError: the disk is full or not writable.
    """
    files = {p.id: f"{at:06d}.md" for at, p in enumerate(world.documents(), 1)}
    with folder_atomic(folder) as new:
        (new / "pages").mkdir()
        for passage in world.documents():
            page = new / "pages" / files[passage.id]
            page.write_text(markdown(passage, files), encoding="utf-8")
        lines = (dump_json(_record(q, files)) + "\n" for q in questions or ())
        (new / "questions.jsonl").write_text("".join(lines), encoding="utf-8")


def markdown(passage: Passage, files: Mapping[str, str]) -> str:
    """A page as Markdown, its mentions linked to the files of the pages they name."""
    parts = [f"# {passage.title.translate(SPECIAL)}\n\n"]
    end = 0
    for link in passage.links:
        parts.append(passage.text[end : link.start].translate(SPECIAL))
        label = passage.text[link.start : link.end].translate(SPECIAL)
        parts.append(f"[{label}]({files[link.target]})")
        end = link.end
    parts.append(passage.text[end:].translate(SPECIAL) + "\n")
    return "".join(parts)


def _record(question: Question, files: Mapping[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": question.id,
        "task": question.task,
        "group": question.group,
        "question": question.text,
        "answers": list(question.answers),
        "gold": [f"pages/{files[g]}" for g in question.gold if g in files],
        "answer_is_date": question.is_time,
    }
    for key, page in (("start", question.start), ("goal", question.goal)):
        if page:
            record[key] = f"pages/{files[page]}"
    return record
