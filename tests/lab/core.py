"""A directory, ports and processes, and the promise that nothing of them is left.

The directory's name is short, because a Unix socket's path ends at 107 bytes.
A port is reserved by an abstract socket named after it, so two labs that run at
the same time never pick the same one and a killed lab keeps none.
What a server left behind as an orphan is found by SPLITMX_LAB=<directory> in its
environment, or by its working directory (Redis writes over its environment).
"""

import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SPLITMX_BUILD", os.path.join(TOP, "build")))

# Below the range that the kernel takes for outgoing connections (32768 and up).
PORT_LEAST, PORT_MOST = 20000, 32000
STOP_SECONDS = 10


class Failure(AssertionError):
    """Something in the lab did not happen in time; the text shows the logs' ends."""


def tail(path, lines=25):
    """The last lines of a file, indented; empty if there is no such file."""
    try:
        with open(path, "rb") as f:
            text = f.read()[-20000:].decode("utf-8", "backslashreplace")
    except OSError:
        return ""
    return "".join("    " + line + "\n" for line in text.splitlines()[-lines:])


def wait_for(what, seconds, test, logs=(), every=0.02):
    """Ask test() until it returns something true, and return that; else Failure.

    logs: files whose ends are shown then.
    """
    end = time.monotonic() + seconds
    while True:
        result = test()
        if result:
            return result
        if time.monotonic() > end:
            ends = "".join(f"  {path}:\n{tail(path)}" for path in logs)
            raise Failure(f"waited {seconds} s in vain for: {what}\n{ends}")
        time.sleep(every)


def process_is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rsplit(b")", 1)[1].split()[0] != b"Z"
    except OSError:
        return False


def processes_of(directory):
    """The pids that run for the lab, or the labs, in this directory: by environment or working directory."""
    def inside(path):
        return path == directory or path.startswith(directory + "/")

    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as f:
                marks = [e[len(b"SPLITMX_LAB="):].decode() for e in f.read().split(b"\0") if e.startswith(b"SPLITMX_LAB=")]
            if (any(map(inside, marks)) or inside(os.readlink(f"/proc/{name}/cwd"))) and process_is_alive(name):
                found.append(int(name))
        except OSError:
            pass
    return found


def stop_pids(pids):
    """TERM, a while, KILL; the pids are ours."""
    for sig, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        pids = [pid for pid in pids if process_is_alive(pid)]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, sig)
            except ProcessLookupError:
                pass
        end = time.monotonic() + seconds
        while any(process_is_alive(pid) for pid in pids) and time.monotonic() < end:
            time.sleep(0.02)
    return [pid for pid in pids if process_is_alive(pid)]


class Process:
    """A program in the foreground, in a process group of its own, output in a log."""

    def __init__(self, lab, name, argv, env=None, cwd=None):
        self.lab = lab
        self.name = name
        self.log = lab.log_path(name)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd or lab.dir,
                                          env={**lab.environment, **(env or {})}, start_new_session=True)
        self.pid = self.popen.pid
        lab.remember(self)

    def is_alive(self):
        return self.popen.poll() is None

    def wait_until(self, what, seconds, test, logs=()):
        """wait_for that also notices when the process has ended."""
        def either():
            if not self.is_alive():
                raise Failure(f"{self.name} ended with {self.popen.returncode} while we waited for: {what}\n" +
                              "".join(f"  {path}:\n{tail(path)}" for path in (self.log, *logs)))
            return test()
        return wait_for(f"{self.name}: {what}", seconds, either, (self.log, *logs))

    def signal(self, sig):
        if self.is_alive():
            os.kill(self.pid, sig)

    def stop(self, seconds=STOP_SECONDS):
        """End it, at first politely; returns its exit status."""
        if self.is_alive():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self.lab.forget(self)
        return self.popen.returncode

    def kill(self):
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)
        self.popen.wait(STOP_SECONDS)
        self.lab.forget(self)


class Logged:
    """For whoever has a log: self.log is its path."""

    def log_lines(self, pattern=""):
        try:
            with open(self.log, encoding="utf-8", errors="backslashreplace") as f:
                return [line.rstrip("\n") for line in f if re.search(pattern, line)]
        except OSError:
            return []

    def log_count(self, pattern):
        return len(self.log_lines(pattern))


