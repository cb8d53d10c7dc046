"""Makes its output its terminal, then becomes the command that its arguments are.

Whoever runs the tests may have them ignore that their own terminal closes.
"""

import fcntl
import os
import signal
import sys
import termios

signal.signal(signal.SIGHUP, signal.SIG_DFL)
fcntl.ioctl(sys.stdout, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 (the tests' own command)
