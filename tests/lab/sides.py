"""Two real mail servers, "old" and "new", behind a login front, and clients that know on which of them they are.

What a side is known by: a folder (IMAP), a message (POP3), a script (ManageSieve),
the name in EHLO (submission). Every account is old's until it has a record of its own.
"""

import imaplib
import os
import re

from .callers import CALLERS, Sieve
from .case import LabCase
from .core import wait_for
from .dovecot import Dovecot
from .front import Frontd
from .postfix import Postfix
from .redis import Redis

ANN, BOB, CAT, DAN, EVE, FAY = USERS = [f"{name}@example.org" for name in ("ann", "bob", "cat", "dan", "eve", "fay")]
LATER = {"imap": [b"a NO [UNAVAILABLE] Try again later."], "pop3": [b"-ERR [SYS/TEMP] Try again later."],
         "sieve": [b'NO (TRYLATER) "Try again later."'], "submission": [b"454 4.7.0 Try again later."]}
MOVED = {"imap": [b"* BYE [UNAVAILABLE] This mailbox is being moved, connect again."], "pop3": [],
         "sieve": [b'BYE (TRYLATER) "This mailbox is being moved, connect again."'],
         "submission": [b"421 4.3.2 This mailbox is being moved, connect again."]}
# Hundreds of sessions of one user, whose logins all come at the same moment.
DOVECOT = "login_trusted_networks = 127.0.0.0/8\ndefault_process_limit = 1000\ndefault_client_limit = 3000\n" + "".join(
    f"service {name}-login {{\n  service_count = 0\n}}\nservice {name} {{\n  process_limit = 1000\n}}\n"
    f"protocol {protocol} {{\n  mail_max_userip_connections = 1000\n}}\n"
    for name, protocol in (("imap", "imap"), ("pop3", "pop3"), ("managesieve", "sieve")))


class SidedFront(Frontd):
    """Its destinations know an account by its address only, whatever the client calls itself."""

    def services(self, dovecot):
        return [{**service, "login": "%a"} for service in super().services(dovecot)]


def make_home(lab, name):
    """A Dovecot, and a Postfix that takes submission."""
    home = Dovecot(lab, name, USERS, protocols=("imap", "pop3", "sieve"), auth=True, more=DOVECOT)
    postfix = Postfix(lab, "postfix-" + name, smtpd={"submission": ""}, main={
        "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "myhostname": f"{name}.example.org",
        "smtpd_sasl_path": f"inet:127.0.0.1:{home.ports['auth']}", "smtpd_authorized_xclient_hosts": "127.0.0.1",
        "smtpd_sasl_security_options": "noanonymous", "default_transport": "discard", "mynetworks": "192.0.2.0/24",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject"})
    home.submission, home.postfix = postfix.ports["submission"], postfix
    if name == "new":
        mark(home)
    return home


def mark(home):
    for user in USERS:
        with imaplib.IMAP4("127.0.0.1", home.imap_port) as client:
            client.login(user, "secret")
            client.create("in-new")
            client.append("INBOX", None, None, b"Subject: new\r\n\r\nnew\r\n")
        with Sieve(home.ports["sieve"]) as sieve:
            sieve.login(user)
            sieve.answer()
            assert sieve.ask('PUTSCRIPT "in-new" "keep;"')[-1].startswith(b"OK"), "no script"


class SidesCase(LabCase):
    """settings: more of splitmx.conf for cls.front, which has a listener for each protocol."""

    binary = "splitmx-frontd"
    settings = {}
    lease, members = 15000, 1

    @classmethod
    def furnish(cls):
        cls.redis = cls.make_redis()
        cls.homes = {name: make_home(cls.lab, name) for name in ("old", "new")}
        cls.marked = {path: os.path.getsize(path) if os.path.exists(path) else 0 for _, path, _ in cls.log_files()}
        cls.front = cls.make_front(cls.binary, "frontd", start=False)
        cls.front.splitmx("init", "--lease", cls.lease, "--members", cls.members)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        cls.front.start()

    @classmethod
    def make_redis(cls):
        return Redis(cls.lab, aof=True)

    @classmethod
    def make_front(cls, binary, name, start=True):
        front = SidedFront(cls.lab, cls.homes, name, cls.redis, cls.settings, [(protocol, "none") for protocol in CALLERS],
                           start=False, init=False)
        front.binary = binary
        if start:
            front.start()
        return front

    def reload(self, **settings):
        """With these in the group frontd."""
        count = self.front.control(do="status")["reloads"]
        self.front.settings["frontd"].update(settings)
        self.front.write_config()
        self.front.reload()
        wait_for("the worker has read them", 10, lambda: self.front.control(do="status")["reloads"] > count, (self.front.log,))

    # the map

    def forget_all(self):
        """Every account is old's again, and nobody is logged in."""
        self.redis.cli("DEL", *[f"splitmx:{kind}:{user}" for user in (*USERS, "@example.org") for kind in ("owner", "hold")])
        self.redis.cli("SET", "splitmx:owner:@example.org", "old")
        self.wait_nobody()

    def set_owner(self, user, owner="new"):
        self.redis.cli("SET", f"splitmx:owner:{user}", owner)

    def hold(self, user, value="all:lab", seconds=600):
        self.redis.cli("SET", f"splitmx:hold:{user}", value, "EX", seconds)

    def release(self, user):
        self.redis.cli("DEL", f"splitmx:hold:{user}")

    # callers

    def call(self, protocol, source=None):
        caller = CALLERS[protocol](self.front.ports[protocol, "none"], source)
        self.addCleanup(caller.close)
        return caller

    def log_in(self, user, protocol):
        """The caller, with its answer."""
        caller = self.call(protocol)
        caller.login(user)
        caller.answer()
        return caller

    def assertLanded(self, callers, side):
        for caller in callers:
            caller.answer()
            self.assertTrue(caller.is_in, f"{caller.protocol}: {caller.said}")
        self.assertEqual({side: len(callers)}, self.sides(callers))

    def sides(self, callers):
        sides = [caller.side() for caller in callers]
        return {side: sides.count(side) for side in sides}

    def phases(self, user):
        return [s["phase"] for s in self.front.sessions() if s.get("account") == user]

    def wait_nobody(self, seconds=40):
        wait_for(f"nobody is there, not {self.front.sessions()}", seconds, lambda: not self.front.sessions(), (self.front.log,))

    @classmethod
    def log_files(cls):
        """(side, path, what a login looks like there)"""
        for side, home in cls.homes.items():
            yield side, home.log, r"-login: Info: Login: user=<([^>]+)>"
            yield side, home.postfix.log, r"sasl_username=(\S+)"

    def logged_in(self, side):
        """Who has ever come there through the front, as the servers tell."""
        users = set()
        for where, path, pattern in self.log_files():
            if where == side:
                with open(path, encoding="utf-8", errors="backslashreplace") as f:
                    f.seek(self.marked[path])
                    users.update(re.findall(pattern, f.read()))
        return users
