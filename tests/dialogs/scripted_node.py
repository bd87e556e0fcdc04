"""A node that does what a test says, and a way to Redis that ends where a test says."""

import contextlib
import json
import os
import socket
import threading


def take(data):
    """The length of the first whole RESP value in data, 0 when there is none yet."""
    end = data.find(b"\r\n")
    if end < 0:
        return 0
    kind, at = data[:1], end + 2
    if kind in (b"+", b"-", b":"):
        return at
    count = int(data[1:end])
    if kind == b"$":
        return at if count < 0 else (at + count + 2 if len(data) >= at + count + 2 else 0)
    assert kind == b"*", data[:80]
    for _ in range(max(count, 0)):
        one = take(data[at:])
        if one == 0:
            return 0
        at += one
    return at


def value(data):
    """One whole RESP value as Python: a list, bytes, an int; an error as an exception that is returned."""
    end = data.find(b"\r\n")
    kind, head, at = data[:1], data[1:end], end + 2
    if kind == b"+":
        return head
    if kind == b"-":
        return RuntimeError(head.decode())
    if kind == b":":
        return int(head)
    if kind == b"$":
        return None if int(head) < 0 else data[at:at + int(head)]
    items = []
    for _ in range(int(head)):
        length = take(data[at:])
        items.append(value(data[at:at + length]))
        at += length
    return items


class Wire:
    """One connection to a Redis."""

    def __init__(self, redis):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(redis.socket)
        self.data = b""

    def send(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    def read(self):
        while True:
            length = take(self.data)
            if length > 0:
                one, self.data = self.data[:length], self.data[length:]
                return value(one)
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.data += more

    def call(self, *words):
        self.send(*words)
        return self.read()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Node:
    """In the roster from the start. `beats`, and `answer` (message -> what it publishes, or None), may be changed."""

    def __init__(self, redis, name, grace_ms=0, drain_ms=0, beats=True, answers=True, entry=None):
        self.redis, self.name, self.beats, self.run = redis, name, beats, "1"
        self.answer = self.acknowledge if answers else lambda message: None
        self.heard = []
        self.stopping = threading.Event()
        self.wires = [Wire(redis), Wire(redis), Wire(redis)]
        assert self.wires[0].call("SUBSCRIBE", "splitmx.barrier")[0] == b"subscribe"
        self.wires[0].socket.settimeout(None)  # barriers come when they come: it listens until close()
        self.wires[1].call("HSET", "splitmx.nodes", name, entry if entry is not None else json.dumps(
            {"host": "mx", "role": "policyd", "grace_ms": grace_ms, "drain_ms": drain_ms, "run": self.run}))
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._beat)]
        for thread in self.threads:
            thread.start()

    def acknowledge(self, message):
        epoch, nonce = message.split()[:2]
        return f"{epoch} {nonce} {self.name} {self.run}"

    def _listen(self):
        with contextlib.suppress(EOFError, OSError):
            while True:
                message = self.wires[0].read()[2].decode()
                self.heard.append(message)
                answer = self.answer(message)
                if answer is not None:
                    self.wires[1].call("PUBLISH", "splitmx.ack", answer)

    def _beat(self):
        beat = 0
        with contextlib.suppress(EOFError, OSError):
            while not self.stopping.wait(0.05):
                beat += 1
                if self.beats:
                    self.wires[2].call("HSET", "splitmx.beats", self.name, json.dumps({"run": self.run, "beat": beat}))

    def close(self):
        self.stopping.set()
        for wire in self.wires:
            wire.close()
        for thread in self.threads:
            thread.join()


class Way:
    """A Unix socket that leads to a Redis. Counts what passes, over all connections; at the given one `then` is
    called, that one is not passed on and every connection ends; `word` is the first of a request. New ones pass, to whatever `redis` is then.
    With `delays` nothing ends: that one passes after `then`."""

    def __init__(self, lab, redis, name="way", reply=0, request=0, word=None, then=lambda: None, delays=False):
        self.redis, self.then, self.word, self.delays = redis, then, word, delays
        self.at = {"reply": reply, "request": request}
        self.passed = {"reply": 0, "request": 0}
        self.words = []  # the first word of each request
        self.lock = threading.Lock()
        self.pairs, self.threads = [], []
        self.path = lab.path(name, "way.sock")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        os.chmod(self.path, 0o777)
        self.server.listen(16)
        self.acceptor = threading.Thread(target=self._accept)
        self.acceptor.start()

    @property
    def url(self):
        return "unix://" + self.path

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(self.redis.socket)
            with self.lock:
                self.pairs.append((client, upstream))
            for what, source, sink in (("request", client, upstream), ("reply", upstream, client)):
                thread = threading.Thread(target=self._pass, args=(what, source, sink))
                self.threads.append(thread)
                thread.start()

    def _pass(self, what, source, sink):
        data = b""
        with contextlib.suppress(OSError):
            while more := source.recv(65536):
                data += more
                while (length := take(data)) > 0:
                    one, data = data[:length], data[length:]
                    if not self._count(what, one):
                        return
                    sink.sendall(one)
        self._end([(source, sink)])

    def _count(self, what, one):
        with self.lock:
            self.passed[what] += 1
            if what == "request":
                self.words.append(value(one)[0].decode())
            if self.passed[what] != self.at[what] and not (what == "request" and self.words[-1] == self.word):
                return True
            self.word = None
            self.then()
            if not self.delays:
                self._end(self.pairs)
            return self.delays

    @staticmethod
    def _end(pairs):
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.acceptor.join()
        with self.lock:
            self._end(self.pairs)
        for thread in self.threads:
            thread.join()
        for pair in self.pairs:
            for end in pair:
                end.close()
