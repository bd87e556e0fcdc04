"""Hostile row D9: system calls that are interrupted, find nothing, move less than they could, or lack what they need."""

import mmap
import os
import random
import re
import resource
import ssl
import struct
import subprocess
import threading
import unittest
from concurrent import futures

from front_scripts import PROTOCOLS, Home, RowsCase, plain, verdict
from lab import FULL, wait_for
from lab.certs import Authority
from lab.core import BUILD
from lab.policyd import program

SHIM = os.path.join(BUILD, "tests", "dialogs", "faults.so")
CALLS = ("accept", "socket", "pipe", "connect", "recv", "send", "splice", "wait")  # as in faults.c
KINDS = ("interrupted", "nothing", "less", "lacking")
BYTES = (20 << 20) if FULL else (1 << 20)
ROUNDS = 40 if FULL else 6
AT_ONCE = 8
INVISIBLE = {("interrupted", call) for call in ("accept", "connect", "recv", "send", "splice", "wait")} | \
    {("nothing", call) for call in ("accept", "recv", "send", "splice")} | {("less", call) for call in ("recv", "send",
                                                                                                        "splice")}


def bulk(seed):
    return random.Random(seed).randbytes(BYTES)


class Page:
    """What goes wrong, shared with the shim in every process."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(4096))
        with open(path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 4096)

    def set(self, **thousandths):
        for i, kind in enumerate(KINDS):
            struct.pack_into("=I", self.memory, 4 * i, thousandths.get(kind, 0))

    def count(self, kind, call):
        at = 4 * (len(KINDS) + CALLS.index(call) * len(KINDS) + KINDS.index(kind))
        return struct.unpack_from("=I", self.memory, at)[0]


class Faulty(RowsCase):
    tls = ("none", "implicit")
    frontd_settings = {"login_timeout": 20000, "fail_delay": 0}

    @classmethod
    def make_homes(cls):
        cls.authority = Authority(cls.lab)
        cls.page = Page(cls.lab.path("faults"))
        linked = subprocess.run(["ldd", program("splitmx-frontd")], stdout=subprocess.PIPE, check=True, text=True).stdout
        sanitizer = re.search(r"libasan\S* => (\S+)", linked)  # it wants to be the first
        cls.environment = {"SPLITMX_FAULTS": cls.page.path, "LD_PRELOAD": f"{sanitizer[1] if sanitizer else ''} {SHIM}".strip()}
        more = {"imap": "STARTTLS ", "pop3": "STLS\r\n", "submission": "250-STARTTLS\r\n", "sieve": '"STARTTLS"\r\n'}
        return {"old": Home(cls.lab, "old"),
                "new": Home(cls.lab, "new", tls=cls.authority.sign("backend.example.org"), always=more)}

    @classmethod
    def adjust(cls, settings):
        super().adjust(settings)
        certificate, key = cls.authority.sign("front.example.org", "127.0.0.1")
        cls.context = ssl.create_default_context(cafile=cls.authority.ca)
        settings["frontd"]["certificates"] = [{"cert_file": certificate, "key_file": key}]
        for service in settings["destinations"][1]["services"]:
            service.update(tls="starttls", ca_file=cls.authority.ca, server_name="backend.example.org")
            del service["trusted"]

    def setUp(self):
        super().setUp()
        self.addCleanup(self.page.set)
        self.taken, self.lock = {}, threading.Lock()
        for home in self.homes.values():
            home.hooks = {("imap", "FETCH"): self.fetch, ("imap", "APPEND"): self.take_literal,
                          ("sieve", "PUTSCRIPT"): self.take_literal,
                          ("pop3", "RETR"): self.retrieve}

    # the backends' part

    def fetch(self, session, tag, rest):
        session.send(b"* 1 FETCH (BODY[] {%d}\r\n" % BYTES + bulk(rest) + f")\r\n{tag} OK Done\r\n".encode())

    def retrieve(self, session, tag, rest):
        session.send("+OK\r\n" + "".join(f"{rest} {i}\r\n" for i in range(5000)) + ".\r\n")

    def take_literal(self, session, tag, rest):
        size = int(re.search(r"\{(\d+)\+\}$", rest)[1])
        data = session.read(size)
        with self.lock:
            self.taken[session.user] = data
        session.line()
        session.send(f"{tag} OK Done\r\n" if tag else 'OK "Done"\r\n')

    # the clients'

    def read(self, client, size):
        while len(client.rest) < size:
            more = client.sock.recv(1 << 18)
            if not more:
                raise ConnectionError("the end comes too early")
            client.rest += more
        data, client.rest = client.rest[:size], client.rest[size:]
        return data

    def work(self, client, user):
        """A session with some of everything; AssertionError where a byte is not as it was."""
        protocol, data = client.protocol, bulk(user)
        if protocol == "imap":
            client.say(f"f FETCH {user}")
            head = client.line()
            assert head == b"* 1 FETCH (BODY[] {%d}\r\n" % BYTES, head
            assert self.read(client, BYTES) == data, "other bytes"
            assert [client.line(), client.line()] == [b")\r\n", b"f OK Done\r\n"]
            client.say(b"p APPEND x {%d+}\r\n" % BYTES + data + b"\r\nn NOOP\r\n")
            assert [client.line(), client.line()] == [b"p OK Done\r\n", b"n OK Done\r\n"]
        elif protocol == "pop3":
            client.say(f"RETR {user}\r\nNOOP")
            got = [client.line() for _ in range(5003)]
            assert got == [b"+OK\r\n", *(f"{user} {i}\r\n".encode() for i in range(5000)), b".\r\n", b"+OK Done\r\n"], got[-3:]
        elif protocol == "sieve":
            client.say(b'PUTSCRIPT "x" {%d+}\r\n' % BYTES + data + b"\r\nNOOP\r\n")
            assert [client.line(), client.line()] == [b'OK "Done"\r\n'] * 2
        else:
            for word in (f"MAIL FROM:<{user}>", "RCPT TO:<x@example.org>", "DATA"):
                client.say(word)
                assert client.answer()[:1] in b"23"
            client.say(b"x" * 70 + b"\r\n" + b"..dots\r\n" * 20000 + b".\r\n")
            assert client.answer().startswith(b"250"), "not taken"
            assert (user, 20001) in self.old.messages + self.new.messages
        if protocol in ("imap", "sieve"):
            assert self.taken[user] == data, "the backend has other bytes"

    def log_in(self, protocol, tls, user):
        client = self.talk(protocol, tls=tls, context=self.context if tls == "implicit" else None)
        client.sock.settimeout(60)
        client.greet()
        return client, verdict(client.auth("PLAIN", plain(user, "good")))

    def jobs(self):
        for n in range(ROUNDS):
            for protocol in PROTOCOLS:
                for tls in self.tls:
                    for side in ("old", "new"):
                        if (n + (tls == "none") + (side == "new")) % 2 == 0 or n == 0:
                            yield protocol, tls, f"{side}-{n}-{protocol}-{tls}@example.org"

    def each_job(self, do):
        jobs = list(self.jobs())
        for _, _, user in jobs:
            self.set_owner(user.split("-")[0], user)
        with futures.ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda job: do(*job), jobs))

    def leave(self, client):
        client.say({"imap": "z LOGOUT", "sieve": "LOGOUT"}.get(client.protocol, "QUIT"))
        client.everything(60)


class Moods(Faulty):
    def test_D9_what_every_program_has_to_expect_is_seen_by_nobody(self):
        worker, before = self.worker(), self.descriptors()

        def do(protocol, tls, user):
            client, word = self.log_in(protocol, tls, user)
            with client:
                if word == "in":
                    self.work(client, user)
                    self.leave(client)
                return word
        self.page.set(interrupted=100, nothing=200, less=300)
        words = self.each_job(do)
        self.page.set()
        self.assertEqual({"in"}, set(words))
        counts = {one: self.page.count(*one) for one in sorted(INVISIBLE)}
        self.figures(f"D9 sessions={len(words)} faults={sum(counts.values())}")
        self.assertEqual([], [one for one, count in counts.items() if count == 0])
        self.assertEqual(worker, self.worker())
        self.assertEqual(0, self.front.log_count("backend_failed|client_failed|session_ended .*why=.*failed"))
        self.wait_nobody()
        wait_for("all descriptors are back", 20, lambda: self.descriptors() <= before + 8, (self.front.log,))  # idle pipes


class Lacks(Faulty):
    def test_D9_without_descriptors_or_memory_for_them_some_wait_and_nothing_is_broken(self):
        worker = self.worker()
        long, word = self.log_in("imap", "none", f"old-long-{self.user}")
        self.assertEqual("in", word)

        def do(protocol, tls, user):
            try:
                client, word = self.log_in(protocol, tls, user)
            except OSError:
                return "bye"
            with client:
                if word == "in":
                    self.work(client, user)  # who is in stays in, without pipes, too
                return word
        self.page.set(lacking=1000)
        self.work(long, f"old-long-{self.user}")  # not one pipe is to be had
        self.page.set(lacking=400)
        words = self.each_job(do)
        self.work(long, f"old-long-{self.user}")
        self.page.set()
        self.assertLessEqual(set(words), {"in", "later", "bye"})
        self.assertIn("in", words)
        self.assertIn("later", words)
        for call in ("accept", "socket", "pipe"):
            self.assertGreater(self.page.count("lacking", call), 0, call)
        self.assertEqual(worker, self.worker())
        self.assertEqual(0, self.front.log_count("backend_avoided"))  # the backends have done nothing
        for protocol in PROTOCOLS:  # and at once they are used again
            for side in ("old", "new"):
                self.set_owner(side, f"{side}-{self.user}")
                self.assertEqual("in", self.log_in(protocol, "none", f"{side}-{self.user}")[1])
        self.assertEqual(b"n OK Done\r\n", long.noop())


class Limit(RowsCase):
    """The kernel's own limit, and no shim."""

    frontd_settings = {"fail_delay": 0}

    def test_D9_a_full_table_of_descriptors_shuts_no_door(self):
        worker = self.worker()
        _, most = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        clients = [self.ready(PROTOCOLS[i % 4]) for i in range(40)]
        self.addCleanup(resource.prlimit, worker, resource.RLIMIT_NOFILE, (most, most))
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (self.descriptors(), most))
        for client in clients:  # ten for each protocol: twice as many as shut a door
            self.assertEqual("later", verdict(client.auth("PLAIN", plain(self.user, "good"))))
        self.assertEqual(40, self.front.log_count(r"backend_failed .*Too many open files"))
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (most, most))
        for client in clients:
            self.assertEqual("in", verdict(client.auth("PLAIN", plain(self.user, "good"))))
        self.assertEqual(0, self.front.log_count("backend_avoided"))


if __name__ == "__main__":
    unittest.main()
