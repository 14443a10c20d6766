"""New words for old: drawn by kind and culture, matched in letters and model tokens.

Per type of thing, mean name length in letters and in tokens must stay within 10 % of the real one,
or the gap between worlds would measure odd tokens instead of knowledge (SynthWorlds 3.3 and
section 7). Many words are drafted, counted in one batch, and sorted into boxes by (letters,
tokens); each real word takes one from the nearest box, where 'nearest' leans against what its type
has gained or lost so far.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from random import Random

from scrubjay.core.randomness import stream
from scrubjay.worlds.derive import Lexicon, Word
from scrubjay.worlds.invent import CULTURES, PLACES, SHORT, culture_of, draft
from scrubjay.worlds.leaks import ordinary_words
from scrubjay.worlds.lengths import TokenCounter

DRAFTS = 6
"""Drafts per word needed, on top of ``LEAST`` for every kind and culture."""
LEAST = 300
NEAR = 0.4
"""New words whose edit distance to the old one, over the longer length, is less are passed over."""
EVEN, ROUNDS = 0.03, 4
"""In the end words are changed in types that are further off than this share, so many times."""
LEAN = 2.5
"""Most letters, and half-tokens, by which a choice leans against its type's drift."""
TOKEN = 0.7
"""What a sixth of a token counts beside a letter: names have about four letters to the token."""
Box = dict[tuple[int, int], list[str]]


class Coiner:
    """Coins a new word for every proper word of a lexicon; no two the same."""

    def __init__(self, lexicon: Lexicon, tokens: TokenCounter, *seed: object) -> None:
        self.lexicon, self.tokens, self.seed = lexicon, tokens, seed
        self.coined: dict[str, str] = {}
        """Key of the real word → new word, in lower case."""
        self._taken = {*lexicon.words, *lexicon.generic, *ordinary_words(lexicon.universe), *PLACES}
        self._drift: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._real: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._size: dict[str, tuple[int, int]] = {}

    def words(self) -> dict[str, str]:
        """New words for all but abbreviations and single letters, bases before adjectives."""
        words = [w for w in self.lexicon.words.values() if not w.owner and len(w.key) > 1]
        costs = dict(zip((w.key for w in words), self._count(w.key for w in words)))
        followed = {w.base for w in words if w.base}
        plain = [w for w in words if not w.base]
        self._boxes = self._draft(plain)
        # Frequent words first, and of these the ones that are cheap for their length, which are the
        # hardest to match: the others then even out what is left over.
        plain.sort(key=lambda w: (-sum(w.types.values()), costs[w.key] / w.length, w.key))
        for word in (w for w in plain if w.key in followed):
            self._coin(word, costs[word.key])
        adjectives = [w for w in words if w.base]
        for word in adjectives:
            self.coined[word.key] = self._adjective(word)
        made = self._count(self.coined[w.key] for w in adjectives)
        for word, cost in zip(adjectives, made):
            self._record(word, len(self.coined[word.key]), cost, costs[word.key])
        free = [w for w in plain if w.key not in followed]
        for word in free:
            self._coin(word, costs[word.key])
        for _ in range(ROUNDS):
            for word in free:
                if max(map(self._off, word.types), default=0.0) > EVEN:
                    self._even_out(word)
        return self.coined

    def _count(self, words: Iterable[str]) -> Sequence[int]:
        """Cost of each word in sixths of a token: a mean of its tokens, weighted five to one, in
        running text and at the start of a text."""
        capital = [w.capitalize() for w in words]
        inside = self.tokens([" " + w for w in capital]) if capital else []
        return [5 * a + b for a, b in zip(inside, self.tokens(capital))] if capital else []

    def _draft(self, words: Sequence[Word]) -> dict[tuple[str, str], Box]:
        """Boxes of fresh words by kind and culture."""
        needs: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for word in words:
            needs[self._source(word)].append(word.length)
        drafts: dict[tuple[str, str], list[str]] = {}
        for (kind, culture), lengths in sorted(needs.items()):
            rng = stream(0, "coin", *self.seed, kind, culture)
            wanted = lengths * DRAFTS + [rng.choice(lengths) for _ in range(LEAST)]
            fresh = (draft(kind, culture, max(3, n), rng) for n in wanted)
            drafts[kind, culture] = [w for w in dict.fromkeys(fresh) if self._free(w)]
        rng = stream(0, "coin", *self.seed, "short")
        drafts["", ""] = rng.sample(SHORT, len(SHORT))
        every = list(dict.fromkeys(w for made in drafts.values() for w in made))
        counts = dict(zip(every, self._count(every)))
        # A long word that costs one token in lower case is an ordinary word of the language.
        common = dict(zip(every, self.tokens([" " + w.lower() for w in every])))
        short = set(SHORT)
        boxes: dict[tuple[str, str], Box] = {}
        for source, drafted in drafts.items():
            box: Box = defaultdict(list)
            for text in drafted:
                if text in short or len(text) < 4 or common[text] > 1:
                    box[len(text), counts[text]].append(text)
            boxes[source] = box
        return boxes

    def _source(self, word: Word) -> tuple[str, str]:
        """Kind and culture; things without a culture get one per kind and twin."""
        label = word.culture or stream(0, "coin", *self.seed, word.kind).choice(CULTURES)
        return word.kind, culture_of(label)

    def _free(self, word: str) -> bool:
        return word.lower() not in self._taken

    def _coin(self, word: Word, cost: int) -> None:
        letters, tokens = self._wanted(word, cost)
        own = self._boxes[self._source(word)]
        options = [
            (
                abs(n - letters) + TOKEN * abs(t - tokens) + 3.0 * (abs(t - cost) > 6) + dear,
                n,
                t,
                box,
            )
            for box, dear in ((own, 0.0), (self._boxes["", ""], 0.8))
            for n, t in box
        ]
        for _, n, t, box in sorted(options, key=lambda o: o[:3])[:12]:
            new = self._take(box, (n, t), word.key)
            if new:
                break
        else:
            new = self._fallback(word)
            t = self._count([new])[0]
        self._taken.add(new.lower())
        self.coined[word.key] = new.lower()
        self._record(word, len(new), t, cost)

    def _wanted(self, word: Word, cost: int) -> tuple[float, float]:
        """Letters and tokens wished for: the real word's, leaning against the types' drift."""
        times = sum(word.types.values())
        if not times:
            return word.length, cost
        letters = sum(n * self._drift[t][0] for t, n in word.types.items()) / times
        tokens = sum(n * self._drift[t][1] for t, n in word.types.items()) / times
        lean = max(-LEAN, min(LEAN, letters / times))
        return word.length - lean, cost - max(-3 * LEAN, min(3 * LEAN, tokens / times))

    def _record(self, word: Word, letters: int, tokens: int, cost: int) -> None:
        self._size[word.key] = letters, tokens
        for type, times in word.types.items():
            self._drift[type][0] += times * (letters - word.length)
            self._drift[type][1] += times * (tokens - cost)
            self._real[type][0] += times * word.length
            self._real[type][1] += times * cost

    def _off(self, type: str, letters: float = 0.0, tokens: float = 0.0) -> float:
        """How far a type's sums are from the real ones, as shares, if they grew by so much."""
        (a, b), (x, y) = self._drift[type], self._real[type]
        return max(abs(a + letters) / max(1, x), abs(b + tokens) / max(1, y))

    def _even_out(self, word: Word) -> None:
        """Give ``word`` another new word if that brings the types it occurs in closer."""
        n, t = self._size[word.key]

        def off(size: tuple[int, int]) -> float:
            more, dearer = size[0] - n, size[1] - t
            return sum(self._off(x, k * more, k * dearer) for x, k in word.types.items())

        boxes = (self._boxes[self._source(word)], self._boxes["", ""])
        better = [(off(size), size, box) for box in boxes for size in box if size[0] > 2]
        for gain, size, box in sorted(better, key=lambda b: b[:2])[:4]:
            new = self._take(box, size, word.key) if gain < off((n, t)) else ""
            if new:
                self._taken.discard(self.coined[word.key])
                self._taken.add(new.lower())
                self.coined[word.key] = new.lower()
                for x, k in word.types.items():
                    self._drift[x][0] += k * (size[0] - n)
                    self._drift[x][1] += k * (size[1] - t)
                self._size[word.key] = size
                return

    def _take(self, box: Box, size: tuple[int, int], key: str) -> str:
        """A word from a box that is free and unlike the real one; '' if there is none."""
        words = box[size]
        for at in range(len(words) - 1, max(-1, len(words) - 9), -1):
            if not self._free(words[at]):
                words.pop(at)
            elif not alike(words[at].lower(), key):
                return words.pop(at)
        if not words:
            del box[size]
        return ""

    def _fallback(self, word: Word) -> str:
        rng = stream(0, "coin", *self.seed, "more", word.key)
        length = max(3, word.length)
        while True:
            for _ in range(40):
                new = draft(*self._source(word), length, rng)
                if self._free(new) and not alike(new.lower(), word.key):
                    return new
            length += 1

    def _adjective(self, word: Word) -> str:
        """The adjective of the new base, by the real adjective's ending: Metrovale, Metrovalian."""
        base = self.coined[word.base]
        stem = base.rstrip("aeiouy") if len(base.rstrip("aeiouy")) > 2 else base
        usual = {"n": "ian", "an": "ian", "uese": "ese", "nese": "ese", "": "i"}
        endings = [usual.get(word.suffix, word.suffix), "ian", "ese", "ish", "i", "ic", "er", "ite"]
        for ending in endings:
            new = stem + ending
            if self._free(new) and not alike(new, word.key):
                self._taken.add(new)
                return new
        new = self._fallback(word).lower()
        self._taken.add(new)
        return new


