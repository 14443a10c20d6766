"""A world that is asked about in several languages, while its documents are written in one.

    world = MultilingualWorld(load_world("atlas"))            # or a twin
    world.questions("de", 30)[0].text    'Wie heißt die Hauptstadt dieses Landes: Frankreich?'
    world.questions("en", 30)[0].text    'What is the capital of France?'       the same question

Questions of all languages are parallel: the same ids, facts and gold documents. Countries,
languages, currencies and continents have names in each language (``exonyms``); cities keep theirs.
The answers of a question are names in its language. The phrasings put the name after a colon, so
that no article or case has to agree with a name that nobody's grammar knows.

Source: our sheet of multilingual RAG (paper 9): parallel questions, here over the atlas and its
twins instead of a handbook of policies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib import resources

from scrubjay.core.errors import ScrubjayError, UnknownName
from scrubjay.core.nouns import Question
from scrubjay.worlds.exonyms import TYPES, invented_exonym, real_exonym
from scrubjay.worlds.world import World

ENGLISH = "en"
"""The language of the documents."""


@lru_cache(maxsize=1)
def phrasings() -> Mapping[str, Mapping[str, str]]:
    """Language -> relation -> question with [S] for the subject."""
    text = resources.files("scrubjay.worlds").joinpath("multilingual.json").read_text("utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


@dataclass(frozen=True, eq=False)
class MultilingualWorld:
    """Questions of a world in other languages, and the names that go with them."""

    world: World
    invented: bool | None = None
    """Whether names are invented; None: in twins. (Random worlds have invented names, too.)"""

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages one can ask in, that of the documents first."""
        return (ENGLISH, *sorted(phrasings()))

    def questions(self, language: str, n: int, seed: int = 0) -> list[Question]:
        """Up to ``n`` recall questions; relations take turns.

        Raises:
            UnknownName: there are no phrasings in that language.
            ScrubjayError: the world has none of the relations that are phrased.
        """
        if language not in self.languages:
            raise UnknownName("language", language, self.languages)
        told = phrasings()["de"]
        known = [r for r in self.world.universe.relations if r in told]
        if not known:
            raise ScrubjayError(f"none of the questions about {self.world.name} has a translation")
        every = len(self.world.universe.relations)
        asked = self.world.questions("recall", n * every, seed)
        chosen = [q for q in asked if q.group in told][:n]
        return [self._ask(q, language) for q in chosen]

    def name(self, entity: str, language: str) -> str:
        """What the entity is called in ``language``."""
        return self._names(language).get(entity, self.world.names.name(entity))

    def names(self, language: str) -> dict[str, str]:
        """Names in ``language`` -> names in the documents; the same where they don't differ."""
        return {local: self.world.names.name(e) for e, local in self._names(language).items()}

    def _ask(self, question: Question, language: str) -> Question:
        if language == ENGLISH:
            return question
        ((subject, relation, _),) = question.query
        text = phrasings()[language][relation].replace("[S]", self.name(subject, language))
        found = self.world.universe.objects(subject, relation)
        answers = [self.name(x, language) for x in found if isinstance(x, str)]
        return replace(question, text=text, answers=tuple(answers))

    def _names(self, language: str) -> dict[str, str]:
        if language == ENGLISH or language not in self.languages:
            return {}
        return self._exonyms[language]

    @cached_property
    def _exonyms(self) -> dict[str, dict[str, str]]:
        return {code: self._of(code) for code in self.languages if code != ENGLISH}

    def _of(self, language: str) -> dict[str, str]:
        """Injective: a name that is taken, here or in the documents, is given to nobody else."""
        world, found = self.world, dict[str, str]()
        taken = {world.names.name(e).casefold(): e for e in world.universe.entities}
        for entity in world.universe.entities.values():
            name = world.names.name(entity.id)
            if entity.type not in TYPES and " " not in name:
                continue  # a city of several words is kept, as it may hold a country's name
            local = (
                invented_exonym(entity.type, name, language)
                if (world.is_twin if self.invented is None else self.invented)
                else real_exonym(entity.type, world.names.forms(entity.id), language)
            )
            if taken.setdefault(local.casefold(), entity.id) == entity.id:
                found[entity.id] = local
        return found
