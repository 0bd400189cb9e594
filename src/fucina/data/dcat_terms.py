"""Pieces of JSON-LD that every profile of DCAT uses."""

from typing import Any

from fucina.data.description import Party

Node = dict[str, Any]

CONTEXT: Node = {
    "adms": "http://www.w3.org/ns/adms#",
    "csvw": "http://www.w3.org/ns/csvw#",
    "cv": "http://data.europa.eu/m8g/",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eli": "http://data.europa.eu/eli/ontology#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "healthdcatap": "http://healthdataportal.eu/ns/health#",
    "hydra": "http://www.w3.org/ns/hydra/core#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
"""Written into each file, so that reading one asks nobody for a context."""


def words(text: str, language: str = "en") -> Node:
    """A text in a language."""
    return {"@value": text, "@language": language}


def typed(iri: str, *kinds: str) -> Node:
    """A thing elsewhere, with what it is."""
    return {"@id": iri, "@type": list(kinds)}


def agent(party: Party) -> Node:
    """An organisation; the same name is the same one only within its own dataset."""
    found: Node = {"@type": "foaf:Agent", "foaf:name": words(party.name)}
    if party.url:
        found["foaf:homepage"] = typed(party.url, "foaf:Document")
    return found


def kind(party: Party, *, page: str) -> Node:
    """Where to ask: the e-mail address or page of a party, or else the dataset's own page."""
    found: Node = {"@type": ["vcard:Kind", "vcard:Organization"], "vcard:fn": words(party.name)}
    if party.email:
        found["vcard:hasEmail"] = {"@id": f"mailto:{party.email}"}
    else:
        found["vcard:hasURL"] = {"@id": party.url or page}
    return found


def contact_point(party: Party, *, page: str) -> Node:
    """As the core vocabulary of public organisations has it."""
    found: Node = {"@type": "cv:ContactPoint"}
    if party.email:
        found["cv:email"] = party.email
    found["cv:contactPage"] = typed(party.url or page, "foaf:Document")
    return found
