"""The loop of a direct flip, and how a hold makes it harmless.

A message waits on the MX because the old server is away. The account changes
its owner; the old server comes back and the queue is flushed. The MX's qmgr
still believes in "old" for up to 30 s, the old side already knows "new", so they
throw the message at each other until it has too many hops and bounces. That is
Postfix's way, not ours: the first test shows it, so that the second means
something.
"""

import time

from lab import House, LabCase, Message, Redis, imap_list, imap_wait, smtp_send, wait_for

HOLD = 35


class LoopTest(LabCase):
    @classmethod
    def furnish(cls):
        cls.house = House(cls.lab, ["ann", "bob"], redis=Redis(cls.lab), with_new=False)
        cls.house.set_owner("@example.org", "old")
        cls.house.policyd.wait_answer("transport", "ann@example.org", "OK")

    def send_while_old_is_away(self, sender, account):
        """Returns the message, deferred on the MX with the route to old in qmgr's memory; old is back."""
        house = self.house
        house.old.stop()
        message = smtp_send(house.mx.port, Message(sender, account))
        wait_for("the message is deferred on mx", 20,
                 lambda: house.mx.log_count(rf"to=<{account}>.*status=deferred.*refused"), house.logs())
        house.old.start()
        return message

    def mailboxes(self, account, message):
        return [side for side, dovecot in (("old", self.house.dovecot_old), ("new", self.house.dovecot_new))
                for m in imap_list(dovecot.imap_port, account) if m.id == message.id]

    def test_direct_flip_bounces_a_message_between_the_servers(self):
        house, ann = self.house, "ann@example.org"
        message = self.send_while_old_is_away("first@world.invalid", ann)
        house.set_owner(ann, "new")
        house.policyd.wait_answer("transport-old", ann, "OK")
        house.mx.flush()
        bounce = wait_for("the bounce", 20, lambda: house.world.bounces_to("first@world.invalid"), house.logs())
        self.assertIn("too many hops", bounce[0])
        house.wait_quiet()
        self.assertEqual([], self.mailboxes(ann, message))

    def test_flip_through_a_hold_delivers_it(self):
        house, bob = self.house, "bob@example.org"
        message = self.send_while_old_is_away("second@world.invalid", bob)
        held = time.monotonic()
        house.hold(bob)
        house.policyd.wait_answer("transport-old", bob, ("OK", f"splitmx-hold:[127.0.0.1]:{house.sink_port}"))
        house.mx.flush()  # goes to old by the stale route, and waits there
        wait_for("the message waits on old", 20, lambda: house.old.queue_of(bob), house.logs())
        time.sleep(held + HOLD - time.monotonic())
        house.set_owner(bob, "new")
        house.release(bob)
        house.policyd.wait_answer("transport", bob, ("OK", "lmtp:unix:private/dovecot-lmtp"))
        house.flush(bob)
        imap_wait(house.dovecot_new.imap_port, bob, message, logs=house.logs())
        house.wait_quiet()
        self.assertEqual(["new"], self.mailboxes(bob, message))
        self.assertEqual([], house.world.bounces_to("second@world.invalid"))
