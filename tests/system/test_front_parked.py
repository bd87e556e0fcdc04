"""Logins to a held account wait, and come to whoever has it when the hold ends; or are told, in their protocol's words, that it took too long.

Two real Dovecots and Postfixes behind the front. What a side is known by: a folder
(IMAP), a message (POP3), a script (ManageSieve), the name in EHLO (submission).
"""

import imaplib
import socket
import time
import unittest

from lab import FULL, LabCase, Redis, wait_for
from lab.callers import CALLERS, Caller, Sieve
from lab.dovecot import Dovecot
from lab.front import Frontd
from lab.postfix import Postfix

LOGINS = 500 if FULL else 60
PARKED_MOST = 2048  # in a worker, from all addresses
IMPATIENT_S = 2.5  # tests/system/impatient.c
PARKED = ("imap", "pop3", "sieve")  # the protocols that park
ANN, BOB, CAT, DAN, EVE, FAY = USERS = [f"{name}@example.org" for name in ("ann", "bob", "cat", "dan", "eve", "fay")]
WAIT_WORD = b"* OK This mailbox is being moved, please wait"
WAITED = {"imap": [b"* BYE [UNAVAILABLE] This mailbox is being moved, try again later."], "pop3": [],
          "sieve": [b'BYE (TRYLATER) "This mailbox is being moved, try again later."']}
LATER = {"imap": [b"a NO [UNAVAILABLE] Try again later."], "pop3": [b"-ERR [SYS/TEMP] Try again later."],
         "sieve": [b'NO (TRYLATER) "Try again later."'], "submission": [b"454 4.7.0 Try again later."]}
CROWDED = {"imap": [b"* BYE [LIMIT] Too many connections."], "pop3": [b"-ERR [SYS/TEMP] Too many connections."],
           "sieve": [b'BYE (TRYLATER) "Too many connections."']}
# Hundreds of sessions of one user, whose logins all come at the same moment.
DOVECOT = "login_trusted_networks = 127.0.0.0/8\ndefault_process_limit = 1000\ndefault_client_limit = 3000\n" + "".join(
    f"service {name}-login {{\n  service_count = 0\n}}\nservice {name} {{\n  process_limit = 1000\n}}\n"
    f"protocol {protocol} {{\n  mail_max_userip_connections = 1000\n}}\n"
    for name, protocol in (("imap", "imap"), ("pop3", "pop3"), ("managesieve", "sieve")))


class AccountFront(Frontd):
    """Its destinations know an account by its address only, whatever the client calls itself."""

    def services(self, dovecot):
        return [{**service, "login": "%a"} for service in super().services(dovecot)]


