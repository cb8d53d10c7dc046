"""Security headers of every response, and the policy of our own pages."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # For browsers that do not know frame-ancestors.
    "X-Frame-Options": "SAMEORIGIN",
}
COMMON_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'; img-src 'self' data:"
)
