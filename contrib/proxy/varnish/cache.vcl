# Varnish 7 as a cache, so that any number of walls costs CI Observer about one request a
# second. It speaks plain HTTP: a proxy in front of it ends TLS and sets X-Forwarded-Proto.
# It needs no setting of CI Observer, and keeps a prefix such as /ci/ as it is.
# SQL in a URL is longer than the default allows: start varnishd with the options
# -p http_req_hdr_len=64k -p http_req_size=128k -p workspace_client=256k
# -p workspace_backend=256k
# More: docs/scaling.md and docs/proxy.md.
# Place of this file: /etc/varnish/default.vcl

vcl 4.1;

backend default {
    .host = "127.0.0.1";
    .port = "8089";
    # A slow query has its first bytes after some seconds.
    .first_byte_timeout = 90s;
}

# The rest is Varnish's own: it heeds Cache-Control with `stale-while-revalidate`, and
# Vary; it asks for gzip only, and unpacks it for those who cannot read it.

# Its own rule would store nothing for a browser with any cookie, such as one of another
# program on this host. CI Observer marks as private what depends on a cookie.
sub vcl_req_cookie {
    if (req.http.Cookie ~ "(^|; ?)(ci_observer|ds_actor)") {
        return (pass);
    }
    return;
}

# Links in feeds begin with the scheme.
sub vcl_hash {
    hash_data(req.http.X-Forwarded-Proto);
}

sub vcl_backend_response {
    # Varnish would store it for two minutes.
    if (!beresp.http.Cache-Control) {
        set beresp.uncacheable = true;
    }
}
