"""Two Postfix servers whose maps point at each other, and mail that goes to and fro between them without being in a circle.

What is in a circle waits at its second visit until the map is right; what is not, arrives at once.
"""

import smtplib
import time

from lab import Message, imap_list, imap_wait, smtp_send, wait_for
from lab.milter import TRACE
from lab.milter_house import YOUNG, MilterHouseCase

ANN, BOB, CARL, DORA, ERIN, GAIL = USERS = [f"{name}@example.org" for name in ("ann", "bob", "carl", "dora", "erin", "gail")]
NEW = "lmtp:unix:private/dovecot-lmtp"


class CircleCase(MilterHouseCase):
    users = USERS
    # A catch-all catches everybody who is no alias.
    aliases = {**{user: user for user in USERS}, "team@example.org": f"{CARL}, {DORA}, {ERIN}", "@example.org": GAIL}

    def move(self, *accounts):
        for account in accounts:
            self.house.set_owner(account, "new")
            self.house.policyd.wait_answer("transport-old", account, "OK")

    def visits(self, server, message):
        """How often its content has come to this server."""
        return server.log_count(rf"cleanup\[.*message-id=<{message.id}@")

    def deferrals(self):
        return [server.log_count("status=deferred|milter-reject") for server in self.house.servers]

    def way(self, account, message):
        """The servers that it has been at, as its trace headers say; the last one first."""
        dovecot = self.house.dovecot_new if self.mailboxes(account, message) == ["new"] else self.house.dovecot_old
        (arrived,) = [m for m in imap_list(dovecot.imap_port, account) if m.id == message.id]
        return [value.split(";")[2].strip() for value in arrived.headers.get_all(TRACE)]


class MapsThatPointAtEachOther(CircleCase):
    def point(self, new):
        """To where mx sends what has moved. The old side sends it to mx."""
        policyd = self.house.policyd
        policyd.settings["maps"][0]["owners"]["new"] = new
        policyd.write_config()
        policyd.reload()
        policyd.wait_answer("transport", ANN, ("OK", new))

    def refused(self, server, account, way):
        """At its other side: how often "server" was told so."""
        return server.log_count(rf"to=<{account}>.*status=deferred.*451 4\.4\.6 .*its way: {way} \(in reply to end of DATA")

    def test_the_second_visit_waits_until_the_map_is_right(self):
        house = self.house
        self.move(ANN, BOB)
        self.point(f"relay:[127.0.0.1]:{house.old.ports['peer']}")
        messages = {ANN: smtp_send(house.mx.port, Message("first@world.invalid", ANN)),
                    BOB: smtp_send(house.old.port, Message("second@world.invalid", BOB))}
        ways = ((house.old, ANN, "mx1, old1, mx1"), (house.mx, BOB, "old1, mx1, old1"))
        for server, account, way in ways:
            wait_for(f"{account} is refused", 20, lambda: self.refused(server, account, way), self.logs())
            self.assertIn(f"its way: {way}", server.queue_of(account)[0]["recipients"][0]["delay_reason"])
        # Each has been at both servers, and has come back to the first one.
        self.assertEqual([(2, 1), (1, 2)],
                         [tuple(self.visits(server, message) for server in (house.mx, house.old)) for message in messages.values()])
        house.flush()  # the map is still wrong
        for server, account, way in ways:
            wait_for(f"{account} is refused again", 20, lambda: self.refused(server, account, way) == 2, self.logs())
        last = time.monotonic()
        self.assertEqual([(3, 1), (1, 3)],
                         [tuple(self.visits(server, message) for server in (house.mx, house.old)) for message in messages.values()])
        self.assertEqual([[], []], [self.mailboxes(account, message) for account, message in messages.items()])
        self.point(NEW)
        time.sleep(max(0, last + YOUNG + 1 - time.monotonic()))  # so that its visit, and what qmgr remembers, is old
        house.flush()
        for account, message in messages.items():
            imap_wait(house.dovecot_new.imap_port, account, message, logs=self.logs())
        house.wait_quiet()
        for account, message in messages.items():
            self.assertEqual(["new"], self.mailboxes(account, message))
            self.assertEqual([], house.world.bounces_to(message.sender))


