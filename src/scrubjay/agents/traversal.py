"""WrittenTraversal: a strong model writes the way down a hierarchy from memory, level by level.

    reply = generate(recall the system; write each level)      the first level's label is forced
    node  = root;  for each written entry:  node = the child it means, by code or by words
    answer = the last node that was found

Where ``HierarchyNavigator`` is shown the children and chooses, this agent sees nothing of the tree:
its answer comes from memory, and the tree only says which nodes its words mean. An entry that means
no child of the node before it ends the way. Source: paper 28, section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scrubjay.agents.session import Session
from scrubjay.agents.tree_baselines import HIERARCHY, arrived
from scrubjay.agents.types import Need
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Answer, Question, Source
from scrubjay.models.prompting.traversal import StructuredTraversal, best_entry
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.worlds.hierarchy import Tree


@dataclass(frozen=True, slots=True)
class WrittenTraversal:
    """Writes the levels of ``tree``, whose names are ``levels`` from the top down."""

    tree: Tree
    levels: tuple[str, ...] = ("Level 1", "Level 2", "Level 3", "Level 4", "Level 5", "Level 6")
    name: str = "written-traversal"
    tasks: ClassVar[frozenset[str]] = HIERARCHY
    needs: ClassVar[frozenset[Need]] = frozenset({"model"})

    async def answer(self, question: Question, session: Session) -> Answer:
        form = StructuredTraversal(self.levels)
        reply = await session.generate(
            prompt(
                "traverse",
                system=one_line(self.tree.name),
                description=one_line(question.text),
                levels=self.levels,
                beginning=form.beginning,
            ),
            max_tokens=40 * len(self.levels),
            stop=("\n\n",),
        )
        node = ""
        for entry in form.parse(reply.text):
            children = self.tree.children(node)
            pairs = list(zip(children, self.tree.names(children)))
            found = best_entry(entry, pairs)
            if found is None:
                session.note(f"no entry below {node or 'the top'} is meant by: {one_line(entry)}")
                break
            node = children[found]
        answer = arrived(self.tree, node, session)
        return Answer(answer.text, session.trace, source=Source.MEMORY, path=answer.path)