def alike(new: str, old: str) -> bool:
    """Whether the edit distance, over the longer length, is below ``NEAR``."""
    longest = max(len(new), len(old))
    if abs(len(new) - len(old)) >= NEAR * longest:
        return False
    shared = sum((Counter(new) & Counter(old)).values())
    # Letters that aren't shared need an edit each: a cheap bound before the exact distance.
    if longest - shared >= NEAR * longest:
        return False
    return edit_distance(new, old) < NEAR * longest


def edit_distance(a: str, b: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def new_numbers(numbers: dict[str, bool], shift: int, rng: Random) -> dict[str, str]:
    """Numbers in names → other numbers, no two the same; years follow the world's dates.

    ``numbers`` says of each whether a name hangs on it alone; the new number is then none that
    occurs in real names.
    """
    made: dict[str, str] = {}
    alone = {n for n, strict in numbers.items() if strict}
    used: set[str] = set()
    for number in sorted(numbers, key=lambda n: (not numbers[n], len(n), n)):
        barred = set(numbers) if numbers[number] else {*alone, number}
        width = len(number)
        low, high = (10 ** (width - 1), 10**width - 1) if width > 1 else (1, 9)
        year = str(int(number) + shift)
        new = year if width == 4 and number[0] != "0" else str(rng.randint(low, high))
        while new in barred or new in used:
            new = str(int(new) + 1) if int(new) < high else str(rng.randint(low, high * 10))
            high = max(high, int(new))
        used.add(new)
        made[number] = new
    return made
