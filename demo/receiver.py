"""A receiver of the demo's alerts: prints a line for each message.

`python -m ci_observer.demo.receiver PORT` listens on loopback.
"""

import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BYTES = 100_000


class Handler(BaseHTTPRequestHandler):
    """Prints the title of each message in JSON."""

    timeout = 10

    def do_POST(self) -> None:
        """Print a message, and accept it."""
        length = int(self.headers.get("content-length") or 0)
        try:
            title = str(json.loads(self.rfile.read(min(length, MAX_BYTES)))["title"])
        except (ValueError, KeyError, TypeError):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        sys.stdout.write(f"Alert: {title}\n")
        sys.stdout.flush()
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log no line for each request."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
