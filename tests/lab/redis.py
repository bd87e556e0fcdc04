"""A real redis-server of the lab's own."""

import os
import signal
import socket
import subprocess

from .core import Failure, Process


class Redis:
    """Listens on a Unix socket and, with tcp=True, on a port; with tls=(cert, key, ca) on a TLS port too.

    password: `requirepass`; acl: lines as in users.acl ("user reader on >secret ~* +@read");
    options: further lines of redis.conf, as a dict; host: where it runs (lab.network), then tcp listens there;
    env: more of its environment.
    """

    def __init__(self, lab, name="redis", tcp=False, password=None, acl=None, aof=False, tls=None, options=None, start=True,
                 host=None, env=None):
        self.lab = lab
        self.name = name
        self.dir = os.path.dirname(lab.path(name, "x"))
        self.socket = os.path.join(self.dir, "redis.sock")
        self.host = host
        self.env = env
        self.ip = host.address if host else "127.0.0.1"
        self.tcp_port = lab.port() if tcp else 0
        self.tls_port = lab.port() if tls else 0
        self.password = password
        self.process = None
        settings = {"port": self.tcp_port, "bind": self.ip, "unixsocket": self.socket, "unixsocketperm": 777,
                    "dir": self.dir, "save": '""', "appendonly": "yes" if aof else "no", "appendfsync": "always",
                    "daemonize": "no", "logfile": '""', "loglevel": "verbose"}
        if host:
            settings["protected-mode"] = "no"
        if password:
            settings["requirepass"] = password
        if acl:
            settings["aclfile"] = lab.write(f"{name}/users.acl", "\n".join(acl) + "\n")
        if tls:
            settings.update({"tls-port": self.tls_port, "tls-cert-file": tls[0], "tls-key-file": tls[1],
                             "tls-ca-cert-file": tls[2], "tls-auth-clients": "no"})
        settings.update(options or {})
        self.config = lab.write(f"{name}/redis.conf", "".join(f"{k} {v}\n" for k, v in settings.items()))
        if start:
            self.start()

    @property
    def url(self):
        return "unix://" + self.socket

    @property
    def tcp_url(self):
        return f"redis://{self.ip}:{self.tcp_port}"

    @property
    def pid(self):
        return self.process.pid

    def start(self, wait=True):
        argv = ["redis-server", self.config]
        self.process = Process(self.lab, self.name, self.host.run(argv) if self.host else argv, env=self.env)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=20):
        self.process.wait_until("it answers PING", seconds, self._answers)

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            try:
                s.connect(self.socket)
                s.sendall(b"PING\r\n")
                answer = s.recv(100)
            except OSError:
                return False
        return answer.startswith((b"+PONG", b"-NOAUTH"))

    def cli(self, *words, check=True, user=None, password=None):
        """redis-cli; the answer's lines without the last line feed. An error answer: Failure, unless check is False."""
        argv = ["redis-cli", "-s", self.socket]
        password = password or self.password
        if user:
            argv += ["--user", user]
        env = {"REDISCLI_AUTH": password} if password else {}
        done = self.lab.run(argv + ["-e"] + [str(w) for w in words], env=env, check=False, seconds=60)
        if check and done.returncode != 0:
            raise Failure(f"redis-cli {' '.join(map(str, words))}: {done.stdout}{done.stderr}")
        return (done.stdout if done.returncode == 0 else done.stdout + done.stderr).rstrip("\n")

    def pipe(self, commands, seconds=120):
        """Many commands at once (iterable of word lists), through redis-cli --pipe."""
        out = []
        for words in commands:
            out.append(b"*%d\r\n" % len(words))
            for word in words:
                word = word if isinstance(word, bytes) else str(word).encode()
                out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        env = {**self.lab.environment, **({"REDISCLI_AUTH": self.password} if self.password else {})}
        done = subprocess.run(["redis-cli", "-s", self.socket, "--pipe"], input=b"".join(out), capture_output=True,
                              timeout=seconds, env=env, check=False)
        if done.returncode != 0 or b"errors: 0" not in done.stdout:
            raise Failure(f"redis-cli --pipe: {done.stdout} {done.stderr}")

    # what can happen to a Redis

    def freeze(self):
        """SIGSTOP: connections stay open and nothing is answered."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self):
        self.process.signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL, as in a crash."""
        self.process.kill()

    def stop(self):
        if self.process:
            self.process.stop()

    def restart(self):
        self.stop()
        self.start()
