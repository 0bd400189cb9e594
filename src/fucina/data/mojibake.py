"""Text that was decoded with the wrong table once, set right."""

import re

from ftfy import fix_encoding

# UTF-8 that was read as Latin-1 or a Windows table: a lead byte, then what stands for a continuation byte.
_CONTINUATION = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸˇ¦§¨©Ş«¬Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż"
_SUSPECT = re.compile(f"[ÂÃÄÅĂÐÎÏ][{_CONTINUATION}]|â[€‚][{_CONTINUATION}\u009d\u009c]")
_LEADS = "ÂÃâÄÅĂÐÎÏ"


def repair(text: str) -> str:
    """Undo wrong decodings line by line; a text without their marks comes back as it is."""
    if text.isascii() or not _suspicious(text):
        return text
    return "\n".join(fix_encoding(line) if _SUSPECT.search(line) else line for line in text.split("\n"))


def _suspicious(text: str) -> bool:
    """Whether the pattern above matches; jumps from lead to lead, of which even French has few."""
    for lead in _LEADS:
        place = text.find(lead)
        while place >= 0:
            if _SUSPECT.match(text, place):
                return True
            place = text.find(lead, place + 1)
    return False
