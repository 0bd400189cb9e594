"""DCAT-AP and HealthDCAT-AP against the official shapes."""

import copy
import json
from datetime import date
from pathlib import Path

import pytest
import rdflib
from pyshacl import validate
from rdflib.namespace import DCAT, RDF, SH

from fucina.data.dcat import CatalogueHead, Entry, catalogue_of
from fucina.data.description import Access, DatasetDescription, Party, Sensitivity, Theme
from tests.data.described import HEALTH, described

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.slow]
SHAPES = Path(__file__).parent / "shapes"
HEAD = CatalogueHead(
    url="https://hub.example/api/v1/dcat",
    title="Datasets of a factory",
    description="What this factory offers.",
    publisher=Party(name="A factory"),
    page="https://hub.example/data",
    changed_on=date(2026, 11, 20),
)


@pytest.fixture(scope="module")
def dcat_ap():
    return shapes("dcat-ap-3.0.1.ttl")


@pytest.fixture(scope="module")
def health_dcat_ap():
    return shapes("healthdcat-ap-r8-non-public.ttl")


def shapes(name):
    """The shapes without what no processor accepts, and without fetching what they import."""
    graph = rdflib.Graph().parse(SHAPES / name)
    broken = [node for node in graph.objects(None, SH.property) if (node, SH.path, None) not in graph]
    for node in broken:
        graph.remove((None, SH.property, node))
        graph.remove((node, None, None))
    graph.remove((None, rdflib.OWL.imports, None))
    return graph


def entry(of: DatasetDescription, **more) -> Entry:
    return Entry(described=of, ref="dat-1", page=f"https://hub.example/data/{of.name}", **more)


def graph_of(*entries):
    data = json.dumps(catalogue_of(HEAD, entries))
    return rdflib.Graph().parse(data=data, format="json-ld")


def violations(data, rules):
    conforms, report, text = validate(data, shacl_graph=rules, meta_shacl=False, advanced=False, inference="none")
    worst = [node for node in report.subjects(SH.resultSeverity, SH.Violation)]
    assert conforms == (not list(report.subjects(RDF.type, SH.ValidationResult)))
    return [text] if worst else []


@pytest.mark.parametrize(
    "of",
    [
        described(),
        described(access=Access.OPEN, sensitivity=Sensitivity.PUBLIC, licences=("MIT OR Apache-2.0",)),
        described(licences=("CC-BY-4.0", "Used with leave of the author"), contact=None, themes=(), keywords=()),
        described(files=(), curation=None, languages=(), issued_on=None, changed_on=None, licences=()),
        described(title='Quotes " and <tags> & ünïcode', description="Two\nlines", provenance="Told by the owner."),
    ],
)
def test_what_is_written_conforms_to_dcat_ap(dcat_ap, of):
    downloads = {file.path: f"https://hub.example/x/{file.path}" for file in of.files_of("documents")}

    assert violations(graph_of(entry(of, downloads=downloads)), dcat_ap) == []


def test_health_data_conform_to_both_profiles(dcat_ap, health_dcat_ap):
    of = described(health=HEALTH, themes=(Theme.HEAL,), sensitivity=Sensitivity.SENSITIVE, access=Access.REQUEST)
    graph = graph_of(entry(of))

    assert violations(graph, dcat_ap) == []
    assert violations(graph, health_dcat_ap) == []
    # The rule whose shape has no path: structured data names its variables.
    health = rdflib.Namespace("http://healthdataportal.eu/ns/health#")
    for dataset in graph.subjects(RDF.type, DCAT.Dataset):
        assert graph.value(dataset, health.hasStructuredData).toPython() is True
        assert graph.value(dataset, health.hasVariables) is not None


def test_the_shapes_do_refuse(dcat_ap, health_dcat_ap):
    broken = catalogue_of(HEAD, [entry(described(health=HEALTH, themes=(Theme.HEAL,)))])
    untitled, unlawful = copy.deepcopy(broken), copy.deepcopy(broken)
    del untitled["@graph"][1]["dct:title"]
    del unlawful["@graph"][1]["dcatap:applicableLegislation"]

    assert violations(rdflib.Graph().parse(data=json.dumps(untitled), format="json-ld"), dcat_ap)
    assert violations(rdflib.Graph().parse(data=json.dumps(unlawful), format="json-ld"), health_dcat_ap)


def test_what_was_described_can_be_read_back():
    of = described()
    graph = graph_of(entry(of))
    (dataset,) = graph.subjects(RDF.type, DCAT.Dataset)

    assert {str(word) for word in graph.objects(dataset, DCAT.keyword)} == set(of.keywords)
    files = list(graph.objects(dataset, DCAT.distribution))
    spdx = rdflib.Namespace("http://spdx.org/rdf/terms#")
    digests = {str(graph.value(graph.value(file, spdx.checksum), spdx.checksumValue)).lower() for file in files}
    assert digests == {file.sha256 for file in of.files_of("documents")}
    assert {int(graph.value(file, DCAT.byteSize)) for file in files} == {
        file.num_bytes for file in of.files_of("documents")
    }
