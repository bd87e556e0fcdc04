"""Logins to a held account wait, and come to whoever has it when the hold ends; or are told, in their protocol's words, that it took too long.

Two real Dovecots and Postfixes behind the front (tests/lab/sides.py).
"""

import socket
import time
import unittest

from lab import FULL, wait_for
from lab.callers import CALLERS, Caller
from lab.sides import ANN, BOB, CAT, DAN, EVE, FAY, LATER, SidesCase

LOGINS = 500 if FULL else 60
PARKED_MOST = 2048  # in a worker, from all addresses
IMPATIENT_S = 2.5  # tests/system/impatient.c
UNREAD = 48 << 10  # bytes: more than is read before the login, less than the kernel takes
PARKED = ("imap", "pop3", "sieve")  # the protocols that park
WAIT_WORD = b"* OK This mailbox is being moved, please wait"
WAITED = {"imap": [b"* BYE [UNAVAILABLE] This mailbox is being moved, try again later."], "pop3": [],
          "sieve": [b'BYE (TRYLATER) "This mailbox is being moved, try again later."']}
CROWDED = {"imap": [b"* BYE [LIMIT] Too many connections."], "pop3": [b"-ERR [SYS/TEMP] Too many connections."],
           "sieve": [b'BYE (TRYLATER) "Too many connections."']}


class ParkedCase(SidesCase):
    settings = {"frontd": {"max_parked_per_address": LOGINS}}

    @classmethod
    def furnish(cls):
        super().furnish()
        for key, value in (("owner:@example.net", "old"), ("login:@example.net", "@example.org"), ("login:boss@example.org", EVE),
                           ("login:evie", EVE)):
            cls.redis.cli("SET", "splitmx:" + key, value)

    def setUp(self):
        self.addCleanup(self.forget_all)

    def resident_kib(self):
        with open(f"/proc/{self.front.worker_pids()[0]}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

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

    def wait_parked(self, user, count):
        wait_for(f"{count} logins of {user} are parked", 60, lambda: self.phases(user) == ["parked"] * count, (self.front.log,))


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

    def test_who_leaves_behind_more_than_is_read_frees_the_seat(self):
        """The front reads no further than a login may be long, and so not up to the end."""
        self.hold(CAT)
        for size, leave in ((UNREAD, Caller.close), (UNREAD, Caller.reset), (1 << 20, Caller.reset),
                            (UNREAD, lambda caller: caller.sock.shutdown(socket.SHUT_WR))):
            for caller in self.park(CAT, len(PARKED)):
                caller.flood(size)
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

    def test_who_closes_behind_more_than_the_kernel_takes_frees_the_seat_at_the_latest_then(self):
        """The end is behind what nobody reads."""
        self.hold(ANN)
        for caller in self.park(ANN, len(PARKED)):
            caller.flood(1 << 20)
            caller.close()
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
