"""Exit 0 if the web server responds. Docker runs this as HEALTHCHECK.

It does not check that the data are fresh: /api/health does, and a restart of the
container would not help if GitHub is down.
"""

import os
import urllib.request

port = os.environ.get("CI_OBSERVER_PORT", "8089")
# No proxy: the address is this container's own.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
opener.open(f"http://127.0.0.1:{port}/api/config", timeout=4).close()
