"""The schema of random universes: twelve types and the relations between them, the spine first.

The spine gives every type one relation that leads towards a country (and countries border each
other), so a universe built from the first ``n`` types and their spine is connected.
"""

from __future__ import annotations

from dataclasses import dataclass

from scrubjay.worlds.universe import NUMBER, TIME, Relation

SHARES = {
    "country": 4,
    "city": 14,
    "person": 26,
    "book": 12,
    "company": 10,
    "film": 10,
    "museum": 6,
    "university": 6,
    "river": 4,
    "language": 3,
    "mountain": 3,
    "festival": 2,
}
"""Types in the order in which a universe takes them, with their shares of the entities."""


@dataclass(frozen=True, slots=True)
class Column:
    """A relation and how to draw its objects."""

    relation: Relation
    most: int = 1
    """Most objects a subject gets (1 for functional relations)."""
    low: int = 0
    high: int = 0
    """Bounds of years and numbers."""


def _column(
    id: str,
    domain: str,
    range: str,
    says: tuple[str, ...],
    question: str,
    noun: str,
    inverse_noun: str,
    condition: str,
    *,
    most: int = 1,
    bounds: tuple[int, int] = (0, 0),
    inverse: str = "",
) -> Column:
    relation = Relation(
        id, domain, range, says, question, noun, inverse_noun, condition, most == 1, inverse
    )
    return Column(relation, most, *bounds)


SPINE = (
    _column(
        "borders",
        "country",
        "country",
        (
            "[S] borders [O].",
            "[S] shares a border with [O].",
            "[O] is one of the neighbours of [S].",
        ),
        "Which country shares a border with [S]?",
        "a country that shares a border with [S]",
        "a country that shares a border with [O]",
        "shares a border with [O]",
        most=8,
        inverse="borders",
    ),
    _column(
        "city_country",
        "city",
        "country",
        ("[S] is a city in [O].", "[S] lies in [O].", "The city of [S] belongs to [O]."),
        "In which country is the city of [S]?",
        "the country in which [S] lies",
        "the city that lies in [O]",
        "lies in [O]",
    ),
    _column(
        "birthplace",
        "person",
        "city",
        (
            "[S] was born in [O].",
            "[S] comes from [O].",
            "The birthplace of [S] is [O].",
        ),
        "In which city was [S] born?",
        "the birthplace of [S]",
        "the person who was born in [O]",
        "was born in [O]",
    ),
    _column(
        "author",
        "book",
        "person",
        ("[S] was written by [O].", "[O] wrote [S].", "The author of [S] is [O]."),
        "Who wrote [S]?",
        "the author of [S]",
        "the book written by [O]",
        "was written by [O]",
    ),
    _column(
        "headquarters",
        "company",
        "city",
        (
            "[S] has its headquarters in [O].",
            "[S] is based in [O].",
            "The head office of [S] stands in [O].",
        ),
        "In which city does [S] have its headquarters?",
        "the city in which [S] has its headquarters",
        "the company that has its headquarters in [O]",
        "has its headquarters in [O]",
    ),
    _column(
        "director",
        "film",
        "person",
        ("[S] was directed by [O].", "[O] directed [S].", "The director of [S] is [O]."),
        "Who directed [S]?",
        "the director of [S]",
        "the film directed by [O]",
        "was directed by [O]",
    ),
    _column(
        "museum_city",
        "museum",
        "city",
        ("[S] is in [O].", "[S] stands in [O].", "Visitors find [S] in [O]."),
        "In which city is [S]?",
        "the city in which [S] stands",
        "the museum that stands in [O]",
        "stands in [O]",
    ),
    _column(
        "university_city",
        "university",
        "city",
        (
            "[S] is a university in [O].",
            "[S] has its campus in [O].",
            "Students of [S] live and work in [O].",
        ),
        "In which city is [S]?",
        "the city in which [S] has its campus",
        "the university that has its campus in [O]",
        "has its campus in [O]",
    ),
    _column(
        "river_source",
        "river",
        "country",
        ("[S] rises in [O].", "[S] has its source in [O].", "The source of [S] is in [O]."),
        "In which country does [S] rise?",
        "the country in which [S] rises",
        "the river that rises in [O]",
        "rises in [O]",
    ),
    _column(
        "language_origin",
        "language",
        "country",
        (
            "[S] is a language from [O].",
            "[S] was first spoken in [O].",
            "The language [S] originated in [O].",
        ),
        "In which country did the language [S] originate?",
        "the country in which [S] originated",
        "the language that originated in [O]",
        "originated in [O]",
    ),
    _column(
        "mountain_country",
        "mountain",
        "country",
        ("[S] is a mountain in [O].", "[S] stands in [O].", "Climbers reach [S] from [O]."),
        "In which country is [S]?",
        "the country in which [S] stands",
        "the mountain that stands in [O]",
        "stands in [O]",
    ),
    _column(
        "festival_city",
        "festival",
        "city",
        ("[S] takes place in [O].", "[S] is held in [O].", "[O] is the home of [S]."),
        "In which city does [S] take place?",
        "the city in which [S] takes place",
        "the festival that takes place in [O]",
        "takes place in [O]",
    ),
)

