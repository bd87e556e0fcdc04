"""What no MTA says, and what goes wrong between two words: rows B1, B2, B3, B5, B8, B9 and B10.

B6, B7 and what Postfix makes of the others are in tests/system/test_milter*.py; the watchdog of B9 is in test_milter_stalled.py.
There is no B4.
"""

import os
import signal
import socket
import struct

from lab import wait_for
from lab.core import process_is_alive
from lab.milter import ACTIONS, STEPS, TRACE, VERSION, inserted, packet, strings
from milter_case import HELD, MilterCase, TROUBLE


def offer(version=VERSION, actions=ACTIONS, steps=STEPS):
    return packet(b"O", struct.pack(">III", version, actions, steps))


O, M, R, E = offer(), packet(b"M", b"<>\0"), packet(b"R", b"<ann@example.org>\0"), packet(b"E")
L = packet(b"L", strings("Subject", "x"))


class Malformed(MilterCase):
    """B1. What is said is followed by the end of what we send, so every case ends: with replies, then closed."""

    # what is sent -> the replies' commands
    rows = (
        ("length 0", b"\0\0\0\0", b""),
        ("length 0 in a session", O + M + b"\0\0\0\0", b"O"),
        ("length 0 before a command", O + b"\0\0\0\0" + M + R, b"O"),
        ("4 GB", b"\xff\xff\xff\xffM<>\0", b""),
        ("4 GB in a message", O + M + R + b"\xff\xff\xff\xffL", b"Oc"),
        ("2 GB", O + b"\x7f\xff\xff\xffM<>\0", b"O"),
        ("minus 2 GB", O + b"\x80\0\0\0M<>\0", b"O"),
        ("1 MB, and less than that", O + struct.pack(">I", 1 << 20) + b"M<>\0", b"O"),
        ("more than 64 KB", O + M + packet(b"R", b"<" + b"a" * 65536 + b">\0"), b"O"),
        ("ends within the length", O + b"\0\0", b"O"),
        ("ends within the data", O + M + R[:-3], b"O"),
        ("an empty offer", packet(b"O"), b""),
        ("an offer that is too short", packet(b"O", b"\0\0\0\6\0\0"), b""),
        ("an offer of zeros", packet(b"O", b"\0" * 40), b""),
        ("MAIL without NUL", O + packet(b"M", b"<a@b>"), b"O"),
        ("MAIL without anything", O + packet(b"M"), b"O"),
        ("RCPT without NUL", O + M + packet(b"R", b"<ann@example.org>"), b"O"),
        ("RCPT without anything", O + M + packet(b"R"), b"O"),
        ("RCPT of nobody", O + M + packet(b"R", b"\0"), b"Oc"),
        ("a header without value", O + M + R + packet(b"L", b"Subject\0"), b"Oc"),
        ("a header without NUL", O + M + R + packet(b"L", b"Subject"), b"Oc"),
        ("a header of three", O + M + R + packet(b"L", strings("Subject", "a", "b")) + E, b"Ocic"),
        ("a command that nobody knows", O + packet(b"Z", b"a\0"), b"O"),
        ("the same before all others", packet(b"Z"), b""),
        ("a command of one NUL", O + packet(b"\0"), b"O"),
        ("a command of 255", O + packet(b"\xff", b"a"), b"O"),
        ("RCPT before all others", R, b""),
        ("the end before all others", E, b""),
        ("abort before all others", packet(b"A"), b""),
        ("quit before all others", packet(b"Q"), b""),
        ("RCPT before MAIL", O + R, b"O"),
        ("a header before MAIL", O + L, b"O"),
        ("the end before MAIL", O + E, b"O"),
        ("the end before RCPT", O + M + E, b"O"),
        ("RCPT behind a header", O + M + R + L + R + E, b"Oc"),
        ("MAIL behind MAIL", O + M + M + R, b"Oc"),
        ("MAIL behind RCPT", O + M + R + M + R, b"Occ"),
        ("two offers", O + O + M + R, b"Oc"),
        ("an offer within a message", O + M + R + O + R, b"Oc"),
        ("steps that were not wanted", O + packet(b"H", b"x\0") + packet(b"T") + packet(b"N") + packet(b"B", b"x"), b"Oc"),
        ("version 0", offer(version=0), b""),
        ("version 1", offer(version=1), b""),
        ("version 7", offer(version=7) + M + R, b"Oc"),
        ("version 2^32 - 1", offer(version=0xffffffff), b""),
        ("no actions", offer(actions=0), b""),
        ("no steps", offer(steps=0), b""),
        ("the steps of version 2", offer(version=2, steps=0x7f), b""),
        ("all actions and steps that there could be", offer(actions=0xffffffff, steps=0xffffffff) + M + R, b"Oc"),
        ("nothing at all", b"", b""),
    )

    def replies(self, data):
        """The commands of everything that is said to this, and nothing more."""
        with self.milter.client() as client:
            said = b""
            try:
                client.send(data)
                client.socket.shutdown(socket.SHUT_WR)
                while True:
                    said += client.reply()[0]
            except (EOFError, ConnectionError):
                return said  # what closes with bytes unread is a reset

    def test_B1_each_ends_its_own_session_and_no_other(self):
        worker = self.worker()
        witness = self.session()
        witness.mail()
        for what, data, expected in self.rows:
            with self.subTest(what):
                self.assertEqual(expected, self.replies(data))
        self.assertEqual(b"c", witness.rcpt("ann@example.org"))
        self.assertEqual(b"c", witness.end()[1])
        self.assertEqual(worker, self.worker())
        witness.close()
        self.wait_nobody()

    def test_B1_cut_anywhere_and_in_pieces(self):
        whole = O + M + R + L + packet(b"D", b"E" + strings("i", "4fXYZ")) + E
        for cut in range(len(whole)):
            self.assertIn(self.replies(whole[:cut]), (b"", b"O", b"Oc"))
        self.assertEqual([], self.policyd.reports)
        with self.milter.client() as client:
            client.send_slowly(whole, 0)
            self.assertEqual([b"O", b"c", b"i", b"c"], [client.reply()[0] for _ in range(4)])
        self.wait_nobody()

    def test_B1_who_does_not_negotiate_gets_no_mail_accepted(self):
        said = self.replies(M + R + L + E)
        self.assertNotEqual(b"c", said[-1:])
        self.assertEqual([], self.policyd.reports)

    def test_B1_a_connection_that_begins_anew_without_a_word(self):
        """SMFIC_QUIT_NC: the next session on the same connection."""
        with self.session() as client:
            client.message("ann@example.org")
            client.send(packet(b"K"))
            told, changes, said = client.message("bob@example.org")
            self.assertEqual(([b"c"], b"c"), (told, said))
            self.assertIn("i=mx1.example.org", inserted(changes))
        self.wait_nobody()


