#!/usr/bin/python3
"""The story that contrib/quickstart tells, after it has installed and built.

Everything is real: the mail is sent by SMTP, what is shown is read back by IMAP,
and bob's mail program is fetchmail, which logs in through the front and stays in
IDLE. If something is not as told, the status is 1 and the logs are kept.
"""

import os
import re
import signal
import sys
import textwrap
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests"))

from lab import Failure, Lab, Message, imap_list, imap_wait, smtp_send, wait_for  # noqa: E402
from lab.fetchmail import Fetchmail  # noqa: E402
from lab.login_house import LoginHouse  # noqa: E402
from lab.policyd import program  # noqa: E402

ANN, BOB, CARL = "ann@example.org", "bob@example.org", "carl@example.org"
FRIEND, AUNT = "friend@world.invalid", "aunt@world.invalid"
HOLD_SECONDS = 35
PROGRAMS = "splitmx", "splitmx-policyd", "splitmx-milter", "splitmx-frontd"
NODES = 2  # of the map: splitmx-policyd and splitmx-frontd, with one worker each
# What of bob's conversation is worth a line; the rest is capabilities and flags.
WORTH = re.compile(r"^\* OK \[CAPABILITY|^A\d+ (LOGIN|IDLE)|^A\d+ OK .*Logged in|^\* OK Still|^\* BYE|^\* \d+ EXISTS|^\+ ")
TERMINAL = sys.stdout.isatty()


def tell(text=""):
    """A paragraph."""
    for block in textwrap.dedent(text).strip("\n").split("\n\n"):
        print(textwrap.fill(" ".join(block.split()), 92))
    print(flush=True)


def title(text):
    print(f"\033[1m{text}\033[0m" if TERMINAL else text)
    print("-" * len(text), flush=True)


def count_down(seconds, until):
    """Wait until that time (time.monotonic()) and show how far it is."""
    last = None
    while (left := until - time.monotonic()) > 0:
        bar = "#" * int(30 * (1 - left / seconds))
        if TERMINAL:
            print(f"\r    [{bar:30}] {int(left) + 1:2} s left ", end="", flush=True)
        elif last is None or last - left >= 5:
            last = left
            print(f"    {int(left + 0.5):2} s left", flush=True)
        time.sleep(0.2)
    print(f"\r    [{'#' * 30}] done      \n" if TERMINAL else "    done\n", flush=True)


class Ended(BaseException):
    """A signal has come; the first one counts. Who is in the middle of a dialogue may fail in words of his own then."""

    status = None

    @classmethod
    def watch(cls):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, cls.come)

    @classmethod
    def come(cls, number, frame):
        if cls.status is None:
            cls.status = 128 + number
            raise cls()


