"""A burst of mail to an account while it is held for 35 s and then belongs to new.

100 messages, with SPLITMX_FULL=1 1,000, spread over the time from 3 s before the
hold to 7 s after the flip. They come in on the MX and by submission on the old
side, all from one sender in one session on each: the caches of qmgr and smtpd
(one sender, one recipient) are then as stale as they can get.
"""

import smtplib
import threading
import time

from lab import FULL, House, LabCase, Message, Redis, imap_list, wait_for

COUNT = 1000 if FULL else 100
SENDER = "sender@world.invalid"
ANN = "ann@example.org"
BEFORE, HOLD, AFTER = 3, 35, 7
# qmgr's memory is 30 s; what stays of the 35 is for mail under way between two servers.
ROUTE_MEMORY, SETTLED = 30, 35


class Sender(threading.Thread):
    """Sends its share in one session, evenly over the seconds; stops at the first refusal."""

    def __init__(self, port, count, seconds):
        super().__init__(daemon=True)
        self.port, self.count, self.seconds = port, count, seconds
        self.sent = []
        self.trouble = None

    def run(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.lab.invalid", timeout=60) as smtp:
                start = time.monotonic()
                for i in range(self.count):
                    time.sleep(max(0, start + self.seconds * i / self.count - time.monotonic()))
                    message = Message(SENDER, ANN)
                    smtp.sendmail(SENDER, [ANN], message.as_bytes())
                    message.accepted = time.time()
                    self.sent.append(message)
        except Exception as e:  # shown by the test, with the message's number
            self.trouble = f"message {len(self.sent)} on port {self.port}: {e!r}"


class HoldTest(LabCase):
    @classmethod
    def furnish(cls):
        cls.house = House(cls.lab, ["ann", "bob"], redis=Redis(cls.lab), with_new=False)
        cls.house.set_owner("@example.org", "old")
        cls.house.policyd.wait_answer("transport", ANN, "OK")

    def find(self):
        """id -> list of (side, when)"""
        found = {}
        for side, dovecot in (("old", self.house.dovecot_old), ("new", self.house.dovecot_new)):
            for m in imap_list(dovecot.imap_port, ANN):
                found.setdefault(m.id, []).append((side, m.when))
        return found

    def test_burst_during_hold_and_flip(self):
        house = self.house
        senders = [Sender(port, COUNT // 2, BEFORE + HOLD + AFTER)
                   for port in (house.mx.port, house.old.ports["submission"])]
        for sender in senders:
            sender.start()
        time.sleep(BEFORE)
        held = time.time()
        house.hold(ANN)
        time.sleep(HOLD)
        house.set_owner(ANN, "new")
        house.release(ANN)
        house.flush(ANN)
        for sender in senders:
            sender.join(60)
        self.assertEqual([None, None], [s.trouble for s in senders])
        sent = [m for s in senders for m in s.sent]
        self.assertEqual(COUNT, len(sent))

        # qmgr may believe in the hold for 30 s more; hence the second flush.
        time.sleep(max(0, held + HOLD + SETTLED - time.time()))
        house.flush(ANN)
        wait_for("all messages are in a mailbox", 60, lambda: len(self.find()) >= COUNT, house.logs(), every=0.5)
        house.wait_quiet()
        self.judge(sent, held)

    def judge(self, sent, held):
        found = self.find()
        self.assertEqual([], self.house.world.bounces_to(SENDER))
        self.assertEqual([], [m.id for m in sent if m.id not in found], "lost")
        self.assertEqual({}, {i: where for i, where in found.items() if len(where) != 1}, "doubled")
        self.assertEqual([], [(m.id, m.accepted - held) for m in sent
                              if m.accepted > held + ROUTE_MEMORY and found[m.id][0][0] == "old"],
                         "accepted later than 30 s after the hold, yet on the old side")
        self.assertEqual([], [(i, where[0][1] - held) for i, where in found.items()
                              if where[0][0] == "old" and where[0][1] > held + SETTLED],
                         "reached the old side later than 35 s after the hold")
        # The test means nothing if there was nothing to hold, or nothing on one side.
        self.assertTrue(any(where[0][0] == "old" for where in found.values()), "nothing came before the hold")
        self.assertGreater(self.house.mx.log_count(rf"to=<{ANN}>.*status=deferred"), 0)
        self.assertGreater(self.house.old.log_count(rf"to=<{ANN}>.*status=deferred"), 0)
