"""What runs when its account is held or moves: it is completed at the former owner before that is confirmed, or never done.

Two real Dovecots and Postfixes. The process that serves a session is stopped where a test wants the reply to be owed
for as long as it likes. The small counts are those of a quick run, SPLITMX_FULL=1 asks for 50 MB and 10,000 messages.
"""

import base64
import contextlib
import imaplib
import os
import re
import shutil
import signal
import threading
import time
import unittest

from lab.case import FULL, LabCase
from lab.core import wait_for
from lab.front import Frontd
from lab.imap_script import ImapClient
from lab.mail_home import mail_home
from lab.redis import Redis

SIZE = 50_000_000 if FULL else 3_000_000
MESSAGES = 10_000 if FULL else 400
END_TIMEOUT = 40 if FULL else 4  # seconds, enough for all that runs; then a client is hurried for two, and sent away
PATIENCE = END_TIMEOUT + 30
BYE = rb"\* BYE \[UNAVAILABLE\]"
WAYS = [(when, then) for when in ("before", "middle") for then in ("goes_on", "stalls", "leaves", "resets")]
OWED = [("after", "soon"), ("after", "late")]  # the reply: until it is asked to end, or longer than patience lasts
DONE = ("goes_on", "soon", "late")  # what is completed in any case
COMMAND_WAYS = [("half",), ("at_once",), *[(when, then) for when in ("begun", "middle") for then in ("soon", "late")]]
ACCOUNTS = 40  # one for each way of each test
LINE = b"x" * 76 + b"\r\n"


def message(size):
    head = b"Subject: large\r\n\r\n"
    body = LINE * ((size - len(head)) // len(LINE) + 1)
    return head + body[:size - len(head) - 2] + b"\r\n"


MESSAGE = memoryview(message(SIZE))


class RunningCase(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.users = [f"user{i}@example.org" for i in range(ACCOUNTS)]
        cls.homes = {name: mail_home(cls.lab, name, cls.users, postfix={"smtpd_recipient_restrictions": "check_client_access static:HOLD"})
                     for name in ("old", "new")}
        cls.old, cls.new = cls.homes["old"], cls.homes["new"]
        cls.front = Frontd(cls.lab, cls.homes, redis=cls.redis, listen=[("imap", "none"), ("submission", "none")],
                           settings={"frontd": {"end_timeout": END_TIMEOUT * 1000}})
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")

    def together(self, work, variants):
        """Each variant by an account and a thread of its own; they mostly wait."""
        wrong, self.outcomes = [], []

        def run(variant, user):
            try:
                work(user, *variant)
            except BaseException as e:  # of the thread, told by the test
                wrong.append(f"{variant}: {type(e).__name__}: {e}")
        threads = [threading.Thread(target=run, args=(variant, self.users.pop())) for variant in variants]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], wrong)
        never = self.outcomes.count(False)
        self.figures(f"{self.id()}: {len(variants)} ways, {len(variants) - never} times completed before the confirmation, "
                     f"{never} times never done")

    # the front

    def session(self, user):
        return next((s for s in self.front.sessions() if s.get("account") == user), None)

    def wait_passed(self, user, size):
        """So many bytes of the client have passed."""
        wait_for(f"{size} bytes of {user} have passed", 60, lambda: (self.session(user) or {"in": 0})["in"] >= size,
                 (self.front.log,))

    def wait_ending(self, user):
        wait_for(f"{user} ends", 20, lambda: (self.session(user) or {}).get("phase") == "ending",
                 (self.front.log,), every=0.1)

    def confirm(self, user, how, look):
        """Hold, or flip, and wait for the confirmation: a thread; what look() says in that moment comes into .seen."""
        def run():
            if how == "hold":
                self.redis.cli("SET", f"splitmx:hold:{user}", "all:test", "EX", 600)
                words = ("barrier", user)
            else:
                words = ("set", user, "new", "--force", "--yes")
            done = self.front.splitmx("--json", *words, "--wait", 2 * PATIENCE, check=False, seconds=2 * PATIENCE + 20)
            thread.code, thread.told = done.returncode, done.stdout + done.stderr
            thread.seen = look()
            thread.done.set()
        thread = threading.Thread(target=run)
        thread.done = threading.Event()
        thread.start()
        return thread

    def check(self, user, thread, look, before, want, empty):
        """Confirmed; as wanted in that moment, and the same later."""
        thread.join(2 * PATIENCE + 30)
        self.assertTrue(thread.done.is_set(), "not confirmed")
        self.assertEqual(0, thread.code, thread.told)
        self.assertIn(thread.seen, want)
        wait_for(f"{user} has no session", 10, lambda: self.session(user) is None, (self.front.log,))
        time.sleep(0.5)  # time to do what may not be done any more
        self.assertEqual(thread.seen, look())
        self.assertEqual(empty, look(self.new), "at the new side")
        self.outcomes.append(thread.seen != before)

    @contextlib.contextmanager
    def stopped(self, pid):
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def say_rest(self, client, at, end):
        client.sock.sendall(MESSAGE[at:])
        client.say(end)

    def stop_behind_the_last_byte(self, user, client, at, end, how, look, is_late, words):
        """The server gets the rest, and owes its reply; late: for so long that the client is sent away."""
        with self.stopped(self.pid_of(user)):
            self.say_rest(client, at, end)
            thread = self.confirm(user, how, look)
            self.wait_ending(user)
            said = self.stays_unconfirmed(thread, client, is_late)
        self.assertRegex(said + client.everything(PATIENCE), words["cut" if is_late else "done"])
        return thread

    def go_on(self, client, then, say_rest, words):
        """What the client does when its session is to end."""
        if then == "goes_on":
            say_rest()
            self.assertRegex(client.everything(PATIENCE), words["done"])
        elif then == "stalls":
            self.assertRegex(client.everything(PATIENCE), words["cut"])
            with contextlib.suppress(OSError):  # too late, and to nobody
                client.sock.sendall(MESSAGE)
        elif then == "leaves":
            client.close()
        else:
            client.reset()

    def stays_unconfirmed(self, thread, client, late):
        """While the server is stopped. late: until the client has been sent away; what it has heard."""
        said = client.everything(PATIENCE) if late else b""
        self.assertFalse(thread.done.wait(0.5), "confirmed while the command runs")
        return said


