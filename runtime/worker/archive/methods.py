"""Compression methods by number, APPNOTE 4.4.5: which are read, and what the others are called."""

STORED = 0
DEFLATE = 8
DEFLATE64 = 9
BZIP2 = 12
LZMA = 14
ZSTANDARD = 93
AES = 99

READ = frozenset({STORED, DEFLATE, DEFLATE64, BZIP2, LZMA, ZSTANDARD})

_NAMES = {
    STORED: "stored",
    1: "Shrink",
    2: "Reduce (factor 1)",
    3: "Reduce (factor 2)",
    4: "Reduce (factor 3)",
    5: "Reduce (factor 4)",
    6: "Implode",
    7: "Tokenize",
    DEFLATE: "Deflate",
    DEFLATE64: "Deflate64",
    10: "PKWARE DCL Implode",
    BZIP2: "bzip2",
    LZMA: "LZMA",
    16: "IBM z/OS CMPSC",
    18: "IBM TERSE",
    19: "IBM LZ77 z",
    20: "Zstandard under its withdrawn number",
    ZSTANDARD: "Zstandard",
    94: "MP3",
    95: "XZ",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
    AES: "AES encryption",
}


def method_name(method: int) -> str:
    """For people: "PPMd (method 98)"."""
    return f"{_NAMES.get(method, 'unknown')} (method {method})"
