"""Makes its output its terminal, then becomes the command that its arguments are."""

import fcntl
import os
import sys
import termios

fcntl.ioctl(sys.stdout, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 (the tests' own command)