class Story:
    def __init__(self, lab):
        self.lab = lab
        self.house = None
        self.client = None  # bob's fetchmail
        self.heard = 0      # lines of its conversation that were shown
        self.expected = []  # messages that it must have in the end

    # what is done and shown

    def redis(self, *words):
        """Type a redis-cli command where the reader sees it."""
        print("    $ redis-cli -s " + self.short(self.house.policyd.private_socket) + " " + " ".join(map(str, words)))
        print("    " + self.house.redis_cli(*words), flush=True)

    def barrier(self, account):
        """Who acknowledged is named, and it is an error if somebody did not."""
        print(f"    $ splitmx barrier {account}")
        said = self.house.policyd.splitmx("barrier", account).stdout
        print("    " + said, end="", flush=True)
        if f"confirmed by {NODES} nodes" not in said:
            raise Failure("the change is not confirmed by all nodes that answer")

    def sessions(self, account, phase, side=None):
        """Where it is logged in; there must be one session, like this."""
        def one():
            found = [s for s in self.house.front.sessions() if s.get("account") == account]
            return len(found) == 1 and found[0]["phase"] == phase and side in (None, found[0].get("destination"))
        wait_for(f"one session of {account}, {phase}", 30, one, self.house.logs())
        print(f"    $ splitmx sessions --account {account}")
        print(textwrap.indent(self.house.policyd.splitmx("sessions", "--account", account).stdout, "    "), flush=True)

    def short(self, path):
        return path.replace(self.lab.dir, "$DIR")

    def send(self, sender, recipient, subject):
        message = Message(sender, recipient, subject=subject)
        smtp_send(self.house.mx.port, message)
        print(f"    SMTP to the MX:  {sender} -> {recipient}  \"{subject}\"  (250, accepted)", flush=True)
        return message

    def show(self, *accounts):
        """Both mailboxes of these accounts, as IMAP shows them."""
        for account in accounts:
            for side, dovecot in (("old", self.house.dovecot_old), ("new", self.house.dovecot_new)):
                mail = [f'"{m.subject}"' for m in imap_list(dovecot.imap_port, account)]
                print(f"    IMAP {side} side, {account:17} {', '.join(mail) or '(empty)'}")
        print(flush=True)

    def listen(self, what, pattern):
        """Wait until bob's fetchmail says or hears such a line, and show how it came to that."""
        upto = self.client.wait_said(what, pattern, after=self.heard, seconds=40, logs=self.house.logs())
        lines = self.client.said()[self.heard:upto]
        self.heard = upto
        for direction, line in lines:
            if WORTH.match(line):
                who = "fetchmail ->" if direction == ">" else "   front  ->"
                print(f"    {who} {line if len(line) <= 74 else line[:71] + '...'}")
        print(flush=True)

    def fetches(self, message):
        """Bob's fetchmail gets it, being logged in."""
        self.client.wait_fetched(message, seconds=30, logs=self.house.logs())
        self.expected.append(message)
        print(f"    fetchmail has    \"{message.subject}\"\n", flush=True)

    def no_more_no_less(self):
        has = sorted(m["Message-ID"] for m in self.client.fetched())
        if has != sorted(m.message_id for m in self.expected):
            raise Failure(f"bob's fetchmail has {has}")
        wrong = [line for _, line in self.client.said() if re.match(r"A\d+ (NO|BAD)", line)]
        if wrong:
            raise Failure(f"bob's fetchmail was refused something: {wrong}")

    def arrived(self, message, account, side):
        """Wait for it; it must be there once, and not on the other side."""
        here, there = self.house.dovecot_old, self.house.dovecot_new
        if side == "new":
            here, there = there, here
        imap_wait(here.imap_port, account, message, logs=self.house.logs())
        if any(m.id == message.id for m in imap_list(there.imap_port, account)):
            raise Failure(f"\"{message.subject}\" is on both sides")

    # the chapters

    def furnish(self):
        title("The servers")
        self.house = LoginHouse(self.lab, [ANN, BOB, CARL], with_new=False,
                                say=lambda what: print(f"    starting {what}", flush=True))
        house = self.house
        print(f"""
    Everything lives in DIR={self.lab.dir}, on 127.0.0.1:

    the world -> Postfix MX :{house.mx.port} -- asks splitmx: where does this recipient live? --.
                    |                                                              |
                    |-- "new": LMTP ------------------------> Dovecot new, IMAP :{house.dovecot_new.imap_port}
                    |-- "old": SMTP -> Postfix old (asks too) -> Dovecot old, IMAP :{house.dovecot_old.imap_port}
                    |-- held:  stays in the queue of Postfix       ^
                    '-- and splitmx-milter listens to its SMTP     |
                                                                   |
    people ---> splitmx-frontd, IMAP over TLS :{house.front_port} -- the same question, then on to that one
""", flush=True)

    def first_mail(self):
        title("1. Two accounts, two sides")
        tell("""The ownership map is a Redis, and its records are made to be typed. Every account of
            example.org lives on the old server, but ann has moved already:""")
        self.redis("SET", "splitmx:owner:@example.org", "old")
        self.redis("SET", f"splitmx:owner:{ANN}", "new")
        print()
        self.house.policyd.wait_answer("transport", ANN, ("OK", "lmtp:unix:private/dovecot-lmtp"))
        to_ann, to_bob = self.send(FRIEND, ANN, "Hello Ann"), self.send(FRIEND, BOB, "Hello Bob")
        self.arrived(to_ann, ANN, "new")
        self.arrived(to_bob, BOB, "old")
        print()
        self.show(ANN, BOB)
        tell("Each landed where its owner is. The old mailbox of ann and the new one of bob stayed empty.")
        self.trace(to_ann, ANN)
        self.expected.append(to_bob)

    def trace(self, message, account):
        """The header by which the MX would know it again."""
        tell("""While the MX took them, splitmx-milter asked the same map about each recipient, reported what has
            arrived, and put a header on top, by which a message that comes back for the same recipient is told
            to wait in place of going in a circle. It names nobody; this is its beginning:""")
        (arrived,) = [m for m in imap_list(self.house.dovecot_new.imap_port, account) if m.id == message.id]
        value = re.sub(r"\s", "", arrived.headers["X-Splitmx-Trace"])
        print(f"    X-Splitmx-Trace: {value[:60]}...\n", flush=True)

    def log_in(self):
        title("2. Bob logs in")
        tell("""His mail program is fetchmail. All that it knows is one address, the front's, and his
            password; the front finds the server. It fetches what is there and stays in IDLE, to be told
            at once of what comes:""")
        self.client = Fetchmail(self.lab, "fetchmail", BOB, self.house.front_port, self.house.authority.ca)
        self.listen("it waits in IDLE", r"^<\+ ")
        self.sessions(BOB, "running", "old")
        self.fetches(self.send(FRIEND, BOB, "Bob, are you there?"))

    def hold(self):
        title("3. Bob moves: first his mail is held")
        self.redis("SET", f"splitmx:hold:{BOB}", "mail:quickstart", "EX", 600)
        until = time.monotonic() + HOLD_SECONDS
        print()
        self.house.policyd.wait_answer("transport", BOB, ("OK", f"splitmx-hold:[127.0.0.1]:{self.house.sink_port}"))
        tell("""Nobody is refused meanwhile: Postfix accepts mail for bob and keeps it, and bob goes on
            reading. The hold ends by itself after 600 s, should its operator be struck by lightning.""")
        message = self.send(AUNT, BOB, "Bob, are you moving?")
        entry = wait_for("the queue keeps the held message", 20, lambda: self.house.mx.queue_list("deferred"),
                         self.house.logs())[0]
        print(f"    in the MX's queue: {entry['queue_id']} for {entry['recipients'][0]['address']}\n", flush=True)
        self.show(BOB)
        tell(f"""Why wait {HOLD_SECONDS} s now? Postfix's queue manager remembers where it last sent a
            message for up to 30 s, whatever the map says: another mail from {FRIEND} would still go to
            the old mailbox, and after a sudden change it could be thrown from one server to the other
            until it bounces. In life, the time is used to copy the mailbox for the first time.""")
        count_down(HOLD_SECONDS, until)
        return message

    def copy(self):
        title("4. Then his logins, for the last copy")
        self.redis("SET", f"splitmx:hold:{BOB}", "all:quickstart", "EX", 600)
        self.barrier(BOB)
        print()
        tell("""That is the confirmation: every process that acts by the map (the two stand in brackets) has
            said that it follows. For the front this means that bob's old server has closed the last of
            his sessions; so nothing can change there any more. His fetchmail heard it like this:""")
        self.listen("it is told to go", r"^<\* BYE")
        tell("It comes back after two seconds, as mail programs do, and its login waits:")
        self.listen("it logs in again", r"^>A\d+ LOGIN")
        self.sessions(BOB, "parked")
        old = f"maildir:{self.house.dovecot_old.dir}/home/{BOB}/mail"
        print(f"    $ doveadm sync -1 -R -u {BOB} {self.short(old)}     (on the new server)\n", flush=True)
        self.lab.run(["doveadm", "-c", self.house.dovecot_new.config, "sync", "-1", "-R", "-u", BOB, old])
        self.show(BOB)

    def flip(self, held):
        title("5. The flip: bob belongs to the new side")
        self.redis("SET", f"splitmx:owner:{BOB}", "new")
        self.redis("DEL", f"splitmx:hold:{BOB}")
        self.barrier(BOB)
        print()
        tell("""The login that waited goes on where its account is now. (splitmx set does these three steps
            at once.)""")
        self.listen("it is logged in", r"^<A\d+ OK .*Logged in")
        self.listen("it waits in IDLE again", r"^<\+ ")
        self.sessions(BOB, "running", "new")
        self.house.policyd.wait_answer("transport", BOB, ("OK", "lmtp:unix:private/dovecot-lmtp"))
        print("    $ postqueue -i ID     (what waits for bob is tried now, not in five minutes)", flush=True)
        self.house.flush(BOB)
        self.fetches(held)
        later = self.send(FRIEND, BOB, "Bob, have you moved?")
        self.fetches(later)
        self.arrived(held, BOB, "new")
        self.arrived(later, BOB, "new")
        self.house.wait_quiet()
        self.show(BOB)
        self.no_more_no_less()
        tell("""What he had, what waited and what came since is on the new side, and his mail program has
            each once. It was told to come back later, and did; nobody asked for a password, nothing was
            refused, lost or delivered twice.""")

    # afterwards

    def tools(self):
        """Small commands in DIR, so that a reader can go on alone."""
        house = self.house
        scripts = {
            "send": f'# send ADDRESS [SUBJECT]\nprintf "From: <{FRIEND}>\\nTo: <%s>\\nSubject: %s\\n\\nHello.\\n" "$1" "${{2:-hello}}" |'
                    f'\n    exec sendmail -C {house.mx.etc} -f {FRIEND} "$1"',
            "mailboxes": f'exec /usr/bin/python3 -B {os.path.abspath(__file__)} --mailboxes '
                         f'{house.dovecot_old.imap_port} {house.dovecot_new.imap_port} {" ".join(house.users)}',
            "queue": f'for server in {" ".join(s.etc for s in house.servers)}; do postqueue -c $server -p; done',
            "flush": f'for server in {" ".join(s.etc for s in house.servers)}; do postqueue -c $server -f; done',
            "client": f'exec openssl s_client -quiet -crlf -verify_return_error -CAfile {house.authority.ca} '
                      f'-connect localhost:{house.front_port}',
            "redis-cli": f'exec /usr/bin/redis-cli -s {house.policyd.private_socket} "$@"',
            "splitmx": f'exec {program("splitmx")} -c {house.policyd.config} "$@"',
        }
        for name, body in scripts.items():
            self.lab.write(name, f"#!/bin/sh\n{body}\n", mode=0o755)

    def stay(self):
        self.tools()
        title("Now you")
        print(f"""    DIR={self.lab.dir}

    $DIR/splitmx explain {CARL}                        who owns it, and what Postfix is told
    $DIR/send {CARL} "your text"                       send
    $DIR/mailboxes                                               what is where, by IMAP
    $DIR/redis-cli SET splitmx:hold:{CARL} all EX 300  hold carl's mail (for 35 s after
                                                                 your last one, Postfix may
                                                                 still know a route past it)
    $DIR/queue                                                   what waits, on both servers
    $DIR/redis-cli SET splitmx:owner:{CARL} new        move carl (after 35 s of hold)
    $DIR/redis-cli DEL splitmx:hold:{CARL}             release, then $DIR/flush
    $DIR/splitmx barrier {CARL}                        does every node follow?
    $DIR/splitmx sessions                                        who is logged in; bob still is
    $DIR/client {CARL}                                 log in as carl, password "secret":
                                                                 a LOGIN {CARL} secret
    $DIR/splitmx check --live --postfix $DIR/mx/etc              does everybody answer?
    $DIR/log/                                                    everybody's logs

    All servers run until Ctrl-C. Type these in another terminal, the line DIR=... first.
""", flush=True)
        house = self.house
        while all(s.process.is_alive() for s in (*house.servers, house.policyd, house.milter, house.front, self.client)):
            time.sleep(1)
        raise Failure("a server has ended")


