"""splitmx-policyd and a Redis that is in trouble: later, in time and in each protocol's words; never somewhere else."""

import os
import re
import threading
import time
from types import SimpleNamespace

from mapdrive import FakeRedis

from lab.black_hole import black_hole
from lab.case import LabCase
from lab.core import wait_for
from lab.policyd import Policyd

ANN, BOB = "ann@example.org", "bob@example.org"
FOREIGN = ("*", "sender@foreign.invalid", "foreign.invalid", "<>", "sender@[192.0.2.1]", "x" * 20000 + "@foreign.invalid")
LEASE_MS = 500
NEW, OLD = ("OK", "lmtp:unix:private/dovecot-lmtp"), ("OK", "relay:[old.internal]:10026")


class Away(LabCase):
    deadline_s = 1.0

    def begin(self, name, url, **settings):
        directory = os.path.dirname(self.lab.path(name, "x"))
        listen = [{"protocol": "socketmap", "address": f"unix:{directory}/map", "mode": "0600"},
                  {"protocol": "tcp_table", "address": f"inet:127.0.0.1:{self.lab.port()}", "map": "transport"},
                  {"protocol": "policy", "address": f"unix:{directory}/policy", "mode": "0600", "map": "actions"}]
        maps = [{"name": "transport", "owners": {"new": NEW[1], "old": OLD[1]}, "held": "splitmx-hold:[127.0.0.1]:10024"},
                {"name": "actions", "owners": {"new": "DUNNO", "old": "PREPEND X-Owner: %o"}}]
        self.policyd = Policyd(self.lab, {
            "domains": ["example.org"], "destinations": [{"name": "old"}, {"name": "new"}], "maps": maps,
            "redis": {"connect_timeout": 300, "reconnect_least": 20, "reconnect_most": 200},
            "policyd": {"listen": listen}, **settings}, name=name, redis=SimpleNamespace(url=url), init=False)
        self.addCleanup(self.policyd.stop)
        return self.policyd

    def begin_fake(self, name, **settings):
        self.fake = FakeRedis(self.lab, name + "-redis")
        self.addCleanup(self.fake.close)
        self.fake.head["lease_ms"] = str(LEASE_MS)
        self.fake.strings.update({"splitmx:owner:@example.org": "old", "splitmx:owner:" + ANN: "new"})
        # Without a copy of the whole map: each question is one to this Redis, and meets its trouble.
        self.begin(name, self.fake.url, question_timeout=round(self.deadline_s * 1000), cache={"preload": 0}, **settings)
        self.whole_again()

    def whole_again(self):
        self.policyd.wait_answer("transport", ANN, NEW)
        self.policyd.wait_answer("transport", BOB, OLD)
        self.policyd.wait_answer("transport", "who@foreign.invalid", "NOTFOUND")

    def timed(self, ask, most_s):
        begun = time.monotonic()
        answer = ask()
        self.assertLess(time.monotonic() - begun, most_s, f"answered late: {answer}")
        return answer

    def foreign_is_no_concern_of_ours(self):
        with self.policyd.socketmap() as client:
            for key in FOREIGN:
                self.assertEqual(("NOTFOUND", ""), self.timed(lambda k=key: client.ask("transport", k), 0.3), key[-40:])

    def managed_is_later(self):
        """On every protocol at the same time, several to a connection, each within its deadline."""
        wrong = []

        def speak(client, keys, ask, right):
            with client:
                for key in keys:
                    begun = time.monotonic()
                    answer = ask(client, key)
                    if not right(answer) or time.monotonic() - begun > self.deadline_s + 0.4:
                        wrong.append((key, answer, time.monotonic() - begun))
        threads = [threading.Thread(target=speak, args=row) for row in (
            (self.policyd.socketmap(), (ANN, "nobody@example.org"), lambda c, k: c.ask("transport", k), lambda a: a[0] == "TEMP"),
            (self.policyd.socketmap(), (BOB, "ann+ext@example.org"), lambda c, k: c.ask("transport", k), lambda a: a[0] == "TEMP"),
            (self.policyd.tcp_table(), (ANN, BOB), lambda c, k: c.ask(k), lambda a: a[0] == 400),
            (self.policyd.policy(), (ANN,), lambda c, k: c.ask(recipient=k), lambda a: "DEFER_IF_PERMIT" in a))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        self.assertEqual([], wrong)


class FromTheStart(Away):
    """Redis was never there, so only the settings know which domains are ours."""

    def never_there(self, name, url):
        self.begin(name, url, domains_complete=True)
        self.foreign_is_no_concern_of_ours()
        self.managed_is_later()
        self.foreign_is_no_concern_of_ours()

    def test_A12_refused(self):
        self.never_there("refused", f"redis://127.0.0.1:{self.lab.port()}")

    def test_A12_black_holed(self):
        with black_hole() as port:
            self.never_there("hole", f"redis://127.0.0.1:{port}")

    def test_A12_without_a_list_of_domains_nothing_is_foreign(self):
        self.begin("nolist", f"redis://127.0.0.1:{self.lab.port()}")
        with self.policyd.socketmap() as client:
            self.assertEqual("TEMP", client.ask("transport", "who@foreign.invalid")[0])
            self.assertEqual("NOTFOUND", client.ask("transport", "*")[0])


class Troubles(Away):
    deadline_s = 0.3  # many rows

    def refuse(self, error, *commands):
        for command in commands or ("HGETALL", "HGET", "GET", "MULTI"):
            self.fake.refuse[command] = "-" + error
        self.fake.drop()

    def spoil(self, spoiled):
        self.fake.on_exec = lambda fake, connection, reply: spoiled(reply)
        self.fake.push(None)

    def garbage(self, data):
        self.spoil(lambda reply: data)

    def each(self, rows):
        fake = self.fake
        for name, trouble in rows.items():
            with self.subTest(name):
                trouble()
                if fake.on_exec is None:  # what is remembered is good until the lease is over
                    time.sleep(LEASE_MS / 1000 + 0.1)
                    self.foreign_is_no_concern_of_ours()
                self.managed_is_later()
                if fake.on_exec is None:  # otherwise sessions come and go, and read the list of domains anew
                    self.foreign_is_no_concern_of_ours()
                fake.refuse.clear()
                fake.silent, fake.slow_s, fake.role, fake.on_exec = False, 0, "master", None
                if name == "closed and refusing":
                    fake.open()
                fake.drop()
                self.whole_again()
        self.assertTrue(self.policyd.process.is_alive())

    def test_A12_every_trouble(self):
        self.begin_fake("troubles")
        fake, words = self.fake, "Operation against a key holding the wrong kind of value"
        self.each({
            "hung after accept": lambda: (setattr(fake, "silent", True), fake.drop()),
            "hung without a word": lambda: setattr(fake, "silent", True),
            "slow, 5 s": lambda: (setattr(fake, "slow_s", 5), fake.drop()),
            "closed and refusing": fake.close,
            "demoted without a word": lambda: setattr(fake, "role", "slave"),
            "LOADING": lambda: self.refuse("LOADING Redis is loading the dataset in memory"),
            "READONLY": lambda: self.refuse("READONLY You can't write against a read only replica."),
            "MOVED": lambda: self.refuse("MOVED 3999 127.0.0.1:6381"),
            "ASK": lambda: self.refuse("ASK 3999 127.0.0.1:6381"),
            "NOAUTH": lambda: self.refuse("NOAUTH Authentication required.", "CLIENT", "INFO", "ROLE", "HGETALL"),
            "OOM": lambda: self.refuse("OOM command not allowed when used memory > 'maxmemory'."),
            "MASTERDOWN": lambda: self.refuse("MASTERDOWN Link with MASTER is down"),
            "the head has a wrong type": lambda: self.refuse("WRONGTYPE " + words, "HGETALL", "HGET"),
            "the records have a wrong type": lambda: self.spoil(lambda reply: re.sub(rb"\$3\r\n(old|new)", b"-WRONGTYPE " + words.encode(), reply)),
        })

    def test_A13_replies_that_are_none(self):
        self.begin_fake("garbage")
        self.each({
            "a truncated bulk": lambda: self.garbage(b"*2\r\n$36\r\n1111"),
            "a nested array bomb": lambda: self.garbage(b"*1\r\n" * 100000),
            "a huge length": lambda: self.garbage(b"*1\r\n$99999999999\r\n"),
            "a RESP3 push in a reply": lambda: self.garbage(b"*2\r\n>2\r\n+invalidate\r\n*0\r\n"),
            "extra bytes": lambda: self.garbage(b"*0\r\n+OK\r\n"),
        })

    def test_A13_a_connection_that_is_silent_alone_is_noticed(self):
        self.begin_fake("deaf")
        self.fake.deafen("splitmx-data")  # a firewall forgot it: no end, no reset
        self.fake.push(None)
        with self.policyd.socketmap() as client:
            self.assertEqual("TEMP", self.timed(lambda: client.ask("transport", ANN), self.deadline_s + 0.4)[0])
            wait_for("another session", 8, lambda: client.ask("transport", ANN) == NEW)


class Reload(Away):
    def test_A19_what_needs_a_restart_keeps_its_value(self):
        self.begin_fake("prefix")
        self.fake.strings.update({"other:owner:@example.org": "old", "other:owner:" + ANN: "old"})
        self.policyd.settings["redis"]["prefix"] = "other"
        self.policyd.write_config()
        self.policyd.reload()
        wait_for("it says so", 10, lambda: self.policyd.log_count("setting_needs_restart.*redis.prefix"))
        self.policyd.reload()
        wait_for("and again", 10, lambda: self.policyd.log_count("setting_needs_restart.*redis.prefix") == 2)
        time.sleep(0.2)
        for owner, answer in (("old", OLD), ("new", NEW), ("old", OLD)):
            self.fake.set("splitmx:owner:" + ANN, owner)
            self.policyd.wait_answer("transport", ANN, answer, seconds=3)
        self.policyd.wait_answer("transport", "who@foreign.invalid", "NOTFOUND")
