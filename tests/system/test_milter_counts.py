"""What splitmx explain says has arrived is what was accepted, whoever was killed on the way, or it is said to be unknown.

Real Postfix, splitmx-milter, policyd and Redis; what is accepted is discarded.
"""

import glob
import json
import os
import random
import smtplib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from lab import FULL, LabCase, Policyd, Postfix, Redis, wait_for
from lab.milter import Milter

ACCOUNTS = [f"user{i}@example.org" for i in range(50 if FULL else 12)]
MESSAGES = 1000 if FULL else 80
EVERY = 25 if FULL else 10  # messages from one kill to the next
SENDER, TEXT = "someone@foreign.invalid", "Subject: one of many\r\n\r\nHello.\r\n"
SECONDS = 60


class CountsCase(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab, aof=True)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        for account in ACCOUNTS[::2]:
            cls.redis.cli("SET", "splitmx:owner:" + account, "new")
        ask = cls.lab.path("s", "ask")
        cls.policyd = Policyd(cls.lab, {
            "domains": ["example.org"], "destinations": [{"name": "old"}, {"name": "new"}],
            "maps": [{"name": "transport", "owners": {"new": "lmtp:new", "old": "relay:old"}}],
            "policyd": {"listen": [{"protocol": "socketmap", "address": f"unix:{ask}", "mode": "0600"}]}}, redis=cls.redis)
        cls.policyd.wait_answer("transport", ACCOUNTS[0], "OK")
        cls.mx = Postfix(cls.lab, "mx", main={
            "relay_domains": "example.org", "relay_recipient_maps": "", "relay_transport": "discard:",
            "smtpd_milters": "{ unix:run/milter.sock, default_action=tempfail, connect_timeout=10s, command_timeout=10s }"},
            start=False)
        path = os.path.join(cls.mx.queue, "run", "milter.sock")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        cls.milter = Milter(cls.lab, ask, listen=[f"unix:{path}"],
                            milter={"instance": "mx1.example.org", "group": "postfix", "mode": "0660"})
        cls.mx.start()

    def setUp(self):
        self.dice = random.Random(20261121)
        self.accepted = Counter()  # recipients of messages that were accepted, by account
        self.open = Counter()  # those that were, of messages that were not: nobody can say whether the milter knew
        self.messages = self.refusals = 0

    # sending

    def recipients(self):
        """Some accounts, by one of the ways in which an account is written."""
        chosen = self.dice.sample(ACCOUNTS, self.dice.randint(1, 4))
        return {account: self.dice.choice((account, account.upper(), account.replace("@", "+news@"))) for account in chosen}

    def transaction(self, recipients):
        """The accounts to which one more message has been accepted."""
        taken = []
        try:
            with smtplib.SMTP("127.0.0.1", self.mx.port, local_hostname="client.lab.invalid", timeout=SECONDS) as smtp:
                smtp.helo()
                if self.says(smtp.mail(SENDER), 250):
                    taken = [a for a, address in recipients.items() if self.says(smtp.rcpt(address), 250)]
                if taken and self.says(smtp.docmd("DATA"), 354):
                    smtp.send(TEXT.encode() + b".\r\n")
                    if self.says(smtp.getreply(), 250):
                        self.accepted.update(taken)
                        return taken
        except (smtplib.SMTPServerDisconnected, ConnectionError):
            pass
        self.open.update(taken)
        return []

    def says(self, reply, wanted):
        """True, or it says "later": nobody is ever refused for good."""
        if reply[0] == wanted:
            return True
        self.assertRegex(str(reply[0]), "^4", reply)
        self.refusals += 1
        return False

    def deliver(self, recipients):
        """As a client that tries again, until each of them has been accepted once."""
        left = dict(recipients)

        def is_done():
            for account in self.transaction(left):
                del left[account]
            return not left
        self.messages += 1
        wait_for(f"a message to {list(recipients)} is accepted", SECONDS, is_done, (self.milter.log, self.policyd.log, self.mx.log))

    # those who are killed

    def kill_worker(self, daemon):
        """The master starts another, behind a listener that stays."""
        daemon.kill_workers()
        wait_for("there is another worker", SECONDS, daemon.worker_pids, (daemon.log,))

    def crash(self, daemon):
        daemon.crash()
        daemon.start()

    def kills(self):
        """One after the other, so that no message is without a report between two of them."""
        everybody = [(self.kill_worker, self.milter), (self.kill_worker, self.policyd),
                     (self.crash, self.milter), (self.crash, self.policyd)]
        return [everybody[i % len(everybody)] for i in range(MESSAGES // EVERY)]

    # what is said

    def wait_nothing_waits(self):
        files = os.path.join(self.policyd.state_dir, "nodes", "*.arrivals.sent")
        wait_for("all that was kept is counted", SECONDS,
                 lambda: not glob.glob(files) and self.policyd.status()["arrivals"]["waiting_bytes"] == 0, (self.policyd.log,))

    def told(self, account):
        return json.loads(self.policyd.splitmx("--json", "explain", account).stdout)["arrived"]


class BetweenMessages(CountsCase):
    def test_killed_between_messages_every_account_is_counted_exactly(self):
        kills = self.kills()
        for kill, daemon in kills:
            for _ in range(EVERY):
                self.deliver(self.recipients())
            # At another moment of the second in which policyd collects what it counts.
            time.sleep(self.dice.random())
            kill(daemon)
        self.deliver(self.recipients())
        self.wait_nothing_waits()
        self.assertEqual(Counter(), self.open)
        told = {account: self.told(account) for account in ACCOUNTS}
        self.assertEqual({account: ("known", self.accepted[account]) for account in ACCOUNTS},
                         {account: (t["state"], t["messages"]) for account, t in told.items()})
        self.figures(f"{self.messages} messages to {sum(self.accepted.values())} recipients, {len(kills)} kills between them, "
                     f"{self.refusals} times \"later\": all counts exact")


class Stormy(CountsCase):
    def deliver_under(self, kills):
        """Messages all the time, while somebody is killed at any moment of them."""
        with ThreadPoolExecutor(1) as killer:
            for kill, daemon in kills:
                for _ in range(EVERY):
                    self.deliver(self.recipients())
                killed = killer.submit(kill, daemon)
                while not killed.done():
                    self.deliver(self.recipients())
                killed.result()
        self.deliver(self.recipients())
        self.wait_nothing_waits()

    def check(self, account, told):
        """None is missing where it is known, and none is too many but of messages that were reported and then not answered."""
        least = self.accepted[account]
        self.assertLessEqual(told["messages"], least + self.open[account], (account, told))
        if told["state"] == "unknown":
            self.assertRegex(told["reason"], "could not be reported by mx1.example.org$")
        else:
            self.assertEqual("known", told["state"])
            self.assertGreaterEqual(told["messages"], least, (account, told))


class MilterAtAnyMoment(Stormy):
    def test_whoever_kills_the_milter_alone_leaves_every_count_known(self):
        """Policyd is always there to be told, and what it was told it keeps. Its own worker is killed seldom enough for
        the next one to be there within milter.policyd_timeout, for which the report waits in the listener's queue."""
        kills = [(self.kill_worker, self.milter), (self.crash, self.milter)] * (MESSAGES // EVERY // 2)
        kills[1::len(kills) // 2] = [(self.kill_worker, self.policyd)] * 2
        self.deliver_under(kills)
        for account in ACCOUNTS:
            told = self.told(account)
            self.assertEqual("known", told["state"], (account, told))
            self.check(account, told)
        self.figures(f"{self.messages} messages to {sum(self.accepted.values())} recipients, {len(kills)} kills at any moment, "
                     f"policyd stays: {self.refusals} times \"later\", {sum(self.open.values())} recipients of broken messages, "
                     "all counts known")


class AtAnyMoment(Stormy):
    def flip(self, account):
        owner = "old" if json.loads(self.policyd.splitmx("--json", "explain", account).stdout)["owner"] == "new" else "new"
        self.policyd.splitmx("set", account, owner, "--force", "--yes")
        self.policyd.wait_answer("transport", account, ("OK", {"new": "lmtp:new", "old": "relay:old"}[owner]))

    def test_killed_at_any_moment_the_counts_are_right_or_unknown(self):
        """Where policyd's master is killed between a recipient and the end of the message, the message is accepted and its
        report lost: mail does not wait for a count. The next report says how many were lost, and not whose: the milter that
        knew may have been killed meanwhile. So it may have been anybody's who was there before, and all counts of that time
        are unknown, with one such message as with a hundred (splitmx-map(7)). That mostly happens here. What makes a count
        known again is a flip of the account, after which it begins anew: that is as narrow as it is."""
        kills = self.kills()
        self.deliver_under(kills)
        before = {account: self.told(account) for account in ACCOUNTS}
        for account, told in before.items():
            self.check(account, told)
        unknown = [account for account in ACCOUNTS if before[account]["state"] == "unknown"]
        self.assertIn(len(unknown), (0, len(ACCOUNTS)))  # one node that may have lost anybody's
        time.sleep(2 - time.time() % 1)  # times in the map are whole seconds: the flips are later than all that was lost
        flipped = ACCOUNTS[::3]
        for account in flipped:
            self.flip(account)
        self.accepted.clear()
        self.open.clear()
        for _ in range(EVERY):
            self.deliver(self.recipients())
        self.wait_nothing_waits()
        self.assertEqual(Counter(), self.open)
        after = {account: self.told(account) for account in ACCOUNTS}
        self.assertEqual({account: ("known", self.accepted[account]) for account in flipped},
                         {account: (after[account]["state"], after[account]["messages"]) for account in flipped})
        for account in set(ACCOUNTS) - set(flipped):
            self.assertEqual((before[account]["state"], before[account]["messages"] + self.accepted[account]),
                             (after[account]["state"], after[account]["messages"]))
        self.figures(f"{self.messages} messages, {len(kills)} kills at any moment, {self.refusals} times \"later\": "
                     f"{len(unknown)} of {len(ACCOUNTS)} counts unknown, the others right; {len(flipped)} flipped: exact since then")


class Unreported(CountsCase):
    def test_policyd_goes_between_the_recipient_and_the_end_of_the_message(self):
        """Mail does not wait for a count; the next report that gets through says that there was another."""
        ann, bob = ACCOUNTS[:2]
        self.deliver({ann: ann})
        self.wait_nothing_waits()
        self.assertEqual(("known", 1), (self.told(ann)["state"], self.told(ann)["messages"]))
        with smtplib.SMTP("127.0.0.1", self.mx.port, local_hostname="client.lab.invalid", timeout=SECONDS) as smtp:
            smtp.helo()
            smtp.mail(SENDER)
            self.assertEqual(250, smtp.rcpt(ann)[0])
            self.policyd.crash()
            self.assertEqual(250, smtp.data(TEXT)[0])
        self.policyd.start()
        self.deliver({bob: bob})
        wait_for("it is known to be unknown", SECONDS, lambda: self.told(ann)["state"] == "unknown", (self.policyd.log,))
        self.assertEqual((1, "1 message could not be reported by mx1.example.org"),
                         tuple(self.told(ann)[k] for k in ("messages", "reason")))
        self.assertEqual("unknown", self.told(bob)["state"])  # it may have been his
