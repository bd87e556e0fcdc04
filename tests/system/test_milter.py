"""splitmx-milter at a real Postfix: who is refused, what is put on a message, and that nothing is lost or doubled.

Policyd is scripted here, so that it knows what a test wants. What leaves Postfix is caught by a sink.
"""

import os
import signal
import smtplib
import socket
import threading
import time

from lab import FULL, LabCase, Message, Postfix, smtp_send, wait_for
from lab.core import process_is_alive
from lab.mail import Sink
from lab.milter import TRACE, Milter, ScriptedPolicyd, found

PEOPLE = {
    "ann@example.org": found("ann@example.org"), "ann+news@example.org": found("ann@example.org"),
    "bob@example.org": found("bob@example.org", owner="old"), "held@example.org": found("held@example.org", hold="mail"),
    "gone@example.org": found("gone@example.org", unknown=True),
    "dark@example.org": {"verdict": "temp", "reason": "Redis is away"},
}
MANY = 500
KILLS = 100 if FULL else 12
# How long the smtpd of the listener "hasty" waits for the milter, in seconds: at a command, at the end. Postfix's defaults.
HASTY = (30, 300) if FULL else (1, 2)


class PostfixCase(LabCase):
    """cls.mx has cls.milter at its listeners "smtp" and "hasty", and none at "without"."""

    @classmethod
    def furnish(cls):
        cls.policyd = ScriptedPolicyd(cls.lab, dict(PEOPLE))
        cls.world = Sink(cls.lab)
        cls.mx = Postfix(cls.lab, "mx", main={
            "relay_domains": "example.org", "relay_recipient_maps": "",
            "relay_transport": f"smtp:[127.0.0.1]:{cls.world.port}", "default_transport": f"smtp:[127.0.0.1]:{cls.world.port}",
            "smtpd_recipient_limit": "1000", "smtpd_soft_error_limit": "1000", "smtpd_hard_error_limit": "2000"},
            smtpd={"smtp": cls.attached(10, 30), "hasty": cls.attached(*HASTY), "without": ""}, start=False)
        socket_path = os.path.join(cls.mx.queue, "run", "milter.sock")
        os.makedirs(os.path.dirname(socket_path), exist_ok=True)
        cls.milter = Milter(cls.lab, cls.policyd.path, listen=[f"unix:{socket_path}"],
                            milter={"instance": "mx1.example.org", "group": "postfix", "mode": "0660"})
        cls.mx.start()

    @staticmethod
    def attached(command, content):
        """The options of a listener whose smtpd waits so many seconds for the milter."""
        return ("-o { smtpd_milters = { unix:run/milter.sock, default_action=tempfail, connect_timeout=10s, "
                f"command_timeout={command}s, content_timeout={content}s }} }}")

    def setUp(self):
        self.policyd.answers, self.policyd.deed = dict(PEOPLE), None
        self.policyd.reports.clear()
        self.policyd.questions.clear()

    def arrived(self, message, count=1):
        """What came of it, when it has: the entries of the sink."""
        def entries():
            found_ = [m for m in self.world.messages if m["headers"]["Message-ID"] == message.message_id]
            return found_ if sum(len(m["recipients"]) for m in found_) >= count else None
        return wait_for(f"{message.id} arrives", 30, entries, (self.mx.log, self.milter.log))

    def assertOnce(self, message, *recipients):
        """It has come to each of them once, and to nobody else, and none of it is left."""
        self.arrived(message, len(recipients))
        self.mx.wait_empty()
        self.assertEqual(sorted(recipients), sorted(self.world.found(message)))

    def smtp(self, listener="smtp"):
        smtp = smtplib.SMTP("127.0.0.1", self.mx.ports[listener], local_hostname="client.lab.invalid",
                            timeout=60 + sum(HASTY))
        self.addCleanup(smtp.close)
        smtp.ehlo()
        return smtp


