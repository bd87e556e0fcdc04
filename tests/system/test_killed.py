"""policyd's worker is killed again and again while Postfix delivers a burst: nobody is refused, nothing is lost.

The master keeps the sockets, so who connects waits for the next worker, and a
question that was under way is asked once more by Postfix itself.
"""

import os
import signal
import threading
import time

from lab import FULL, House, LabCase, Message, Redis, imap_list, smtp_send, wait_for

SENDER = "sender@world.invalid"
USERS = [f"user{i}" for i in range(10)]
MESSAGES = 400 if FULL else 120
KILLS = 8 if FULL else 5  # each pause of the master before the next worker is twice as long


class KilledTest(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.house = House(cls.lab, USERS, redis=cls.redis, with_new=False)
        cls.house.set_owner("@example.org", "old")
        for i, user in enumerate(USERS):
            cls.house.set_owner(f"{user}@example.org", ("old", "new")[i % 2])
        cls.house.policyd.wait_answer("transport", "user0@example.org", "OK")

    def worker_pids(self):
        pids = self.lab.run(["ps", "-o", "pid=", "--ppid", str(self.house.policyd.pid)], check=False).stdout.split()
        return [int(pid) for pid in pids]

    def kill_workers(self, stop):
        self.kills, self.longest = 0, 0
        while self.kills < KILLS and not stop.is_set():
            pids = wait_for("a worker runs", 10, self.worker_pids)
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self.kills += 1
            began = time.monotonic()
            with self.house.policyd.socketmap(seconds=30) as client:
                self.assertEqual("OK", client.ask("transport", "user1@example.org")[0])
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.25)

    def test_A21_a_killed_worker_refuses_nobody(self):
        house = self.house
        stop = threading.Event()
        killer = threading.Thread(target=self.kill_workers, args=(stop,))
        messages = [Message(SENDER, [f"{USERS[i % 10]}@example.org", f"{USERS[(i + 1) % 10]}@example.org"])
                    for i in range(MESSAGES)]
        killer.start()
        try:
            # Sessions of their own, so that smtpd and trivial-rewrite ask again; a refusal is an exception.
            for i in range(0, MESSAGES, 4):
                smtp_send(house.mx.port, messages[i:i + 4])
                time.sleep(0.1)
        finally:
            killer.join(120)
            stop.set()
        self.assertGreaterEqual(self.kills, KILLS)
        house.mx.flush()
        house.wait_quiet(60)
        self.assertEqual([], house.world.bounces_to(SENDER))
        for i, user in enumerate(USERS):
            address = f"{user}@example.org"
            mine = sorted(m.id for m in messages if address in m.recipients)
            for side, dovecot in (("old", house.dovecot_old), ("new", house.dovecot_new)):
                found = sorted(m.id for m in imap_list(dovecot.imap_port, address))
                self.assertEqual(mine if side == ("old", "new")[i % 2] else [], found, f"{user} on {side}")
        deferred = sum("status=deferred" in line for line in house.mx.log_lines())
        self.figures(f"{MESSAGES} messages, {self.kills} kills, {deferred} deferrals, answers were away for at most "
                     f"{self.longest * 1000:.0f} ms")
        self.assertEqual(0, deferred, house.mx.log_lines("status=deferred")[:3])
