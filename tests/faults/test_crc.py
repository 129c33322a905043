import zlib

from hypothesis import given
from hypothesis import strategies as st

from local.faults.proxy.crc import combine


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_combines_as_if_read_in_one(first: bytes, second: bytes) -> None:
    assert combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)
