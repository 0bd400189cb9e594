import json

import lxml.html
import pytest
from typer.testing import CliRunner

from fucina.cli.main import app
from fucina.data.datasheet import make_datasheet
from fucina.data.datasheet_page import page
from fucina.data.inspect import NotPrepared


@pytest.fixture
def prepared(run, tmp_path, jsonl, italian, english):
    secret = "Per informazioni scrivere a carla.neri77@example.org entro giugno."
    jsonl(
        tmp_path / "it.jsonl", [*(f"{text}\n{secret}" for text in italian[:8]), italian[0], "<b>too short</b> & more"]
    )
    jsonl(tmp_path / "en.jsonl", english[:12])
    return run("*.jsonl", num_canaries=0)


def _bars(sheet, name):
    [found] = [each for each in sheet.distributions if each.name == name]
    return {bar.name: bar.num_documents for bar in found.bars}


def test_distributions_count_every_kept_document_once(prepared):
    sheet = make_datasheet(prepared.out)

    for each in sheet.distributions:
        assert sum(bar.num_documents for bar in each.bars) == prepared.card.num_documents, each.name
    assert _bars(sheet, "language") == {"it": prepared.card.languages["it"].num_documents, "en": 12}
    assert _bars(sheet, "licence") == {"CC0-1.0": prepared.card.num_documents}
    assert _bars(sheet, "documents alike")["2"] == 1
    assert sheet.funnel.num_records == 22


def test_samples_are_masked(prepared):
    sheet = make_datasheet(prepared.out)

    assert len(sheet.redacted_samples["email"]) == 3
    assert all("[EMAIL]" in sample for sample in sheet.redacted_samples["email"])
    assert "carla.neri77" not in sheet.model_dump_json()
    assert sheet.card.drop_samples["too-short"] == ("<b>too short</b> & more",)


def test_drift_is_the_share_that_moved(prepared, run, tmp_path, jsonl, english):
    jsonl(tmp_path / "en.jsonl", english[:3])
    later = run("*.jsonl", num_canaries=0)

    same = make_datasheet(prepared.out, before=prepared.out).comparison
    moved = make_datasheet(later.out, before=prepared.out).comparison

    assert {each.distance for each in same.drifts} == {0.0}
    assert (same.difference.num_added, same.difference.num_removed) == (0, 0)
    language = next(each for each in moved.drifts if each.name == "language")
    num_italian = prepared.card.languages["it"].num_documents
    assert language.distance == pytest.approx(12 / (12 + num_italian) - 3 / (3 + num_italian))
    assert moved.difference.num_removed == 9


def test_the_page_shows_charts_and_escapes_what_documents_say(prepared):
    text = page(make_datasheet(prepared.out, before=prepared.out), title="Norme & <chiare>")

    tree = lxml.html.fromstring(text)
    assert tree.xpath("//h1/text()") == ["Norme & <chiare>"]
    assert len(tree.xpath("//*[local-name()='svg']")) == 6
    assert tree.xpath("//blockquote/text()[contains(., '<b>too short</b>')]")
    assert not tree.xpath("//script|//link|//img|//blockquote/b")
    assert page(make_datasheet(prepared.out, before=prepared.out), title="Norme & <chiare>") == text


def test_the_command_writes_both_and_refuses_other_folders(prepared, tmp_path):
    done = CliRunner().invoke(app, ["data", "datasheet", str(prepared.out), "--out", str(tmp_path / "sheet")])

    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "sheet" / "datasheet.json").read_text())["funnel"]["num_records"] == 22
    assert (tmp_path / "sheet" / "datasheet.html").read_text().startswith("<!doctype html>")
    with pytest.raises(NotPrepared):
        make_datasheet(tmp_path)
    with pytest.raises(NotPrepared):
        make_datasheet(prepared.out, before=tmp_path)
