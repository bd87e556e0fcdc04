"""Redis is gone for long, and the node is restarted meanwhile: what it still answers, and where the mail ends up.

The node declares a grace and keeps a snapshot. Mail comes in all the time through
a listener that asks nobody, two accounts have changed hands just before, and
policyd is stopped, killed, and loses its worker. It answers what it knew while
lease and grace last and TEMP afterwards, never a former owner; and when Redis is
back every message is on its owner's side, once.
"""

import threading
import time

from lab import FULL, House, LabCase, Message, Redis, imap_list, smtp_send, wait_for

LEASE_MS, GRACE_MS, OUTAGE_S = (15000, 300000, 600) if FULL else (2000, 15000, 25)
MAIL_EVERY_S = 1 if FULL else 0.5
KILLS = 10 if FULL else 2
SENDER = "sender@world.invalid"
FOREIGN = "who@foreign.invalid"
ANN, BOB, CARL, DORA, EVE = (f"{user}@example.org" for user in ("ann", "bob", "carl", "dora", "eve"))
KNOWN = (ANN, BOB, CARL, DORA)  # nobody asks for eve before the outage


class Repeated(threading.Thread):
    """Calls a function again and again until stop(), which raises what it raised."""

    def __init__(self, function, every):
        super().__init__(daemon=True)
        self.function, self.every = function, every
        self.over, self.error = threading.Event(), None
        self.start()

    def run(self):
        try:
            while not self.over.wait(self.every):
                self.function()
        except BaseException as e:  # shown by the test's own thread
            self.error = e

    def stop(self):
        self.over.set()
        self.join()
        if self.error:
            raise self.error


class Watcher:
    """Asks for everybody on new connections; an answer other than `right` is remembered in .wrong.

    wall: after this moment (time.monotonic()) nothing is known any more, until it is None.
    """

    def __init__(self, policyd, right):
        self.policyd, self.right = policyd, right
        self.wall = None
        self.wrong = []
        self.counts = {"OK": 0, "TEMP": 0, "NOTFOUND": 0}

    def look(self):
        for key in (*self.right, FOREIGN):
            asked, wall = time.monotonic(), self.wall
            try:
                answer = self.policyd.ask("transport", key)
            except (OSError, EOFError):
                return  # it is being restarted
            self.counts[answer[0]] += 1
            is_over = wall is not None and wall is self.wall and asked > wall
            if key == FOREIGN:
                good = answer[0] == "NOTFOUND"
            else:
                good = answer[0] == "TEMP" or (answer == self.right[key] and not is_over)
            if not good:
                self.wrong.append((round(asked - (wall or asked), 2), key, answer))


