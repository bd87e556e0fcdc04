"""The map client alone (tests/unit/mapdrive), and a Redis that says what a test wants."""

import json
import os
import queue
import shutil
import socket
import subprocess
import threading
import time
import unittest

from lab.core import BUILD, Failure, wait_for
from lab.policyd import conf_file

MAPDRIVE = os.path.join(BUILD, "tests", "unit", "mapdrive")
HEAD = {"id": "11111111-2222-4333-8444-555555555555", "epoch": "5", "schema": "1", "lease_ms": "15000", "members": "1"}


needs_redis = unittest.skipIf(shutil.which("redis-server") is None, "redis-server is not installed")


class Drive:
    """mapdrive with settings of its own; ask() answers a dict, question() a Question to wait for."""

    def __init__(self, lab, url=None, name="drive", start=True, **settings):
        self.lab = lab
        self.name = name
        self.state_dir = os.path.dirname(lab.path(name, "x"))
        self.log = lab.log_path(name)
        redis = {"reconnect_least": 20, "reconnect_most": 200, "connect_timeout": 500, **settings.pop("redis", {})}
        if url:
            redis["url"] = url
        self.settings = {"instance": name.lower().replace("_", "-")[-60:].strip("-"), "state_dir": self.state_dir, "user": "", "group": "", "log": {"level": "info"}, "redis": redis,
                         "destinations": [{"name": "old"}, {"name": "new"}],
                         "maps": [{"name": "transport", "owners": {"new": "lmtp:a", "old": "relay:b"}}], **settings}
        self.config = lab.write(f"{name}.conf", conf_file(self.settings))
        self.popen = None
        self.numbers = 0
        if start:
            self.start()

    def start(self):
        log = open(self.log, "ab")
        self.popen = subprocess.Popen([MAPDRIVE, self.config], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                      env={**self.lab.environment}, text=True, bufsize=1)
        log.close()
        self.lab.remember(self)
        self.answers, self.other, self.ends = {}, queue.Queue(), queue.Queue()
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, args=(self.popen.stdout,), daemon=True)
        self.reader.start()
        return self

    def _read(self, out):
        for line in out:
            answer = json.loads(line)
            if "n" in answer:
                with self.changed:
                    self.answers[answer["n"]] = answer
                    self.changed.notify_all()
            elif "end" in answer:
                self.ends.put(answer)
            else:
                self.other.put(answer)
        self.other.put(None)

    def say(self, line):
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def send(self, address):
        self.numbers += 1
        self.say(f"ask {self.numbers} {address}")
        return self.numbers

    def take(self, number, seconds=5):
        with self.changed:
            if not self.changed.wait_for(lambda: number in self.answers, seconds):
                raise Failure(f"question {number} was not answered in {seconds} s")
            return self.answers.pop(number)

    def ask(self, address):
        return self.take(self.send(address))

    def ask_until(self, address, seconds=5, **wanted):
        return wait_for(f"{address}: {wanted}", seconds, lambda: self._matches(self.ask(address), wanted), [self.log], 0.005)

    @staticmethod
    def _matches(answer, wanted):
        return answer if all(answer[k] == v for k, v in wanted.items()) else None

    def call(self, line, seconds=5):
        self.say(line)
        return self.other.get(timeout=seconds)

    def status(self):
        return self.call("status")

    def claim(self, address, what="all"):
        """Its number, when it is taken."""
        self.numbers += 1
        self.say(f"claim {self.numbers} {address} {what}")
        answer = self.take(self.numbers)
        assert answer["verdict"] == "found", answer
        return answer["n"]

    def claims(self):
        """Whom each claim leads to, by its number."""
        return {int(n): owner for n, owner in self.call("claims")["claims"].items()}

    def ended(self, seconds=5):
        """The next claim that was asked to end, and whether because nobody can be believed."""
        answer = self.ends.get(timeout=seconds)
        return answer["end"], answer["nobody"]

    def domain(self, name):
        return self.call("domain " + name)["verdict"]

    def wait_live(self, seconds=10):
        wait_for("a live session", seconds, lambda: self.status()["link"]["state"] == "live", [self.log])
        return self

    def wait_complete(self, seconds=10):
        wait_for("the list of domains", seconds, lambda: self.status()["domains"]["complete"], [self.log])
        return self

    def wait_trouble(self, text, seconds=10):
        return wait_for("trouble: " + text, seconds, lambda: text in self.status()["link"]["trouble"], [self.log])

    def stop(self):
        self.popen.stdin.close()
        if self.popen.poll() is None:
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.reader.join()
        self.popen.stdout.close()
        self.lab.forget(self)
        return self.popen.returncode


