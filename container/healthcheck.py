"""Exit 0 if the web server responds, without an error of its own, as HEALTHCHECK.

It does not check that the data are fresh: /api/health tells that with its status, and a
restart of the container would not help if GitHub is down.
"""

import http.client
import os
import sys

port = int(os.environ.get("CI_OBSERVER_PORT", "8089"))
# This page needs no login, and no name in CI_OBSERVER_ALLOWED_HOSTS.
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
connection.request("GET", "/api/health")
status = connection.getresponse().status
sys.exit(status == http.HTTPStatus.INTERNAL_SERVER_ERROR)
