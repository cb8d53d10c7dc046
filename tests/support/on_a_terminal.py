"""Make the output the controlling terminal, then execute the given command.

SIGHUP gets its default action back, because `nohup` may run the tests.
"""

import fcntl
import os
import signal
import sys
import termios

signal.signal(signal.SIGHUP, signal.SIG_DFL)
fcntl.ioctl(sys.stdout, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 (our own command)