class Lab:
    """Where the servers of one test live; use it with `with`, or start() and close()."""

    current = []  # labs that are open, for signals and for a forgotten close

    def __init__(self, keep=False):
        self.dir = tempfile.mkdtemp(prefix="smx.", dir=os.environ.get("SPLITMX_LAB_ROOT", "/tmp"))
        os.chmod(self.dir, 0o755)  # postfix, dovecot and the rest must get through
        self.logs = os.path.join(self.dir, "log")
        os.mkdir(self.logs)
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                            "HOME": self.dir, "SPLITMX_LAB": self.dir,
                            "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
        self.keep = keep or "SPLITMX_KEEP" in os.environ
        self.failed = False
        self.troubles = []   # what went wrong without a test noticing: sentences
        self._running = []   # in the order of their start: Process, or anything with stop()
        self._ports = {}     # port -> the socket that reserves it
        self._closed = False
        Lab.current.append(self)
        _watch_signals()

    # files and ports

    def path(self, *parts):
        """A path in the lab; the directory it stands in exists afterwards."""
        path = os.path.join(self.dir, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def log_path(self, name):
        return os.path.join(self.logs, name + ".log")

    def write(self, relative, text, mode=0o644):
        path = self.path(relative)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def port(self):
        """A TCP port of 127.0.0.1 that is free and stays ours until the lab closes."""
        start = int.from_bytes(os.urandom(2), "big") % (PORT_MOST - PORT_LEAST)
        for step in range(PORT_MOST - PORT_LEAST):
            port = PORT_LEAST + (start + step) % (PORT_MOST - PORT_LEAST)
            reserve = socket.socket(socket.AF_UNIX)
            try:
                reserve.bind(f"\0splitmx-lab-port-{port}")
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
            except OSError:
                reserve.close()
                continue
            self._ports[port] = reserve
            return port
        raise Failure("no free port")

    # processes

    def run(self, argv, seconds=30, check=True, stdin=None, env=None, cwd=None):
        """Run a program to its end; returns CompletedProcess with text. Not 0: Failure, unless check is False."""
        try:
            done = subprocess.run(argv, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                                  capture_output=True, text=True, errors="backslashreplace", timeout=seconds,
                                  env={**self.environment, **(env or {})}, cwd=cwd or self.dir, check=False)
        except subprocess.TimeoutExpired as e:
            raise Failure(f"{' '.join(argv)}: not done after {seconds} s; so far: {e.stdout} {e.stderr}") from None
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def remember(self, thing):
        self._running.append(thing)

    def forget(self, thing):
        if thing in self._running:
            self._running.remove(thing)

    # the end

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close(failed=kind is not None)

    def stop_all(self):
        """Stop every process, newest first."""
        for thing in reversed(list(self._running)):
            try:
                thing.stop()
            except Exception as e:  # whatever it is, the others must be stopped too
                print(f"lab: while stopping {getattr(thing, 'name', thing)}: {e}", file=sys.stderr)
        self._running.clear()
        stop_pids(processes_of(self.dir))

    def close(self, failed=False):
        """Stop everything; the logs stay if something failed."""
        if self._closed:
            return
        self._closed = True
        failed = failed or self.failed
        self.stop_all()
        for reserve in self._ports.values():
            reserve.close()
        if self in Lab.current:
            Lab.current.remove(self)
        if failed or self.keep:
            kept = os.environ.get("SPLITMX_LOGS")
            if kept and not self.keep:
                target = os.path.join(kept, os.path.basename(self.dir))
                shutil.copytree(self.logs, target, dirs_exist_ok=True)
                shutil.rmtree(self.dir, ignore_errors=True)
            else:
                target = self.logs
            print(f"lab: logs are in {target}", file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


def _close_all():
    for lab in list(Lab.current):
        lab.close(failed=True)


def _on_signal(number, frame):
    raise SystemExit(128 + number)


_watching = False


def _watch_signals():
    """TERM and HUP end the program as INT does: through the finally blocks, then the atexit ones."""
    global _watching
    if _watching:
        return
    _watching = True
    atexit.register(_close_all)
    if threading.current_thread() is threading.main_thread():
        for sig in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, _on_signal)