class FakeRedis:
    """Speaks enough RESP2 for one map client, in whatever order a test says.

    strings: keys and values; head: the hash splitmx.map; refuse: {"GET": "-OOM no"} answers a command so;
    on_exec(fake, connection, reply): called with the bytes of D's EXEC reply, returns what is sent instead (None: nothing).
    on_load: the same for the EXEC of a preload.
    on_look: called with hash and field after each HGET between WATCH and MULTI; aborts: EXECs that found another state.
    nodes, beats: the hashes splitmx.nodes and .beats; replicas: how many WAIT finds; published: (channel, text).
    echo, gate: events that replies to PING, and to heartbeats, wait for.
    silent, slow_s: no replies, or late ones; deafen(name): none on the connections that have this name now.
    """

    def __init__(self, lab, name="fake"):
        self.lab = lab
        self.name = name
        self.path = lab.path(name, "s")
        self.url = "unix://" + self.path
        self.strings, self.head, self.refuse = {}, dict(HEAD), {}
        self.nodes, self.beats = {}, {}
        self.on_look, self.aborts = None, 0
        self.replicas, self.published = 0, []
        self.role, self.run_id = "master", lambda connection: "a" * 40
        self.on_exec = self.on_load = None
        self.silent, self.slow_s, self.echo, self.gate = False, 0, None, None
        self.lock = threading.RLock()
        self.connections, self.tracker, self.execs = [], None, 0
        self.listener = None
        self.open()

    def open(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def close(self):
        """No more connections, and the ones that are there end."""
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()

    def drop(self):
        for connection in list(self.connections):
            connection.end()

    def deafen(self, name):
        for connection in self.connections:
            connection.deaf = connection.deaf or connection.name == name

    def push(self, payload):
        """An invalidation: a list of keys, None, or raw bytes in the payload's place."""
        if isinstance(payload, list):
            payload = b"*%d\r\n" % len(payload) + b"".join(bulk(k) for k in payload)
        elif payload is None:
            payload = b"*-1\r\n"
        self.tracker.send(b"*3\r\n" + bulk("message") + bulk("__redis__:invalidate") + payload)

    def bark(self, epoch, nonce, *names):
        """A barrier."""
        self.tracker.send(array(bulk("message"), bulk("splitmx.barrier"), bulk(" ".join([str(epoch), nonce, *(names or "*")]))))

    def hash(self, key):
        return {"splitmx.map": self.head, "splitmx.nodes": self.nodes, "splitmx.beats": self.beats}[key]

    def set(self, key, value, tell=True):
        with self.lock:
            self.strings[key] = value
        if tell:
            self.push([key])

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            connection = FakeConnection(self, sock)
            self.connections.append(connection)
            threading.Thread(target=connection.run, daemon=True).start()


def bulk(text):
    if text is None:
        return b"$-1\r\n"
    text = text.encode() if isinstance(text, str) else text
    return b"$%d\r\n%s\r\n" % (len(text), text)


def array(*items):
    return b"*%d\r\n" % len(items) + b"".join(items)


class FakeConnection:
    def __init__(self, fake, sock):
        self.fake, self.sock, self.name = fake, sock, ""
        self.queued, self.deaf = None, False
        self.watched = {}  # hashes, as they were
        self.number = len(fake.connections) + 1
        self.out = threading.Lock()

    def end(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        if self in self.fake.connections:
            self.fake.connections.remove(self)

    def send(self, data):
        with self.out:
            try:
                self.sock.sendall(data)
            except OSError:
                pass

    def run(self):
        stream = self.sock.makefile("rb")
        try:
            while True:
                head = stream.readline()
                if not head:
                    break
                words = []
                for _ in range(int(head[1:])):
                    words.append(stream.read(int(stream.readline()[1:]) + 2)[:-2].decode())
                time.sleep(self.fake.slow_s)
                if not self.fake.silent and not self.deaf:
                    self.take(words)
        except (OSError, ValueError):
            pass
        stream.close()
        self.sock.close()

    def take(self, words):
        command = words[0]
        if command == "WATCH" and command not in self.fake.refuse:
            self.watched = {key: dict(self.fake.hash(key)) for key in words[1:]}
            reply = b"+OK\r\n"
        elif command == "UNWATCH":
            self.watched = {}
            reply = b"+OK\r\n"
        elif command == "EXEC" and any(self.fake.hash(key) != was for key, was in self.watched.items()):
            self.queued, self.watched = None, {}
            self.fake.aborts += 1
            reply = b"*-1\r\n"
        elif command == "MULTI" and command not in self.fake.refuse:
            self.queued = []
            reply = b"+OK\r\n"
        elif command == "EXEC" and self.queued is not None:
            with self.fake.lock:
                reply = array(*[self.answer(w) for w in self.queued])
            if "EXEC" in self.fake.refuse:
                reply = self.fake.refuse["EXEC"].encode() + b"\r\n"
            is_lookup, is_load = [any(w[0] == word for w in self.queued) for word in ("GET", "MGET")]
            if self.fake.gate and {"HSET", "ROLE"} <= {w[0] for w in self.queued}:
                self.fake.gate.wait(5)
            self.queued, self.watched = None, {}
            if is_lookup:
                self.fake.execs += 1
                if self.fake.on_exec:
                    reply = self.fake.on_exec(self.fake, self, reply)
            elif is_load and self.fake.on_load:
                reply = self.fake.on_load(self.fake, self, reply)
        elif self.queued is not None and command not in self.fake.refuse:
            self.queued.append(words)
            reply = b"+QUEUED\r\n"
        else:
            reply = self.answer(words)
        if reply:
            self.send(reply)

    def answer(self, words):
        fake, command = self.fake, words[0]
        if command in fake.refuse:
            return fake.refuse[command].encode() + b"\r\n"
        if command == "CLIENT" and words[1] == "SETNAME":
            self.name = words[2]
            return b"+OK\r\n"
        if command == "CLIENT" and words[1] == "ID":
            return b":%d\r\n" % self.number
        if command == "CLIENT" and words[1] == "TRACKING":
            assert words[2:] == ["ON", "REDIRECT", str(self.number), "BCAST", "PREFIX", "splitmx:"], words
            fake.tracker = self
            return b"+OK\r\n"
        if command == "SUBSCRIBE":
            return array(bulk("subscribe"), bulk(words[1]), b":1\r\n")
        if command == "PING":
            if fake.echo:
                fake.echo.wait(5)
            return array(bulk("pong"), bulk(words[1]))
        if command == "INFO" and words[1] == "memory":
            return bulk("# Memory\r\nmaxmemory:0\r\nmaxmemory_human:0B\r\nmaxmemory_policy:noeviction\r\n")
        if command == "INFO":
            return bulk(f"# Server\r\nredis_version:7.0.15\r\nrun_id:{fake.run_id(self)}\r\n")
        if command == "ROLE":
            return array(bulk(fake.role), b":0\r\n", array())
        if command == "HGETALL":
            return array(*[bulk(x) for pair in fake.hash(words[1]).items() for x in pair])
        if command == "HGET":
            reply = bulk(fake.hash(words[1]).get(words[2]))
            if self.watched and self.queued is None and fake.on_look:
                fake.on_look(words[1], words[2])
            return reply
        if command == "HSET":
            fake.hash(words[1])[words[2]] = words[3]
            return b":0\r\n"
        if command == "HDEL":
            return b":%d\r\n" % (fake.hash(words[1]).pop(words[2], None) is not None)
        if command == "WAIT":
            if fake.replicas < int(words[1]):
                time.sleep(int(words[2]) / 1000)
            return b":%d\r\n" % fake.replicas
        if command == "PUBLISH":
            fake.published.append((words[1], words[2]))
            return b":1\r\n"
        if command == "GET":
            return bulk(fake.strings.get(words[1]))
        if command == "MGET":
            return array(*[bulk(fake.strings.get(w)) for w in words[1:]])
        if command == "DBSIZE":
            return b":%d\r\n" % len(fake.strings)
        if command == "EXISTS":
            return b":%d\r\n" % sum(w in fake.strings for w in words[1:])
        if command == "SCAN":
            return array(bulk("0"), array(*[bulk(k) for k in fake.strings if ":@" in k or ":@" not in " ".join(words)]))
        return b"-ERR unknown command\r\n"


def raw_set(sock, key, value):
    """SET over a socket that stays open, so that the time is Redis's and not redis-cli's."""
    sock.sendall(array(bulk("SET"), bulk(key), bulk(value)))
    assert sock.recv(100) == b"+OK\r\n"
    return time.monotonic()
