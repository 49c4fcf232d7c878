"""The gallery shows what its list names, and refuses what is not there."""

import json
from pathlib import Path

import pytest

from analysis import gallery
from mnist_horizon.errors import InputError
from tests.launch import commands

CLAIMS = [
    {"section": "bits", "text": "Not clear.", "decided": False},
    {"section": "bits", "text": "Noise <b>predicts</b>.", "decided": True},
    {"section": "bits", "text": "A third.", "decided": False},
    {"section": "other", "text": "Another.", "decided": True},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    report = tmp_path / "reports" / "bits"
    (report / "figures").mkdir(parents=True)
    (report / "fits.json").write_text(json.dumps({"claims": CLAIMS}))
    (report / "figures" / "bits-a.png").write_bytes(b"")
    (report / "report.html").write_text("")
    return tmp_path


def listed(folder: Path, **changes: str) -> None:
    entry = {"name": "bits", "question": "Bits?", "section": "bits", "figure": "bits"}
    entry |= {"report": "reports/bits", **changes}
    (folder / gallery.LIST).write_text(json.dumps([entry]))


def test_a_report_is_shown_with_its_decided_sentences_first(folder: Path) -> None:
    listed(folder)
    (shown,) = gallery.read(folder)
    assert [text for text, _ in shown.claims] == ["Noise <b>predicts</b>.", "Not clear."]
    assert shown.figure == "reports/bits/figures/bits-a.png"
    page = gallery.page([shown])
    assert "Noise &lt;b&gt;predicts&lt;/b&gt;." in page
    assert "<b>Not decided.</b> Not clear." in page
    assert 'href="reports/bits/report.html"' in page


def test_a_report_without_a_page_links_to_its_figure(folder: Path) -> None:
    (folder / "reports" / "bits" / "report.html").unlink()
    listed(folder)
    (shown,) = gallery.read(folder)
    assert shown.report == shown.figure


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"section": "none"}, "no section 'none'"),
        ({"figure": "none"}, "no figure 'none'"),
        ({"report": "../elsewhere"}, "elsewhere"),
    ],
)
def test_what_is_not_there_is_refused(folder: Path, changes: dict[str, str], message: str) -> None:
    listed(folder, **changes)
    with pytest.raises(InputError, match=message):
        gallery.read(folder)


def test_the_command_writes_the_page_or_nothing(folder: Path) -> None:
    done = commands.run(folder, str(folder), module="analysis.gallery")
    assert done.process.exitcode == 2
    assert "not the list of a gallery" in done.err
    assert not (folder / gallery.PAGE).exists()
    listed(folder)
    done = commands.run(folder, str(folder), module="analysis.gallery")
    assert done.process.exitcode == 0, done.err
    assert (folder / gallery.PAGE).exists()


def test_no_path_becomes_an_address_of_another_kind(folder: Path) -> None:
    """A folder may be named as a script: a browser would execute the link."""
    (folder / "reports" / "bits").rename(folder / "javascript:alert(1)")
    listed(folder, report="javascript:alert(1)", question="<script>\ud800")
    page = gallery.page(gallery.read(folder))
    assert "javascript:" not in page
    assert 'href="javascript%3Aalert%281%29/report.html"' in page
    assert "<script>" not in page


@pytest.mark.parametrize("figure", ["../../victim", "/etc/x", "*", "", ".."])
def test_a_figure_is_one_of_the_report(folder: Path, figure: str) -> None:
    (folder / "victim.png").write_bytes(b"")
    listed(folder, figure=figure)
    with pytest.raises(InputError, match="is not a plain name"):
        gallery.read(folder)


@pytest.mark.parametrize("text", ["[" * 5000, '[{"name": 1}]', '{"a": 1}', "[1]"])
def test_a_list_of_others_is_one_line(folder: Path, text: str) -> None:
    (folder / gallery.LIST).write_text(text)
    with pytest.raises(InputError, match="not the list of a gallery"):
        gallery.read(folder)
    listed(folder)
    (folder / "reports" / "bits" / "fits.json").write_text('{"claims": [{"section": "bits"}]}')
    with pytest.raises(InputError, match="not the list of a gallery"):
        gallery.read(folder)
