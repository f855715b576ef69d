"""Runs one virtual machine: qemu with an emulated processor, temporary disks, and a way to run commands in it.

It does not use KVM, which may exist and be broken, and the tests must be the same everywhere. The root is an overlay over the
cached image, so a machine that is killed (a power cut) and started again finds its disks unchanged."""

import base64
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

from lib import ground

BOOT_SECONDS = 240  # 20 on an idle machine
MARGIN = 60  # seconds that the machine's own end of a command's timeout may be late
KERNEL_WORDS = "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 mitigations=off audit=0 net.ifnames=0 panic=-1"


class MachineError(Exception):
    """The machine itself failed: it did not boot, exited, or does not answer."""


class CommandFailed(AssertionError):
    pass


class Result:
    def __init__(self, command, status, out, err):
        self.command, self.status = command, status
        self.bytes, self.stdout, self.stderr = out, out.decode(errors="replace"), err.decode(errors="replace")

    def __repr__(self):
        return f"{' '.join(self.command)[:500]}: exit {self.status}\n{self.stdout[-4000:]}{self.stderr[-4000:]}"


class Machine:
    """'place' contains all of its files; 'image' is made by scripts/vm-image. 'disks' {name: megabytes} are further, empty disks
    (/dev/disk/by-id/virtio-NAME). A durable machine keeps flushed data when it is killed."""

    def __init__(self, place, image, payload, disks=None, durable=False, memory=2048):
        self.place, self.image, self.payload = place, image, payload
        self.disks, self.durable, self.memory = disks or {}, durable, memory
        self.process = self.channel = None
        self.buffer = b""
        self.number = 0
        self.console = place / "console.log"
        place.mkdir(exist_ok=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image / "root.img", place / "root.qcow2"],
                       check=True, stdout=subprocess.DEVNULL)
        for name, megabytes in self.disks.items():
            with open(place / f"{name}.img", "wb") as file:
                file.truncate(megabytes << 20)

    # Start and stop

    def _drive(self, name, file, form, read_only=False):
        cache = "writeback" if self.durable and not read_only else "unsafe"
        return ["-drive", f"if=none,id={name},file={file},format={form},cache={cache},discard=unmap"
                          f"{',read-only=on' if read_only else ''}", "-device", f"virtio-blk-pci,drive={name},serial={name}"]

    def _command(self, interactive):
        command = ["qemu-system-x86_64", "-name", self.place.name, "-machine", "q35", "-accel", "tcg,thread=multi,tb-size=512",
                   "-cpu", "max", "-smp", "2", "-m", str(self.memory), "-nodefaults", "-no-user-config", "-display", "none",
                   "-no-reboot", "-kernel", self.image / "vmlinuz", "-initrd", self.image / "initrd.img",
                   "-append", KERNEL_WORDS, "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                   "-chardev", f"socket,id=channel,path={self.place}/channel,server=on,wait=off",
                   "-device", "virtserialport,chardev=channel,name=hostlet",
                   "-serial", "mon:stdio" if interactive else f"file:{self.console}"]
        command += self._drive("root", self.place / "root.qcow2", "qcow2")
        command += self._drive("payload", self.payload, "raw", read_only=True)
        for name in self.disks:
            command += self._drive(name, self.place / f"{name}.img", "raw")
        return [str(word) for word in command]

    def start(self, interactive=False):
        """Starts qemu; 'interactive' gives it this terminal for the machine's console."""
        (self.place / "channel").unlink(missing_ok=True)
        if interactive:
            self.process = subprocess.Popen(self._command(True))
        else:
            self.process = ground.start(self._command(False), self.place / "qemu.log", pass_fds=())
        self.channel = socket.socket(socket.AF_UNIX)
        self.buffer = b""
        deadline = time.monotonic() + 30
        while True:
            try:
                self.channel.connect(str(self.place / "channel"))
                return self
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise MachineError(f"qemu does not start: {error}\n{self.log()}") from error
            ground.let_pass(0.05)  # qemu makes its socket

    def wait(self, timeout=BOOT_SECONDS):
        """Waits until the machine accepts commands."""
        try:
            while "boot" not in self._receive(time.monotonic() + timeout):
                pass
        except MachineError as error:
            raise MachineError(f"it does not boot: {error}\n{self.log()}") from error
        return self

    def log(self):
        """Returns the ends of the output of qemu and of the machine's console."""
        text = ""
        for path in (self.place / "qemu.log", self.console):
            if path.exists():
                text += f"--- {path.name}\n" + path.read_text(errors="replace")[-6000:]
        return text

    def kill(self):
        """Kills qemu: a power cut."""
        if self.channel:
            self.channel.close()
            self.channel = None
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def shut_down(self, timeout=120):
        """Shuts it down ('systemctl poweroff'), so that its disks are consistent; kills it if that takes too long."""
        with contextlib.suppress(MachineError, CommandFailed):
            self.run("systemctl --no-block poweroff")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
                self.kill()
                return True
        self.kill()
        return False

    def reboot(self):
        """Acts as 'systemctl reboot', by ending and starting qemu on the same disks."""
        if not self.shut_down():
            raise MachineError(f"it does not shut down\n{self.log()}")
        return self.start().wait()

    # Commands

    def _receive(self, deadline):
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise MachineError("it does not answer")
            if select.select([self.channel], [], [], min(left, 1))[0]:
                data = self.channel.recv(1 << 16)
                if not data:
                    raise MachineError("qemu has ended")
                self.buffer += data
            elif self.process.poll() is not None:
                raise MachineError(f"qemu has ended with status {self.process.returncode}")
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def begin(self, command, timeout=120, stdin=b"", environment=None):
        """Sends a command, words or a line for sh, whose reply 'finish' reads. Returns its number."""
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]
        self.number += 1
        request = {"id": self.number, "command": words, "timeout": timeout, "environment": environment or {},
                   "input": base64.b64encode(stdin).decode()}
        try:
            self.channel.settimeout(timeout + MARGIN)
            self.channel.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise MachineError(f"it takes no command: {error}") from error
        return words, timeout

    def finish(self, begun, check=True, live=False):
        words, timeout = begun
        deadline = time.monotonic() + timeout + MARGIN
        output = {"out": b"", "err": b""}
        while True:
            message = self._receive(deadline)
            if message.get("boot"):
                raise MachineError(f"it started anew during '{' '.join(words)[:200]}'\n{self.log()}")
            if message.get("id") != self.number:
                continue
            for stream in output:
                if stream in message:
                    data = base64.b64decode(message[stream])
                    output[stream] += data
                    if live:
                        target = sys.stdout if stream == "out" else sys.stderr
                        target.buffer.write(data)
                        target.flush()
            if "status" in message:
                break
        result = Result(words, message["status"], output["out"], output["err"])
        if message["late"]:
            raise CommandFailed(f"no end after {timeout} s: {result}")
        if check and result.status != 0:
            raise CommandFailed(repr(result))
        return result

    def listen(self, enough, timeout=120):
        """Returns the output of the command that was begun, when enough(its standard output so far) is true."""
        text, deadline = "", time.monotonic() + timeout
        while not enough(text):
            message = self._receive(deadline)
            text += base64.b64decode(message.get("out", "")).decode(errors="replace")
            if "status" in message:
                raise CommandFailed(f"it ended with status {message['status']}: {text}")
        return text

    def alive(self):
        return self.process is not None and self.process.poll() is None and self.channel is not None

    def run(self, command, timeout=120, check=True, stdin=b"", environment=None, live=False):
        """Runs a command, words or a line for sh, in the machine; its result has status, stdout, stderr, bytes. 'live' shows its
        output while it runs."""
        return self.finish(self.begin(command, timeout, stdin, environment), check, live)

    def read(self, path):
        return self.run(["cat", path]).bytes

    def install(self):
        """Installs hostlet as an administrator would, without starting it: files, system users, the unit."""
        self.run("cp -a /payload/install/. / && systemd-sysusers && systemctl daemon-reload")
        return self


def end_on_signals():
    """SIGTERM and SIGHUP end this process like Ctrl-C: every context cleans up."""
    def end(number, _):
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    os.environ.setdefault("LC_ALL", "C.UTF-8")
