#!/usr/bin/python3
"""The story that contrib/quickstart tells, after it has installed and built.

Everything is real: the mail is sent by SMTP, and what is shown is read back by
IMAP. If something is not as told, the status is 1 and the logs are kept.
"""

import os
import signal
import sys
import textwrap
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests"))

from lab import Failure, House, Lab, Message, imap_list, imap_wait, smtp_send, wait_for  # noqa: E402
from lab.policyd import program  # noqa: E402

ANN, BOB, CARL = "ann@example.org", "bob@example.org", "carl@example.org"
FRIEND, AUNT = "friend@world.invalid", "aunt@world.invalid"
HOLD_SECONDS = 35
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


class Story:
    def __init__(self, lab):
        self.lab = lab
        self.house = None

    # what is done and shown

    def redis(self, *words):
        """Type a redis-cli command where the reader sees it."""
        print("    $ redis-cli -s " + self.short(self.house.policyd.private_socket) + " " + " ".join(map(str, words)))
        print("    " + self.house.redis_cli(*words), flush=True)

    def splitmx(self, *words):
        """The same with a splitmx command; who acknowledged is named, and it is an error if nobody did."""
        print("    $ splitmx " + " ".join(words))
        said = self.house.policyd.splitmx(*words).stdout
        print("    " + said, end="", flush=True)
        if "confirmed by 1 node" not in said:
            raise Failure("the change is not confirmed by the node that answers")

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
        self.house = House(self.lab, [ANN, BOB, CARL], with_new=False, say=lambda what: print(f"    starting {what}", flush=True))
        house = self.house
        print(f"""
    Everything lives in DIR={self.lab.dir}, on 127.0.0.1:

    the world -> Postfix MX :{house.mx.port} -- asks splitmx: where does this recipient live? --.
                    |                                                              |
                    |-- "new": LMTP ------------------------> Dovecot new, IMAP :{house.dovecot_new.imap_port}
                    |-- "old": SMTP -> Postfix old (asks too) -> Dovecot old, IMAP :{house.dovecot_old.imap_port}
                    '-- held:  stays in the queue of Postfix
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

    def hold(self):
        title("2. Bob moves: first his mail is held")
        self.redis("SET", f"splitmx:hold:{BOB}", "mail:quickstart", "EX", 600)
        until = time.monotonic() + HOLD_SECONDS
        print()
        self.house.policyd.wait_answer("transport", BOB, ("OK", f"splitmx-hold:[127.0.0.1]:{self.house.sink_port}"))
        tell("""Nobody is refused meanwhile: Postfix accepts mail for bob and keeps it. The hold ends by
            itself after 600 s, should its operator be struck by lightning.""")
        message = self.send(AUNT, BOB, "Bob, are you moving?")
        entry = wait_for("the queue keeps the held message", 20, lambda: self.house.mx.queue_list("deferred"),
                         self.house.logs())[0]
        print(f"    in the MX's queue: {entry['queue_id']} for {entry['recipients'][0]['address']}\n", flush=True)
        self.show(BOB)
        tell(f"""Why wait {HOLD_SECONDS} s now? Postfix's queue manager remembers where it last sent a
            message for up to 30 s, whatever the map says: another mail from {FRIEND} would still go to
            the old mailbox, and after a sudden change it could be thrown from one server to the other
            until it bounces. In life, the time is used to copy what is left of the mailbox.""")
        count_down(HOLD_SECONDS, until)
        return message

    def flip(self, held):
        title("3. The flip: bob belongs to the new side")
        self.redis("SET", f"splitmx:owner:{BOB}", "new")
        self.redis("DEL", f"splitmx:hold:{BOB}")
        self.splitmx("barrier", BOB)
        print()
        tell("""That is the confirmation: every process that answers from the map (here there is one, and it
            stands in brackets) has said that it follows, so none answers the old side any more. splitmx set
            does both at once; after redis-cli, splitmx barrier asks for it.""")
        self.house.policyd.wait_answer("transport", BOB, ("OK", "lmtp:unix:private/dovecot-lmtp"))
        print("    $ postqueue -i ID     (what waits for bob is tried now, not in five minutes)", flush=True)
        self.house.flush(BOB)
        later = self.send(FRIEND, BOB, "Bob, have you moved?")
        self.arrived(held, BOB, "new")
        self.arrived(later, BOB, "new")
        self.house.wait_quiet()
        print()
        self.show(BOB)
        tell("""What waited and what came since is on the new side; what was there before is on the old
            side until somebody copies it. Nothing was refused, lost or delivered twice.""")

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
    $DIR/splitmx check --live --postfix $DIR/mx/etc              does everybody answer?
    $DIR/log/                                                    everybody's logs

    All servers run until Ctrl-C. Type these in another terminal, the line DIR=... first.
""", flush=True)
        while all(s.process.is_alive() for s in (*self.house.servers, self.house.policyd)):
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
    story.flip(story.hold())
    if sys.argv[1:] == ["--once"]:
        return 0
    try:
        story.stay()
    except KeyboardInterrupt:
        print("\nstopping everything", flush=True)
    return 0


def main():
    if sys.argv[1:2] == ["--mailboxes"]:
        return show_mailboxes(*sys.argv[2:])
    print()
    # A shell that starts us in the background has Ctrl-C ignored; in a terminal of its own it must still work.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = 0
    try:
        with Lab() as lab:
            try:
                status = tell_it(lab)
            except KeyboardInterrupt:
                print("\nstopping everything", flush=True)
                status = 130
            except SystemExit as e:  # TERM, or a terminal that was closed
                status = e.code
    except Failure as e:
        print(f"\nNot as told: {e}", file=sys.stderr)
        return 1
    print("All servers are stopped and their directory is removed.")
    return status


if __name__ == "__main__":
    sys.exit(main())
