"""Reading a mode or a call that an officer wrote, as YAML, against the modes that are known."""

from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from fucina.access.modes import BadMode, Mode, ModesFile

MAX_CHARS = 200_000
MAX_DEPTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFile:
    """Modes, with the sources and country lists that they bring."""

    modes: tuple[Mode, ...]
    lists: dict[str, Any]
    merged: ModesFile
    """With everything that is known, so that the modes can be checked against it."""


def read_call(text: str, *, known: ModesFile) -> CallFile:
    """The modes in `text`: one mode, or a file with `modes` and its own `sources` and `countries`. Raises BadMode."""
    content = _parse(text)
    if not isinstance(content, dict):
        raise BadMode("The file is no mode and has no modes.", hint="Begin with `id:`, or with `modes:` and a list.")
    parts: dict[str, Any] = content if "modes" in content else {"modes": [content]}
    unknown = sorted(str(key) for key in parts.keys() - {"sources", "countries", "modes"})
    if unknown:
        raise BadMode(f"The file has the unknown part {unknown[0]!r}.", hint="Parts: sources, countries, modes.")
    lists: dict[str, Any] = {name: parts.get(name) or {} for name in ("sources", "countries")}
    wire = known.model_dump(mode="json")
    try:
        merged = ModesFile.model_validate(
            {
                "sources": {**wire["sources"], **lists["sources"]},
                "countries": {**wire["countries"], **lists["countries"]},
                "modes": parts["modes"] or [],
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadMode(f"{where}: {first['msg']}.", hint="Compare it with `fucina access mode show ID`.") from error
    except TypeError as error:
        raise BadMode(f"The file cannot be used: {error}.", hint="sources and countries are mappings.") from error
    if not merged.modes:
        raise BadMode("The file has no mode.", hint="Write at least one under `modes:`.")
    plain = merged.model_dump(mode="json")
    own = {name: {key: plain[name][key] for key in lists[name]} for name in lists}
    return CallFile(modes=merged.modes, lists=own, merged=merged)


def write_call(mode: Mode) -> str:
    """The mode as an officer edits it: what differs from the defaults."""
    wire = {"id": mode.id, **mode.model_dump(mode="json", exclude_defaults=True)}
    return yaml.safe_dump(wire, allow_unicode=True, sort_keys=False, width=110)


def merge(known: ModesFile, modes: tuple[Mode, ...], lists: dict[str, Any]) -> ModesFile:
    """What is known, with these modes in place of those of the same id and day."""
    replaced = {(mode.id, mode.valid_from) for mode in modes}
    wire = known.model_dump(mode="json")
    return ModesFile.model_validate(
        {
            "sources": {**wire["sources"], **lists.get("sources", {})},
            "countries": {**wire["countries"], **lists.get("countries", {})},
            "modes": [*(m for m in known.modes if (m.id, m.valid_from) not in replaced), *modes],
        }
    )


def _parse(text: str) -> Any:
    if len(text) > MAX_CHARS:
        raise BadMode(f"The file has {len(text):,} characters; {MAX_CHARS:,} are allowed.", hint="Send one mode.")
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise BadMode(f"The file is nested deeper than {MAX_DEPTH}.", hint="A mode is at most five deep.")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise BadMode(f"The text is no YAML: {str(error)[:300]}", hint="Mind indentation and colons.") from error
