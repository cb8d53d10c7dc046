"""Reads the body of a peer's response within a limit, also after decompression."""

import zlib
from collections.abc import AsyncIterable, Iterator

from ci_observer.web.peers.peer import PeerError

# A wall of 1,000 tiles with their strips has 4 MB.
MAX_BYTES = 20 * 2**20
PART_BYTES = 2**18
# The gzip header and trailer: https://docs.python.org/3/library/zlib.html
GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


async def read_body(
    chunks: AsyncIterable[bytes], encoding: str, *, limit: int = MAX_BYTES
) -> bytes:
    """The decompressed body. `encoding` is the header `content-encoding`.

    Raises `PeerError` as soon as there is a byte more than the limit, and for a body
    that cannot be decompressed.
    """
    unzip = None
    if encoding == "gzip":
        unzip = zlib.decompressobj(GZIP_WINDOW_BITS)
    elif encoding not in ("", "identity"):
        raise PeerError("its response has a compression that was not requested")
    body = bytearray()
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        for part in [chunk] if unzip is None else _unzipped(unzip, chunk):
            body += part
            if max(received, len(body)) > limit:
                raise PeerError(f"its response is larger than {limit >> 20} MB")
    if unzip is not None and received and not unzip.eof:
        raise PeerError("its response ends too early")
    return bytes(body)


def _unzipped(unzip: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    """The decompressed parts of a chunk, which may have a thousand times its size."""
    while chunk and not unzip.eof:
        try:
            yield unzip.decompress(chunk, PART_BYTES)
        except zlib.error:
            raise PeerError("its response cannot be decompressed") from None
        chunk = unzip.unconsumed_tail
