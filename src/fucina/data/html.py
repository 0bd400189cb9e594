"""The text of HTML pages without what surrounds it, and what a page says about mining it."""

import re

from lxml.etree import LxmlError
from resiliparse.extract.html2text import extract_plain_text
from trafilatura import extract as extract_best

from fucina.data.recipe import HtmlProfile


class NestedTooDeep(Exception):
    """The parser's time grows with the square of the depth."""


class OptedOut(Exception):
    """The page reserves itself from text and data mining."""


# Elements that stay open until they are closed; paragraphs, list items and cells close themselves.
_CONTAINER = re.compile(
    r"<(/?)(?:a|article|aside|b|big|blockquote|center|code|details|div|dl|em|fieldset|figure|font|footer|form|header|i|main"
    r"|nav|ol|section|small|span|strong|sub|sup|table|tt|u|ul)\b",
    re.IGNORECASE,
)
_MAX_NESTING = 1000
_HEAD_CHARACTERS = 1 << 16

_META = re.compile(r"<meta\b([^<>]{0,1000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_ROBOTS = frozenset(("robots", "ai", "tdm-reservation"))
_RESERVED = frozenset(("noai", "notrain", "noml", "notdm"))


def extract(html: str, *, profile: HtmlProfile) -> str:
    """The main content of a page; all its text where the heuristics see no main content.

    Raises NestedTooDeep, OptedOut.
    """
    if page_reserves(html):
        raise OptedOut
    if _nests_too_deep(html):
        raise NestedTooDeep
    text = _best(html) if profile is HtmlProfile.BEST else ""
    if not text.strip():
        text = extract_plain_text(html, main_content=True, alt_texts=False)
    if not text.strip():
        text = extract_plain_text(html, main_content=False, alt_texts=False)
    return text


def _best(html: str) -> str:
    try:
        return extract_best(html, include_comments=False, deduplicate=False) or ""
    except (LxmlError, ValueError, RecursionError):
        return ""


def page_reserves(html: str) -> bool:
    """Whether a meta element opts out: `robots` with noai or notrain, or `tdm-reservation` 1 (W3C TDMRep)."""
    head = html[:_HEAD_CHARACTERS]
    lowered = head.lower()
    if "noai" not in lowered and "tdm" not in lowered and "notrain" not in lowered and "noml" not in lowered:
        return False
    for match in _META.finditer(head):
        attributes = {name.lower(): a or b or c for name, a, b, c in _ATTRIBUTE.findall(match.group(1))}
        name = attributes.get("name", "").lower().strip()
        if name in _ROBOTS and value_reserves(name, attributes.get("content", "")):
            return True
    return False


def value_reserves(name: str, value: str) -> bool:
    """Whether the value of a header or meta element `robots`, `x-robots-tag` or `tdm-reservation` opts out."""
    if name.lower() == "tdm-reservation":
        return value.strip() == "1"
    # `X-Robots-Tag` may name a crawler before a colon.
    words = {part.rpartition(":")[2].strip().lower() for part in value.split(",")}
    return bool(words & _RESERVED)


def _nests_too_deep(html: str) -> bool:
    depth = 0
    for match in _CONTAINER.finditer(html):
        depth = max(0, depth - 1) if match.group(1) else depth + 1
        if depth > _MAX_NESTING:
            return True
    return False
