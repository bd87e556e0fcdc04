"""The map is away, and people read their mail: who is known logs in for lease and grace, then sessions end, and nobody comes to a wrong side.

Each test brings one kind of trouble to a real Redis, with sessions of all protocols
on both sides, and ends it. The lease and the grace are short here.
"""

import time
import unittest

from lab import FULL, wait_for
from lab.callers import CALLERS
from lab.redis_group import RedisGroup
from lab.sides import ANN, BOB, CAT, DAN, LATER, MOVED, SidesCase

LEASE_MS, GRACE_MS, END_MS, QUESTION_MS = 2000, 2000, 1000, 500
BEAT_S = LEASE_MS / 3000  # the last heartbeat before the trouble may be so old
AWAY_S = (LEASE_MS + GRACE_MS) / 1000
# FENCING: a writer waits so long for a node that is silent.
FENCED_S = LEASE_MS * 1.01 / 1000 + 0.1 + GRACE_MS / 1000 + END_MS / 1000
SLACK_S = 3  # of this machine
MORE = "SPLITMX_FULL=1; tests/dialogs/test_front_away.py has all of them"
OWNERS = {ANN: "new", BOB: "old"}


class AwayCase(SidesCase):
    """ann is new's, bob is old's, cat is known to nobody here."""

    lease = LEASE_MS
    # Without a copy of the whole map, who was not asked for is not known.
    settings = {"grace": GRACE_MS, "cache": {"preload": 0}, "question_timeout": QUESTION_MS, "frontd": {"end_timeout": END_MS},
                "redis": {"connect_timeout": 500, "reconnect_most": 200}}

    def setUp(self):
        for user, owner in OWNERS.items():
            self.set_owner(user, owner)
        self.all_in(30)
        self.wait_nobody()

    def map(self):
        return self.front.control(do="status")["map"]

    def all_in(self, seconds=0):
        """Whoever is known logs in by every protocol, and is on his side."""
        end = time.monotonic() + seconds
        for user, owner in OWNERS.items():
            for protocol in CALLERS:
                caller = self.log_in(user, protocol)
                while not caller.is_in and time.monotonic() < end:
                    self.assertEqual(LATER[protocol], caller.said)
                    caller.close()
                    time.sleep(0.1)
                    caller = self.log_in(user, protocol)
                with caller:
                    self.assertTrue(caller.is_in, f"{protocol} {user}: {caller.said}")
                    self.assertEqual(owner, caller.side(), f"{protocol} {user}")

    def later(self, *users):
        """All of them hear it, in every protocol, in time."""
        asked, callers = time.monotonic(), []
        for user in users:
            for protocol in CALLERS:
                callers.append(self.call(protocol))
                callers[-1].login(user)
        for caller in callers:
            with caller:
                self.assertEqual(LATER[caller.protocol], caller.answer(), f"{caller.protocol} {caller.user}")
        self.assertLess(time.monotonic() - asked, QUESTION_MS / 1000 + SLACK_S)

    def sessions(self):
        """A live one of each user and protocol."""
        sessions = [self.log_in(user, protocol) for user in OWNERS for protocol in CALLERS]
        self.assertTrue(all(session.is_in for session in sessions))
        return sessions

    def alive(self, sessions):
        for session in sessions:
            self.assertEqual(OWNERS[session.user], session.side(), f"{session.protocol} {session.user}")

    def wait_graced(self):
        """A heartbeat that has declared the grace was answered: from now on both run."""
        wait_for("lease and grace", 10, lambda: self.map()["node"]["grace_left_ms"] > GRACE_MS, (self.front.log,))

    def through(self, trouble, mend):
        """From the last good moment to the first one after it."""
        self.wait_graced()
        sessions = self.sessions()
        trouble()
        began = time.monotonic()
        try:
            self.all_in()
            self.later(CAT)
            time.sleep(max(0, began + LEASE_MS / 1000 + 0.2 - time.monotonic()))
            self.alive(sessions)
            self.assertEqual("grace", self.map()["node"]["memory"])
            self.all_in()
            self.end_of(sessions, began)
            self.later(ANN, BOB, CAT)
        finally:
            mend()
        self.all_in(30)
        self.right_sides()

    def end_of(self, sessions, began):
        """Each with the words of its protocol, not before the grace is over, and when a writer may count on it."""
        for session in sessions:
            self.assertEqual(MOVED[session.protocol], session.everything(), f"{session.protocol} {session.user}")
            self.assertGreater(time.monotonic() - began, AWAY_S - BEAT_S - 0.1)
        self.wait_nobody(SLACK_S)
        self.assertLess(time.monotonic() - began, FENCED_S + SLACK_S)
        self.figures(f"{len(sessions)} sessions of {len(CALLERS)} protocols had ended {time.monotonic() - began:.1f} s after the trouble began "
                     f"(lease and grace {AWAY_S:.1f} s)")

    def move_ann(self, sessions):
        """To old and back: when that is confirmed none of her sessions is left, and bob's live on until they are closed."""
        self.front.splitmx("set", ANN, "old", "--force")
        self.assertEqual([], self.phases(ANN))
        for session in sessions:
            if session.user == ANN:
                self.assertEqual(MOVED[session.protocol], session.everything(), session.protocol)
            else:
                self.assertEqual("old", session.side(), session.protocol)
                session.close()
        self.set_owner(ANN, "new")

    def right_sides(self):
        for side in ("old", "new"):
            self.assertEqual({user for user, owner in OWNERS.items() if owner == side}, self.logged_in(side) & {ANN, BOB, CAT})


