"""Names for random universes: pronounceable, of our own making, each root used once.

They play the part of the real names, so they have what real names have: surnames, "University of X"
named after the city it is in, titles of several words.
"""

from __future__ import annotations

from random import Random

ONSETS = [*"bcdfghjklmnprstvwz", *"bdfglmnrstv", "br", "dr", "gr", "kl", "st", "tr"]
VOWELS = [*"aeiouaeioa", "ai", "au", "ei"]
CODAS = ["", "", "", "", "", "l", "m", "n", "r", "s"]
ENDINGS = {
    "country": ["ia", "ora", "estan", "avia", "aland"],
    "city": ["ville", "burg", "mar", "ford", "avo", "grad", "osta", "polis", "haven"],
    "river": ["ara", "une", "isk", "enza", "ow"],
    "mountain": ["horn", "kopf", "agua", "aro", "ent"],
    "language": ["ish", "ese", "ani", "ic", "uri"],
    "company": ["ex", "ona", "tek", "os", "ium"],
    "person": ["sen", "ez", "ov", "ini", "ard", "ellis", "oka", "eth", "ura", "man"],
    "": ["a", "en", "is", "or", "ette"],
}
TITLES = {
    "book": ["The House of {}", "Letters to {}", "A Winter in {}", "The Last {}", "{} and the Sea"],
    "film": ["The Road to {}", "Night over {}", "Return to {}", "The {} Affair", "Goodbye, {}"],
}
PARTS = {
    "museum": ["{} Museum of Art", "Museum of {}", "{} Historical Museum", "{} Gallery"],
    "university": ["University of {}", "{} State University", "{} Institute of Technology"],
    "festival": ["{} Film Festival", "{} Music Festival", "{} Book Fair"],
}
"""Types named after the city they are in; when all forms are taken, after a root of their own."""
PLAIN = {"river": "{} River", "mountain": "Mount {}", "company": "{} Group"}


class RandomNames:
    """Draws names that nobody in this universe has yet."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._used: set[str] = set()
        self._first = [self._root("") for _ in range(240)]

    def fresh(self, type: str, city: str = "") -> str:
        """A new name for an entity of this type; ``city`` is the name of the city it is in."""
        rng = self._rng
        if type == "person":
            return f"{rng.choice(self._first)} {self._root('person')}"
        if type in PARTS:
            forms = PARTS[type]
            free = [f for f in forms if city and f.format(city) not in self._used]
            name = rng.choice(free).format(city) if free else rng.choice(forms).format(self._root())
            self._used.add(name)
            return name
        root = self._root(type)
        if type in TITLES:
            return rng.choice(TITLES[type]).format(root)
        return PLAIN[type].format(root) if type in PLAIN else root

    def _root(self, type: str = "") -> str:
        """Two or three syllables and an ending that fits the type; never the same twice."""
        rng, endings = self._rng, ENDINGS.get(type, ENDINGS[""])
        while True:
            syllables = [
                rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS)
                for _ in range(rng.choice((1, 2, 2)))
            ]
            ending = rng.choice(endings)
            link = rng.choice(ONSETS) if ending[0] in "aeiou" else ""
            root = ("".join(syllables) + link + ending).capitalize()
            if len(root) > 5 and root not in self._used:
                self._used.add(root)
                return root
