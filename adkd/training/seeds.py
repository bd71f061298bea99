"""Seeds that derive from (task, seed, purpose), never from the method: runs of one seed share what they can share."""

import hashlib

import torch


def derived(task: str, seed: int, purpose: str) -> int:
    """A 31-bit seed for one purpose, such as ``order`` or ``head``."""
    digest = hashlib.sha256(f"{task}/{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def generator(task: str, seed: int, purpose: str) -> torch.Generator:
    """A CPU generator of its own for one purpose."""
    return torch.Generator().manual_seed(derived(task, seed, purpose))
