"""The gallery is what the findings say, no more and no less."""

from __future__ import annotations

from pathlib import Path

from scrubjay.core import Claim, Finding, Number
from scrubjay.studies import list_studies, save_finding, study_table
from scrubjay.studies.pages import write_pages

ROOT = Path(__file__).parents[2]


def test_a_page_tells_verdict_claims_and_numbers(tmp_path: Path) -> None:
    finding = Finding(
        "synthworlds",
        {"KA": Number(0.25, 0.1, 0.4, 60), "bare": Number(1.0)},
        (Claim("it | holds", True, "0.25"), Claim("it fails", False, "0.0")),
        {"gap": [{"setting": "reading", "gap": 0.12345}]},
        settings={"scale": "laptop"},
        seconds=61.0,
        notes=("a note",),
    )
    save_finding(finding, tmp_path / "results")
    index, page = write_pages(tmp_path / "results", tmp_path / "docs")
    text = page.read_text()
    assert "Verdict: **partly**, at scale `laptop`, in 61 seconds" in text
    assert "| it \\| holds | yes | 0.25 |" in text
    assert "| KA | 0.25 | [0.1, 0.4] | 60 |" in text
    assert "| reading | 0.123 |" in text
    assert "| 1 | [synthworlds](synthworlds.md) |" in index.read_text()
    planned = [row for row in study_table(tmp_path / "results") if row["verdict"] == "planned"]
    assert index.read_text().count("| planned |") == len(planned) == 72 - len(list_studies())


def test_the_committed_gallery_is_up_to_date(tmp_path: Path) -> None:
    for page in write_pages(ROOT / "results", tmp_path):
        committed = ROOT / "docs" / "studies" / page.name
        assert committed.read_text() == page.read_text(), "run: scrubjay study pages"
