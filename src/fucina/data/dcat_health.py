"""What HealthDCAT-AP (release 8) adds to a dataset: access body, category, legislation, variables, people counted."""

from fucina.data.dcat_terms import Node, agent, contact_point, typed, words
from fucina.data.description import Column, DatasetDescription, FileInfo, HealthTerms, Party

LEGISLATION = "http://data.europa.eu/eli/reg/2025/327/oj"
"""The European Health Data Space."""
_DATATYPES = {"text": "string", "integer": "integer", "number": "double", "boolean": "boolean"}


def legislation() -> Node:
    """The law under which it is offered."""
    return typed(LEGISLATION, "eli:LegalResource")


def health_of(described: DatasetDescription, terms: HealthTerms, *, page: str) -> Node:
    """Further properties of a dataset of health data."""
    tables = [file for file in described.files_of("documents") if file.columns]
    found: Node = {
        "dcatap:applicableLegislation": legislation(),
        "dct:publisher": _health_agent(described.publisher, page=page),
        "healthdcatap:hdab": _health_agent(terms.access_body, page=page),
        "healthdcatap:healthCategory": [typed(iri, "skos:Concept") | _label(iri) for iri in terms.categories],
        "healthdcatap:hasStructuredData": {"@value": bool(tables), "@type": "xsd:boolean"},
    }
    if tables:
        found["healthdcatap:hasVariables"] = {
            "@type": "csvw:TableGroup",
            "dct:title": words(described.title),
            "csvw:table": [_table(file) for file in tables],
        }
    numbers = {
        "healthdcatap:numberOfRecords": described.curation.num_documents if described.curation else None,
        "healthdcatap:numberOfUniqueIndividuals": terms.num_individuals,
        "healthdcatap:minTypicalAge": terms.min_age,
        "healthdcatap:maxTypicalAge": terms.max_age,
    }
    for name, number in numbers.items():
        if number is not None:
            found[name] = {"@value": str(number), "@type": "xsd:nonNegativeInteger"}
    if terms.population:
        found["healthdcatap:populationCoverage"] = words(terms.population)
    if terms.purpose:
        found["dpv:hasPurpose"] = {"@type": "dpv:Purpose", "dct:description": words(terms.purpose)}
    if terms.legal_basis:
        found["dpv:hasLegalBasis"] = {"@type": "dpv:LegalBasis", "dct:description": words(terms.legal_basis)}
    return found


def _health_agent(party: Party, *, page: str) -> Node:
    return {**agent(party), "cv:contactPoint": contact_point(party, page=page)}


def _label(iri: str) -> Node:
    return {"skos:prefLabel": words(iri.rstrip("/").rsplit("/", 1)[-1].rsplit("#", 1)[-1])}


def _table(file: FileInfo) -> Node:
    return {
        "@type": "csvw:Table",
        "dct:title": words(file.path),
        "csvw:column": [_column(column) for column in file.columns],
    }


def _column(column: Column) -> Node:
    return {
        "@type": "csvw:Column",
        "csvw:name": column.name,
        "csvw:title": words(column.name),
        "dct:description": words(column.description or f"Column {column.name}."),
        "csvw:datatype": _DATATYPES[column.type],
    }
