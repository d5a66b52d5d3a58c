"""Follows what objects of a template refer to, however they refer to each other."""

from collections.abc import Iterator

from pikepdf import Array, Dictionary


def dictionaries(listed: object) -> list[Dictionary]:
    """Return the dictionaries of an array; none, when it is none."""
    if not isinstance(listed, Array):
        return []
    return [entry for entry in listed if isinstance(entry, Dictionary)]


def reachable(start: object, keys: tuple[str, ...]) -> Iterator[Dictionary]:
    """Yield the dictionaries that lead on from `start` through `keys`, each once."""
    seen: set[tuple[int, int]] = set()
    waiting = [start]
    while waiting:
        found = waiting.pop()
        if not isinstance(found, Array | Dictionary) or found.objgen in seen:
            continue
        if found.is_indirect:
            seen.add(found.objgen)
        if isinstance(found, Array):
            waiting += list(found)
            continue
        waiting += [found.get(key) for key in keys]
        yield found
