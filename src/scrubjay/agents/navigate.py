"""LinkNavigator: reach a page by following links, choosing among their titles.

    repeat ≤ 30:  options = titles of the links (those not visited first), and "go back"
                  act     = choose(page, options, goal)
                  page    = act(page);  stop at the goal

``content`` shows the page's text as well as its links. Where the paper's agent writes an action
that is parsed, ours scores the options, so that a model of any size can navigate. Source:
SynthWorlds, section 3.8 (Navigate); the step budget is our sheet's choice.
"""

from __future__ import annotations

from dataclasses import dataclass

from scrubjay.agents.session import Session
from scrubjay.agents.types import NAVIGATION
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Answer, Passage, Question
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.models.types import Prompt
from scrubjay.worlds.navigation import NavEnv

BACK = "go back"


@dataclass(frozen=True, slots=True)
class LinkNavigator:
    """Walks from page to page with a language model."""

    content: bool = False
    """Whether it sees the page's text, too."""
    most: int = 40
    """Links to choose from at once; further ones on the page are not offered."""
    name: str = "links-only"
    tasks = NAVIGATION
    needs = frozenset({"model"})

    async def answer(self, question: Question, session: Session) -> Answer:
        walk = session.walk(question.start, question.goal)
        seen = walk.reset()
        while not seen.done:
            here = session.pages[seen.page]
            targets = sorted(range(len(seen.links)), key=lambda i: seen.links[i] in walk.path)
            targets = targets[: self.most]
            titles = [one_line(session.pages[seen.links[i]].title) for i in targets]
            options = [*titles, BACK] if seen.page != question.start else titles
            choice = await session.choose(
                self._prompt(here, options, walk, session),
                options,
                reading=[here] if self.content else (),
            )
            if choice.index == len(titles):
                seen = session.back(walk)
            else:
                seen = session.click(walk, targets[choice.index])
        return arrived(walk, session)

    def _prompt(self, page: Passage, options: list[str], walk: NavEnv, session: Session) -> Prompt:
        return prompt(
            "navigate",
            page=page,
            content=self.content,
            visited="; ".join(one_line(session.pages[p].title) for p in walk.path[-5:]),
            links="; ".join(options),
            goal=one_line(session.pages[walk.goal].title),
        )


def arrived(walk: NavEnv, session: Session) -> Answer:
    """What a walk comes to: the page it ended on, the way, and whether that is the goal."""
    last = walk.path[-1]
    return Answer(
        session.pages[last].title,
        session.trace,
        path=tuple(walk.path),
        success=last == walk.goal,
    )


def links_only() -> LinkNavigator:
    """Sees the titles of the links."""
    return LinkNavigator()


def content_links() -> LinkNavigator:
    """Sees the page's text and the titles of its links."""
    return LinkNavigator(content=True, name="content-links")
