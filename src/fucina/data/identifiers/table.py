"""The national identifiers of persons in the Union: how each looks, what checks it, what announces it in a text.

Shapes and checks follow the issuing offices as the OECD's and the Commission's tax-number pages and the modules of
python-stdnum cite them.
"""

from collections.abc import Callable
from typing import NamedTuple

from stdnum.at import tin as at_tin
from stdnum.at import vnr as at_vnr
from stdnum.be import bis as be_bis
from stdnum.be import nn as be_nn
from stdnum.bg import egn as bg_egn
from stdnum.bg import pnf as bg_pnf
from stdnum.cy import vat as cy_tic
from stdnum.cz import rc as cz_rc
from stdnum.de import idnr as de_idnr
from stdnum.dk import cpr as dk_cpr
from stdnum.ee import ik as ee_ik
from stdnum.es import dni as es_dni
from stdnum.es import nie as es_nie
from stdnum.fi import hetu as fi_hetu
from stdnum.fr import nif as fr_nif
from stdnum.fr import nir as fr_nir
from stdnum.gr import amka as gr_amka
from stdnum.gr import vat as gr_afm
from stdnum.hr import oib as hr_oib
from stdnum.ie import pps as ie_pps
from stdnum.lt import asmens as lt_asmens
from stdnum.nl import bsn as nl_bsn
from stdnum.pl import pesel as pl_pesel
from stdnum.pt import cc as pt_cc
from stdnum.pt import nif as pt_nif
from stdnum.ro import cnp as ro_cnp
from stdnum.se import personnummer as se_personnummer
from stdnum.si import ddv as si_davcna
from stdnum.si import emso as si_emso

from fucina.data.identifiers import checks


class Identifier(NamedTuple):
    """One kind of number."""

    country: str
    """ISO 3166-1 alpha-2."""
    name: str
    """As its holders call it."""
    shape: str
    """A pattern, in which `_` is an optional blank, point, hyphen or slash."""
    valid: Callable[[str], bool]
    announced_by: str
    """Words of which one must stand right before it, told apart by `|`, case ignored."""
    alone: str = ""
    """A shape in which it is taken for one without announcement; empty where too many other numbers look like it."""


def _digits(*groups: int) -> str:
    return "_".join(f"[0-9]{{{size}}}" for size in groups)


_AUSTRIAN = "sozialversicherungsnummer|sv-nummer|sv-nr|svnr|vsnr|versicherungsnummer"
_BELGIAN = "rijksregisternummer|rijksregister|insz|num[eé]ro national|registre national|niss|nationalregisternummer"
_CZECH = "rodn[eéouý]{1,3} [čc][ií]sl[aoue]|r\\. ?[čc]\\.|rč"
_SPANISH = "dni|nie|nif|documento nacional|identidad|d\\.n\\.i\\."