class Macros(MilterCase):
    """B2"""

    rows = (
        ("no NUL", b"Ei"),
        ("a name without value", b"Ei\0"),
        ("an odd number", b"Ei\0x\0j\0"),
        ("no names", b"E"),
        ("an empty name", b"E\0\0"),
        ("of a command that nobody knows", b"Zi\0x\0"),
        ("the same name many times", b"E" + b"i\0x\0" * 10000),
        ("64 KB", b"Ei\0" + b"x" * 65000 + b"\0"),
        ("no UTF-8, and lines", b"Ei\0\xff\xfe\r\ninfo: forged\0"),
    )

    def test_B2_macros_change_nothing(self):
        for what, data in self.rows:
            with self.subTest(what), self.session() as client:
                for command in (b"M", b"R", b"E"):
                    client.send(packet(b"D", command + data[1:]))
                client.mail()
                self.assertEqual(b"c", client.rcpt("ann@example.org"))
                client.send(packet(b"D", data))
                self.assertEqual(b"c", client.end()[1])
        self.assertEqual(len(self.rows), len(self.policyd.reports))

    def test_B2_none_at_all_is_refused(self):
        with self.session() as client:
            client.send(packet(b"D"))
            self.assertTrue(client.is_closed())

    def test_B2_macros_are_not_kept(self):
        with self.session() as client:
            many = packet(b"D", b"M" + strings("i", "x" * 65000))
            client.send(many)
            before = self.resident_kib()
            for _ in range(1000):
                client.send(many)
            client.mail()
            self.assertEqual(b"c", client.rcpt("ann@example.org"))
            self.assertLess(self.resident_kib() - before, 20000)

    def test_B2_a_queue_id_cannot_fake_a_line(self):
        with self.session() as client:
            _, changes, _ = client.message("ann@example.org")
            client.message("ann@example.org", headers=[(TRACE, inserted(changes))], queue_id="4f\ninfo: x y=\"z")
        line = wait_for("the line of that message", 5, lambda: self.milter.log_lines("message_refused"))[-1]
        self.assertIn(r'id="4f\x0ainfo: x y=\"z" why=loop_young', line)