class ParkedCase(LabCase):
    binary = "splitmx-frontd"
    lease = 15000

    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab, aof=True)
        cls.homes = {name: cls.home(name) for name in ("old", "new")}
        cls.mark_new()
        cls.front = cls.make_front(cls.binary, "frontd", start=False)
        cls.front.splitmx("init", "--lease", cls.lease)
        for key, value in (("owner:@example.org", "old"), ("owner:@example.net", "old"), ("login:@example.net", "@example.org"),
                           ("login:boss@example.org", EVE), ("login:evie", EVE)):
            cls.redis.cli("SET", "splitmx:" + key, value)
        cls.front.start()

    @classmethod
    def make_front(cls, binary, name, start=True):
        front = AccountFront(cls.lab, cls.homes, name, cls.redis, {"frontd": {"max_parked_per_address": LOGINS}},
                             [(protocol, "none") for protocol in CALLERS], start=False, init=False)
        front.binary = binary
        if start:
            front.start()
        return front

    def reload(self, **settings):
        """With these in the group frontd."""
        count = self.front.control(do="status")["reloads"]
        self.front.settings["frontd"].update(settings)
        self.front.write_config()
        self.front.reload()
        wait_for("the worker has read them", 10, lambda: self.front.control(do="status")["reloads"] > count, (self.front.log,))

    @classmethod
    def home(cls, name):
        home = Dovecot(cls.lab, name, USERS, protocols=("imap", "pop3", "sieve"), auth=True, more=DOVECOT)
        postfix = Postfix(cls.lab, "postfix-" + name, smtpd={"submission": ""}, main={
            "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "myhostname": f"{name}.example.org",
            "smtpd_sasl_path": f"inet:127.0.0.1:{home.ports['auth']}", "smtpd_authorized_xclient_hosts": "127.0.0.1",
            "smtpd_sasl_security_options": "noanonymous", "default_transport": "discard", "mynetworks": "192.0.2.0/24",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject"})
        home.submission, home.postfix = postfix.ports["submission"], postfix
        return home

    @classmethod
    def mark_new(cls):
        home = cls.homes["new"]
        for user in USERS:
            with imaplib.IMAP4("127.0.0.1", home.imap_port) as client:
                client.login(user, "secret")
                client.create("in-new")
                client.append("INBOX", None, None, b"Subject: new\r\n\r\nnew\r\n")
            with Sieve(home.ports["sieve"]) as sieve:
                sieve.login(user)
                sieve.answer()
                assert sieve.ask('PUTSCRIPT "in-new" "keep;"')[-1].startswith(b"OK"), "no script"

    def setUp(self):
        self.addCleanup(self.calm_down)

    def calm_down(self):
        self.redis.cli("DEL", *[f"splitmx:{kind}:{user}" for user in (*USERS, "@example.org") for kind in ("owner", "hold")])
        self.redis.cli("SET", "splitmx:owner:@example.org", "old")
        wait_for(f"nobody is there, not {self.front.sessions()}", 40, lambda: not self.front.sessions(), (self.front.log,))

    # the map

    def set_owner(self, user, owner="new"):
        self.redis.cli("SET", f"splitmx:owner:{user}", owner)

    def hold(self, user, value="all:lab", seconds=600):
        self.redis.cli("SET", f"splitmx:hold:{user}", value, "EX", seconds)

    def release(self, user):
        self.redis.cli("DEL", f"splitmx:hold:{user}")

    def resident_kib(self):
        with open(f"/proc/{self.front.worker_pids()[0]}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

    # callers

    def call(self, protocol, source=None):
        caller = CALLERS[protocol](self.front.ports[protocol, "none"], source)
        self.addCleanup(caller.close)
        return caller

    def call_all(self, name, count=len(PARKED), behind=False):
        """So many, of all protocols in turns, that have said their login. behind: and a command behind it."""
        callers = [self.call(PARKED[i % len(PARKED)]) for i in range(count)]
        for caller in callers:
            caller.login(name, behind=caller.behind if behind else ())
        return callers

    def park(self, user, count=len(PARKED), name=None, behind=False, others=0):
        """The same, waiting, beside others that do."""
        callers = self.call_all(name or user, count, behind)
        self.wait_parked(user, count + others)
        return callers

    def phases(self, user):
        return [s["phase"] for s in self.front.sessions() if s.get("account") == user]

    def wait_parked(self, user, count):
        wait_for(f"{count} logins of {user} are parked", 60, lambda: self.phases(user) == ["parked"] * count, (self.front.log,))

    def assertLanded(self, callers, side):
        for caller in callers:
            caller.answer()
            self.assertTrue(caller.is_in, f"{caller.protocol}: {caller.said}")
        self.assertEqual({side: len(callers)}, self.sides(callers))

    def sides(self, callers):
        sides = [caller.side() for caller in callers]
        return {side: sides.count(side) for side in set(sides)}


class ParkedTest(ParkedCase):
    def test_all_of_them_land_on_the_new_side_after_the_flip(self):
        self.hold(ANN)
        callers = self.park(ANN, LOGINS)
        self.front.splitmx("set", ANN, "new", "--force")
        self.wait_parked(ANN, LOGINS)
        for protocol in PARKED:
            with self.call(protocol) as late:
                late.login(ANN)
                late.answer()
                self.assertEqual(CROWDED[protocol], late.said + late.everything())
        released = time.monotonic()
        self.release(ANN)
        self.assertLanded(callers, "new")
        self.figures(f"{LOGINS} parked logins landed within {time.monotonic() - released:.1f} s")

    def test_every_name_of_the_account_is_parked(self):
        names = [EVE, "EVE@Example.ORG", "eve+box@example.org", "boss@example.org", "eve@example.net", "evie", "Evie"]
        self.hold(EVE)
        callers = [caller for name in names for caller in self.call_all(name)]
        self.wait_parked(EVE, len(PARKED) * len(names))
        self.set_owner(EVE)
        self.release(EVE)
        self.assertLanded(callers, "new")

    def test_a_bare_login_of_the_default_domain_is_parked(self):
        self.reload(default_domain="example.org")
        self.addCleanup(self.reload, default_domain="")
        self.hold(EVE)
        callers = self.park(EVE, name="eve")
        self.set_owner(EVE)
        self.release(EVE)
        self.assertLanded(callers, "new")

    def test_submission_goes_on_and_ends_between_transactions_at_the_flip(self):
        self.hold(BOB)
        with self.call("submission") as caller:
            caller.login(BOB)
            caller.answer()
            self.assertTrue(caller.is_in, caller.said)
            self.assertEqual("old", caller.side())
            for line in (f"MAIL FROM:<{BOB}>", "RCPT TO:<someone@foreign.invalid>"):
                self.assertRegex(caller.ask(line)[-1], b"^250 ")
            self.front.splitmx("set", BOB, "new", "--force", "--no-wait")
            wait_for("it is to end", 10, lambda: self.phases(BOB) == ["ending"], (self.front.log,))
            self.assertRegex(caller.ask("DATA")[-1], b"^354 ")
            caller.say("Subject: by the former owner", "", "text", ".")
            self.assertRegex(caller.line(), b"^250 ")
            self.assertEqual([b"421 4.3.2 This mailbox is being moved, connect again."], caller.everything())
        self.front.splitmx("barrier", BOB)
        with self.call("submission") as caller:
            caller.login(BOB)
            caller.answer()
            self.assertEqual((True, "new"), (caller.is_in, caller.side()))

    def test_who_leaves_frees_the_seat(self):
        self.hold(CAT)
        for leave in (Caller.close, Caller.reset, lambda caller: caller.sock.shutdown(socket.SHUT_WR)):
            for behind in (False, True):
                for caller in self.park(CAT, LOGINS, behind=behind):
                    leave(caller)
                self.wait_parked(CAT, 0)

    def test_what_was_pipelined_is_answered_by_the_new_side(self):
        self.hold(DAN)
        callers = self.call_all(DAN, behind=True)
        self.wait_parked(DAN, len(callers))
        self.set_owner(DAN)
        self.release(DAN)
        for caller in callers:
            caller.answer()
            self.assertTrue(caller.is_in, caller.said)
            wants = {"imap": rb"^b OK", "pop3": rb"^\+OK [1-9]", "sieve": rb"^OK"}
            self.assertRegex(caller.until(caller.is_answer)[-1], wants[caller.protocol])
        self.assertEqual({"new": len(callers)}, self.sides(callers))

    def test_garbage_behind_a_parked_login_harms_nobody_else(self):
        self.hold(DAN)
        before = self.resident_kib()
        noisy = self.park(DAN, LOGINS // 2)
        for caller in noisy:
            caller.flood(1 << 20)
        calm = self.park(DAN, len(PARKED), others=len(noisy))
        self.assertLess(self.resident_kib() - before, 64 * len(noisy) + 30000)
        self.set_owner(DAN)
        self.release(DAN)
        self.assertLanded(calm, "new")
        for caller in noisy:
            caller.answer()
            self.assertTrue(caller.is_in, caller.said)
            caller.close()

    def test_without_a_flip_they_land_where_they_were(self):
        ends = {"released": lambda: self.release(FAY), "for mail only": lambda: self.hold(FAY, "mail:lab"),
                "expired": lambda: self.redis.cli("PEXPIRE", f"splitmx:hold:{FAY}", 300)}
        for name, end in ends.items():
            with self.subTest(name):
                self.hold(FAY)
                callers = self.park(FAY, len(PARKED))
                end()
                self.assertLanded(callers, "old")

    def test_a_hold_of_the_domain_parks_who_has_no_owner_of_his_own(self):
        self.set_owner(BOB)
        self.redis.cli("SET", "splitmx:hold:@example.org", "all:lab", "EX", 600)
        callers = self.park(FAY, len(PARKED))
        for caller in self.call_all(BOB):
            caller.answer()
            self.assertTrue(caller.is_in, caller.said)
        self.redis.cli("SET", "splitmx:owner:@example.org", "new")
        self.wait_parked(FAY, len(callers))
        self.redis.cli("DEL", "splitmx:hold:@example.org")
        self.assertLanded(callers, "new")

    def test_many_that_wait_from_many_addresses_shut_no_door_for_others(self):
        self.hold(ANN)
        crowd = []
        while len(crowd) < PARKED_MOST:
            crowd.append(self.call("imap", source=f"127.0.1.{len(crowd) // LOGINS + 1}"))
            crowd[-1].login(ANN)
        self.wait_parked(ANN, PARKED_MOST)
        with self.call("imap", source="127.0.2.1") as late:
            late.login(ANN)
            self.assertEqual(CROWDED["imap"], late.everything())
        with self.call("imap", source="127.0.2.1") as other:
            other.login(BOB)
            other.answer()
            self.assertTrue(other.is_in, other.said)


class LimitTest(ParkedCase):
    """The wait is over before the hold is. A build that waits for seconds; in full, also the real one."""

    binary = "tests/system/frontd-impatient"

    def test_then_the_words_of_the_table(self):
        self.hold(ANN)
        began = time.monotonic()
        for behind in (False, True):
            self.over(self.park(ANN, 2 * len(PARKED), behind=behind), least_words=1)
        self.assertGreater(time.monotonic() - began, 2 * IMPATIENT_S)

    def over(self, callers, least_words):
        for caller in callers:
            said = caller.everything()
            if caller.protocol == "pop3":
                self.assertEqual(b"+OK And the password?", said.pop(0))
            words = said.count(WAIT_WORD)
            self.assertEqual([WAIT_WORD] * words + WAITED[caller.protocol], said, caller.protocol)
            self.assertTrue(words >= least_words if caller.protocol == "imap" else words == 0, said)

    def test_who_leaves_behind_more_than_is_read_frees_the_seat_at_the_latest_then(self):
        """The front reads no further than a login may be long, and so not up to the end."""
        self.hold(ANN)
        for leave in (Caller.close, Caller.reset):
            for caller in self.park(ANN, len(PARKED)):
                caller.flood(1 << 20)
                leave(caller)
            wait_for("their seats are free", IMPATIENT_S + 10, lambda: not self.phases(ANN), (self.front.log,))

    def test_flips_while_they_wait_do_not_prolong_it(self):
        self.hold(ANN)
        began = time.monotonic()
        callers = self.park(ANN, len(PARKED))
        while self.phases(ANN):
            self.set_owner(ANN, "new")
            self.set_owner(ANN, "old")
            self.assertLess(time.monotonic() - began, IMPATIENT_S + 10)
        self.over(callers, least_words=0)

    def test_refused_where_the_settings_want_it_and_the_connection_goes_on(self):
        self.reload(park_end="refuse")
        self.addCleanup(self.reload, park_end="close")
        self.hold(ANN)
        callers = self.park(ANN, len(PARKED))
        for caller in callers:
            said = [line for line in caller.answer() if line != WAIT_WORD]
            self.assertEqual(LATER[caller.protocol], said)
        self.set_owner(ANN)
        self.release(ANN)
        for caller in callers:
            caller.login(ANN)
        self.assertLanded(callers, "new")

    @unittest.skipUnless(FULL, "two minutes of waiting: SPLITMX_FULL=1")
    def test_as_long_as_clients_wait(self):
        front = self.make_front("splitmx-frontd", "frontd-patient")
        self.hold(ANN)
        began, callers = time.monotonic(), []
        for protocol in PARKED:
            callers.append(CALLERS[protocol](front.ports[protocol, "none"], seconds=150))
            callers[-1].login(ANN)
        ended = {}
        for caller in sorted(callers, key=lambda caller: caller.protocol == "imap"):
            self.over([caller], least_words=5)
            ended[caller.protocol] = time.monotonic() - began
            caller.close()
        self.figures("the wait ended after " + ", ".join(f"{s:.1f} s ({p})" for p, s in ended.items()))
        for protocol, seconds in (("pop3", 25), ("sieve", 25), ("imap", 120)):
            self.assertTrue(seconds <= ended[protocol] < seconds + 3, ended)


class LostTest(ParkedCase):
    """Redis goes while logins are parked. The lease is short."""

    lease = 1500

    def test_an_outage_within_the_lease_is_not_noticed(self):
        self.hold(ANN)
        callers = self.park(ANN, len(PARKED))
        self.redis.freeze()
        time.sleep(0.7)
        self.redis.thaw()
        self.wait_parked(ANN, len(callers))
        self.set_owner(ANN)
        self.release(ANN)
        self.assertLanded(callers, "new")

    def test_after_the_lease_it_is_later_and_then_they_come_to_the_new_side(self):
        self.hold(ANN)
        callers = self.park(ANN, len(PARKED))
        self.redis.kill()
        for caller in callers:
            said = caller.answer()
            self.assertEqual(LATER[caller.protocol], said)
        self.redis.start()
        self.set_owner(ANN)
        self.release(ANN)
        for caller in callers:
            wait_for("it is let in", 20, lambda caller=caller: self.again(caller, ANN), (self.front.log,))
        self.assertEqual({"new": len(callers)}, self.sides(callers))

    def again(self, caller, user):
        """On the same connection."""
        caller.login(user)
        self.assertIn(caller.answer(), ([caller.said[-1]] if caller.is_in else [], LATER[caller.protocol]))
        return caller.is_in


if __name__ == "__main__":
    unittest.main()
