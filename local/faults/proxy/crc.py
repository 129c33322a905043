"""CRC-32 of two neighbouring pieces from the CRC-32 of each: what S3 does for FULL_OBJECT checksums."""

_POLYNOMIAL = 0xEDB88320  # reflected, as everywhere in CRC-32
_ONE = 1 << 31  # x^0 in reflected bit order
_X8 = 1 << 23  # x^8: one byte


def combine(first: int, second: int, second_length: int) -> int:
    """The CRC-32 of A + B from crc32(A), crc32(B) and len(B)."""
    return _multiply(_power(_X8, second_length), first) ^ second


def _multiply(a: int, b: int) -> int:
    """Product of two polynomials modulo the CRC's."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _power(base: int, exponent: int) -> int:
    result = _ONE
    while exponent:
        if exponent & 1:
            result = _multiply(result, base)
        base = _multiply(base, base)
        exponent >>= 1
    return result