MORE = (
    _column(
        "birth_date",
        "person",
        TIME,
        (
            "[S] was born on [O].",
            "The birth of [S] is dated [O].",
            "[S] came into the world on [O].",
        ),
        "When was [S] born?",
        "the date of birth of [S]",
        "the person born on [O]",
        "was born on [O]",
        bounds=(1850, 1999),
    ),
    _column(
        "employer",
        "person",
        "company",
        ("[S] has worked for [O].", "[O] once employed [S].", "[S] was on the staff of [O]."),
        "For which company has [S] worked?",
        "a company for which [S] has worked",
        "a person who has worked for [O]",
        "has worked for [O]",
        most=8,
    ),
    _column(
        "cast",
        "film",
        "person",
        ("[O] plays a part in [S].", "The cast of [S] includes [O].", "[S] features [O]."),
        "Who plays a part in [S]?",
        "a member of the cast of [S]",
        "a film whose cast includes [O]",
        "features [O]",
        most=10,
    ),
    _column(
        "capital",
        "country",
        "city",
        (
            "[S] has its capital in [O].",
            "The capital of [S] is [O].",
            "[O] is the capital of [S].",
        ),
        "What is the capital of [S]?",
        "the capital of [S]",
        "the country whose capital is [O]",
        "has its capital in [O]",
    ),
    _column(
        "operates_in",
        "company",
        "country",
        ("[S] operates in [O].", "[S] does business in [O].", "[O] is a market of [S]."),
        "In which country does [S] operate?",
        "a country in which [S] operates",
        "a company that operates in [O]",
        "operates in [O]",
        most=10,
    ),
    _column(
        "translated_into",
        "book",
        "language",
        (
            "[S] has been translated into [O].",
            "There is a translation of [S] into [O].",
            "Readers can find [S] in [O].",
        ),
        "Into which language has [S] been translated?",
        "a language into which [S] has been translated",
        "a book that has been translated into [O]",
        "has been translated into [O]",
        most=8,
    ),
    _column(
        "exhibits",
        "museum",
        "person",
        (
            "[S] shows works by [O].",
            "Works by [O] hang in [S].",
            "[S] has a room for [O].",
        ),
        "Whose works does [S] show?",
        "an artist whose works hang in [S]",
        "a museum that shows works by [O]",
        "shows works by [O]",
        most=12,
    ),
    _column(
        "population",
        "city",
        NUMBER,
        (
            "[S] has a population of [O].",
            "[O] people live in [S].",
            "The population of [S] is [O].",
        ),
        "What is the population of [S]?",
        "the population of [S]",
        "the city with a population of [O]",
        "has a population of [O]",
        bounds=(4_000, 9_000_000),
    ),
    _column(
        "flows_through",
        "river",
        "city",
        ("[S] flows through [O].", "[O] lies on [S].", "[S] passes [O]."),
        "Through which city does [S] flow?",
        "a city through which [S] flows",
        "a river that flows through [O]",
        "flows through [O]",
        most=8,
    ),
    _column(
        "founded",
        "university",
        TIME,
        ("[S] was founded in [O].", "[S] opened in [O].", "The founding of [S] dates from [O]."),
        "In which year was [S] founded?",
        "the year in which [S] was founded",
        "the university founded in [O]",
        "was founded in [O]",
        bounds=(1200, 1990),
    ),
    _column(
        "alma_mater",
        "person",
        "university",
        ("[S] studied at [O].", "[S] went to [O].", "[O] counts [S] among its graduates."),
        "Where did [S] study?",
        "a university at which [S] studied",
        "a person who studied at [O]",
        "studied at [O]",
        most=3,
    ),
    _column(
        "guest",
        "festival",
        "person",
        ("[S] has welcomed [O].", "[O] was a guest of [S].", "[O] has performed at [S]."),
        "Who was a guest of [S]?",
        "a guest of [S]",
        "a festival that has welcomed [O]",
        "has welcomed [O]",
        most=12,
    ),
    _column(
        "elevation",
        "mountain",
        NUMBER,
        (
            "[S] is [O] high.",
            "[S] rises to [O] above the sea.",
            "The height of [S] is [O].",
        ),
        "How high is [S]?",
        "the height of [S]",
        "the mountain with a height of [O]",
        "is [O] high",
        bounds=(900, 8_000),
    ),
    _column(
        "book_setting",
        "book",
        "city",
        ("[S] is set in [O].", "The story of [S] leads to [O].", "[S] describes life in [O]."),
        "In which city is [S] set?",
        "a city in which [S] is set",
        "a book set in [O]",
        "is set in [O]",
        most=3,
    ),
)
UNITS = {"elevation": "metres"}
