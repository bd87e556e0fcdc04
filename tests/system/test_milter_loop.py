"""splitmx-milter on two Postfix servers that ask one map: the loop of a direct flip waits, in place of bouncing.

test_loop shows the same loop without the milter.
"""

import smtplib
import time

from lab import FULL, Message, imap_list, imap_wait, smtp_send, wait_for
from lab.milter import TRACE
from lab.milter_house import YOUNG, MilterHouseCase

MANY = 500 if FULL else 20


class MilterAtTwoServers(MilterHouseCase):
    users = ["ann", "bob", "carl", *(f"user{i}" for i in range(MANY))]
    aliases = {"list@example.org": "carl@example.org"}

    def test_the_loop_of_a_direct_flip_waits_and_is_delivered(self):
        house, ann, sender = self.house, "ann@example.org", "first@world.invalid"
        house.old.stop()
        message = smtp_send(house.mx.port, Message(sender, ann))
        began = time.monotonic()
        wait_for("the message is deferred on mx", 20,
                 lambda: house.mx.log_count(rf"to=<{ann}>.*status=deferred.*refused"), self.logs())
        house.old.start()
        house.set_owner(ann, "new")
        house.policyd.wait_answer("transport-old", ann, "OK")
        house.mx.flush()
        wait_for("it comes back to mx, which says later", 20,
                 lambda: house.old.log_count(rf"to=<{ann}>.*status=deferred.*4\.4\.6 .*its way: mx1, old1, mx1"), self.logs())
        self.assertEqual([], house.world.bounces_to(sender))
        time.sleep(max(0, began + YOUNG + 1 - time.monotonic()))
        house.flush(ann)
        imap_wait(house.dovecot_new.imap_port, ann, message, logs=self.logs())
        house.wait_quiet()
        self.assertEqual(["new"], self.mailboxes(ann, message))
        self.assertEqual([], house.world.bounces_to(sender))

    def test_an_alias_of_the_old_side_arrives_at_once(self):
        house = self.house
        house.set_owner("carl@example.org", "new")
        house.policyd.wait_answer("transport-old", "carl@example.org", "OK")
        message = smtp_send(house.mx.port, Message("second@world.invalid", "list@example.org"))
        imap_wait(house.dovecot_new.imap_port, "carl@example.org", message, logs=self.logs())
        house.wait_quiet()
        (arrived,) = [m for m in imap_list(house.dovecot_new.imap_port, "carl@example.org") if m.id == message.id]
        self.assertEqual(["i=mx1", "i=old1", "i=mx1"],
                         [value.split(";")[2].strip() for value in arrived.headers.get_all(TRACE)])

    def test_B7_held_unknown_and_others_in_one_message(self):
        house = self.house
        people = [f"user{i}@example.org" for i in range(MANY)]
        for i, who in enumerate(people):
            house.set_owner(who, ("new", "old")[i % 2])
        held = people[::5]
        for who in held:
            house.hold(who)
            house.policyd.wait_answer("transport", who, ("OK", f"splitmx-hold:[127.0.0.1]:{house.sink_port}"))
        house.redis_cli("SET", "splitmx:login:sales@example.org", "user0@example.org")
        house.redis_cli("SET", "splitmx:complete:@example.org", "yes")
        self.addCleanup(house.redis_cli, "DEL", "splitmx:complete:@example.org")
        before = self.reports()[0]["kept"]
        message = Message("third@world.invalid", people)
        with smtplib.SMTP("127.0.0.1", house.mx.port, local_hostname="client.lab.invalid", timeout=60) as smtp:
            def refused():
                smtp.docmd("RSET")
                smtp.mail(message.sender)
                return smtp.rcpt("nobody@example.org")[0] == 550
            smtp.ehlo()
            wait_for("nobody is unknown", 10, refused, self.logs())
            for who in ("PostMaster@example.org", "sales@example.org"):
                self.assertEqual(250, smtp.rcpt(who)[0], who)
            smtp.docmd("RSET")
            self.assertEqual({"nobody@example.org"}, set(smtp.sendmail(message.sender, [*people, "nobody@example.org"],
                                                                      message.as_bytes())))
        for i, who in enumerate(people):
            if who not in held:
                imap_wait((house.dovecot_new, house.dovecot_old)[i % 2].imap_port, who, message, logs=self.logs())
        self.assertEqual(sorted(held), sorted(r["address"] for m in house.mx.queue_list() for r in m["recipients"]))
        house.mx.flush()  # under the hold: nothing bounces
        self.assertEqual(before + 1, self.reports()[0]["kept"])
        for who in held:
            house.release(who)
            house.policyd.wait_answer("transport", who, "OK")
        house.mx.reload()  # forgets routes

        def flushed():  # again and again: what comes while the queue manager reloads is lost
            house.flush()
            return not any(server.queue_list() for server in house.servers)
        wait_for("all queues are empty", 60, flushed, self.logs(), every=2)
        for i, who in enumerate(people):
            imap_wait((house.dovecot_new, house.dovecot_old)[i % 2].imap_port, who, message, logs=self.logs())
            self.assertEqual([("new", "old")[i % 2]], self.mailboxes(who, message))
        self.assertEqual([], house.world.bounces_to(message.sender))
        self.assertTrue(all(report["lost"] == 0 for report in self.reports()))