class TroubleTest(AwayCase):
    def test_A12_redis_is_killed(self):
        self.through(self.redis.kill, self.redis.start)

    def test_A12_redis_is_stopped_and_says_nothing(self):
        self.through(self.redis.freeze, self.redis.thaw)

    @unittest.skipUnless(FULL, MORE)
    def test_A12_redis_wants_another_password(self):
        def lock():
            self.redis.cli("CONFIG", "SET", "requirepass", "another")
            self.redis.password = "another"
            self.drop_all()

        def unlock():
            self.redis.cli("CONFIG", "SET", "requirepass", "")
            self.redis.password = None
        self.through(lock, unlock)

    @unittest.skipUnless(FULL, MORE)
    def test_A12_redis_becomes_a_replica_of_nobody(self):
        """READONLY for writers, MASTERDOWN for readers."""
        def demote():
            self.redis.cli("CONFIG", "SET", "replica-serve-stale-data", "no")
            self.redis.cli("REPLICAOF", "127.0.0.1", self.lab.port())
            self.drop_all()
        self.through(demote, lambda: self.redis.cli("REPLICAOF", "NO", "ONE"))

    def drop_all(self):
        for kind in ("normal", "pubsub"):
            self.redis.cli("CLIENT", "KILL", "TYPE", kind)

    def test_A12_a_wrong_type_under_a_key_is_that_accounts_trouble_alone(self):
        sessions = self.sessions()
        for user in OWNERS:
            self.redis.cli("EVAL", "redis.call('DEL', KEYS[1]) redis.call('RPUSH', KEYS[1], 'none')", 1, f"splitmx:owner:{user}")
        try:
            self.later(*OWNERS)
            for protocol in CALLERS:
                with self.log_in(DAN, protocol) as caller:
                    self.assertEqual((True, "old"), (caller.is_in, caller.side()))
            time.sleep(AWAY_S)
            self.alive(sessions)  # an unreadable record is no answer
        finally:
            for user, owner in OWNERS.items():
                self.set_owner(user, owner)
        self.alive(sessions)
        for session in sessions:
            session.close()

    def test_an_outage_within_lease_and_grace_costs_no_session(self):
        for seconds, away, back in ((0.5, self.redis.kill, self.redis.start), (LEASE_MS / 1000 + 0.3, self.redis.freeze, self.redis.thaw)):
            with self.subTest(seconds=seconds):
                self.wait_graced()
                sessions = self.sessions()
                away()
                time.sleep(seconds)
                self.alive(sessions)
                back()
                wait_for("a lease", 20, lambda: self.map()["node"]["memory"] == "lease", (self.front.log,))
                self.alive(sessions)
                self.move_ann(sessions)


