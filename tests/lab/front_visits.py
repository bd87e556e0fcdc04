"""Who visits the front and how, and what the homes' logs must tell of it."""

import collections
import os
import re

from .programs import PROGRAMS

# way: how the front tells the home who calls; initial: whether an initial response is said where there can be one
Case = collections.namedtuple("Case", "client protocol tls mechanism side way initial")

SERVICES = {"imap": "imap-login", "pop3": "pop3-login", "sieve": "managesieve-login"}
PROGRAM = {program.name: program for program in PROGRAMS}
ADDRESS = re.compile(r"\brip=([^,\s]+)|\bunknown\[([^]]+)\]|\(\w+@example\.org,([^,)]+)")


def other(side):
    return "new" if side == "old" else "old"


def client_of(tls):
    """The name of the client that speaks by itself."""
    return "a dialogue" if tls == "none" else "openssl s_client"


class Visit:
    """A case with an account and an address of its own."""

    count = 0

    def __init__(self, case, user=None):
        Visit.count += 1
        self.case = case
        self.user = user or f"c{Visit.count}@example.org"
        self.program = PROGRAM.get(case.client)
        self.host, self.source = "127.0.0.1", f"127.1.{Visit.count // 250}.{Visit.count % 250 + 1}"
        if self.program and not self.program.binds:
            # Nobody tells it where to come from; by IPv6 it does not come from where the front does.
            self.host, self.source = "::1", None
        self.address = self.source or "::1"
        self.is_alone = self.source is not None  # nobody else comes from there
        self.trouble = None

    def __str__(self):
        return f"{' '.join(map(str, self.case))} ({self.user} from {self.address})"

    def _mechanism(self):
        """As a home logs it: the front says PLAIN for all that has the same content."""
        return "PLAIN" if self.case.mechanism in ("login", "user", "LOGIN") else self.case.mechanism

    def _dovecot_who(self):
        return (rf"user=<{re.escape(self.user)}>, method={self._mechanism()}, rip={re.escape(self.address)}, rport=\d+, "
                r"real_rip=127\.0\.0\.1,")

    def refusal(self):
        """Pattern of the line that tells of a wrong secret."""
        if self.case.protocol == "submission":
            return rf"unknown\[{re.escape(self.address)}\]:\d+: SASL {self._mechanism()} authentication failed"
        return rf"{SERVICES[self.case.protocol]}: Info: .*auth failed, 1 attempts .*{self._dovecot_who()}"

    def session(self):
        """Pattern of the line that tells of the session."""
        if self.case.protocol == "submission":
            return (rf"client=unknown\[{re.escape(self.address)}\]:\d+, sasl_method={self._mechanism()}, "
                    rf"sasl_username={re.escape(self.user)}$")
        return rf"{SERVICES[self.case.protocol]}: Info: Login: {self._dovecot_who()}"

    def keys(self):
        """By which lines of a log are known to be about it."""
        return (self.user, self.source) if self.is_alone else (self.user,)

    def unseen(self, logs, patterns):
        """What is wrong with the logs, in words; "" if every pattern is there and nobody else is named."""
        keys = self.keys()
        lines, elsewhere = logs.of(self.case.side, *keys), logs.of(other(self.case.side), *keys)
        missing = [pattern for pattern in patterns if not logs.has(self.case.side, self, pattern)]
        strangers = [line for line in lines if addresses_in(line) - {self.address}]
        if not missing and not strangers and not elsewhere:
            return ""
        return (f"{self}: not logged: {missing}; with another address: {strangers}; at the other side: {elsewhere}; at its own: "
                + "\n".join(lines))


def addresses_in(line):
    """Whoever a line of Dovecot or Postfix says has called."""
    return {address for found in ADDRESS.findall(line) for address in found if address}


class Logs:
    """The lines in which homes tell who has called, by account and by address.

    marks: how long each log was before.
    """

    def __init__(self, homes, marks):
        self.found = {name: collections.defaultdict(list) for name in homes}
        for name, home in homes.items():
            for path in home.logs:
                with open(path, "rb") as f:
                    f.seek(marks[path])
                    text = f.read().decode("utf-8", "backslashreplace")
                for line in filter(addresses_in, text.split("\n")[:-1]):
                    for key in addresses_in(line) | set(re.findall(r"\w+@example\.org", line)):
                        self.found[name][key].append(line)

    @staticmethod
    def marks(homes):
        return {path: os.path.getsize(path) for home in homes.values() for path in home.logs}

    def of(self, name, *keys):
        return [line for key in keys for line in self.found[name][key]]

    def has(self, name, visit, pattern):
        return any(re.search(pattern, line) for line in self.of(name, *visit.keys()))
