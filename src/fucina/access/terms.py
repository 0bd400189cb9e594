"""The terms under which a mode grants time: its obligations, as they are accepted with the award."""

import hashlib

from fucina.access.modes import Mode

TERMS: dict[str, dict[str, str]] = {
    "civilian": {"en": "The work serves civilian ends only.", "it": "Il lavoro ha solo fini civili."},
    "ai-act": {"en": "The AI Act is observed.", "it": "Si rispetta il regolamento sull'IA."},
    "ethics": {"en": "The declared ethics safeguards are kept.", "it": "Si mantengono le garanzie etiche dichiarate."},
    "terms-of-use": {"en": "The site's terms of use hold.", "it": "Valgono le condizioni d'uso del sito."},
    "export-control": {"en": "Export control is observed.", "it": "Si rispetta il controllo delle esportazioni."},
    "personal-accounts": {"en": "Accounts are personal.", "it": "Gli account sono personali."},
    "acknowledgement": {"en": "Publications name the grant.", "it": "Le pubblicazioni citano l'assegnazione."},
    "progress-report": {"en": "A progress report is due.", "it": "È dovuta una relazione intermedia."},
    "final-report": {"en": "A final report is due at the end.", "it": "Alla fine è dovuta una relazione finale."},
    "data-protection": {"en": "Personal data are protected by law.", "it": "I dati personali sono protetti per legge."},
    "purpose-limit": {
        "en": "The time serves the stated purpose only.",
        "it": "Il tempo serve solo allo scopo dichiarato.",
    },
    "extension": {"en": "An extension is asked for before the end.", "it": "La proroga si chiede prima della fine."},
}
"""Each obligation in words; one that has none is shown by its name."""


def terms_of(mode: Mode, *, language: str = "en") -> tuple[str, ...]:
    """What is accepted with an award; empty where the mode binds nobody."""
    found = (TERMS.get(name, {}) for name in mode.obligations)
    return tuple(
        words.get(language[:2]) or words.get("en") or name for words, name in zip(found, mode.obligations, strict=True)
    )


def terms_sha256(mode: Mode) -> str:
    """The digest of the terms in English; empty where there are none."""
    terms = terms_of(mode)
    return hashlib.sha256("\n".join(terms).encode()).hexdigest() if terms else ""
