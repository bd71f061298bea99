"""Seeds that derive from (task, seed, purpose), never from the method: runs of one seed share what they can share."""

import hashlib


def derived(*parts: object) -> int:
    """A 31-bit seed for one purpose, which follows from these parts, such as ``("rte", 1, "order")``."""
    return int.from_bytes(_digest(parts)[:4], "big") >> 1


def entropy(*parts: object) -> list[int]:
    """The same as 32 bytes, for ``numpy.random.default_rng``."""
    return list(_digest(parts))


def _digest(parts: tuple[object, ...]) -> bytes:
    return hashlib.sha256("/".join(map(str, parts)).encode()).digest()
