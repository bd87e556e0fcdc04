"""Hostile rows C21 and C22: secrets in every mechanism and protocol, and then everywhere where they must not be."""

import base64
import contextlib
import os
import re
import resource
import signal
import ssl
import unittest

from front_scripts import PROTOCOLS, WRONG, Home, RowsCase, b64, plain
from lab import wait_for
from lab.certs import Authority
from lab.core import process_is_alive
from openmetrics import scrape

MARK = "kT7wQz2RvXb9"  # in every secret that is said here, and nowhere else
ODD = f"{MARK} ~\u00df\u20ac$%n%s{{7}}'"  # spaces, UTF-8, and what formats and literals are made of


def base64_forms(text):
    """What base64 makes of it, wherever in a message it stands."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + text.encode() + b"\0\0\0").decode()
        yield coded[4 * -(-before // 3):4 * ((before + len(text)) // 3)]


NEEDLES = [needle.encode() for needle in (MARK, *base64_forms(MARK), MARK.encode().hex(), MARK.lower(), MARK.upper())]
FOUND = re.compile(b"|".join(map(re.escape, NEEDLES)))


class Secrets(RowsCase):
    tls = ("none", "implicit")
    main_settings = {"log": {"to": "stderr", "level": "debug"}}
    frontd_settings = {"login_timeout": 1500, "fail_delay": 0, "drain_timeout": 2000}

    @classmethod
    def make_homes(cls):
        cls.authority = Authority(cls.lab)
        identity = cls.authority.sign("backend.example.org")
        more = {"imap": "STARTTLS ", "pop3": "STLS\r\n", "submission": "250-STARTTLS\r\n", "sieve": '"STARTTLS"\r\n'}
        return {"old": Home(cls.lab, "old"), "new": Home(cls.lab, "new", tls=identity, always=more)}

    @classmethod
    def adjust(cls, settings):
        super().adjust(settings)
        certificate, key = cls.authority.sign("front.example.org", "127.0.0.1")
        cls.context = ssl.create_default_context(cafile=cls.authority.ca)
        settings["frontd"]["certificates"] = [{"cert_file": certificate, "key_file": key}]
        cls.metrics = cls.lab.port()
        settings["frontd"]["metrics"] = f"inet:127.0.0.1:{cls.metrics}"
        for service in settings["destinations"][1]["services"]:
            service.update(tls="starttls", ca_file=cls.authority.ca, server_name="backend.example.org")
            del service["trusted"]

    # saying them

    def each_client(self):
        for protocol in PROTOCOLS:
            for tls in self.tls:
                client = self.talk(protocol, tls=tls, context=self.context if tls == "implicit" else None)
                client.tls = tls
                yield client

    def messages(self, user, secret):
        """Mechanism -> what a client says in it."""
        token = MARK + (WRONG if WRONG in secret else "")
        return {"PLAIN": [plain(user, secret)], "LOGIN": [b64(user), b64(secret)],
                "OAUTHBEARER": [b64(f"n,a={user},\x01host=x\x01auth=Bearer {token}\x01\x01"), "AQ=="],
                "XOAUTH2": [b64(f"user={user}\x01auth=Bearer {token}\x01\x01"), ""],
                "SCRAM-SHA-256": [b64(f"n,,n={user},r={MARK}"),
                                  b64(f"c=biws,r={MARK}x,p={secret if WRONG in secret else MARK}")]}

    def offered(self):
        def is_offered(protocol):
            with self.talk(protocol) as client:
                client.greet()
                return client.auth("SCRAM-SHA-256", b64("n,,n=probe@example.org,r=abc")).startswith((b"+ ", b"334", b'"'))
        for protocol in PROTOCOLS:
            wait_for(f"{protocol} offers SCRAM", 20, lambda p=protocol: is_offered(p), (self.front.log,))

    def all_ways(self, user, secret, hurry=False):
        """In every protocol, in clear and TLS, in every mechanism and the protocol's own words; the clients that live."""
        for mechanism in (*self.messages(user, secret), None):
            for client in self.each_client():
                with contextlib.suppress(OSError):
                    client.greet()
                    if hurry and mechanism:
                        client.say({"imap": f"a AUTHENTICATE {mechanism} ", "sieve": f'AUTHENTICATE "{mechanism}" "'}
                                   .get(client.protocol, f"AUTH {mechanism} ") + self.messages(user,
                                                                                               secret)[mechanism][0] + "\"")
                    elif mechanism:
                        client.auth(mechanism, *self.messages(user, secret)[mechanism])
                    elif not hurry:
                        client.native(user, secret)
                    else:
                        client.say(f'a LOGIN "{user}" "{secret}"' if client.protocol == "imap" else
                                   f"USER {user}\r\nPASS {secret}")
                yield client

    def malformed(self, user):
        """Lines with a secret in them, and something wrong with each."""
        blob = plain(user, ODD)
        return {
            "imap": [f'LOGIN {user} "{ODD}"', f"a LOGIN {user}", f'a LOGIN {user} "{MARK}" "{MARK}"',
                     f"a LOGIN {user} {MARK}\0", MARK,
                     f"a {MARK}", f"a AUTHENTICATE PLAIN {blob}=", f"a AUTHENTICATE PLAIN !{blob}",
                     f"a AUTHENTICATE {MARK} {blob}",
                     f"a AUTHENTICATE PLAIN {b64(MARK)}", f"a LOGIN {user} {{12+}}\r\n{MARK} x",
                     f"a LOGIN {user} {{99999}}\r\n{MARK}",
                     f'a LOGIN {user} "{MARK * 800}"', f'a ID ("x" "{MARK}', "a LOGIN \"" + MARK],
            "pop3": [f"PASS {ODD}", f"USER {user}\r\nPASS {MARK}\x01", f"AUTH PLAIN {blob}=", f"AUTH PLAIN {blob} x",
                     MARK, f"APOP {user} {MARK}",
                     f"AUTH {MARK}", f"USER {user}\r\nPASS {MARK * 60}", f"AUTH PLAIN\r\n{MARK}", f"PASS {MARK * 400}"],
            "submission": [f"AUTH PLAIN {blob}=", f"AUTH PLAIN {blob} x", f"AUTH PLAIN\r\n{MARK}", MARK,
                           f"AUTH LOGIN\r\n{b64(user)}\r\n{MARK}",
                           f"AUTH {MARK} {blob}", f"AUTH PLAIN {MARK * 900}", f"MAIL FROM:<{MARK}>"],
            "sieve": [f'AUTHENTICATE "PLAIN" "{blob}="', f'AUTHENTICATE "PLAIN" {{99999+}}\r\n{blob}',
                      f'AUTHENTICATE "{MARK}" "{blob}"', MARK,
                      f'AUTHENTICATE "PLAIN" "{blob}" x', f'AUTHENTICATE "PLAIN"\r\n"{MARK}"',
                      f'AUTHENTICATE "PLAIN" "{MARK * 200}"',
                      f'AUTHENTICATE "LOGIN"\r\n"{b64(user)}"\r\n"{MARK}"']}

    def say_malformed(self):
        for i in range(15):
            for client in self.each_client():
                lines = self.malformed(self.user)[client.protocol]
                with contextlib.suppress(OSError):
                    client.greet()
                    client.say(lines[i % len(lines)])
                    client.sock.settimeout(0.3)
                    client.line()
                (client.reset if i % 2 and client.tls == "none" else client.close)()

    def repeat(self):
        """A backend that says again what it was told, in its refusals and elsewhere."""
        answers = {"imap": "{} NO [ALERT] {}\r\n", "pop3": "-ERR {}{}\r\n", "submission": "535 5.7.8 {}{}\r\n",
                   "sieve": '{}NO "{}"\r\n'}
        for protocol, word in (("imap", "AUTHENTICATE"), ("imap", "LOGIN"), ("pop3", "AUTH"), ("submission", "AUTH"),
                               ("sieve", "AUTHENTICATE")):
            for answer in (answers[protocol], "* BYE {}{}\r\n", "{}{}\r\n", "421 {}{}\r\n"):
                for home in self.homes.values():
                    home.hooks[protocol, word] = lambda s, tag, rest, a=answer: s.send(a.format(tag, rest.replace('"', "")))
                for client in self.each_client():
                    if client.protocol == protocol:
                        with contextlib.suppress(OSError):
                            client.greet()
                            client.auth("PLAIN", plain(self.user, ODD))
                    client.close()
        self.calm_down()

    # looking for them

    def pids(self):
        return [self.front.pid, *self.front.worker_pids()]

    def files(self):
        for directory, _, names in os.walk(self.lab.dir):
            for name in names:
                path = os.path.join(directory, name)
                if os.path.isfile(path):
                    with open(path, "rb") as f:
                        yield path, f.read()

    def told(self):
        """Everything that front, commands, Redis and the kernel tell about it."""
        yield "metrics", scrape(self.metrics)[2]
        for words in (("sessions",), ("--json", "sessions"), ("status",), ("--json", "status"), ("doctor",),
                      ("explain", self.user)):
            done = self.front.splitmx(*words, check=False)
            yield " ".join(words), done.stdout + done.stderr
        for request in ({"do": "status"}, {"do": "sessions"}, {"do": MARK[:3]}):
            yield str(request), str(self.front.control(**request))
        keys = self.redis.cli("KEYS", "*").split()
        for key in keys:
            kind = self.redis.cli("TYPE", key)
            read = {"string": ("GET", key), "hash": ("HGETALL", key), "stream": ("XRANGE", key, "-", "+")}.get(kind,
                                                                                                               ("TYPE", key))
            yield key, key + self.redis.cli(*read)
        for pid in self.pids():
            for name in ("cmdline", "environ", "status", "comm"):
                with open(f"/proc/{pid}/{name}", "rb") as f:
                    yield f"/proc/{pid}/{name}", f.read().decode("utf-8", "replace")

    def memory(self, pid):
        """(address range, flags of the mapping, what is in it) of all that it could have written to; we are root."""
        with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as f:
            ranges = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) .*\n(?:\S+:.*\n)*?Rss: +(\d+) kB\n"
                                r"(?:\S+:.*\n)*?VmFlags: (.*)$", f.read(), re.MULTILINE)
        self.assertGreater(len(ranges), 10)
        with open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for low, high, mode, rss, flags in ranges:
                low, high = int(low, 16), int(high, 16)
                if "w" not in mode or rss == "0" or high - low > 1 << 30:
                    continue
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    mem.seek(low)
                    yield f"{low:x}-{high:x}", flags.split(), mem.read(high - low)

    def in_memory(self):
        """Where in a worker or the master a secret lies: (pid, range, flags, what)."""
        found = []
        for pid in self.pids():
            for where, flags, data in self.memory(pid):
                if any(needle in data for needle in NEEDLES):  # much quicker than the pattern
                    found += [(pid, where, flags, match[0]) for match in FOUND.finditer(data)]
        return found

    def check_nothing_is_told(self):
        for where, text in self.told():
            self.assertIsNone(FOUND.search(text.encode()), where)
        for path, data in self.files():
            self.assertIsNone(FOUND.search(data), path)
        with open(self.front.log, encoding="utf-8", errors="replace") as f:
            self.assertGreater(f.read().count("was=talking is=asking"), 50)  # at level debug

    # the rows

    def test_C21_C22_right_wrong_late_parked_and_malformed_secrets_are_nowhere(self):
        self.offered()
        self.set_owner("new", f"moved-{self.user}")
        alive = [*self.all_ways(self.user, ODD), *self.all_ways(f"moved-{self.user}", ODD)]
        self.assertEqual(96, len(alive))
        self.assertEqual(96, self.phases().count("running"))
        for client in self.all_ways(self.user, f"{ODD}{WRONG}"):
            client.close()
        self.say_malformed()
        self.repeat()
        self.hold(f"held-{self.user}")
        parked = [*self.all_ways(f"held-{self.user}", ODD, hurry=True)]
        wait_for("some are parked", 10, lambda: "parked" in self.phases())
        for home in self.homes.values():
            home.greetings = {protocol: lambda session: session.read(1) for protocol in PROTOCOLS}  # they never say a word
        silent = [*self.all_ways(f"late-{self.user}", ODD, hurry=True)]
        for client in parked[::2]:
            client.close()
        wait_for("no login is under way but the parked", 20, lambda: set(self.phases()) <= {"running", "parked", "talking"})
        for client in silent + parked:
            client.close()
        wait_for("only sessions are left", 30, lambda: set(self.phases()) == {"running"}, (self.front.log,))
        self.check_nothing_is_told()
        self.assertEqual([], self.in_memory())
        self.assertTrue(any(client.noop() for client in alive))

    def test_C22_who_waits_has_his_secret_in_locked_memory_that_no_core_has(self):
        self.hold()
        for client in self.each_client():
            client.greet()
            client.say({"imap": f"a AUTHENTICATE PLAIN {plain(self.user, ODD)}",
                        "sieve": f'AUTHENTICATE "PLAIN" "{plain(self.user, ODD)}"'}
                       .get(client.protocol, f"AUTH PLAIN {plain(self.user, ODD)}"))
        self.wait_phases(["parked"] * 6 + ["running"] * 2, self.user)  # submission does not wait
        found = self.in_memory()
        self.assertGreaterEqual(len(found), 6)  # the test can see them
        self.assertEqual([], [(pid, where, what) for pid, where, flags, what in found if "dd" not in flags])
        self.assertEqual([self.worker()] * len(found), [pid for pid, *_ in found])

    def test_C22_a_worker_that_aborts_leaves_no_core(self):
        worker = self.worker()
        with open("/proc/sys/kernel/core_pattern", encoding="ascii") as f:
            pattern = f.read().strip()
        resource.prlimit(worker, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        before = set(os.listdir(self.lab.dir))
        os.kill(worker, signal.SIGABRT)
        wait_for("it has gone", 20, lambda: not process_is_alive(worker), (self.front.log,))
        self.assertEqual([], [name for name in set(os.listdir(self.lab.dir)) - before if "core" in name])
        if pattern.startswith("/"):
            self.assertEqual([], [name for name in os.listdir(os.path.dirname(pattern)) if str(worker) in name])
        wait_for("another serves", 20, lambda: worker not in (self.front.worker_pids() or [worker]), (self.front.log,))


if __name__ == "__main__":
    unittest.main()