class OutageTest(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab, tcp=False, aof=True)
        cls.house = house = House(cls.lab, [user.partition("@")[0] for user in (*KNOWN, EVE)], redis=cls.redis, with_new=FULL)
        cls.redis.cli("HSET", "splitmx.map", "lease_ms", LEASE_MS)
        house.set_owner("@example.org", "old")
        # A listener that queues without asking the map, so that mail comes in meanwhile.
        mx = house.mx
        mx.ports["queue"] = cls.lab.port()
        mx.smtpd["queue"] = ("-o smtpd_reject_unlisted_recipient=no -o smtpd_recipient_restrictions= "
                             "-o smtpd_relay_restrictions=permit_mynetworks,reject")
        mx.write_config()
        mx.reload()
        # trivial-rewrite waits for each TEMP; without a copy of the map, who was not asked for is not known.
        house.policyd.settings.update(grace=GRACE_MS, question_timeout=200, cache={"preload": 0})
        house.policyd.write_config()
        cls.policyd = house.policyd
        cls.text = {"new": ("OK", "lmtp:unix:private/dovecot-lmtp"), "old": ("OK", f"relay:[127.0.0.1]:{house.old.ports['peer']}")}

    def setUp(self):
        """ann and carl are new, bob and dora old, and that is in a snapshot."""
        if not self.redis.process.is_alive():
            self.redis.start()
        for account, owner in ((ANN, "new"), (BOB, "old"), (CARL, "old"), (DORA, "new")):
            self.house.set_owner(account, owner)
        self.saved()

    def map(self):
        return self.policyd.status()["map"]

    def saved(self):
        """A policyd that knows the four, and has saved that."""
        for _ in range(3):
            if self.policyd.process:
                self.policyd.stop()
            self.policyd.start()
            for account in KNOWN:
                self.policyd.wait_answer("transport", account, "OK", seconds=20)
            kept = wait_for("a snapshot", 30, lambda: self.map()["snapshot"]["saves"] > 0 and self.map()["snapshot"],
                            [self.policyd.log], every=0.2)
            if kept["findings"] >= len(KNOWN):
                return
        self.fail(f"the snapshot lacks some of the four: {kept}")

    def flip(self):
        """carl and dora change hands, confirmed: returns who has whom."""
        for account, owner in ((CARL, "new"), (DORA, "old")):
            self.policyd.splitmx("set", account, owner, "--force")
        return {ANN: self.text["new"], BOB: self.text["old"], CARL: self.text["new"], DORA: self.text["old"],
                EVE: self.text["old"]}

    # ways to end a policyd

    def restart_stopped(self):
        self.assertEqual(0, self.policyd.stop())
        self.policyd.start()

    def restart_killed(self):
        self.policyd.crash()
        self.policyd.start()

    def restart_worker(self):
        self.policyd.kill_workers()
        wait_for("another worker answers", 20, self.answers, [self.policyd.log])

    def answers(self):
        try:
            return self.policyd.ask("transport", FOREIGN)[0] == "NOTFOUND"
        except (OSError, EOFError):
            return False

    # what it says then

    def knows(self, changed):
        """After a restart without Redis: the ones who stayed where they were, and nobody else, from the snapshot."""
        told = {account: self.policyd.ask("transport", account) for account in (*KNOWN, EVE, FOREIGN)}
        now = self.map()  # later than the answers, so the grace ran while they were given
        self.assertEqual(("grace", 0, 2), (now["node"]["memory"], now["snapshot"]["saves"], now["snapshot"]["findings"]), now)
        self.assertEqual({ANN: self.text["new"], BOB: self.text["old"], FOREIGN: ("NOTFOUND", "")},
                         {account: told[account] for account in (ANN, BOB, FOREIGN)})
        for account in (*changed, EVE):
            self.assertEqual("TEMP", told[account][0], f"{account}: {told[account]}")

    def knows_nobody(self):
        for account in (*KNOWN, EVE):
            self.assertEqual("TEMP", self.policyd.ask("transport", account)[0], account)
        self.assertEqual("NOTFOUND", self.policyd.ask("transport", FOREIGN)[0])
        self.assertEqual("none", self.map()["node"]["memory"])

    def test_A12_mail_and_restarts_while_redis_is_away(self):
        house, sent = self.house, []
        watcher = Watcher(self.policyd, self.flip())
        watch = Repeated(watcher.look, 0.05)
        mail = Repeated(lambda: sent.append(smtp_send(house.mx.ports["queue"], Message(SENDER, [*watcher.right, FOREIGN]))),
                        MAIL_EVERY_S)
        try:
            began, away = time.time(), time.monotonic()
            self.redis.kill()
            watcher.wall = time.monotonic() + (LEASE_MS + GRACE_MS) / 1000
            for restart in (self.restart_stopped, self.restart_killed, self.restart_worker) * (3 if FULL else 1):
                restart()
                self.knows(changed=(CARL, DORA))
            wait_for("the grace is over", (LEASE_MS + GRACE_MS) / 1000 + 5,
                     lambda: self.map()["node"]["memory"] == "none", [self.policyd.log], every=0.1)
            self.knows_nobody()
            for restart in (self.restart_killed, self.restart_stopped):
                restart()
                self.knows_nobody()
            time.sleep(max(0, away + OUTAGE_S - time.monotonic()))
            self.knows_nobody()
            back = time.time()
            watcher.wall = None
            self.redis.start()
            for account, answer in watcher.right.items():
                self.policyd.wait_answer("transport", account, answer, seconds=60)
        finally:
            watch.stop()
            mail.stop()
        self.assertEqual([], watcher.wrong)
        self.figures(f"{back - began:.0f} s without Redis: {len(sent)} messages came in; answers: {watcher.counts}")
        self.assertGreater(len(sent), OUTAGE_S / MAIL_EVERY_S / 4)
        self.arrived(sent, watcher.right, began)

    def arrived(self, sent, right, began):
        house = self.house
        for server in house.servers:
            server.reload()  # what they remember of failures

        def is_quiet():
            house.flush()
            time.sleep(1)
            return not any(server.queue_list() for server in house.servers)

        wait_for("all mail is delivered", 120, is_quiet, house.logs())
        ids = sorted(message.id for message in sent)
        for account, answer in right.items():
            own, other = house.dovecot_new, house.dovecot_old
            if answer == self.text["old"]:
                own, other = other, own
            found = imap_list(own.imap_port, account)
            self.assertEqual(ids, sorted(m.id for m in found), f"{account} on {own.name}")
            self.assertEqual([], imap_list(other.imap_port, account), f"{account} on {other.name}")
            if account in (ANN, BOB):
                self.assertTrue([m for m in found if began <= m.when < began + (LEASE_MS + GRACE_MS) / 1000],
                                f"nothing was delivered to {account} in lease and grace")
        for message in sent:
            self.assertEqual([FOREIGN], house.world.found(message))
        self.assertEqual([], house.world.bounces_to(SENDER))

    def test_a_change_that_was_confirmed_when_all_went_down_is_never_forgotten(self):
        for n in range(KILLS):
            watcher = Watcher(self.policyd, self.flip())
            self.redis.kill()  # first, or the next worker hears from it
            (self.policyd.crash if n % 2 else self.policyd.kill_workers)()
            if n % 2:
                self.policyd.start()
            wait_for("it answers again", 20, self.answers, [self.policyd.log])
            watch = Repeated(watcher.look, 0.02)
            try:
                self.knows(changed=(CARL, DORA))
                self.redis.start()
                for account in KNOWN:
                    self.policyd.wait_answer("transport", account, watcher.right[account], seconds=60)
            finally:
                watch.stop()
            self.assertEqual([], watcher.wrong)
            if n + 1 < KILLS:
                self.setUp()
