"""Decompresses a gzip body in parts, so that a reader can stop at a limit.

A chunk may decompress to a thousand times its size.
"""

import zlib
from collections.abc import Iterator

PART_BYTES = 2**18
# The gzip header and trailer, with the largest window: https://docs.python.org/3/library/zlib.html
WINDOW_BITS = 16 + zlib.MAX_WBITS


class GzipParts:
    """The parts of one body, which comes in chunks."""

    def __init__(self) -> None:
        self._unzip = zlib.decompressobj(WINDOW_BITS)

    def of(self, chunk: bytes) -> Iterator[bytes]:
        """The decompressed parts of the next chunk, each of at most `PART_BYTES`.

        Raises `zlib.error` for a body that is not gzip. Bytes after its end are left
        out.
        """
        while chunk and not self._unzip.eof:
            yield self._unzip.decompress(chunk, PART_BYTES)
            chunk = self._unzip.unconsumed_tail

    @property
    def is_complete(self) -> bool:
        """Whether the end of the body has come."""
        return self._unzip.eof
