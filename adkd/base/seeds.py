"""Seeds derived from (task, seed, purpose), never from the method: runs of one seed share order and first weights."""

import hashlib


def derived(*parts: object) -> int:
    """A 31-bit seed that depends on these parts alone, such as ``("rte", 1, "order")``."""
    return int.from_bytes(_digest(parts)[:4], "big") >> 1


def entropy(*parts: object) -> list[int]:
    """The same derivation as 32 integers from 0 to 255, for ``numpy.random.default_rng``."""
    return list(_digest(parts))


def _digest(parts: tuple[object, ...]) -> bytes:
    return hashlib.sha256("/".join(map(str, parts)).encode()).digest()
