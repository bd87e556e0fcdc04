"""What splitmx-milter says to each recipient, puts on each message, and reports."""

from lab.milter import KEYS, STEPS, TRACE, VERSION, inserted, removed
from milter_case import HELD, MilterCase, TROUBLE, UNKNOWN

ADDS_AND_CHANGES_HEADERS = 0x11
NO_STEPS_BUT_OURS = 0x0043d3  # no connect, helo, data, body, unknown, end of headers; no reply at MAIL and to headers
NO_REPLIES = 0x004080  # libmilter makes up for these: it replies itself


class Recipients(MilterCase):
    said = {"ann@example.org": b"c", "held@example.org": b"c", "gone@example.org": UNKNOWN, "dark@example.org": TROUBLE,
            "odd@example.org": b"c", "someone@foreign.invalid": b"c", "ANN@EXAMPLE.ORG": b"c"}

    def test_each_gets_his_own_answer(self):
        with self.session() as client:
            told, changes, said = client.message(*self.said)
        self.assertEqual(list(self.said.values()), told)
        self.assertEqual(b"c", said)
        self.assertTrue(inserted(changes))

    def test_little_is_negotiated(self):
        with self.milter.client() as client:
            self.assertEqual((VERSION, ADDS_AND_CHANGES_HEADERS, NO_STEPS_BUT_OURS), client.negotiate())

    def test_what_is_needed_and_not_offered(self):
        for bit in (1 << i for i in range(21)):
            with self.milter.client() as client:
                if bit & NO_STEPS_BUT_OURS & ~NO_REPLIES:
                    with self.assertRaises((EOFError, ConnectionError)):
                        client.negotiate(steps=STEPS & ~bit)
                else:
                    self.assertEqual(NO_STEPS_BUT_OURS & ~bit, client.negotiate(steps=STEPS & ~bit)[2])

    def test_a_client_that_waits_for_replies_gets_them(self):
        with self.session(steps=STEPS & ~NO_REPLIES) as client:
            client.mail()
            self.assertEqual(b"c", client.said())
            self.assertEqual(b"c", client.rcpt("ann@example.org"))
            client.header("Subject", "x")
            self.assertEqual(b"c", client.said())
            changes, said = client.end()
            self.assertEqual(b"c", said)
            self.assertTrue(inserted(changes))

    def test_a_message_to_nobody_that_is_managed_is_not_touched(self):
        with self.session() as client:
            self.assertEqual(([b"c"], [], b"c"), client.message("someone@foreign.invalid"))
            self.assertEqual(([UNKNOWN], [], b"c"), client.message("gone@example.org"))
        self.assertEqual([], self.policyd.reports)

    def test_a_report_names_accounts_and_owners(self):
        with self.session() as client:
            client.message("ann+news@example.org", "gone@example.org", "bob@example.org", "someone@foreign.invalid")
        (report,) = self.policyd.reports
        self.assertEqual([["ann@example.org", "new", False], ["bob@example.org", "old", False]], report["accounts"])
        self.assertEqual(("mx1.example.org", 0), (report["from"], report["lost"]))
        self.assertRegex(report["id"], "^[0-9a-f]{32}$")

    def test_five_hundred_recipients(self):
        people = [f"user{i}@example.org" for i in range(500)]
        self.policyd.answers.update({p: {**self.policyd.answers["ann@example.org"], "account": p} for p in people})
        with self.session() as client:
            told, changes, said = client.message(*people)
        self.assertEqual(([b"c"] * 500, b"c"), (told, said))
        self.assertLess(len(inserted(changes)), 1100)
        self.assertEqual(500, sum(len(report["accounts"]) for report in self.policyd.reports))

    def test_no_more_than_two_thousand_recipients(self):
        with self.session() as client:
            client.mail()
            told = [client.rcpt("ann@example.org") for _ in range(2001)]
            self.assertEqual([b"c"] * 2000 + ["452 4.5.3 Too many recipients"], told)
            self.assertEqual(b"c", client.rcpt("*"))
            self.assertEqual(b"c", client.end()[1])


class Deferring(Recipients):
    milter_settings = {"defers_held": True}
    said = {**Recipients.said, "held@example.org": HELD}


class Stripping(MilterCase):
    milter_settings = {"strips_outgoing": True}

    def test_our_own_headers_leave_what_is_for_others(self):
        with self.session() as client:
            ours = inserted(client.message("ann@example.org")[1])
            headers = [(TRACE, "v=1;foreign"), (TRACE, ours), ("Subject", "x"), (TRACE.lower(), ours)]
            _, changes, said = client.message("someone@foreign.invalid", headers=headers)
            self.assertEqual(([3, 2], b"c"), (removed(changes), said))
            _, changes, said = client.message("bob@example.org", headers=headers)
            self.assertEqual(([], b"c"), (removed(changes), said))


class Side(MilterCase):
    milter_settings = {"side": "old"}

    def test_what_arrives_for_another_owner_is_a_stray(self):
        with self.session() as client:
            client.message("ann@example.org", "bob@example.org")
        self.assertEqual([["ann@example.org", "new", True], ["bob@example.org", "old", False]],
                         self.policyd.reports[0]["accounts"])


class Keys(MilterCase):
    def test_a_key_goes_out_of_use_in_three_steps(self):
        first, second = KEYS.splitlines(keepends=True)

        def say(keys, signer):
            self.lab.write("milter/trace.keys", keys, 0o600)
            reloads = self.milter.status()["reloads"]
            self.milter.reload()
            self.milter.process.wait_until("it has reloaded", 10, lambda: self.milter.status()["reloads"] > reloads)
            with self.session() as client:
                trace = inserted(client.message("ann@example.org")[1])
                self.assertIn(f"k={signer};", trace)
                return trace

        def is_believed(trace):
            with self.session() as client:
                return client.message("ann@example.org", headers=[(TRACE, trace)])[2] != b"c"

        old = say(first, "2026b")
        new = say(first + second, "2026b")
        self.assertTrue(is_believed(old) and is_believed(new))
        newest = say(second + first, "2026a")
        self.assertTrue(is_believed(old) and is_believed(newest))
        say(second, "2026a")
        self.assertTrue(is_believed(newest))
        self.assertFalse(is_believed(old))
