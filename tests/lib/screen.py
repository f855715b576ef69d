"""Runs a program on a terminal of a given size, and shows what would be on its screen."""

import contextlib
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unicodedata

SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


def columns_of(character):
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """The screen of a terminal that does not move lines when its width changes. It knows the control sequences that hostletctl
    writes, and refuses others."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [[]]  # of cells, each a character with its combining ones
        self.top = 0       # number of the first line of the screen
        self.row = self.column = 0
        self.wraps = 0     # lines that continued in the next one
        self.scrolled = []

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.top = max(self.top, self.row - rows + 1)

    def _line_feed(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append([])
        if self.row >= self.top + self.rows:
            self.scrolled.append("".join(self.lines[self.top]))
            self.top += 1

    def _put(self, character):
        width = columns_of(character)
        if self.column + width > self.columns:
            self.wraps += 1
            self.column = 0
            self._line_feed()
        line = self.lines[self.row]
        if width == 0:
            line[self.column - 1] += character
            return
        line.extend([" "] * (self.column + width - len(line)))
        line[self.column:self.column + width] = [character] + [""] * (width - 1)
        self.column += width

    def _control(self, parameters, final):
        if final == "A":
            self.row = max(self.top, self.row - int(parameters or 1))
        elif final == "J" and not parameters:
            del self.lines[self.row][self.column:]
            self.lines[self.row + 1:] = []
        elif final == "K" and parameters == "2":
            self.lines[self.row] = []
        elif final != "m":
            raise AssertionError(f"an unknown control sequence: {parameters}{final}")

    def feed(self, text):
        at = 0
        while at < len(text):
            sequence = SEQUENCE.match(text, at)
            if sequence:
                self._control(*sequence.groups())
                at = sequence.end()
                continue
            if text[at] == "\n":
                self._line_feed()
            elif text[at] == "\r":
                self.column = 0
            else:
                self._put(text[at])
            at += 1

    def shown(self):
        """Returns the lines on the screen, without empty ones at the end."""
        lines = ["".join(line).rstrip() for line in self.lines[self.top:]]
        while lines and not lines[-1]:
            lines.pop()
        return lines


class Terminal:
    """A program on a terminal; 'screen' is what it shows."""

    def __init__(self, command, columns, rows, environment=None):
        self.screen = Screen(columns, rows)
        self.pending = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm", **(environment or {})})
            # The size is set before the program starts.
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execv(command[0], [str(word) for word in command])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.end()

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))  # sends SIGWINCH
        self.screen.resize(columns, rows)

    def read(self, timeout=0.1):
        """Reads what was written. Returns False at the end."""
        if not select.select([self.master], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError as error:
            assert error.errno == errno.EIO
            return False
        self.pending += data
        text = self.pending.decode(errors="ignore")
        # A part of a character or of a control sequence waits for the rest.
        whole = re.match(r"(?s).*?(?=\x1b\[?[0-9;?]*$|$)", text)[0]
        self.pending = self.pending[len(whole.encode()):]
        self.screen.feed(whole)
        return bool(data)

    def wait_until(self, predicate, what, timeout=10):
        """Reads until predicate(lines of the screen) is true."""
        deadline = time.monotonic() + timeout
        while not predicate(self.screen.shown()):
            assert time.monotonic() < deadline, f"{what} is not shown: {self.screen.shown()}"
            self.read()

    def wait_for(self, text):
        """Reads until a line of the screen contains the text."""
        self.wait_until(lambda lines: any(text in line for line in lines), f"'{text}'")

    def end(self, timeout=30):
        """Reads to the end. Returns the exit status."""
        deadline = time.monotonic() + timeout
        while self.read() and time.monotonic() < deadline:
            pass
        os.close(self.master)
        pid, self.pid = self.pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