class NoCircles(CircleCase):
    """All of these were accepted by mx, sent to old, and came back to mx."""

    def test_B5_a_list_of_the_old_side_with_one_who_has_moved(self):
        house, before = self.house, self.deferrals()
        self.move(DORA)
        message = smtp_send(house.mx.port, Message("third@world.invalid", "team@example.org"))
        for account, dovecot in ((CARL, house.dovecot_old), (DORA, house.dovecot_new), (ERIN, house.dovecot_old)):
            imap_wait(dovecot.imap_port, account, message, logs=self.logs())
        house.wait_quiet()
        self.assertEqual([["old"], ["new"], ["old"]], [self.mailboxes(account, message) for account in (CARL, DORA, ERIN)])
        self.assertEqual(["i=mx1", "i=old1", "i=mx1"], self.way(DORA, message))
        self.assertEqual(["i=old1", "i=mx1"], self.way(CARL, message))
        self.assertEqual(before, self.deferrals())
        self.assertEqual([], house.world.bounces_to(message.sender))

    def test_B5_a_catch_all_of_the_old_side_for_one_who_has_moved(self):
        house, before = self.house, self.deferrals()
        self.move(GAIL)
        message = smtp_send(house.mx.port, Message("fourth@world.invalid", "whoever@example.org"))
        imap_wait(house.dovecot_new.imap_port, GAIL, message, logs=self.logs())
        house.wait_quiet()
        self.assertEqual(["new"], self.mailboxes(GAIL, message))
        self.assertEqual(["i=mx1", "i=old1", "i=mx1"], self.way(GAIL, message))
        self.assertEqual(before, self.deferrals())
        self.assertEqual([], house.world.bounces_to(message.sender))

    def test_a_list_and_one_who_is_on_it_in_one_message(self):
        """The one recipient who cannot be told from a circle: who has moved, and is named beside a list of the old side on which
        he stands. One copy arrives at once, the one of the list is late, as splitmx-milter(8) says, and not lost."""
        house = self.house
        self.move(DORA)
        message = smtp_send(house.mx.port, Message("sixth@world.invalid", ["team@example.org", DORA]))
        for account, dovecot in ((CARL, house.dovecot_old), (DORA, house.dovecot_new), (ERIN, house.dovecot_old)):
            imap_wait(dovecot.imap_port, account, message, logs=self.logs())
        wait_for("the other copy is refused", 20,
                 lambda: house.old.log_count(rf"to=<{DORA}>.*status=deferred.*451 4\.4\.6 .*its way: mx1, old1, mx1"), self.logs())
        time.sleep(YOUNG + 1)
        house.flush()
        house.wait_quiet()
        self.assertEqual([["old"], ["new", "new"], ["old"]], [self.mailboxes(account, message) for account in (CARL, DORA, ERIN)])
        self.assertEqual([], house.world.bounces_to(message.sender))

    def test_B10_a_flip_between_RCPT_and_the_end_of_the_message(self):
        """The milter has said yes when old was the owner; where it goes is the map's to say when it goes."""
        house, message = self.house, Message("fifth@world.invalid", BOB)
        with smtplib.SMTP("127.0.0.1", house.mx.port, local_hostname="client.lab.invalid", timeout=60) as smtp:
            smtp.ehlo()
            smtp.mail(message.sender)
            self.assertEqual(250, smtp.rcpt(BOB)[0])
            self.move(BOB)
            house.policyd.wait_answer("transport", BOB, ("OK", NEW))
            self.assertEqual(250, smtp.data(message.as_bytes())[0])
        imap_wait(house.dovecot_new.imap_port, BOB, message, logs=self.logs())
        house.wait_quiet()
        self.assertEqual(["new"], self.mailboxes(BOB, message))
        self.assertEqual(["i=mx1"], self.way(BOB, message))
