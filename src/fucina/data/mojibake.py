"""Text that was decoded with the wrong table once, set right."""

import re

from ftfy import fix_encoding

# UTF-8 that was read as Latin-1 or a Windows table: a lead byte, then what stands for a continuation byte.
_CONTINUATION = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸˇ¦§¨©Ş«¬Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż"
_SUSPECT = re.compile(f"[ÂÃÄÅĂÐÎÏ][{_CONTINUATION}]|â[€‚][{_CONTINUATION}\u009d\u009c]")
_LEADS = "ÂÃâÄÅĂÐÎÏ"


def repair(text: str) -> str:
    """Undo wrong decodings line by line; a text without their marks comes back as it is."""
    if text.isascii() or not any(lead in text for lead in _LEADS) or not _SUSPECT.search(text):
        return text
    return "\n".join(fix_encoding(line) if _SUSPECT.search(line) else line for line in text.split("\n"))
