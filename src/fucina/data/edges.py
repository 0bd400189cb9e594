"""What touches a slice of UTF-8 text."""


def character_before(data: bytes, start: int) -> str:
    """The character that ends where a slice begins; empty at the beginning."""
    return data[max(0, start - 4) : start].decode("utf-8", "ignore")[-1:]


def character_after(data: bytes, end: int) -> str:
    """The character that begins where a slice ends; empty at the end."""
    return data[end : end + 4].decode("utf-8", "ignore")[:1]


def stands_alone(data: bytes, start: int, end: int) -> bool:
    """Whether neither letter nor digit touches a slice."""
    return not character_before(data, start).isalnum() and not character_after(data, end).isalnum()
