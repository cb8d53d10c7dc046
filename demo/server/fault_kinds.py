"""Every kind of fault by its name: a function that changes the effects on a request.

The signature of a function, without `effects`, is the options of its kind.
"""

from __future__ import annotations

from collections.abc import Callable

from ci_observer.demo.server import (
    fault_bodies,
    fault_connection,
    fault_headers,
    fault_responses,
)

FAULT_KINDS: dict[str, Callable[..., None]] = {
    kind.__name__: kind
    for kind in (
        fault_responses.server_error,
        fault_responses.html_error,
        fault_responses.login_page,
        fault_responses.forbidden,
        fault_responses.saml,
        fault_responses.ip_allow_list,
        fault_responses.suspended,
        fault_responses.access_blocked,
        fault_responses.primary_limit,
        fault_responses.secondary_limit,
        fault_responses.unauthorized,
        fault_responses.not_found,
        fault_responses.accepted,
        fault_responses.no_content,
        fault_responses.conflict,
        fault_responses.moved,
        fault_responses.moved_elsewhere,
        fault_responses.status,
        fault_connection.drop,
        fault_connection.truncate,
        fault_connection.delay,
        fault_connection.slow_headers,
        fault_connection.drip,
        fault_connection.endless,
        fault_bodies.stale,
        fault_bodies.partial,
        fault_bodies.invalid_json,
        fault_bodies.invalid_utf8,
        fault_bodies.missing_field,
        fault_bodies.wrong_type,
        fault_bodies.empty_list,
        fault_bodies.oversize,
        fault_bodies.replaced,
        fault_bodies.huge_number,
        fault_bodies.huge,
        fault_bodies.deep_json,
        fault_bodies.gzip_bomb,
        fault_bodies.broken_gzip,
        fault_headers.header,
        fault_headers.odd_etag,
        fault_headers.link_loop,
        fault_headers.endless_pages,
        fault_headers.missing_link,
        fault_headers.odd_rate_limit,
        fault_headers.odd_retry_after,
        fault_headers.far_reset,
        fault_headers.token_expiration,
    )
}