class Recipients(MilterCase):
    """B3. Bytes of a recipient are bytes: policyd gets them as they came, and nobody else does."""

    asked = (
        "$(touch /tmp/x)@example.org", "`id`@example.org", "a;reboot@example.org", "|/bin/sh@example.org", "a%n%s@example.org",
        "'a'@example.org", '"a b"@example.org', '"a\\"b"@example.org', '"<>"@example.org', "=ask@example.org", "5:a,@example.org",
        "ünï@example.org", "A@EXAMPLE.ORG", "a@b@example.org", "a" * 9000 + "@example.org",
    )
    unasked = ("", "@", "ann", "@example.org", "*", "a" * 60000 + "@example.org", "@a,@b:", "\udcff\udcfe",
               "\x7f\x01@example.org")

    def bytes_of(self, text):
        return text.encode("utf-8", "surrogateescape")

    def test_B3_it_is_data(self):
        worker = self.worker()
        with self.session() as client:
            client.mail()
            for address in self.asked:
                with self.subTest(address[:40]):
                    self.policyd.questions.clear()
                    self.assertEqual(b"c", client.rcpt(b"<" + self.bytes_of(address) + b">"))
                    self.assertEqual([self.bytes_of(address)], self.policyd.questions)
        self.assertEqual(worker, self.worker())
        with open(f"/proc/{worker}/task/{worker}/children", encoding="ascii") as f:
            self.assertEqual("", f.read())

    def test_B3_what_can_be_no_account_is_nobodys(self):
        with self.session() as client:
            client.mail()
            for address in self.unasked:
                with self.subTest(address[:40]):
                    self.assertEqual(b"c", client.rcpt(b"<" + self.bytes_of(address) + b">"))
        self.assertEqual([], self.policyd.questions)

    def test_B3_source_routes_brackets_and_parameters(self):
        with self.session() as client:
            client.mail()
            for words in (["<@a.example,@b.example:ann@example.org>"], ["<ann@example.org>", "NOTIFY=NEVER", "x" * 1000],
                          [b"ann@example.org"]):
                self.assertEqual(b"c", client.rcpt(*words))
        self.assertEqual([b"ann@example.org"] * 3, self.policyd.questions)

    def test_B3_behind_a_NUL_is_another_word(self):
        with self.session() as client:
            client.mail()
            client.send(packet(b"R", b"<gone\0@example.org>\0"))
            self.assertEqual(b"c", client.said())
        self.assertEqual([], self.policyd.questions)

    def test_B3_a_reply_is_one_line_whatever_policyd_says(self):
        self.policyd.answers["x@example.org"] = {"verdict": "temp", "reason": "100% \r\n250 2.0.0 Ok %s%n"}
        with self.session() as client:
            client.mail()
            self.assertEqual(TROUBLE, client.rcpt("x@example.org"))


