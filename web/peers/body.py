"""Reads the body of a peer's response within a limit, also after decompression."""

import zlib
from collections.abc import AsyncIterable

from ci_observer.gzip_parts import GzipParts
from ci_observer.web.peers.peer import PeerError

# A wall of 1,000 tiles with their strips has 4 MB.
MAX_BYTES = 20 * 2**20


async def read_body(
    chunks: AsyncIterable[bytes], encoding: str, *, limit: int = MAX_BYTES
) -> bytes:
    """The decompressed body. `encoding` is the header `content-encoding`.

    Raises `PeerError` as soon as there is a byte more than the limit, and for a body
    that cannot be decompressed.
    """
    unzip = None
    if encoding == "gzip":
        unzip = GzipParts()
    elif encoding not in ("", "identity"):
        raise PeerError("its response has a compression that was not requested")
    body = bytearray()
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        try:
            for part in [chunk] if unzip is None else unzip.of(chunk):
                body += part
                if max(received, len(body)) > limit:
                    raise PeerError(f"its response is larger than {limit >> 20} MB")
        except zlib.error:
            raise PeerError("its response cannot be decompressed") from None
    if unzip is not None and received and not unzip.is_complete:
        raise PeerError("its response ends too early")
    return bytes(body)
