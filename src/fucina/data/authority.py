"""Words of the EU's authority tables, and of SPDX and IANA, for what a description says.

Source: publications.europa.eu/resource/authority (language, data-theme, file-type, access-right, licence).
"""

from fucina.data.description import Access, Sensitivity, Theme

AUTHORITY = "http://publications.europa.eu/resource/authority"

LANGUAGES = {
    "bg": "BUL", "cs": "CES", "da": "DAN", "de": "DEU", "el": "ELL", "en": "ENG", "es": "SPA", "et": "EST",
    "fi": "FIN", "fr": "FRA", "ga": "GLE", "hr": "HRV", "hu": "HUN", "it": "ITA", "lt": "LIT", "lv": "LAV",
    "mt": "MLT", "nl": "NLD", "pl": "POL", "pt": "POR", "ro": "RON", "sk": "SLK", "sl": "SLV", "sv": "SWE",
    "ca": "CAT", "eu": "EUS", "gl": "GLG", "is": "ISL", "lb": "LTZ", "nb": "NOB", "nn": "NNO", "no": "NOR",
    "tr": "TUR", "uk": "UKR", "sr": "SRP", "bs": "BOS", "mk": "MKD", "sq": "SQI", "ru": "RUS", "ar": "ARA",
}  # fmt: skip
"""By ISO 639-1 code."""

THEMES: dict[Theme, str] = {
    Theme.AGRI: "Agriculture, fisheries, forestry and food",
    Theme.ECON: "Economy and finance",
    Theme.EDUC: "Education, culture and sport",
    Theme.ENER: "Energy",
    Theme.ENVI: "Environment",
    Theme.GOVE: "Government and public sector",
    Theme.HEAL: "Health",
    Theme.INTR: "International issues",
    Theme.JUST: "Justice, legal system and public safety",
    Theme.REGI: "Regions and cities",
    Theme.SOCI: "Population and society",
    Theme.TECH: "Science and technology",
    Theme.TRAN: "Transport",
}

LICENCES = {
    "CC0-1.0": f"{AUTHORITY}/licence/CC0",
    "CC-BY-4.0": f"{AUTHORITY}/licence/CC_BY_4_0",
    "CC-BY-SA-4.0": f"{AUTHORITY}/licence/CC_BYSA_4_0",
}
"""Of those that SPDX lists, the ones that the EU's table has; the rest is named by its page at SPDX."""

FILE_TYPES = {
    "application/vnd.apache.parquet": "PARQUET",
    "application/json": "JSON",
    "application/x-ndjson": "JSON",
    "text/csv": "CSV",
    "text/plain": "TXT",
    "text/html": "HTML",
    "text/markdown": "TXT",
    "application/pdf": "PDF",
    "application/zip": "ZIP",
}
"""By media type; anything else is OCTET."""

ACCESS_RIGHTS: dict[str, str] = {"PUBLIC": "public", "RESTRICTED": "restricted", "NON_PUBLIC": "non-public"}


def access_right(access: Access, sensitivity: Sensitivity) -> str:
    """The EU's word for how one comes to the bytes."""
    if access is Access.OPEN:
        return "PUBLIC"
    return "NON_PUBLIC" if access is Access.CLOSED or sensitivity is Sensitivity.SENSITIVE else "RESTRICTED"
