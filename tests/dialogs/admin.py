"""What the dialogues with splitmx share: a Redis, a settings file, and the command."""

import json
import os
import re
import signal
import socketserver
import subprocess
import threading
import unittest

from lab import Lab, Redis
from lab.policyd import conf_file, program

OK, USAGE, DATAERR, NOINPUT, NOUSER, UNAVAILABLE, IOERR, TEMPFAIL, NOPERM, CONFIG = 0, 64, 65, 66, 67, 69, 74, 75, 77, 78


class Peer(socketserver.ThreadingUnixStreamServer):
    """Answers each connection with what answer(request bytes) returns, once."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, path, answer):
        self.answer = answer
        super().__init__(path, Handler)
        os.chmod(path, 0o666)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        said = self.server.answer(b"") or b""
        if said:
            self.request.sendall(said)
            return
        self.request.sendall(self.server.answer(self.request.recv(4096)))


class AdminCase(unittest.TestCase):
    """Each test has a Redis of its own, with a map unless `initialised` is False."""

    initialised = True

    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.close)
        self.redis = Redis(self.lab)
        self.settings = {
            "instance": "t", "run_dir": os.path.dirname(self.lab.path("run", "x")),
            "state_dir": os.path.dirname(self.lab.path("state", "x")), "user": "", "group": "",
            "redis": {"url": self.redis.url}, "domains": ["floor.org"],
            "destinations": [{"name": "old"}, {"name": "new"}],
            "maps": [{"name": "transport", "owners": {"new": "lmtp:new", "old": "relay:[old]"}, "held": "hold:[x]:1"},
                     {"name": "verify", "owners": {"new": "lmtp:new", "old": ""}}]}
        self.write_settings()
        if self.initialised:
            self.says(OK, "init")

    def close(self):
        failed = any(error for _, error in getattr(self._outcome, "errors", [])) if self._outcome else False
        self.lab.close(failed=failed)

    def write_settings(self):
        self.config = self.lab.write("splitmx.conf", conf_file(self.settings))

    def argv(self, *words):
        return [program("splitmx"), "-c", self.config, *[str(w) for w in words]]

    def says(self, code, *words, stdin=None, seconds=60):
        """Runs splitmx, insists on its exit status, returns what it printed."""
        done = self.lab.run(self.argv(*words), check=False, stdin=stdin, seconds=seconds)
        self.assertEqual(code, done.returncode, f"{words}\n{done.stdout}\n{done.stderr}")
        self.error = done.stderr
        return done.stdout

    def tells(self, code, *words, **options):
        """The same with --json: a list of objects."""
        return [json.loads(line) for line in self.says(code, "--json", *words, **options).splitlines()]

    def start(self, *words, **options):
        """Starts splitmx and returns it. Ctrl-C reaches it even where whoever runs the tests ignores it."""
        return subprocess.Popen(self.argv(*words), env=self.lab.environment, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options)

    def owner(self, name):
        return self.redis.cli("GET", f"splitmx:owner:{name}")

    def audits(self, most=100):
        """The newest entries of the audit stream as dicts, newest first; no value may hold a line feed."""
        entries = []
        for line in self.redis.cli("XREVRANGE", "splitmx.audit", "+", "-", "COUNT", most).split("\n"):
            if re.fullmatch(r"\d{13,}-\d+", line):
                entries.append([])
            elif entries:
                entries[-1].append(line)
        return [dict(zip(words[0::2], words[1::2])) for words in entries]

    def audit(self):
        """The newest entry that is about a change; what was confirmed stands in one behind it."""
        return [entry for entry in self.audits() if entry["what"] != "confirmed"][0]

    def epoch(self):
        return int(self.redis.cli("HGET", "splitmx.map", "epoch"))