class MilterAtPostfix(PostfixCase):
    def test_each_recipient_gets_his_own_answer(self):
        smtp = self.smtp()
        smtp.mail("someone@foreign.invalid")
        told = {who: smtp.rcpt(who) for who in (*PEOPLE, "someone@foreign.invalid", "ANN@Example.org")}
        self.assertEqual((550, b"5.1.1 User unknown"), (told["gone@example.org"][0], told["gone@example.org"][1].split(b": ")[-1]))
        self.assertEqual(451, told["dark@example.org"][0])
        self.assertIn(b"4.3.0", told["dark@example.org"][1])
        for who, (code, text) in told.items():
            if who not in ("gone@example.org", "dark@example.org"):
                self.assertEqual(250, code, (who, text))

    def test_a_header_on_top_that_names_nobody(self):
        """The Bcc above all: its recipient is in the envelope alone."""
        message = Message("someone@foreign.invalid", ["ann@example.org"])
        smtp = self.smtp()
        smtp.sendmail(message.sender, ["ann@example.org", "bob@example.org"], message.as_bytes())
        (came,) = self.arrived(message, 2)
        names = came["headers"].keys()
        self.assertEqual(1, names.count(TRACE))
        self.assertLess(names.index(TRACE), names.index("From"))
        self.assertIn("i=mx1.example.org", came["headers"][TRACE])
        self.assertNotIn(b"bob@", came["raw"])
        self.assertEqual([["ann@example.org", "new", False], ["bob@example.org", "old", False]],
                         self.policyd.reports[0]["accounts"])

    def test_a_Bcc_is_seen_neither_in_the_queue_nor_by_the_others(self):
        """Each recipient gets a copy of his own here; Postfix's envelope is the one place where all of them stand."""
        self.mx.configure(defer_transports="smtp", smtp_destination_recipient_limit="1")
        self.addCleanup(self.mx.configure, defer_transports="", smtp_destination_recipient_limit="50")
        message, bcc = Message("someone@foreign.invalid", ["ann@example.org"]), ("bob@example.org", "held@example.org")
        smtp = self.smtp()
        smtp.sendmail(message.sender, ["ann@example.org", *bcc], message.as_bytes())
        (queued,) = wait_for("it is in the queue", 10, lambda: self.mx.queue_list("deferred"), (self.mx.log,))
        self.assertEqual(3, len(queued["recipients"]))
        content = self.mx.command("postcat", "-h", "-b", "-q", queued["queue_id"])
        self.assertIn(TRACE, content)
        self.assertNotRegex(content, "bob@|held@")
        self.mx.configure(defer_transports="")
        self.mx.flush()
        self.assertOnce(message, "ann@example.org", *bcc)
        copies = self.arrived(message, 3)
        self.assertEqual([1, 1, 1], [len(copy["recipients"]) for copy in copies])
        for copy in copies:
            self.assertNotRegex(copy["raw"], rb"bob@|held@")

    def test_an_extension_is_kept_and_counted_for_its_account(self):
        message = smtp_send(self.mx.port, None, "someone@foreign.invalid", ["ann+news@example.org"])
        self.assertOnce(message, "ann+news@example.org")
        self.assertEqual([["ann@example.org", "new", False]], self.policyd.reports[0]["accounts"])

    def test_foreign_mail_is_not_touched(self):
        message = smtp_send(self.mx.port, None, "someone@example.net", ["someone@foreign.invalid"])
        self.assertNotIn(TRACE, self.arrived(message)[0]["headers"])
        self.assertEqual([], self.policyd.reports)

    def test_B5_the_same_recipient_comes_back_and_another_one(self):
        first = smtp_send(self.mx.port, None, "someone@foreign.invalid", ["ann@example.org"])
        raw = self.arrived(first)[0]["raw"]
        smtp = self.smtp()
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            smtp.sendmail(first.sender, ["ann@example.org"], raw)
        self.assertEqual(451, refused.exception.smtp_code)
        self.assertRegex(refused.exception.smtp_error, rb"^4\.4\.6 .* its way: mx1\.example\.org, mx1\.example\.org$")
        self.assertTrue(self.milter.log_lines(r"message_refused id=[0-9A-F]{6,} why=loop_young text="))
        smtp.sendmail(first.sender, ["bob@example.org"], raw)
        self.assertEqual({"ann@example.org", "bob@example.org"}, {r for m in self.arrived(first, 2) for r in m["recipients"]})

    def test_B6_bodies_are_not_touched(self):
        """Whatever Postfix makes of an end that is none, it does so without the milter, too."""
        for body in (b"a\n.\r\nMAIL FROM:<x@y>\r\n", b"a\r.\r\nb\r\n", b"a\r\n.\nb\r\n", b"a\n.\nb\r\n", b"a\r\n..\r\nb\r\n",
                     b"\x00\xff\x80\r\n", b"a" * 5000 + b"\r\n", b"\r\n\r\n", b"a\rb\nc\r\n"):
            with self.subTest(body[:20]):
                ends = []
                for listener in ("smtp", "without"):
                    message = Message("someone@foreign.invalid", "ann@example.org")
                    self.raw_send(self.mx.ports[listener], message, body)
                    came = [m["raw"].partition(b"\r\n\r\n")[2] for m in self.arrived(message)]
                    ends.append(came)
                self.assertEqual(ends[1], ends[0])

    def raw_send(self, port, message, body):
        head = message.as_bytes().partition(b"\r\n\r\n")[0]
        with socket.create_connection(("127.0.0.1", port), 20) as s:
            f = s.makefile("rb")
            f.readline()
            for line in (b"HELO client.lab.invalid", b"MAIL FROM:<someone@foreign.invalid>", b"RCPT TO:<ann@example.org>", b"DATA"):
                s.sendall(line + b"\r\n")
                self.assertRegex(f.readline(), rb"^[23]")
            s.sendall(head + b"\r\n\r\n" + body + b"\r\n.\r\n")
            self.assertRegex(f.readline(), b"^250 ")

    # The last digit of a number: who is not simply known.
    foreign, extended, held, unknown = 1, 3, 5, 9

    def crowd(self):
        """address -> what policyd says of it; None where it is not asked."""
        crowd = {}
        for i in range(MANY):
            kind, owner = i % 10, ("new", "old")[i % 2]
            account = f"user{i}@example.org"
            address = {self.foreign: f"user{i}@foreign.invalid", self.extended: f"user{i}+news@example.org"}.get(kind, account)
            crowd[address] = None if kind == self.foreign else found(
                account, owner, hold="mail" if kind == self.held else "none", unknown=kind == self.unknown)
        return crowd

    def test_B7_five_hundred_recipients_once_each(self):
        """Held ones are accepted as well: it is their transport that keeps them."""
        crowd = self.crowd()
        self.policyd.answers.update({address: says for address, says in crowd.items() if says})
        message = Message("someone@foreign.invalid", list(crowd))
        refused = self.smtp().sendmail(message.sender, list(crowd), message.as_bytes())
        unknown = {address for address, says in crowd.items() if says and says["unknown"]}
        self.assertEqual(MANY // 10, len(unknown))
        self.assertEqual(unknown, set(refused))
        self.assertTrue(all(code == 550 and text.startswith(b"5.1.1") for code, text in refused.values()))
        self.assertOnce(message, *(set(crowd) - unknown))
        known = [says for address, says in crowd.items() if says and address not in unknown]
        self.assertEqual(sorted([says["account"], says["owner"], False] for says in known),
                         sorted(account for r in self.policyd.reports for account in r["accounts"]))
        for m in self.arrived(message):
            self.assertEqual(1, m["headers"].keys().count(TRACE))

    def test_B9_policyd_is_stopped(self):
        """Before a recipient: "later", and nothing is kept. After it: the message does not wait for its count."""
        before, after = (Message("someone@foreign.invalid", "ann@example.org") for _ in range(2))
        smtp = self.smtp()
        smtp.mail(after.sender)
        self.assertEqual(250, smtp.rcpt("ann@example.org")[0])
        self.policyd.stop()
        self.assertEqual(250, smtp.data(after.as_bytes())[0])
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
            smtp.sendmail(before.sender, before.recipients, before.as_bytes())
        (code, text), = refused.exception.recipients.values()
        self.assertEqual((451, True), (code, text.startswith(b"4.3.0")), text)
        self.policyd.start()
        self.assertEqual([], self.policyd.reports)
        self.assertOnce(after, "ann@example.org")
        self.assertEqual([], self.world.found(before))
        smtp.sendmail(before.sender, before.recipients, before.as_bytes())
        self.assertOnce(before, "ann@example.org")
        self.assertEqual([1], [report["lost"] for report in self.policyd.reports])

    def stall(self):
        worker = self.milter.status()["pid"]
        os.kill(worker, signal.SIGSTOP)
        self.addCleanup(os.kill, worker, signal.SIGCONT)
        return worker

    def test_B9_the_milter_stalls_at_a_recipient(self):
        """Longer than Postfix waits: "later" to the rest of that session."""
        smtp = self.smtp("hasty")
        smtp.mail("someone@foreign.invalid")
        worker = self.stall()
        began = time.monotonic()
        code, text = smtp.rcpt("ann@example.org")
        self.assertEqual((451, b"4.7.1"), (code, text[:5]), text)
        self.assertGreater(time.monotonic() - began, 0.9 * HASTY[0])
        os.kill(worker, signal.SIGCONT)
        self.assertEqual(451, smtp.rcpt("bob@example.org")[0])
        message = smtp_send(self.mx.ports["hasty"], Message("someone@foreign.invalid", "ann@example.org"))
        self.assertOnce(message, "ann@example.org")

    def test_B9_the_milter_stalls_at_the_end(self):
        """The sender is told "later" and comes again: once, though the milter has said yes to both when it wakes."""
        message = Message("someone@foreign.invalid", "ann@example.org")
        smtp = self.smtp("hasty")
        smtp.mail(message.sender)
        self.assertEqual(250, smtp.rcpt("ann@example.org")[0])
        worker = self.stall()
        self.assertEqual(451, self.data(smtp, message))
        os.kill(worker, signal.SIGCONT)
        smtp_send(self.mx.ports["hasty"], message)
        self.assertOnce(message, "ann@example.org")

    def test_B9_the_milter_is_stopped(self):
        """smtpd says "later" to all of it, and the next session finds the milter again."""
        self.milter.stop()
        try:
            smtp = self.smtp()
            self.assertEqual(451, self.first_refusal(smtp))
        finally:
            self.milter.start()
        self.arrived(smtp_send(self.mx.port, None, "someone@foreign.invalid", ["ann@example.org"]))

    def first_refusal(self, smtp):
        for code, text in (smtp.mail("someone@foreign.invalid"), smtp.rcpt("ann@example.org")):
            if code != 250:
                self.assertIn(b"4.7.1", text)
                return code
        return 250

    def test_killed_while_a_message_is_under_way(self):
        message = Message("someone@foreign.invalid", "ann@example.org")
        smtp = self.smtp()
        smtp.mail(message.sender)
        self.assertEqual(250, smtp.rcpt("ann@example.org")[0])
        self.kill_worker()
        self.assertEqual(451, self.data(smtp, message))
        smtp_send(self.mx.port, message)
        self.assertOnce(message, "ann@example.org")

    def test_killed_in_the_middle_of_DATA(self):
        """When Postfix has half of the content; and when it has all of it but the end."""
        for size in (0.5, 1):
            with self.subTest(size):
                message = Message("someone@foreign.invalid", "ann@example.org", body=("x" * 70 + "\r\n") * 3000)
                content = message.as_bytes()
                half = content[:int(len(content) * size)]
                smtp = self.smtp()
                smtp.mail(message.sender)
                self.assertEqual(250, smtp.rcpt("ann@example.org")[0])
                self.assertEqual(354, smtp.docmd("DATA")[0])
                smtp.send(half)
                self.kill_worker()
                smtp.send(content[len(half):] + b".\r\n")
                code, text = smtp.getreply()
                self.assertEqual((451, b"4.7.1"), (code, text[:5]), text)
                smtp_send(self.mx.port, message)
                self.assertOnce(message, "ann@example.org")

    def kill_worker(self):
        worker = self.milter.status()["pid"]
        os.kill(worker, signal.SIGKILL)
        wait_for("it is gone", 10, lambda: not process_is_alive(worker))

    def data(self, smtp, message):
        try:
            return smtp.data(message.as_bytes())[0]
        except smtplib.SMTPDataError as e:
            return e.smtp_code

    def test_postfix_understands_all_of_it(self):
        before = self.mx.log_count("warning:")
        smtp_send(self.mx.port, None, "someone@foreign.invalid", ["ann@example.org"])
        smtp_send(self.mx.port, None, "", ["ann@example.org", "someone@foreign.invalid"])
        self.assertEqual([], self.mx.log_lines("warning:")[before:])


class Killed(PostfixCase):
    """Alone: a milter that is killed again and again is started again later and later."""

    def kill_worker(self):
        for pid in self.milter.worker_pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # another kill was quicker

    def test_killed_at_any_moment_nothing_is_lost_or_doubled(self):
        """A client that tries again after 4xx, until it is told 250: each message arrives once."""
        messages = [Message("someone@foreign.invalid", "ann@example.org", body="x" * 20000) for _ in range(KILLS)]
        refusals = 0
        for i, message in enumerate(messages):
            killer = threading.Timer(0.002 * (i % 10), self.kill_worker)
            killer.start()
            while message.accepted is None:
                try:
                    smtp_send(self.mx.port, message)
                except smtplib.SMTPResponseException as e:
                    self.assertRegex(str(e.smtp_code), "^4")
                    refusals += 1
                except smtplib.SMTPRecipientsRefused as e:
                    self.assertTrue(all(str(code).startswith("4") for code, _ in e.recipients.values()))
                    refusals += 1
            killer.join()
        for message in messages:
            self.arrived(message)
        self.mx.wait_empty()
        self.assertTrue(all(self.world.found(message) == ["ann@example.org"] for message in messages))
        self.figures(f"milter killed {KILLS} times: {refusals} refusals, each of the messages arrived once")
