"""tests/bench/front_load, the load tool of the front, as part of the laboratory.

    backend = Backend(lab)                      # takes any login
    front = Frontd(lab, {"old": backend}, redis=redis)
    load.login(lab, port, n=1000)               # in and out again; a dict of figures
    with Idle(lab, port, n=500, r=100) as idle: # held open, 100 NOOPs a second over all of them
        idle.mark()
"""

import json
import os
import select
import socket
import subprocess
import time

from .core import BUILD, Failure, Process, tail

TOOL = os.path.join(os.environ.get("SPLITMX_PLAIN", BUILD), "tests", "bench", "front_load")


def words(port, tls, options):
    """login(port, tls=True, n=5, u="ann") -> ["-p", "143", "-t", "-n", "5", "-u", "ann"]"""
    argv = ["-p", str(port), *(["-t"] if tls else [])]
    for letter, value in options.items():
        argv += ["-" + letter, str(value)]
    return argv


class Backend:
    """An IMAP server that does next to nothing. certificate: (certificate, key), then .tls_port is open too."""

    def __init__(self, lab, name="backend", certificate=None, service=None):
        self.name = name
        self.ports = {"imap": lab.port()}
        self.port = self.imap_port = self.ports["imap"]
        self.tls_port = lab.port() if certificate else 0
        self.service = service  # how the front reaches it, if not in clear (lab.front)
        argv = [TOOL, "backend", "-p", str(self.port)]
        if certificate:
            argv += ["-P", str(self.tls_port), "-c", certificate[0], "-k", certificate[1]]
        self.process = Process(lab, name, argv)
        self.process.wait_until("it is ready", 10, self._is_ready)

    def _is_ready(self):
        with open(self.process.log, encoding="utf-8") as f:
            return "ready" in f.read()

    @property
    def pid(self):
        return self.process.pid

    def count(self, user):
        """(open sessions of this user, when the last of them was closed: time.monotonic_ns() or 0)"""
        with socket.create_connection(("127.0.0.1", self.port), 10) as s, s.makefile("rb") as lines:
            s.sendall(f"a COUNT {user}\r\n".encode())
            for line in lines:
                if line.startswith(b"* COUNT"):
                    return tuple(int(word) for word in line.split()[2:4])
        raise Failure("the backend has closed the connection")


def run(lab, part, port, tls=False, seconds=600, prefix=(), **options):
    """A part that runs to its end by itself; the figures of its last line."""
    done = lab.run([*prefix, TOOL, part, *words(port, tls, options)], seconds=seconds)
    return json.loads(done.stdout.splitlines()[-1])


def login(lab, port, **options):
    """Logins in a closed loop; each must have succeeded."""
    figures = run(lab, "login", port, **options)
    if figures["logins"] != options.get("n", 1000) or figures["lost"]:
        raise Failure(f"logins at port {port}: {figures}")
    return figures


class Asked:
    """A part that is told by lines what to do, and answers each with a line of JSON."""

    def __init__(self, lab, part, port, tls=False, prefix=(), seconds=120, **options):
        self.lab = lab
        self.seconds = seconds
        self.log = lab.log_path(f"front_load-{part}")
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen([*prefix, TOOL, part, *words(port, tls, options)], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=log, env=lab.environment)
        self.buffer = b""
        lab.remember(self)
        self.opened = self.answer()

    def answer(self):
        end = time.monotonic() + self.seconds
        while b"\n" not in self.buffer:
            if not select.select([self.popen.stdout], [], [], max(0, end - time.monotonic()))[0]:
                raise Failure(f"front_load says nothing for {self.seconds} s\n{tail(self.log)}")
            data = os.read(self.popen.stdout.fileno(), 65536)
            if not data:
                raise Failure(f"front_load has ended with {self.popen.wait()}\n{tail(self.log)}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def tell(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()
        return self.answer()

    def stop(self):
        if self.popen.poll() is None:
            self.popen.stdin.close()
            try:
                self.popen.wait(20)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.popen.stdout.close()
        self.lab.forget(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Idle(Asked):
    """Sessions that are held open; r=N: N NOOPs a second over all of them."""

    def __init__(self, lab, port, **options):
        super().__init__(lab, "idle", port, **options)
        if self.opened["refused"] or self.opened["opened"] != options.get("n", 1000):
            self.stop()
            raise Failure(f"sessions at port {port}: {self.opened}")

    def mark(self):
        """Figures since the last mark: NOOPs (p50_us, p99_us...), and sessions lost in all."""
        return self.tell("mark")

    def noops(self, count):
        """So many, one after the other."""
        return self.tell(f"noop {count}")


class Push(Asked):
    """Sessions that fetch literals when they are told to: n sessions, each x times s bytes."""

    def __init__(self, lab, port, **options):
        super().__init__(lab, "push", port, **options)

    def run(self):
        return self.tell("go")
