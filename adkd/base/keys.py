"""The keys of config files, and the file and line of each, with which errors about them begin."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from adkd.base.errors import InputError

Places = Mapping[str, str]
"""Dotted key, such as ``settings.adkd.all`` or ``seeds[0]`` -> ``FILE:LINE``, or nothing for a key from no file; the
empty key -> all files."""


class Keys(dict[str, Any]):
    """A mapping read from files."""

    def __init__(self, keys: Mapping[str, Any] | None = None, places: Places | None = None):
        super().__init__(keys or {})
        self.places = dict(places or {})

    def layered(self, over: Mapping[str, Any]) -> "Keys":
        """These keys with others over them, key by key; null replaces a whole section."""
        replaced = set(_leaves(over))
        places = {key: place for key, place in self.places.items() if replaced.isdisjoint(_prefixes(key))}
        places |= getattr(over, "places", dict.fromkeys(replaced, ""))
        files = (keys.places.get("") for keys in (self, over) if isinstance(keys, Keys))
        return Keys(layered(dict(self), over), places | {"": ", ".join(filter(None, files))})

    def __or__(self, others: Mapping[str, Any]) -> Self:  # type: ignore[override]
        """These keys with whole sections replaced by others, which stand in no file."""
        places = {key: place for key, place in self.places.items() if next(_prefixes(key)) not in others}
        return type(self)({**self, **others}, places | dict.fromkeys(others, ""))


def layered(under: Any, over: Any) -> Any:
    """One config over another, key by key; null replaces a whole section."""
    if isinstance(under, dict) and isinstance(over, Mapping):
        return under | {key: layered(under.get(key), value) for key, value in over.items()}
    return over


@contextmanager
def located(keys: Mapping[str, Any]) -> Iterator[None]:
    """Put the place of the key that an error is about in front of it: its line, that of the section that lacks it, or
    the files alone. Errors about keys that come from no file stay as they are."""
    try:
        yield
    except InputError as error:
        places = getattr(keys, "places", {})
        known = (places[key] for key in [*reversed([*_prefixes(error.key or error.what)]), ""] if key in places)
        place = next(known, None)
        raise error.within(place) if place else error from None


@contextmanager
def about(key: str) -> Iterator[None]:
    """Name the key of a config that errors are about which do not name one themselves."""
    try:
        yield
    except InputError as error:
        raise error if error.key else error.about(key) from None


def _prefixes(key: str) -> Iterator[str]:
    """A dotted key and all sections that it is part of, the outermost first: a, a.b, a.b[0]."""
    for position, character in enumerate(key):
        if character in ".[" and position:
            yield key[:position]
    yield key


def _leaves(keys: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in keys.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{name}.")
        else:
            yield name
