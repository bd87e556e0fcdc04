"""Each recipient arrives exactly once, on the side of the account's owner, wherever the mail came in."""

from lab import House, LabCase, Message, Redis, imap_list, imap_wait, smtp_send, wait_for

SENDER = "sender@world.invalid"


class SplitTest(LabCase):
    """ann and carl have moved, bob and dora have not; the domain's default is old."""

    @classmethod
    def furnish(cls):
        users = ["ann", "bob", "carl", "dora"]
        known = {f"{u}@example.org": f"{u}@example.org" for u in users}  # a catch-all takes these too, otherwise
        cls.house = House(cls.lab, users, redis=Redis(cls.lab), aliases={
            **known, "sales@example.org": "ann@example.org",
            "list@example.org": "ann@example.org, bob@example.org, carl@example.org", "@example.org": "carl@example.org"})
        cls.house.set_owner("@example.org", "old")
        for user in ("ann", "carl"):
            cls.house.set_owner(f"{user}@example.org", "new")
        cls.house.policyd.wait_answer("transport", "ann@example.org", "OK")

    def arrives(self, message, new=(), old=(), world=()):
        """The message is in these users' mailboxes and nowhere else, once each."""
        house = self.house
        for user in new:
            imap_wait(house.dovecot_new.imap_port, user, message, logs=house.logs())
        for user in old:
            imap_wait(house.dovecot_old.imap_port, user, message, logs=house.logs())
        wait_for("the foreign recipients", 20, lambda: len(house.world.found(message)) >= len(world))
        house.wait_quiet()
        found = {side: [user for user in house.users for m in imap_list(dovecot.imap_port, user) if m.id == message.id]
                 for side, dovecot in (("new", house.dovecot_new), ("old", house.dovecot_old))}
        self.assertEqual({"new": sorted(new), "old": sorted(old)}, found)
        self.assertEqual(sorted(world), sorted(house.world.found(message)))

    def send(self, port, *recipients):
        return smtp_send(port, Message(SENDER, recipients))

    def test_one_message_to_moved_unmoved_foreign_and_extended_recipients(self):
        m = self.send(self.house.mx.port, "ann@example.org", "bob@example.org", "who@foreign.invalid", "carl+ext@example.org")
        self.arrives(m, new=["ann@example.org", "carl@example.org"], old=["bob@example.org"], world=["who@foreign.invalid"])

    def test_submission_on_old_to_a_moved_account_arrives_on_new(self):
        self.arrives(self.send(self.house.old.ports["submission"], "ann@example.org"), new=["ann@example.org"])

    def test_submission_on_new_to_an_unmoved_account_arrives_on_old(self):
        self.arrives(self.send(self.house.new.ports["submission"], "bob@example.org"), old=["bob@example.org"])

    def test_submission_on_new_to_a_moved_account_stays_there(self):
        self.arrives(self.send(self.house.new.ports["submission"], "ann@example.org"), new=["ann@example.org"])

    def test_alias_on_old_to_a_moved_account(self):
        for port in (self.house.mx.port, self.house.old.ports["submission"]):
            self.arrives(self.send(port, "sales@example.org"), new=["ann@example.org"])

    def test_catch_all_on_old_to_a_moved_account(self):
        for port in (self.house.mx.port, self.house.old.ports["submission"]):
            self.arrives(self.send(port, "nobody.knows@example.org"), new=["carl@example.org"])

    def test_list_on_old_with_moved_and_unmoved_members(self):
        for port in (self.house.mx.port, self.house.old.ports["submission"], self.house.new.ports["submission"]):
            self.arrives(self.send(port, "list@example.org"), new=["ann@example.org", "carl@example.org"],
                         old=["bob@example.org"])

    def test_case_of_the_address_does_not_matter(self):
        self.arrives(self.send(self.house.mx.port, "Ann@Example.ORG", "BOB@example.org"),
                     new=["ann@example.org"], old=["bob@example.org"])

    def test_null_sender(self):
        m = smtp_send(self.house.mx.port, Message("", ["ann@example.org", "bob@example.org"]))
        self.arrives(m, new=["ann@example.org"], old=["bob@example.org"])

    def test_hold_keeps_one_recipient_and_delays_nobody_else(self):
        house = self.house
        self.addCleanup(house.release, "dora@example.org")
        house.hold("dora@example.org")
        house.policyd.wait_answer("transport", "dora@example.org", ("OK", f"splitmx-hold:[127.0.0.1]:{house.sink_port}"))
        m = self.send(house.mx.port, "ann@example.org", "dora@example.org", "bob@example.org")
        imap_wait(house.dovecot_new.imap_port, "ann@example.org", m, logs=house.logs())
        imap_wait(house.dovecot_old.imap_port, "bob@example.org", m, logs=house.logs())
        wait_for("dora's copy is in the deferred queue of mx", 10, lambda: [
            q for q in house.mx.queue_list("deferred") if [r["address"] for r in q["recipients"]] == ["dora@example.org"]])
        house.mx.flush()  # overrides defer_transports: now the sink is asked
        wait_for("the sink defers it", 10, lambda: house.mx.log_count(r"to=<dora@example\.org>.* 450 4\.2\.1 Mailbox is being moved"),
                 house.logs())
        house.release("dora@example.org")
        house.policyd.wait_answer("transport", "dora@example.org", ("OK", f"relay:[127.0.0.1]:{house.old.ports['peer']}"))
        house.mx.reload()  # qmgr remembers the hold for up to 30 s
        house.mx.flush("dora@example.org")
        self.arrives(m, new=["ann@example.org"], old=["bob@example.org", "dora@example.org"])
