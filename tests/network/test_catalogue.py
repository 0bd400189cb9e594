"""The shipped catalogue, and files that are none."""

from datetime import date

import pytest
import yaml
from pydantic import ValidationError

from fucina.network.catalogue import (
    KINDS,
    RECALLED,
    BadCatalogue,
    Catalogue,
    load_catalogue,
    parse_catalogue,
    shipped_catalogue,
)


def plain():
    """The shipped catalogue as data that a test may spoil."""
    return shipped_catalogue().model_dump(mode="json")


def by_id(rows):
    return {row.id: row for row in rows}


def test_the_network_has_its_factories_and_antennas():
    catalogue = shipped_catalogue()

    assert len(catalogue.factories) == 19
    assert len(catalogue.antennas) == 13
    waves = [factory.wave for factory in catalogue.factories]
    assert [waves.count(wave) for wave in ("dec-2024", "mar-2025", "oct-2025")] == [7, 6, 6]


def test_collaborations_that_are_named_stand_at_both_ends():
    factories = by_id(shipped_catalogue().factories)

    assert {one.factory for one in factories["gaia"].collaborations} == {"piast", "lumi-aif"}
    assert {one.factory for one in factories["1healthai"].collaborations} == {"bsc-aif", "it4lia", "hammerhai"}
    for factory in factories.values():
        for one in factory.collaborations:
            assert factory.id in {other.factory for other in factories[one.factory].collaborations}


def test_antennas_and_factories_name_each_other():
    catalogue = shipped_catalogue()
    factories = by_id(catalogue.factories)

    for antenna in catalogue.antennas:
        assert all(antenna.id in factories[one].antennas for one in antenna.factories), antenna.id


def test_every_record_has_a_source():
    catalogue = shipped_catalogue()

    for kind in KINDS.values():
        assert all(row.sources for row in getattr(catalogue, kind.many))


def test_a_recalled_fact_does_not_borrow_a_source():
    lumi = by_id(shipped_catalogue().factories)["lumi-aif"]

    assert lumi.sources_of("lat") == (RECALLED,)
    assert lumi.sources_of("host") == lumi.sources


def test_what_is_as_of_a_day_has_a_source_of_that_day():
    catalogue = shipped_catalogue()
    days = {source.id: source.dated for source in catalogue.sources}

    for kind in KINDS.values():
        for row in getattr(catalogue, kind.many):
            known = [days[source] for source in row.sources if days.get(source)]
            assert row.as_of == (max(known) if known else None), row.id
    assert max(day for day in days.values() if day) <= date(2026, 10, 10)


def test_the_partitions_of_lumi_are_those_that_it_bills_by():
    part = by_id(shipped_catalogue().systems)["lumi"].partitions[0]

    assert (part.num_nodes, part.num_accelerators_per_node, part.num_accelerators) == (2978, 4, 11912)
    assert part.devices_per_node == 8
    assert part.accelerator_id == "MI250X"


def test_what_is_unknown_is_none():
    systems = by_id(shipped_catalogue().systems)

    assert systems["ro-system"].num_accelerators is None
    assert systems["mimer-system"].rmax_pflops is None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data["factories"][0].update(country="XX"), "'XX'"),
        (lambda data: data["factories"][0].update(sources=["nowhere"]), "'nowhere'"),
        (lambda data: data["factories"][0].update(sectors=["alchemy"]), "'alchemy'"),
        (lambda data: data["factories"].append(data["factories"][0]), "twice"),
        (lambda data: data["factories"][0].update(colour="red"), "colour"),
        (lambda data: data["systems"][0].update(status="soon"), "status"),
        (lambda data: data["factories"][0].update(antennas=["ghost"]), "'ghost'"),
        (lambda data: data.pop("version"), "version"),
    ],
)
def test_a_catalogue_that_does_not_hang_together_is_refused(tmp_path, spoil, words):
    data = plain()
    spoil(data)
    file = tmp_path / "catalogue.yaml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")

    with pytest.raises(BadCatalogue, match=words):
        load_catalogue(file)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "version: !!python/object:os.system x", "\x00"])
def test_what_is_no_catalogue_is_refused(text):
    with pytest.raises(BadCatalogue):
        parse_catalogue(text, name="it")


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(BadCatalogue, match="cannot be read"):
        load_catalogue(tmp_path / "none.yaml")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadCatalogue, match="cannot be read"):
        load_catalogue(tmp_path / "bytes")


def test_a_catalogue_comes_back_from_json_as_it_was():
    catalogue = shipped_catalogue()

    assert Catalogue.model_validate_json(catalogue.model_dump_json()) == catalogue
    with pytest.raises(ValidationError):
        catalogue.factories[0].__class__.model_validate({"id": "x"})
