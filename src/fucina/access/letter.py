"""The letter that says what became of an application and why, in Italian or English; page and PDF agree."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

from fucina.typeset import typeset

TEMPLATE = "letter.typ"
ROME = ZoneInfo("Europe/Rome")

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Decision on your application",
        "granted": "We are glad to tell you that {hours} GPU-hours were granted to the project {project}.",
        "partly": "You asked for {asked} GPU-hours.",
        "rejected": "We regret to tell you that the application for the project {project} was not granted.",
        "reason": "Reason",
        "accept": "Please accept the award and the terms of the site before the time is used for the first time. "
        "A final report is due when the grant ends.",
        "appeal": "You may appeal against this decision once, with your reasons, on the page of the application; "
        "another officer hears the appeal. You may also apply again.",
        "by_person": "Decided by {who}.",
        "by_rule": "Decided by the rule {who} of the access mode; no person took part.",
        "second": "This is the decision after an appeal; it takes the place of the one before.",
        "organisation": "Organisation",
        "reference": "Application",
        "mode": "Access mode",
        "submitted": "Submitted",
        "decided": "Decided",
        "ends": "The grant ends",
        "language": "en",
    },
    "it": {
        "title": "Decisione sulla vostra domanda",
        "granted": "Siamo lieti di comunicarvi che al progetto {project} sono state concesse {hours} ore GPU.",
        "partly": "Ne avevate chieste {asked}.",
        "rejected": "Siamo spiacenti di comunicarvi che la domanda per il progetto {project} non è stata accolta.",
        "reason": "Motivazione",
        "accept": "Vi preghiamo di accettare l'assegnazione e le condizioni del sito prima di usare il tempo per la "
        "prima volta. Alla fine dell'assegnazione è dovuta una relazione finale.",
        "appeal": "Contro questa decisione potete ricorrere una volta, con le vostre ragioni, dalla pagina della "
        "domanda; il ricorso è esaminato da un altro funzionario. Potete anche presentare una nuova domanda.",
        "by_person": "Decisione di {who}.",
        "by_rule": "Decisione secondo la regola {who} della modalità di accesso; nessuna persona vi ha preso parte.",
        "second": "Questa decisione segue un ricorso e sostituisce la precedente.",
        "organisation": "Organizzazione",
        "reference": "Domanda",
        "mode": "Modalità di accesso",
        "submitted": "Inviata il",
        "decided": "Decisa il",
        "ends": "L'assegnazione termina il",
        "language": "it",
    },
}
"""What a letter says, by language; an applicant in another language reads English."""

MONTHS_IT = (
    "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre",
    "novembre", "dicembre",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a letter is about."""

    language: str
    ref: str
    organisation: str
    project: str
    mode_names: dict[str, str]
    asked_gpu_hours: float
    granted_gpu_hours: float | None
    """None for a rejection."""
    reason: str
    decided_by: str
    is_rule: bool
    round: int
    submitted_at: datetime
    decided_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter, ready to be shown or set."""

    language: str
    title: str
    facts: tuple[tuple[str, str], ...]
    paragraphs: tuple[str, ...]
    reason_title: str
    reason: str
    closing: tuple[str, ...]
    signed: str


def write_letter(outcome: Outcome) -> Letter:
    """The letter in the applicant's language."""
    language = outcome.language[:2] if outcome.language[:2] in WORDS else "en"
    words = WORDS[language]
    granted = outcome.granted_gpu_hours
    paragraphs = [words["second"]] if outcome.round > 1 else []
    if granted is None:
        paragraphs.append(words["rejected"].format(project=outcome.project))
    else:
        paragraphs.append(words["granted"].format(hours=_number(granted, language), project=outcome.project))
        if granted < outcome.asked_gpu_hours:
            paragraphs.append(words["partly"].format(asked=_number(outcome.asked_gpu_hours, language)))
    facts = [
        (words["organisation"], outcome.organisation),
        (words["reference"], outcome.ref),
        (words["mode"], outcome.mode_names.get(language) or outcome.mode_names.get("en", "")),
        (words["submitted"], _day(outcome.submitted_at, language)),
        (words["decided"], _day(outcome.decided_at, language)),
    ]
    if outcome.ends_at is not None:
        facts.append((words["ends"], _day(outcome.ends_at, language)))
    return Letter(
        language=language,
        title=words["title"],
        facts=tuple(facts),
        paragraphs=tuple(paragraphs),
        reason_title=words["reason"],
        reason=outcome.reason,
        closing=(words["accept"] if granted is not None else words["appeal"],),
        signed=words["by_rule" if outcome.is_rule else "by_person"].format(who=outcome.decided_by),
    )


def letter_pdf(letter: Letter, *, made_at: datetime) -> bytes:
    """The same letter gives the same bytes. Raises NotTypeset."""
    source = files("fucina.access").joinpath(TEMPLATE).read_bytes()
    return typeset(source, asdict(letter), what="letter", made_at=made_at.astimezone(UTC).replace(microsecond=0))


def _number(value: float, language: str) -> str:
    text = f"{value:,.2f}".removesuffix(".00")
    return text.translate(str.maketrans(",.", ".,")) if language == "it" else text


def _day(at: datetime, language: str) -> str:
    day = at.astimezone(ROME)
    return f"{day.day} {MONTHS_IT[day.month - 1]} {day.year}" if language == "it" else f"{day:%-d %B %Y}"
