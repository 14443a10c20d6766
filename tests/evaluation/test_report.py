"""The report: self-contained, escaped, bounded, and showing the numbers of the run."""

import asyncio
import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from scrubjay.agents.session import Session
from scrubjay.core.errors import InputError
from scrubjay.core.nouns import Answer, Link, Passage, Question
from scrubjay.core.trace import Chose, Cost, Generated, Moved, Noted, Read, Scored, Searched
from scrubjay.evaluation.gap import gap_table, write_tables
from scrubjay.evaluation.labels import points
from scrubjay.evaluation.report import write_report
from scrubjay.evaluation.report.charts import Pair, Span, dumbbells, forest
from scrubjay.evaluation.report.worlds import side_by_side
from scrubjay.evaluation.runner import run_agent
from scrubjay.evaluation.runs import Run

EVIL = (
    "</p></style><script>alert(1)</script><img src=x onerror='alert(2)'>\"'><svg onload=a()>&amp;"
)
ALLOWED = """
html head meta title style body header p span nav a main section h1 h2 h3 h4 small div figure
figcaption b svg g line text tspan circle table thead tbody tr th td code details summary article
mark ol li i q pre footer dl dt dd
"""
VOID = {"meta", "line", "circle"}


class Page(HTMLParser):
    """Collects elements and attributes, and checks that every element is closed in order."""

    def __init__(self, html):
        super().__init__()
        self.seen, self.attributes, self.open, self.text = set(), [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += [(tag, k, v) for k, v in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


class Chatty:
    """Leaves every kind of step, all with hostile text."""

    name = EVIL
    tasks = frozenset({"recall"})
    needs = frozenset()

    def __init__(self, long=False):
        self.long = long

    async def answer(self, question, session):
        for step in (
            Read(("d1",), (EVIL,)),
            Searched(EVIL, ("d1",), (EVIL,), (1.5,), ("d1",), cost=Cost(searches=1, seconds=0.25)),
            Generated(EVIL * (2000 if self.long else 1), EVIL, ("d1",), -0.1, cost=Cost(7, 3, 1)),
            Chose(EVIL, (EVIL, "b"), 0, (0.9, 0.1), ("d1",)),
            Scored(EVIL, (EVIL, "c"), (-1.0, -2.0)),
            Moved("click", "d1", EVIL, ok=False),
            Noted(EVIL),
        ):
            session.trace.add(step)
        return Answer(EVIL, session.trace)


def make_run(folder, *, n=6, agent=None, settings=("closed-book", EVIL)):
    with Run.open(folder, {"model": EVIL, EVIL: [EVIL, 1]}) as run:
        for setting in settings:
            for world in ("real", "twin-0"):
                asked = [
                    Question(f"q{i}", EVIL, (EVIL,), task="recall", group=f"{EVIL}{i % 2}")
                    for i in range(n)
                ]
                asyncio.run(
                    run_agent(
                        agent or Chatty(),
                        asked,
                        lambda _: Session(),
                        run=run,
                        setting=setting,
                        world=world,
                    )
                )
        write_tables(run)
    return folder


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("report") / "run")
    page = Passage("e1", f"{EVIL} Lima {EVIL}", EVIL, links=(Link(0, 9, "e2"),))
    return write_report(folder, pages=[(page, page)], title=EVIL).read_text()


def test_nothing_untrusted_becomes_an_element(html):
    page = Page(html)
    assert page.seen <= set(ALLOWED.split())
    assert page.open == []
    for _, name, value in page.attributes:
        assert not name.startswith("on")
        assert name != "style"
        if name in ("href", "src"):
            assert re.fullmatch(r"#[\w-]+", value)
    assert "alert(1)" in "".join(page.text)  # it is shown, as text


def test_the_policy_allows_the_own_style_sheet_and_nothing_else(html):
    (policy,) = [v for _, k, v in Page(html).attributes if k == "content" and "default-src" in v]
    style = html[html.index("<style>") + len("<style>") : html.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", html)


def test_every_step_is_told(html):
    text = "".join(Page(html).text)
    for verb in ("read", "searched", "wrote", "chose among 2", "weighed 2", "clicked", "noted"):
        assert verb in text
    assert "7 in, 3 out" in text
    assert "0.250 s" in text
    assert "90.0 %" in text


def test_the_numbers_are_those_of_the_tables(tmp_path):
    class HalfRight(Chatty):
        async def answer(self, question, session):
            return Answer(question.answers[0] if question.id in "q0 q3 q4" else "no", session.trace)

    folder = make_run(tmp_path / "r", n=7, agent=HalfRight(), settings=("closed-book",))
    (row,) = [r for r in gap_table(Run.load(folder).records()) if r.metric == "f1"]
    text = "".join(Page(write_report(folder).read_text()).text)
    assert f"{points(row.real)} points in the real world" in text
    assert f"[{points(row.low)}, {points(row.high)}]" in text


def test_the_page_stays_small_however_long_the_traces(tmp_path):
    folder = make_run(tmp_path / "r", n=40, agent=Chatty(long=True))
    assert write_report(folder).stat().st_size < 3_000_000


def test_a_run_without_answers_has_a_report(tmp_path):
    Run.open(tmp_path / "r", {}).close()
    page = Page(write_report(tmp_path / "r").read_text())
    assert "Nothing can be read yet" in "".join(page.text)
    assert page.open == []


def test_the_same_run_gives_the_same_page(tmp_path):
    folder = make_run(tmp_path / "r")
    assert write_report(folder).read_bytes() == write_report(folder).read_bytes()


def test_no_run_no_report(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_corresponding_names_share_a_colour():
    real = Passage(
        "fr", "France, Paris, Lyon", links=(Link(0, 6, "fr"), Link(8, 13, "p"), Link(15, 19, "l"))
    )
    twin = Passage(
        "fr", "Dorv, Pel, Lu", links=(Link(0, 4, "fr"), Link(6, 9, "p"), Link(11, 13, "l"))
    )
    (both,) = side_by_side([(real, twin)])
    coloured = [(a.text, b.text) for a, b in zip(both.real, both.twin) if a.colour is not None]
    assert coloured == [("France", "Dorv"), ("Paris", "Pel"), ("Lyon", "Lu")]
    assert [p.colour for p in both.real] == [p.colour for p in both.twin]
    assert len({p.colour for p in both.real if p.colour is not None}) == 3
    assert "".join(p.text for p in both.real) == real.text


def test_overlapping_links_keep_the_text_whole():
    page = Passage("a", "University of Lima", links=(Link(0, 18, "u"), Link(14, 18, "l")))
    (both,) = side_by_side([(page, page)])
    assert [p.text for p in both.real] == ["University of Lima"]


def test_charts_place_values_on_their_scale():
    def xs(svg, mark):
        return [float(x) for x in re.findall(mark, str(svg))]

    svg = dumbbells([Pair("a", 1.0, 0.0), Pair("b", 0.5, 0.5)], "t")
    assert xs(svg, r'class="real" cx="([\d.]+)%') == [96, 50]
    assert xs(svg, r'class="twin" cx="([\d.]+)%') == [4, 50]
    svg = forest(
        [Span("a", 0.0, -0.1, 0.1), Span("b", 0.3, 0.2, 0.4), Span("c", 0.2, None, None)], "t"
    )
    assert xs(svg, r'<circle cx="([\d.]+)%')[0] == 50
    assert re.findall(r'<g class="(\w+)"', str(svg)) == ["open", "sure", "open"]
    for place in xs(svg, r'(?:x1|x2|cx)="([\d.]+)%'):
        assert 0 <= place <= 100


def test_walks_are_told_by_the_titles_of_their_world(tmp_path):
    class Walker(Chatty):
        async def answer(self, question, session):
            return Answer("", session.trace, path=("a", *"bcdefgh", "z"), success=True)

    asked = [Question("n", "Go", task="navigation", start="a", goal="z")]
    with Run.open(tmp_path / "r", {}) as run:
        for world in ("real", "twin-0"):
            asyncio.run(
                run_agent(
                    Walker(), asked, lambda _: Session(), run=run, setting="links-only", world=world
                )
            )
    titles = {"real": {"a": "Lima", "z": "Oslo"}, "twin-0": {"a": "Melo", "z": "Rask"}}
    text = "".join(Page(write_report(tmp_path / "r", titles=titles).read_text()).text)
    assert "Lima → b → c → d → 2 more pages → g → h → Oslo" in text
    assert "Melo → b" in text