class Circles(MilterCase):
    """B5"""

    def test_B5_the_same_recipient_comes_back(self):
        with self.session() as client:
            told, changes, said = client.message("ann@example.org", "bob@example.org")
            self.assertEqual(([b"c", b"c"], b"c"), (told, said))
            trace = inserted(changes)
            _, changes, said = client.message("ann@example.org", headers=[("Received", "x"), (TRACE, trace)])
            self.assertEqual([], changes)
            self.assertEqual("451 4.4.6 This message has just been here, try again later; its way: mx1.example.org, "
                             "mx1.example.org", said)
        self.assertEqual(1, len(self.policyd.reports))  # nothing has arrived

    def test_B5_the_same_message_for_somebody_else_passes_at_once(self):
        with self.session() as client:
            _, changes, _ = client.message("ann@example.org")
            first = inserted(changes)
            told, changes, said = client.message("bob@example.org", headers=[(TRACE, first)])
            self.assertEqual(([b"c"], b"c"), (told, said))
            self.assertNotEqual(first, inserted(changes))
            self.assertEqual(b"c", client.message("ann+news@example.org", headers=[(TRACE, first)])[2])
            self.assertEqual(b"c", client.message("someone@foreign.invalid", headers=[(TRACE, first)])[2])

    def test_B5_what_was_here_ten_times_is_refused_for_good(self):
        with self.session() as client:
            visits = [(TRACE, inserted(client.message("ann@example.org")[1])) for _ in range(10)]
            _, changes, said = client.message("ann@example.org", headers=visits)
            self.assertEqual([], changes)
            self.assertEqual("554 5.4.6 This message goes in a circle; its way: ..., " + ", ".join(["mx1.example.org"] * 9), said)
            self.assertEqual(b"c", client.message("bob@example.org", headers=visits)[2])

    def test_B5_nobody_is_named(self):
        with self.session() as client:
            _, changes, _ = client.message("ann@example.org")
        self.assertNotRegex(inserted(changes), "ann|example.org[^;]")

    def test_B5_headers_that_are_not_ours_say_nothing(self):
        with self.session() as client:
            _, changes, _ = client.message("ann@example.org")
            trace = inserted(changes)
            for name, forged in (("foreign", trace.replace("k=2026b", "k=2025")), ("forged", trace.replace("e=7", "e=8")),
                                 ("malformed", "v=2"), ("malformed", "x" * 60000)):
                before = self.milter.status()["trace_headers"][name]
                self.assertEqual(b"c", client.message("ann@example.org", headers=[(TRACE, forged)])[2])
                self.assertEqual(before + 1, self.milter.status()["trace_headers"][name])


class Aborts(MilterCase):
    """B8. Wherever a message is left, the next one knows nothing of it."""

    ways = (
        ("after MAIL", lambda c: c.mail()),
        ("after RCPT", lambda c: (c.mail(), c.rcpt("ann@example.org"))),
        ("after a refused RCPT", lambda c: (c.mail(), c.rcpt("ann@example.org"), c.rcpt("gone@example.org"))),
        ("within the headers", lambda c: (c.mail(), c.rcpt("ann@example.org"), c.header("Subject", "x"))),
        ("behind macros", lambda c: (c.mail(), c.rcpt("ann@example.org"), c.macros(b"E", i="4fOLD"))),
        ("at its end", lambda c: c.message("ann@example.org")),
        ("before it began", lambda c: None),
    )

    def check_next(self, client):
        """A message to Bob: what its header claims, and what is reported, is Bob alone."""
        self.policyd.reports.clear()
        told, changes, said = client.message("bob@example.org")
        self.assertEqual(([b"c"], b"c"), (told, said))
        self.assertEqual([[["bob@example.org", "old", False]]], [r["accounts"] for r in self.policyd.reports])
        trace = inserted(changes)
        self.assertEqual(b"c", client.message("ann@example.org", headers=[(TRACE, trace)])[2])
        self.assertRegex(client.message("bob@example.org", headers=[(TRACE, trace)])[2], "^451 4.4.6")

    def test_B8_abort_at_every_step(self):
        with self.session() as client:
            for what, begin in self.ways:
                for aborts in (1, 2):
                    with self.subTest(what, aborts=aborts):
                        begin(client)
                        for _ in range(aborts):
                            client.abort()
                        self.check_next(client)

    def test_B8_a_new_message_without_an_abort(self):
        with self.session() as client:
            for what, begin in self.ways:
                with self.subTest(what):
                    begin(client)
                    self.check_next(client)

    def test_B8_gone_at_every_step(self):
        for what, begin in self.ways:
            for how in ("quit", "close", "reset"):
                with self.subTest(what, how=how):
                    client = self.session()
                    begin(client)
                    if how == "quit":
                        client.quit()
                        self.assertTrue(client.is_closed())
                    elif how == "reset":
                        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()
        self.wait_nobody()
        self.assertTrue(all(len(r["accounts"]) == 1 for r in self.policyd.reports))

    def test_B8_a_thousand_messages_on_one_connection(self):
        with self.session() as client:
            for i in range(1000):
                client.mail()
                self.assertEqual(b"c", client.rcpt("ann@example.org"))
                if i % 3 == 0:
                    client.abort()
                else:
                    self.assertEqual(b"c", client.end()[1])
        self.assertEqual(666, len(self.policyd.reports))


