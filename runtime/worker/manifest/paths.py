"""A digest of a set of paths that does not depend on their order and can be added up over archives.

It tells ten files from five files twice, which a count cannot: archives of one job may hold the same path.
"""

import hashlib
from collections.abc import Iterable

# A job's sum over a thousand million archives still fits into the 38 digits of a DynamoDB number.
_BYTES = 12
MODULUS = 1 << (8 * _BYTES)


def paths_digest(paths: Iterable[str]) -> int:
    """The sum of the paths' hashes, below MODULUS; add two digests and reduce to get that of both."""
    total = 0
    for path in paths:
        hashed = hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=_BYTES)
        total += int.from_bytes(hashed.digest(), "big")
    return total % MODULUS