def show_mailboxes(old_port, new_port, *users):
    for user in users:
        for side, port in (("old", old_port), ("new", new_port)):
            mail = [f'"{m.subject}"' for m in imap_list(int(port), user)]
            print(f"{side}  {user:17} {', '.join(mail) or '(empty)'}")


def tell_it(lab):
    """The whole story; the exit status."""
    story = Story(lab)
    story.furnish()
    story.first_mail()
    story.log_in()
    held = story.hold()
    story.copy()
    story.flip(held)
    if sys.argv[1:] == ["--once"]:
        return 0
    try:
        story.stay()
    except Ended:
        if Ended.status != 128 + signal.SIGINT:
            raise
        print("\nstopping everything", flush=True)
    return 0


def main():
    if sys.argv[1:2] == ["--mailboxes"]:
        return show_mailboxes(*sys.argv[2:])
    print()
    status = 0
    try:
        for name in PROGRAMS:
            program(name)
        with Lab() as lab:
            # Also where a shell has started us in its background, with Ctrl-C ignored.
            Ended.watch()
            try:
                status = tell_it(lab)
            except BaseException:
                if Ended.status is None:
                    raise
                print("\nstopping everything", flush=True)
                status = Ended.status
    except Failure as e:
        print(f"\nNot as told: {e}", file=sys.stderr)
        return 1
    print("All servers are stopped and their directory is removed.")
    return status


if __name__ == "__main__":
    sys.exit(main())
