"""Reads the body of a response, within a limit that a compressed body cannot pass."""

import zlib
from collections.abc import AsyncIterable

from ci_observer.gzip_parts import GzipParts
from ci_observer.ingest.errors import GitHubUnavailable, InvalidResponse, TooLarge

# A page of 100 runs has 2 MB. Requests ask for no other compression than gzip.
MAX_BYTES = 32 * 2**20
# Only the message of an error response is of use.
MAX_ERROR_BYTES = 2**20
GZIP = ("gzip", "x-gzip")


async def read_body(
    chunks: AsyncIterable[bytes], encoding: str, *, limit: int = MAX_BYTES
) -> bytes:
    """The decompressed body. `encoding` is the header `content-encoding`.

    Raises `TooLarge` beyond the limit, as soon as one byte more has arrived, and
    another `GitHubError` for a body that cannot be decompressed.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return await _read_plain(chunks, limit)
        case encoding if encoding in GZIP:
            return await _read_gzip(chunks, limit)
    raise InvalidResponse(
        f"GitHub's response has the compression {encoding[:40]!r}, which was not "
        "requested. Check any proxy between this machine and GitHub."
    )


async def _read_plain(chunks: AsyncIterable[bytes], limit: int) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        _refuse_too_large(body, len(body), limit)
    return bytes(body)


async def _read_gzip(chunks: AsyncIterable[bytes], limit: int) -> bytes:
    unzip = GzipParts()
    body = bytearray()
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        _refuse_too_large(body, received, limit)
        try:
            for part in unzip.of(chunk):
                body += part
                _refuse_too_large(body, len(body), limit)
        except zlib.error as error:
            raise GitHubUnavailable(
                f"GitHub's response cannot be decompressed: {error}."
            ) from error
    if received and not unzip.is_complete:
        raise GitHubUnavailable("GitHub's response ends too early.")
    return bytes(body)


def _refuse_too_large(body: bytearray, size: int, limit: int) -> None:
    if size > limit:
        # The error may be kept for minutes, with the caller's variables.
        body.clear()
        raise TooLarge(
            f"GitHub's response is larger than {limit >> 20} MB, so it is not read "
            "to its end. The next passes request smaller pages. If the error stays, "
            "check GITHUB_API_URL and any proxy between this machine and GitHub."
        )
