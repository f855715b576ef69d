"""Runs in the virtual machine: executes the commands that arrive through a virtio port (vm/machine.py is the other end).

One JSON object per line. In: {"id", "command": [words], "timeout": seconds, "input": base64, "environment": {}}. Out: {"boot": id
of this boot} once, then for each command {"id", "out": base64} and {"id", "err": base64} as they are read, and at its end {"id",
"status": number, "late": whether the timeout killed it}. One command after the other.
"""

import base64
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

PORT = Path("/dev/virtio-ports/hostlet")
CHUNK = 32768
LINGER = 0.5  # seconds in which a background process of an ended command may keep the pipes open


def open_port():
    while not PORT.exists():
        time.sleep(0.05)
    return os.open(PORT, os.O_RDWR)


def send(port, message):
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(port, data):]


def lines(port):
    buffer = b""
    while True:
        data = os.read(port, CHUNK)
        if not data:  # the other end is not open (yet)
            sys.exit(0)
        buffer += data
        *whole, buffer = buffer.split(b"\n")
        yield from whole


def feed(process, data):
    """Writes standard input in a process of its own, so that a command that does not read blocks no other."""
    if not data:
        process.stdin.close()
        return
    if os.fork() == 0:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(data)
            process.stdin.close()
        os._exit(0)
    process.stdin.close()


def follow(port, number, process, timeout):
    """Forwards a command's output until it has ended. Returns whether it had to be killed."""
    deadline, late = time.monotonic() + timeout, False
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, "out")
        selector.register(process.stderr, selectors.EVENT_READ, "err")
        ended = None
        while selector.get_map():
            now = time.monotonic()
            if process.poll() is not None and ended is None:
                ended = now
            if ended is not None and now - ended > LINGER:
                break
            if now > deadline and ended is None:
                late = True
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            for key, _ in selector.select(0.1):
                data = os.read(key.fd, CHUNK)
                if data:
                    send(port, {"id": number, key.data: base64.b64encode(data).decode()})
                else:
                    selector.unregister(key.fileobj)
    if not late:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    if process.poll() is None:
        late = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return late


def serve(port, request):
    number = request["id"]
    try:
        process = subprocess.Popen(request["command"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, start_new_session=True, cwd="/root",
                                   env={**os.environ, **request.get("environment", {})})
    except OSError as error:
        send(port, {"id": number, "err": base64.b64encode(f"{error}\n".encode()).decode()})
        send(port, {"id": number, "status": 127, "late": False})
        return
    feed(process, base64.b64decode(request.get("input", "")))
    late = follow(port, number, process, request["timeout"])
    process.stdout.close()
    process.stderr.close()
    send(port, {"id": number, "status": process.returncode, "late": late})


def main():
    # The writers of standard input and the processes that commands leave behind have no parent that waits for them.
    port = open_port()
    send(port, {"boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip()})
    for line in lines(port):
        serve(port, json.loads(line))
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


if __name__ == "__main__":
    main()
