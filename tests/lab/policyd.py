"""splitmx-policyd and splitmx, from the build directory, with a splitmx.conf of the lab's own."""

import json
import os
import re
import signal

from .clients import Policy, Socketmap, TcpTable
from .core import BUILD, Failure, Logged, Process, process_is_alive, tail, wait_for


def program(name):
    """The path of a program that was built; SPLITMX_BUILD says where (default: build/)."""
    for path in (os.path.join(BUILD, name), os.path.join(BUILD, "src", name)):
        if os.access(path, os.X_OK):
            return path
    raise Failure(f"{name} is not in {BUILD}: build it, or set SPLITMX_BUILD")


def conf_text(value, depth=0):
    """Python values in libconfig's words: dict = group, list = list, the rest as they are."""
    pad = "  " * depth
    if isinstance(value, dict):
        inner = "".join(f"{pad}  {k} = {conf_text(v, depth + 1)};\n" for k, v in value.items())
        return "{\n" + inner + pad + "}"
    if isinstance(value, (list, tuple)):
        return "( " + ", ".join(conf_text(v, depth + 1) for v in value) + " )"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -2**31 <= value < 2**31 else f"{value}L"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def conf_file(settings):
    return "".join(f"{k} = {conf_text(v)};\n" for k, v in settings.items())


def splitmx(lab, config, *words, check=True, seconds=60, stdin=None, host=None):
    """Run `splitmx -c config words...`; returns CompletedProcess. With --json among the words use .stdout yourself."""
    argv = [program("splitmx"), "-c", config, *[str(w) for w in words]]
    return lab.run(host.run(argv) if host else argv, check=check, seconds=seconds, stdin=stdin)


class Policyd(Logged):
    """settings: the whole splitmx.conf as a dict, added to the lab's directories (run_dir, state_dir, log, user).

    redis: a Redis of the lab, or None for the private one that policyd spawns under state_dir;
    host: where it runs (lab.network); binary: another build of it; env: more of its environment;
    own_redis: whether it has a private one where redis is None.
    """

    def __init__(self, lab, settings, name="policyd", redis=None, start=True, init=True, host=None,
                 binary="splitmx-policyd", env=None, own_redis=True):
        self.lab = lab
        self.name = name
        self.redis = redis
        self.host = host
        self.binary = binary
        self.env = env
        self.own_redis = redis is None and own_redis
        self.run_dir = os.path.dirname(lab.path(name, "run", "x"))
        self.state_dir = os.path.dirname(lab.path(name, "state", "x"))
        self.log = lab.log_path(name)
        self.process = None
        self.settings = {"instance": name, "run_dir": self.run_dir, "state_dir": self.state_dir, "user": "", "group": "",
                         "log": {"to": "stderr", "level": "info"}}
        if redis:
            self.settings["redis"] = {"url": redis.tcp_url if host else redis.url}
        for key, value in settings.items():
            if isinstance(value, dict) and isinstance(self.settings.get(key), dict):
                self.settings[key].update(value)
            else:
                self.settings[key] = value
        # Postfix keeps its connections open; do not wait for them at the end.
        self.settings.setdefault("policyd", {}).setdefault("drain_timeout", 1000)
        self.config = lab.path(name, "splitmx.conf")
        self.write_config()
        if init and redis:
            self.splitmx("init")
        if start:
            self.start()

    def write_config(self):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(conf_file(self.settings))

    def splitmx(self, *words, **options):
        return splitmx(self.lab, self.config, *words, host=self.host, **options)

    # life

    def start(self, wait=True, seconds=20):
        self.lab.remember(self)
        lines = self.log_count(r"\bready\b")
        argv = [self.binary if os.path.isabs(self.binary) else program(self.binary), "-c", self.config]
        self.process = Process(self.lab, self.name, self.host.run(argv) if self.host else argv, env=self.env)
        if wait:
            self.process.wait_until("it says ready", seconds, lambda: self.log_count(r"\bready\b") > lines)

    @property
    def pid(self):
        return self.process.pid

    def reload(self):
        self.process.signal(signal.SIGHUP)

    def stop(self):
        """Ends policyd, and its private Redis with it. Any status but 0 is a trouble of the lab."""
        status = None
        if self.process:
            was_alive = self.process.is_alive()
            status = self.process.stop()
            self.process = None
            if status != 0:
                self.lab.troubles.append(f"{self.name} ended {'on SIGTERM' if was_alive else 'by itself'} with {status}:\n"
                                         + tail(self.log))
        if self.own_redis:
            self.stop_private_redis()
        self.lab.forget(self)
        return status

    def kill(self):
        """SIGKILL, as in a crash; the private Redis lives on."""
        self.process.kill()
        self.process = None

    def worker_pids(self):
        """Its children; one of them would be the private Redis."""
        children = self.lab.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], check=False).stdout.split()
        return [int(pid) for pid in children]

    def kill_workers(self):
        """SIGKILL; returns when they are gone. The master starts others."""
        self._kill_pids(self.worker_pids())

    def crash(self):
        """SIGKILL to all of it, workers too."""
        pids = self.worker_pids()
        self.kill()
        self._kill_pids(pids)

    def _kill_pids(self, pids):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it has seen its master go
        wait_for(f"the workers of {self.name} are gone", 10, lambda: not any(map(process_is_alive, pids)), (self.log,))

    def stop_private_redis(self):
        if not os.path.exists(self.private_socket):
            return
        info = self.redis_cli("INFO", "server", check=False)
        pid = re.search(r"^process_id:(\d+)", info, re.MULTILINE)
        if pid:
            self.redis_cli("SHUTDOWN", "NOSAVE", check=False)
            wait_for("the private Redis ends", 10, lambda: not process_is_alive(pid[1]))

    # its Redis

    @property
    def private_socket(self):
        return os.path.join(self.state_dir, "redis.sock")

    def redis_cli(self, *words, check=True):
        """redis-cli at the Redis that policyd uses."""
        if self.redis:
            return self.redis.cli(*words, check=check)
        done = self.lab.run(["redis-cli", "-e", "-s", self.private_socket, *[str(w) for w in words]], check=check)
        return done.stdout.rstrip("\n")

    # asking it

    def address(self, protocol, number=0):
        """Where the n-th listener of this protocol is: (host, port) or a path."""
        listeners = [l for l in self.settings["policyd"]["listen"] if l["protocol"] == protocol]
        kind, _, rest = listeners[number]["address"].partition(":")
        if kind == "unix":
            return rest
        host, _, port = rest.rpartition(":")
        return host.strip("[]"), int(port)

    def socketmap(self, number=0, seconds=5):
        return Socketmap(self.address("socketmap", number), seconds)

    def tcp_table(self, number=0, seconds=5):
        return TcpTable(self.address("tcp_table", number), seconds)

    def policy(self, number=0, seconds=5):
        return Policy(self.address("policy", number), seconds)

    def ask(self, name, key):
        """One question on a connection of its own: ("OK", value), ("NOTFOUND", ""), ("TEMP", reason)..."""
        with self.socketmap() as client:
            return client.ask(name, key)

    def wait_answer(self, name, key, want, seconds=10):
        """Ask until the answer is `want`, a pair or a word ("OK")."""
        last = [None]

        def right():
            last[0] = self.ask(name, key)
            return last[0] == want or last[0][0] == want
        try:
            wait_for(f"{name} {key} answers {want}", seconds, right, (self.log,))
        except Failure as e:
            raise Failure(f"{e}\n  last answer: {last[0]}") from None
        return last[0]

    def status(self):
        """What the process says of itself."""
        return json.loads(self.splitmx("--json", "status", "--local").stdout)["process"]