class RestartTest(AwayCase):
    """The front is started again while Redis is away: what it knew is in its snapshot."""

    settings = {**AwayCase.settings, "grace": 30000 if FULL else 8000}

    def saved(self):
        """Both are known, and that is on the disk."""
        for _ in range(3):
            self.front.stop()
            self.front.start()
            self.all_in(30)
            kept = wait_for("a snapshot", 30, lambda: self.map()["snapshot"]["saves"] > 0 and self.map()["snapshot"],
                            (self.front.log,), every=0.2)
            if kept["findings"] >= len(OWNERS):
                return
        self.fail(f"the snapshot lacks some of them: {kept}")

    def restart_stopped(self):
        self.assertEqual(0, self.front.stop())
        self.front.start()

    def restart_killed(self):
        self.front.crash()
        self.front.start()

    def restart_worker(self):
        pids = self.front.worker_pids()
        self.front.kill_workers()
        wait_for("another worker", 20, lambda: self.front.worker_pids() and self.front.worker_pids() != pids and self.answers(),
                 (self.front.log,))

    def answers(self):
        try:
            return self.front.control(do="status")
        except (OSError, ValueError):
            return None

    def test_A12_restarts_while_redis_is_away(self):
        self.saved()
        self.wait_graced()
        sessions = self.sessions()
        self.redis.kill()
        away = time.monotonic()
        try:
            for restart in (self.restart_stopped, self.restart_killed, self.restart_worker):
                restart()
                for session in sessions:
                    session.everything()  # it has ended, whichever way
                self.all_in()
                self.assertEqual(("grace", 0), (self.map()["node"]["memory"], self.map()["snapshot"]["saves"]))
                self.later(CAT)
                sessions = self.sessions()
            self.assertLess(time.monotonic() - away, self.settings["grace"] / 1000, "too slow to show anything")
            for session in sessions:
                self.assertEqual(MOVED[session.protocol], session.everything())
            self.assertLess(time.monotonic() - away, (LEASE_MS + self.settings["grace"] + END_MS) / 1000 + SLACK_S)
            self.later(ANN, BOB, CAT)
            self.restart_killed()
            self.later(ANN, BOB, CAT)
        finally:
            self.redis.start()
        self.all_in(30)
        self.right_sides()


class FailoverTest(AwayCase):
    """Redis' master is killed, and Sentinel promotes another: nobody who is logged in notices."""

    lease, members = 15000, 3
    settings = {**AwayCase.settings, "grace": 0}

    @classmethod
    def make_redis(cls):
        cls.group = RedisGroup(cls.lab, down_after=2000)
        return Master(cls.group)

    @classmethod
    def make_front(cls, *args, **options):
        front = super().make_front(*args, **options)
        front.settings["redis"] = cls.group.settings(connect_timeout=500, reconnect_most=200)
        front.write_config()
        return front

    def test_sessions_live_through_failovers(self):
        for _ in range(5 if FULL else 1):
            sessions = self.sessions()
            master = self.group.wait_ready(60)
            before = self.map()["link"]["sessions"]
            master.kill()
            began, asked = time.monotonic(), 0
            while self.map()["link"]["sessions"] == before or self.group.master() is None:
                self.alive(sessions)
                self.all_in()
                asked += 1
                time.sleep(0.1)
                self.assertLess(time.monotonic() - began, 60)
            self.alive(sessions)
            self.figures(f"the map was away for {time.monotonic() - began:.1f} s; {len(sessions)} sessions, asked {asked} times, lived on")
            master.start()
            self.group.wait_ready(60)
            self.move_ann(sessions)


class Master:
    """Redis, for who does not care which one of the group it is."""

    def __init__(self, group):
        self.group = group
        self.url = None

    def cli(self, *words, **options):
        return wait_for("a master", 30, self.group.master).cli(*words, **options)


if __name__ == "__main__":
    unittest.main()