IDENTIFIERS: tuple[Identifier, ...] = (
    Identifier("AT", "Sozialversicherungsnummer", _digits(4, 2, 2, 2), at_vnr.is_valid, _AUSTRIAN),
    Identifier("AT", "Abgabenkontonummer", _digits(2, 3, 4), at_tin.is_valid, "steuernummer|abgabenkontonummer|stnr"),
    Identifier("BE", "Rijksregisternummer", _digits(2, 2, 2, 3, 2), be_nn.is_valid, _BELGIAN,
               r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}[.\-][0-9]{2}"),
    Identifier("BE", "BIS-nummer", _digits(2, 2, 2, 3, 2), be_bis.is_valid, f"{_BELGIAN}|bis-nummer|num[eé]ro bis",
               r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}[.\-][0-9]{2}"),
    Identifier("BG", "ЕГН", "[0-9]{10}", bg_egn.is_valid, "егн|ЕГН|Егн|egn|граждански номер"),
    Identifier("BG", "ЛНЧ", "[0-9]{10}", bg_pnf.is_valid, "лнч|ЛНЧ|lnch|личен номер"),
    Identifier("CY", "ΑΦΤ", "[0-9]{8}_[A-Za-z]", cy_tic.is_valid, "αφτ|ΑΦΤ|Α\\.Φ\\.Τ\\.|tic|tax identification code"),
    Identifier("CZ", "rodné číslo", "[0-9]{6}[/ ]?[0-9]{3,4}", cz_rc.is_valid, _CZECH, "[0-9]{6}/[0-9]{4}"),
    Identifier("SK", "rodné číslo", "[0-9]{6}[/ ]?[0-9]{3,4}", cz_rc.is_valid, _CZECH, "[0-9]{6}/[0-9]{4}"),
    Identifier("DE", "Steuer-Identifikationsnummer", _digits(2, 3, 3, 3), de_idnr.is_valid,
               "steuer-?id|identifikationsnummer|steuer-id(?:entifikations)?-?n(?:umme)?r|id-?nr|tin"),
    Identifier("DE", "Rentenversicherungsnummer", "[0-9]{2}_[0-9]{6}_[A-Za-z]_[0-9]{3}",
               checks.is_german_pension_number, f"{_AUSTRIAN}|rentenversicherungsnummer|rvnr",
               "[0-9]{2} ?[0-9]{6} ?[A-Z] ?[0-9]{3}"),
    Identifier("DK", "CPR-nummer", "[0-9]{6}[- ]?[0-9]{4}", dk_cpr.is_valid, "cpr|personnummer|personnr"),
    Identifier("EE", "isikukood", "[0-9]{11}", ee_ik.is_valid, "isikukood|isikukoodi|isikukoodiga"),
    Identifier("ES", "DNI", "[0-9]{8}[- ]?[A-Za-z]", es_dni.is_valid, _SPANISH, "[0-9]{8}-?[A-Z]"),
    Identifier("ES", "NIE", "[XYZxyz]_[0-9]{7}_[A-Za-z]", es_nie.is_valid, _SPANISH, "[XYZ]-?[0-9]{7}-?[A-Z]"),
    Identifier("FI", "henkilötunnus", "[0-9]{6}[-+A-FU-Ya-fu-y][0-9]{3}[0-9A-Za-z]", fi_hetu.is_valid,
               "henkilötunnu(?:[a-z]|ä|ö){1,6}|hetu|personbeteckning", "[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]"),
    Identifier("FR", "numéro de sécurité sociale",
               "[1-478]_[0-9]{2}_[0-9]{2}_[0-9][0-9ABab]_[0-9]{3}_[0-9]{3}_[0-9]{2}",
               fr_nir.is_valid, "s[eé]curit[eé] sociale|nir|insee|s[eé]cu",
               "[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"),
    Identifier("FR", "numéro fiscal", _digits(2, 2, 3, 3, 3), fr_nif.is_valid,
               "num[eé]ro fiscal|spi|identifiant fiscal|nif"),
    Identifier("GR", "ΑΜΚΑ", "[0-9]{11}", gr_amka.is_valid, "αμκα|ΑΜΚΑ|Α\\.Μ\\.Κ\\.Α\\.|amka"),
    Identifier("GR", "ΑΦΜ", "[0-9]{9}", gr_afm.is_valid, "αφμ|ΑΦΜ|Α\\.Φ\\.Μ\\.|afm"),
    Identifier("HR", "OIB", "[0-9]{11}", hr_oib.is_valid, "oib|osobni identifikacijski broj"),
    Identifier("HU", "személyi azonosító", _digits(1, 6, 4), checks.is_hungarian_personal_number,
               "személyi(?: azonosító)?(?:ja| jel| szám)?a?|személyi számom"),
    Identifier("HU", "TAJ-szám", _digits(3, 3, 3), checks.is_hungarian_health_number, "taj|taj-?szám(?:[a-z]|ú){0,3}"),
    Identifier("HU", "adóazonosító jel", "[0-9]{10}", checks.is_hungarian_tax_number,
               "adóazonosító(?: jele?)?|adószám[a-z]{0,2}"),
    Identifier("IE", "PPS number", "[0-9]{7}[A-Wa-w][A-IWa-iw]?", ie_pps.is_valid, "ppsn?|pps n(?:umber|o\\.?)",
               "[0-9]{7}[A-W][A-IW]?"),
    Identifier("LT", "asmens kodas", "[0-9]{11}", lt_asmens.is_valid, "asmens kod[a-z]{1,3}|a\\. ?k\\."),
    Identifier("LU", "matricule", _digits(4, 2, 2, 5), checks.is_luxembourg_number,
               "matricule|num[eé]ro d.identification|matrikel(?:nummer)?|identifikationsnummer"),
    Identifier("LV", "personas kods", "[0-9]{6}-?[0-9]{5}", checks.is_latvian_number,
               "personas kod(?:[a-z]|ā|ē){1,3}|p\\.k\\.",
               "[0-9]{6}-[0-9]{5}"),
    Identifier("MT", "identity card", "[0-9]{3,7}_[ABGHLMPZabghlmpz]", checks.is_maltese_number,
               "id card|identity card|karta tal-identit[aà]|i\\.d\\. card"),
    Identifier("NL", "burgerservicenummer", _digits(4, 2, 3), nl_bsn.is_valid, "bsn|burgerservicenummer|sofi-?nummer"),
    Identifier("PL", "PESEL", "[0-9]{11}", pl_pesel.is_valid, "pesel|peselu|peselem"),
    Identifier("PT", "NIF", _digits(3, 3, 3), pt_nif.is_valid, "nif|contribuinte|n\\.i\\.f\\.|identificação fiscal"),
    Identifier("PT", "cartão de cidadão", "[0-9]{8}_[0-9]_[A-Za-z0-9]{2}[0-9]", pt_cc.is_valid,
               "cart[aã]o de cidad[aã]o|cc", "[0-9]{8} [0-9] ?[A-Z]{2}[0-9]"),
    Identifier("RO", "CNP", "[0-9]{13}", ro_cnp.is_valid, "cnp|cod numeric personal|c\\.n\\.p\\.|cnp-ul"),
    Identifier("SE", "personnummer", "(?:[0-9]{2})?[0-9]{6}[-+ ]?[0-9]{4}", se_personnummer.is_valid,
               "personnummer|samordningsnummer|personnr|pnr", "(?:19|20)?[0-9]{6}-[0-9]{4}"),
    Identifier("SI", "EMŠO", "[0-9]{13}", si_emso.is_valid, "emšo|emso|EMŠO"),
    Identifier("SI", "davčna številka", "[0-9]{8}", si_davcna.is_valid, "davčn[aeio]{1,2} številk[aeio]|davčna"),
)  # fmt: skip
"""Italy's tax code is a kind of its own (`validators.is_codice_fiscale`)."""

ANNOUNCES_ANY = (
    "national id(?:entity|entification)?(?: number| no\\.?)?|social security(?: number| no\\.?)?"
    "|tax id(?:entification)?(?: number)?|personal (?:code|id|number)|identity number"
)
"""English words that may stand before any of them."""