class Stalls(MilterCase):
    """B9"""

    milter_settings = {"policyd_timeout": 300}

    def test_B9_policyd_stalls(self):
        self.policyd.deed = lambda connection, question: connection.recv(1)  # until the milter closes
        with self.session() as client:
            client.mail()
            self.assertEqual(TROUBLE, client.rcpt("ann@example.org"))
            self.policyd.deed = None
            self.assertEqual(b"c", client.rcpt("ann@example.org"))
            self.assertEqual(b"c", client.end()[1])
        self.assertTrue(self.milter.log_lines(
            r'question_in_trouble why="policyd did not answer within 300 ms" more=\d+'))

    def test_B9_policyd_stalls_at_the_end(self):
        """The count is lost, the message is not."""
        with self.session() as client:
            client.mail()
            self.assertEqual(b"c", client.rcpt("ann@example.org"))
            self.policyd.deed = lambda connection, question: connection.recv(1)
            self.assertEqual(b"c", client.end()[1])
            self.policyd.deed = None
            self.assertEqual(b"c", client.message("ann@example.org")[2])
        self.assertEqual([1], [report["lost"] for report in self.policyd.reports])
        self.assertTrue(self.milter.log_lines("report_lost"))

    def test_B9_the_milter_stops_for_a_while(self):
        """Whoever is more patient than Postfix gets his answer; whoever is not has gone."""
        patient, hasty = self.session(), self.session()
        patient.mail()
        hasty.mail()
        worker = self.worker()
        os.kill(worker, signal.SIGSTOP)
        try:
            patient.packet(b"R", "<ann@example.org>")
            hasty.packet(b"R", "<ann@example.org>")
            hasty.socket.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                hasty.reply()
            hasty.close()
        finally:
            os.kill(worker, signal.SIGCONT)
        self.assertEqual(b"c", patient.said())
        patient.close()
        self.wait_nobody()

    def test_B9_the_milter_is_killed_within_a_message(self):
        client = self.session()
        client.mail()
        self.assertEqual(b"c", client.rcpt("ann@example.org"))
        worker = self.worker()
        os.kill(worker, signal.SIGKILL)
        self.assertTrue(client.is_closed(10))
        with self.session() as client:  # waits in the backlog of the master's socket
            self.assertEqual(b"c", client.message("ann@example.org")[2])
        self.assertFalse(process_is_alive(worker))
        self.assertEqual(1, len(self.policyd.reports))


class Flips(MilterCase):
    """B10. What was said at RCPT binds nobody: the map is asked again when the message is delivered."""

    def test_B10_a_flip_between_RCPT_and_the_end(self):
        with self.session() as client:
            client.mail()
            self.assertEqual(b"c", client.rcpt("ann@example.org"))
            self.policyd.answers["ann@example.org"] = {**self.policyd.answers["ann@example.org"], "owner": "old", "epoch": 8}
            self.assertEqual(b"c", client.end()[1])
        self.assertEqual([["ann@example.org", "new", False]], self.policyd.reports[0]["accounts"])

    def test_B10_a_hold_between_RCPT_and_the_end(self):
        with self.session() as client:
            client.mail()
            self.assertEqual(b"c", client.rcpt("ann@example.org"))
            self.policyd.answers["ann@example.org"] = self.policyd.answers["held@example.org"]
            self.assertEqual(b"c", client.end()[1])


class FlipsWhereHeldIsDeferred(Flips):
    milter_settings = {"defers_held": True}

    def test_B10_the_end_of_a_hold_is_seen_by_the_next_recipient(self):
        with self.session() as client:
            client.mail()
            self.assertEqual(HELD, client.rcpt("held@example.org"))
            self.policyd.answers["held@example.org"] = self.policyd.answers["bob@example.org"]
            self.assertEqual(b"c", client.rcpt("held@example.org"))
