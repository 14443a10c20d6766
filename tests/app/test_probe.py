"""scrubjay probe: settings as text, kept findings, pages, two models beside each other."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from scrubjay.app import cli, panel  # noqa: E402
from scrubjay.app.panel_runs import Result, measure_one, parse_settings  # noqa: E402
from scrubjay.core.errors import InputError, UnknownName  # noqa: E402
from scrubjay.core.finding import Finding, Number  # noqa: E402
from scrubjay.models.tiny import TinySpec, build_tiny  # noqa: E402
from scrubjay.probing.errors import ProbeError  # noqa: E402
from scrubjay.probing.instruments import INSTRUMENTS  # noqa: E402

CHART = {
    "data": {"values": [{"a": 1}]},
    "mark": "bar",
    "encoding": {"y": {"field": "a", "type": "quantitative"}},
}
CALLS: list[str] = []


@dataclass(frozen=True)
class Ruler:
    """The largest weight of the embedding: a number that is known without this code."""

    about: ClassVar[str] = "how long the longest arrow is"

    scale: float = 1.0
    words: tuple[str, ...] = ("a", "b")
    counts: tuple[int, ...] = (1,)
    deep: bool = False

    def measure(self, model: Any, data: Any = None, *, progress: Any = None) -> Finding:
        CALLS.append("ruler")
        progress("arrows", 1, 2)
        value = self.scale * float(model.model.get_input_embeddings().weight.abs().max())
        return Finding(
            "ruler",
            {"longest": Number(value, value - 0.01, value + 0.01, 3)},
            figure=CHART,
            settings={"scale": self.scale, "<b>": "<script>"},
        )


@dataclass(frozen=True)
class Broken:
    about: ClassVar[str] = "nothing"

    def measure(self, model: Any, data: Any = None, *, progress: Any = None) -> Finding:
        CALLS.append("broken")
        raise ProbeError("the <model> has no such thing")


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two checkpoints of one shape, and one of another, with the two instruments above."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["x", "a", "b", "c"])}, "x"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="x", eos_token="x")
    made = {}
    for name, layers, largest in (("base", 2, 5.0), ("tuned", 2, 7.0), ("other", 3, 5.0)):
        model = build_tiny(TinySpec(len(tokenizer), 16, layers, 2, 32, context=64))
        with torch.no_grad():
            model.get_input_embeddings().weight[0, 0] = largest
        made[name] = str(tmp_path / name)
        model.save_pretrained(made[name])
        tokenizer.save_pretrained(made[name])
    monkeypatch.setattr(INSTRUMENTS, "_entries", {"broken": Broken, "ruler": Ruler})
    CALLS.clear()
    return made


def scrubjay(*words: str):
    return CliRunner().invoke(cli.app, ["probe", *words])


def test_an_instrument_is_a_verb_with_settings(two, tmp_path):
    out = tmp_path / "out"
    done = scrubjay(
        "ruler", "--model", two["base"], "--set", "scale=2", "--out", str(out), "--json"
    )
    assert done.exit_code == 0, done.output
    finding = json.loads(done.stdout)
    assert finding["numbers"]["longest"]["value"] == 10.0
    assert finding["settings"]["model"] == two["base"]
    assert json.loads((out / "ruler" / "finding.json").read_text())["numbers"] == finding["numbers"]
    assert (out / "ruler" / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "ruler" / "figure.svg").read_text()
    assert "how long the longest arrow is" in scrubjay("list").stdout
    assert "longest arrow" in scrubjay("ruler", "--help").stdout
    assert "a, b" in scrubjay("ruler", "--settings").stdout
    assert scrubjay("nosuch").exit_code == 2


def test_settings_are_of_the_kind_of_their_defaults(two):
    told = ["scale=0.5", "words=x, y", "counts=3,4", "deep=yes"]
    assert parse_settings("ruler", told) == {
        "scale": 0.5, "words": ("x", "y"), "counts": (3, 4), "deep": True,
    }  # fmt: skip
    for text, match in (
        ("scale", "NAME=VALUE"),
        ("size=3", "has no setting 'size'; it has: scale, words, counts, deep"),
        ("scale=long", "is a number, not 'long'"),
        ("counts=1,x", "is a whole number, not 'x'"),
        ("deep=perhaps", "true or false"),
    ):
        with pytest.raises(InputError, match=match):
            parse_settings("ruler", [text])


def test_a_panel_goes_on_where_it_was_and_tells_what_could_not_be_measured(two, tmp_path):
    out = tmp_path / "panel"
    ask = ("panel", "--model", two["base"], "--out", str(out))
    assert scrubjay(*ask, "--only", "ruler").exit_code == 0
    assert CALLS == ["ruler"]
    done = scrubjay(*ask)
    assert done.exit_code == 0, done.output
    assert CALLS == ["ruler", "broken"]  # the ruler's finding was kept
    page = (out / "panel.html").read_text()
    assert "the &lt;model&gt; has no such thing" in page
    assert "<script" not in page
    assert page.count("data:image/svg+xml") == 1
    assert isinstance(scrubjay(*ask, "--only", "nosuch").exception, UnknownName)
    other = scrubjay("panel", "--model", two["tuned"], "--out", str(out), "--only", "ruler")
    assert isinstance(other.exception, InputError)
    assert "another model" in str(other.exception)


def test_two_checkpoints_are_compared_number_by_number(two, tmp_path):
    out = tmp_path / "both"
    done = scrubjay("compare", two["base"], two["tuned"], "--out", str(out), "--json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)
    assert row == {
        "instrument": "ruler", "what": "longest", "A": 5.0, "B": 7.0, "B - A": 2.0, "apart": "yes",
    }  # fmt: skip
    assert (out / "panel.html").read_text().count("data:image/svg+xml") == 2
    wrong = scrubjay("compare", two["base"], two["other"], "--out", str(out))
    assert isinstance(wrong.exception, ProbeError)
    assert "of 3 layers" in str(wrong.exception)


def test_the_page_escapes_everything():
    evil = "</section><script>alert(1)</script>\x1b[2J"
    found = Finding(evil, {evil: Number(1.0)}, settings={evil: evil}, notes=(evil,))
    page = panel.panel_page([Result(evil, evil, found), Result("b", "c", None, evil)], title=evil)
    assert "<script" not in page
    assert "\x1b" not in page
    assert page.count("</section>") == 2


def test_small_numbers_are_not_shown_as_nothing():
    found = Finding("f", {"a": Number(0.00031), "b": Number(0.0), "c": Number(-0.25)})
    page = panel.panel_page([Result("f", "m", found)], title="t")
    assert [f">{told}<" in page for told in ("0.00031", "0.000", "-0.250")] == [True] * 3


def test_the_page_begins_with_what_is_on_it():
    measured = Result("verbatim-memory", "m", Finding("v", {"a": Number(1.0)}, seconds=150))
    page = panel.panel_page([measured, Result("unheard-of", "m", None, "no")], title="t")
    assert "1 of 2 measurements could be made, in 2 minutes" in page
    assert '<a href="#i0">verbatim-memory</a> ·' in page
    assert '<a href="#i1">unheard-of</a> (not measured)' in page
    assert page.index('id="i0"') < page.index(INSTRUMENTS.get("verbatim-memory").about)
    assert page.count("<section") == 2


def test_what_an_instrument_began_is_over_when_it_is(two):
    heard: list[tuple[str, int, int]] = []
    measure_one("ruler", two["base"], {}, progress=lambda *told: heard.append(told))
    assert heard == [("arrows", 1, 2), ("arrows", 2, 2)]
