"""What pages call the facets, policies and criteria of data."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from fucina.hub.portal.figures import language_name

FACET_LABELS: dict[str, str | Promise] = {
    "language": _("Language"),
    "licence": _("Licence"),
    "theme": _("Theme"),
    "access": _("Access"),
    "sensitivity": _("Sensitivity"),
    "size": _("Size"),
    "quality": _("AI-ready"),
}

WORDS: dict[str, dict[str, str | Promise]] = {
    "access": {"open": _("Open"), "request": _("On request"), "closed": _("Closed")},
    "sensitivity": {"public": _("Not sensitive"), "internal": _("Internal"), "sensitive": _("Sensitive")},
    "size": {
        "up-to-10-mb": _("Up to 10 MB"),
        "up-to-1-gb": _("Up to 1 GB"),
        "up-to-100-gb": _("Up to 100 GB"),
        "over-100-gb": _("Over 100 GB"),
    },
    "theme": {
        "AGRI": _("Agriculture, fisheries, forestry and food"),
        "ECON": _("Economy and finance"),
        "EDUC": _("Education, culture and sport"),
        "ENER": _("Energy"),
        "ENVI": _("Environment"),
        "GOVE": _("Government and public sector"),
        "HEAL": _("Health"),
        "INTR": _("International issues"),
        "JUST": _("Justice, legal system and public safety"),
        "REGI": _("Regions and cities"),
        "SOCI": _("Population and society"),
        "TECH": _("Science and technology"),
        "TRAN": _("Transport"),
    },
    "listing": {
        "private": _("Members of the organisation"),
        "factory": _("Whoever signs in"),
        "public": _("Everybody, and other catalogues"),
    },
    "criterion": {
        "documented": _("Documented"),
        "licensed": _("Licensed"),
        "deduplicated": _("Without duplicates"),
        "redacted": _("Redacted"),
        "validated": _("Validated"),
    },
    "role": {"source": _("Source"), "documents": _("Documents"), "record": _("Record")},
}


def word(kind: str, value: str) -> str:
    """A value as people call it; one without a word keeps its own."""
    if kind == "language":
        return language_name(value)
    if kind == "quality":
        return _now("%(num)s of 5") % {"num": value}
    return str(WORDS.get(kind, {}).get(value, value))