class ImapTest(RunningCase):
    def login(self, user):
        client = ImapClient(self.front.ports["imap", "none"])
        self.addCleanup(client.close)
        self.assertRegex(client.login(user), rb"^a OK")
        return client

    def fill(self, user, count, flags=""):
        """So many messages in its INBOX at the old side."""
        with imaplib.IMAP4("127.0.0.1", self.old.imap_port) as client:
            client.login(user, "secret")
            client.create("Copy")
        cur = os.path.join(self.old.dir, "home", user, "mail", "cur")
        for i in range(count):
            path = os.path.join(cur, f"1600000000.M{i}P1.lab:2,{flags}")
            with open(path, "wb") as f:
                f.write(b"Subject: %d\r\n\r\ntext\r\n" % i)
            shutil.chown(path, "mail", "mail")

    def look(self, user):
        """A function that says what is in the mailbox of a home: folder -> sizes."""
        def look(home=self.old):
            found = {}
            with imaplib.IMAP4("127.0.0.1", home.imap_port) as client:
                client.login(user, "secret")
                for folder in ("INBOX", "Copy"):
                    status, count = client.select(folder, readonly=True)
                    if status == "OK" and int(count[0]) > 0:
                        lines = client.fetch("1:*", "(RFC822.SIZE)")[1]
                        found[folder] = [int(re.search(rb"SIZE (\d+)", line)[1]) for line in lines]
            return {folder: (len(sizes), sum(sizes)) for folder, sizes in found.items()}
        return look

    def pid_of(self, user):
        """Who serves its session."""
        def pid():
            lines = self.lab.run(["doveadm", "-c", self.old.config, "-f", "tab", "who", "-1", user]).stdout.splitlines()[1:]
            pids = [line.split("\t")[2] for line in lines if "imap" in line]
            return int(pids[0]) if pids else 0
        return wait_for(f"the process of {user}", 10, pid, (self.old.log,))

    # APPEND

    def append(self, user, when, then):
        look, done = self.look(user), {"INBOX": (1, SIZE)}
        client = self.login(user)
        client.say(f"b APPEND INBOX {{{SIZE}}}")
        self.assertRegex(client.line(), rb"^\+")
        at = {"before": 0, "middle": SIZE // 2, "after": SIZE - 1}[when]
        client.sock.sendall(MESSAGE[:at])
        self.wait_passed(user, at)
        words = {"cut": rb"^%s[^\r]*\r\n$" % BYE, "done": rb"^b OK [^\r]*\r\n%s[^\r]*\r\n$" % BYE}
        if when == "after":
            thread = self.stop_behind_the_last_byte(user, client, at, b"\r\n", "hold", look, then == "late", words)
        else:
            thread = self.confirm(user, "hold", look)
            self.wait_ending(user)
            self.go_on(client, then, lambda: self.say_rest(client, at, b"\r\n"), words)
        self.check(user, thread, look, {}, [done if then in DONE else {}], {})

    def test_D5_append(self):
        self.together(self.append, WAYS + OWED)

    # COPY and EXPUNGE

    def command(self, line, done):
        """For together(): the line is half said; is said with the hold; or runs while its server is stopped."""
        def work(user, when, then="soon"):
            self.fill(user, MESSAGES, flags="T" if "EXPUNGE" in line else "")
            look = self.look(user)
            before = look()
            self.assertEqual(MESSAGES, before["INBOX"][0])
            client = self.login(user)
            client.ask("s SELECT INBOX")
            if when in ("half", "at_once"):
                thread = self.confirm(user, "hold", look) if when == "at_once" else None
                client.say(line.encode()[:-3] if when == "half" else line)
                thread = thread or self.confirm(user, "hold", look)
            else:
                thread = self.run_stopped(user, client, line, when == "middle", then == "late", look)
            said = client.everything(PATIENCE)
            is_done = re.search(rb"(^|\n)b OK [^\r]*\r\n%s[^\r]*\r\n$" % BYE, said)
            if not is_done and then == "soon":
                self.assertRegex(said, rb"(^|\n)%s[^\r]*\r\n$" % BYE)
                self.assertIn(when, ("half", "at_once"))
            want = [done(before)] if is_done else [before] if when == "half" else [before, done(before)]
            self.check(user, thread, look, before, want, {})
        return work

    def run_stopped(self, user, client, line, is_later, is_late, look):
        """The command is read, or runs, when its server stops; late: it goes on when its client has been sent away."""
        pid = self.pid_of(user)
        passed = self.session(user)["in"]
        client.say(line)
        self.wait_passed(user, passed + len(line))
        time.sleep((0.1 if FULL else 0.01) if is_later else 0)  # so far into it
        with self.stopped(pid):
            thread = self.confirm(user, "hold", look)
            wait_for("the hold is heard", 20, lambda: (self.session(user) or {}).get("phase") != "running", (self.front.log,))
            if is_late and self.session(user)["phase"] == "ending":
                self.assertRegex(self.stays_unconfirmed(thread, client, True), rb"(^|\n)%s" % BYE)
        return thread

    def test_D5_copy(self):
        work = self.command("b COPY 1:* Copy", lambda before: {**before, "Copy": before["INBOX"]})
        self.together(work, COMMAND_WAYS)

    def test_D5_expunge(self):
        work = self.command("b EXPUNGE", lambda before: {})
        self.together(work, COMMAND_WAYS)


class SubmissionTest(RunningCase):
    """DATA. A hold does not end a submission, a flip does."""

    def login(self, user):
        client = ImapClient(self.front.ports["submission", "none"])  # it says lines
        self.addCleanup(client.close)
        client.line()
        client.say("EHLO client.example.org")
        while not client.line().startswith(b"250 "):
            pass
        plain = base64.b64encode(f"\0{user}\0secret".encode()).decode()
        self.assertRegex(self.ask(client, "AUTH PLAIN " + plain), rb"^235")
        return client

    def ask(self, client, line):
        client.say(line)
        return client.line()

    def look(self, user):
        """The sizes of the messages that a home's Postfix has taken from this user."""
        def look(home=self.old):
            return [m["message_size"] > SIZE and "whole" or "half" for m in home.postfix.queue_list() if m["sender"] == user]
        return look

    def pid_of(self, user):
        def pid():
            lines = self.old.postfix.log_lines(rf"smtpd\[\d+\]: \w+: client=.*sasl_username={re.escape(user)}$")
            return int(re.search(r"smtpd\[(\d+)\]", lines[-1])[1]) if lines else 0
        return wait_for(f"the smtpd of {user}", 10, pid, (self.old.postfix.log,))

    def data(self, user, when, then):
        look = self.look(user)
        client = self.login(user)
        self.assertRegex(self.ask(client, f"MAIL FROM:<{user}>"), rb"^250")
        self.assertRegex(self.ask(client, "RCPT TO:<someone@foreign.invalid>"), rb"^250")
        at = {"envelope": 0, "before": 0, "middle": SIZE // 2, "after": SIZE}[when]
        if when != "envelope":
            self.assertRegex(self.ask(client, "DATA"), rb"^354")
        client.sock.sendall(MESSAGE[:at])
        self.wait_passed(user, at)
        self.redis.cli("SET", f"splitmx:hold:{user}", "all:test", "EX", 600)
        self.assertEqual(0, self.front.splitmx("barrier", user, "--wait", 20).returncode)  # a hold alone asks for nothing
        words = {"cut": rb"^421 4\.3\.2 [^\r]*\r\n$", "done": rb"^250 [^\r]*\r\n421 4\.3\.2 [^\r]*\r\n$"}
        if when == "after":
            thread = self.stop_behind_the_last_byte(user, client, at, b".\r\n", "flip", look, then == "late", words)
        else:
            thread = self.confirm(user, "flip", look)
            self.wait_ending(user)
            self.go_on(client, then, lambda: self.say_content(client, when, at), words)
        self.check(user, thread, look, [], [["whole"] if then in DONE else []], [])

    def say_content(self, client, when, at):
        if when == "envelope":
            self.assertRegex(self.ask(client, "DATA"), rb"^354")
        self.say_rest(client, at, b".\r\n")

    def test_D5_data(self):
        envelope = [("envelope", then) for then in ("goes_on", "stalls", "leaves", "resets")]
        self.together(self.data, envelope + WAYS + OWED)


if __name__ == "__main__":
    unittest.main()
