"""Real clients at the login front: every protocol, TLS mode and mechanism, before and after an account has moved.

A combination is one client, which tries a wrong password (or a token that somebody
else has signed) and then the right one. It has passed if the first was refused as such
and the second led to what the owner's side has, if the owner's logs tell both, by the
right mechanism and with the client's own address, and the other side's log has not a
word of it. With SPLITMX_FULL=1 all of them are tried. Without it each mechanism of each
protocol in each TLS mode is seen on each side, with each way of telling the backend who
calls, and from each client that can do it.

Clients that say they are somebody else are believed by nobody.
"""

import collections
import concurrent.futures
import heapq
import itertools
import os
import random
import time
import unittest

from lab.case import FULL, LabCase
from lab.certs import Authority
from lab.core import wait_for
from lab.dialogs import SocketWire, b64, dial
from lab.forgeries import FORGED, FORGERIES, SMUGGLED, proxy_headers
from lab.front_homes import FRONTS, MECHANISMS, MODES, NAME, PASSWORD, TOKENS, Front, Home, Tokens
from lab.front_visits import Case, Logs, Visit, client_of, other
from lab.programs import PROGRAMS, Attempt
from lab.redis import Redis
from lab.sasl import Sasl

OWN_LOGIN = {"imap": ("login",), "pop3": ("user",), "submission": (), "sieve": ()}
AT_ONCE = 8 if FULL else 5


def combinations():
    """All of them."""
    for protocol, modes in MODES.items():
        for tls, mechanism in itertools.product(modes, OWN_LOGIN[protocol] + MECHANISMS):
            for side, way in itertools.product(("old", "new"), FRONTS):
                initials = (True,) if mechanism in ("login", "user", "LOGIN") else (True, False)
                yield from (Case(client_of(tls), protocol, tls, mechanism, side, way, initial) for initial in initials)
                for program in PROGRAMS:
                    if mechanism in program.can.get(protocol, ()):
                        yield Case(program.name, protocol, tls, mechanism, side, way, True)


def features(case):
    """What a selection must have seen."""
    what = (case.protocol, case.tls, case.mechanism)
    return frozenset([*itertools.combinations(enumerate(case), 2), (*what, case.side), (*what, case.way), (*what, case.client),
                      (case.protocol, case.client, case.side, case.way)])


def selection(cases):
    """As few of them as show every feature: always the one that shows most of what is left."""
    rows = {case: features(case) for case in cases}
    left = frozenset().union(*rows.values())
    ties = random.Random(4)  # any number does, and it is always the same
    heap = [(-len(shows), ties.random(), case) for case, shows in rows.items()]  # what is left to show can only become less
    heapq.heapify(heap)
    chosen = []
    while left:
        most, tie, case = heapq.heappop(heap)
        now = -len(rows[case] & left)
        if now != most:
            heapq.heappush(heap, (now, tie, case))
            continue
        left -= rows[case]
        chosen.append(case)
    return chosen


VISITS = [Visit(case) for case in (combinations() if FULL else selection(combinations()))]
MOVERS = [f"m{n}@example.org" for n in range(40)]

FORGERS = [f"f{n}@example.org" for n in range(110)]
TRUSTED = "127.0.0.9"  # a proxy that the fronts believe
TOLD = "192.0.2.77"  # for whom it calls


class ClientsTest(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.authority = Authority(cls.lab)
        tls = cls.authority.sign(NAME, "127.0.0.1", "::1")
        cls.certificates = (cls.authority.ca, tls[0])
        cls.tokens = Tokens(cls.lab)
        users = [visit.user for visit in VISITS] + MOVERS + FORGERS

        def home(name):
            return name, Home(cls.lab, name, users, cls.tokens, tls if name == "new" else None)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            cls.homes = dict(pool.map(home, ("old", "new")))
        cls.fronts = {}
        for way in FRONTS:
            cls.fronts[way] = Front(cls.lab, way, cls.homes, cls.redis, tls, cls.authority.ca, proxy_from=[TRUSTED + "/32"],
                                    init=not cls.fronts)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        moved = [visit.user for visit in VISITS if visit.case.side == "new"] + FORGERS[1::2]
        cls.redis.cli("MSET", *[word for user in moved for word in (f"splitmx:owner:{user}", "new")])
        for front in cls.fronts.values():
            front.wait_offers()

    # one visit

    def secret(self, mechanism, user, right=True):
        if mechanism in TOKENS:
            return self.tokens.sign(user) if right else self.tokens.forge(user)
        return PASSWORD if right else PASSWORD + "-not"

    @staticmethod
    def tls(visit):
        return "none" if visit.case.tls == "proxied" else visit.case.tls

    def port(self, visit):
        return self.fronts[visit.case.way].ports[visit.case.protocol, visit.case.tls]

    def attempt(self, visit, right=True, more=()):
        """By a program: (let in, what it said)."""
        case = visit.case
        directory = os.path.dirname(self.lab.path("clients", f"{visit.user}-{time.monotonic_ns()}", "x"))
        secret = self.secret(case.mechanism, visit.user, right)
        return visit.program.run(Attempt(case.protocol, self.tls(visit), case.mechanism, visit.host, self.port(visit),
                                         visit.source, visit.user, secret, self.certificates, directory, more))

    def dial(self, visit, **options):
        return dial(visit.case.protocol, self.tls(visit), visit.host, self.port(visit), source=visit.source,
                    ca=self.authority.ca, **options)

    def visit_by_program(self, visit):
        let_in, said = self.attempt(visit, right=False)
        self.assertFalse(let_in, "a wrong secret was taken")
        self.assertTrue(visit.program.has_said(said, visit.case.mechanism), f"another mechanism: {said}")
        let_in, said = self.attempt(visit)
        self.assertTrue(let_in, f"the right secret was refused: {said}")
        self.assertTrue(visit.program.has_said(said, visit.case.mechanism), f"another mechanism: {said}")
        return said

    def visit_by_dialogue(self, visit):
        """Both on one connection."""
        case = visit.case
        with self.dial(visit, with_initial=case.initial) as client:
            let_in, said = client.login(case.mechanism, visit.user, self.secret(case.mechanism, visit.user, right=False))
            self.assertFalse(let_in, "a wrong secret was taken")
            self.assertRegex(said, r"^t NO \[AUTHENTICATIONFAILED\]|^-ERR \[AUTH\]|^535 5\.7\.8|^NO \"Authentication failed")
            let_in, said = client.login(case.mechanism, visit.user, self.secret(case.mechanism, visit.user))
            self.assertTrue(let_in, f"the right secret was refused: {said}")
            return client.look()

    def visit(self, visit):
        try:
            found = self.visit_by_program(visit) if visit.program else self.visit_by_dialogue(visit)
            if visit.case.protocol != "submission":
                self.assertIn(f"at {visit.case.side}", found)
                self.assertNotIn(f"at {other(visit.case.side)}", found)
        except Exception as e:  # whatever it is, the others are to be seen too
            visit.trouble = f"{visit}: {e!r}"

    # all of them

    def wait_logs(self, missing, marks, seconds=15):
        """Until nothing is missing(logs) in the homes' logs, which others write; what is."""
        end = time.monotonic() + seconds
        while True:
            troubles = missing(Logs(self.homes, marks))
            if not troubles or time.monotonic() > end:
                return troubles
            time.sleep(0.2)

    def wait_seen(self, visits, marks, patterns):
        """Until the logs have all these visits, with patterns(visit); what they have not."""
        return self.wait_logs(lambda logs: list(filter(None, (visit.unseen(logs, patterns(visit)) for visit in visits))), marks)

    def all_of(self, what, visits):
        began, marks = time.monotonic(), Logs.marks(self.homes)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self.visit, visits))
        troubles = [visit.trouble for visit in visits if visit.trouble]
        troubles += self.wait_seen([visit for visit in visits if not visit.trouble], marks,
                                   lambda visit: (visit.refusal(), visit.session()))
        clients = collections.Counter(visit.case.client for visit in visits)
        self.figures(f"{what}: {len(visits) - len(troubles)} of {len(visits)} combinations passed in "
                     f"{time.monotonic() - began:.0f} s, by " + ", ".join(f"{k} {v}" for k, v in sorted(clients.items())))
        self.assertEqual([], troubles[:10])
        self.no_secret_in_logs(visits)

    def no_secret_in_logs(self, visits):
        """Neither as it is nor as it was sent; "eyJ" is how every token begins."""
        sent = [b64(Sasl(m, visit.user, PASSWORD).initial())[:24] for visit in visits for m in ("PLAIN", *TOKENS)]
        for front in self.fronts.values():
            with open(front.log, encoding="utf-8", errors="backslashreplace") as f:
                text = f.read()
            self.assertEqual([], [secret for secret in (PASSWORD, b64(PASSWORD.encode())[:-4], "eyJ", *sent) if secret in text])

    def protocol(self, protocol):
        self.all_of(protocol, [visit for visit in VISITS if visit.case.protocol == protocol])

    def test_imap(self):
        self.protocol("imap")

    def test_pop3(self):
        self.protocol("pop3")

    def test_submission(self):
        self.protocol("submission")

    def test_sieve(self):
        self.protocol("sieve")

    def test_a_client_whose_account_moves_changes_nothing(self):
        """Each program in each protocol, and a dialogue: at the old side, and after `splitmx import` at the new one."""
        kinds = [(program.name, protocol, mechanisms[0]) for program in PROGRAMS for protocol, mechanisms in program.can.items()]
        kinds += [(client_of("starttls"), protocol, "SCRAM-SHA-256") for protocol in MODES]
        visits = {side: [Visit(Case(client, protocol, "starttls", mechanism, side, way, True), user)
                         for user, way, (client, protocol, mechanism) in zip(MOVERS, itertools.cycle(FRONTS), kinds)]
                  for side in ("old", "new")}
        self.all_of("before the move", visits["old"])
        lines = "".join(f"{visit.user} new\n" for visit in visits["new"])
        self.fronts["told"].splitmx("import", "-", "--force", "--yes", stdin=lines)  # status 0: confirmed
        self.all_of("after the move", visits["new"])

    def test_after_a_refusal_the_next_login_is_routed_anew(self):
        """On one connection: a wrong password at the old side, then the account moves, then the right one."""
        marks, visits = Logs.marks(self.homes), []
        for user, protocol in zip(reversed(MOVERS), MODES):
            visit = Visit(Case("a dialogue", protocol, "none", "PLAIN", "new", "told", True), user)
            with self.dial(visit) as client:
                self.assertFalse(client.login("PLAIN", user, PASSWORD + "-not")[0])
                self.fronts["told"].splitmx("set", user, "new", "--force", "--yes")
                self.assertTrue(client.login("PLAIN", user, PASSWORD)[0])
                client.look()
            visits.append(visit)
        self.assertEqual([], self.wait_logs(lambda logs: [visit.user for visit in visits if not (
            logs.has("old", visit, visit.refusal()) and logs.has("new", visit, visit.session()))], marks))

    # forgers

    def forger(self, client, protocol, tls, way):
        """A visit of somebody who has not been here yet."""
        user = FORGERS[self.forgers]
        type(self).forgers += 1
        side = "old" if FORGERS.index(user) % 2 == 0 else "new"
        return Visit(Case(client, protocol, tls, "PLAIN", side, way, True), user)

    forgers = 0

    def believed_by_nobody(self, visits, marks):
        """The homes have their sessions with their own addresses, and not a word of what they said to be."""
        self.assertEqual([], self.wait_seen(visits, marks, lambda visit: (visit.session(),)))
        words = [line for home in self.homes.values() for line in home.lines_of(FORGED, "forged", "boss@", marks=marks)]
        self.assertEqual([], words)

    def forge_by_dialogue(self, visit):
        with self.dial(visit) as client:
            for is_in in (False, True):
                self.assertNotRegex(client.announced().upper(), r"XCLIENT|XFORWARD")
                for command, answer in FORGERIES[visit.case.protocol]:
                    self.assertRegex(client.ask(command)[-1], "^" + answer, f"{visit}, logged in: {is_in}")
                if not is_in:
                    self.assertTrue(client.login("PLAIN", visit.user, PASSWORD)[0], visit)
            client.look()

    def test_who_says_to_be_somebody_else_is_not_believed(self):
        marks, visits = Logs.marks(self.homes), []
        for protocol, way, tls in itertools.product(FORGERIES, FRONTS, ("starttls", "none")):
            visits.append(self.forger(client_of(tls), protocol, tls, way))
            self.forge_by_dialogue(visits[-1])
        visits.append(self.forger("swaks", "submission", "starttls", "told"))
        let_in, said = self.attempt(visits[-1], more=("--xclient", f"ADDR={FORGED}", "--xclient-optional"))
        self.assertTrue(let_in, said)
        self.assertIn("Host did not advertise XCLIENT", said)
        self.believed_by_nobody(visits, marks)

    def test_no_xclient_is_smuggled_to_postfix(self):
        """Which believes the front: what it takes for a command must be one to the front as well."""
        marks, visits = Logs.marks(self.homes), []
        for way, words in itertools.product(FRONTS, SMUGGLED):
            visits.append(self.forger("a dialogue", "submission", "none", way))
            with self.dial(visits[-1]) as client:
                self.pour(client, visits[-1].user, words)
        self.believed_by_nobody(visits, marks)
        # To see that it would be: without a front in between Postfix takes most of them.
        for words in SMUGGLED:
            with dial("submission", "none", "127.0.0.1", self.homes["old"].ports["submission", "none", False]) as client:
                self.pour(client, FORGERS[0], words)
        wait_for("Postfix believes some of them", 10, lambda: len(self.homes["old"].lines_of(f"disconnect from unknown[{FORGED}]",
                                                                                             marks=marks)) >= 5)

    def pour(self, client, user, words):
        """Logged in, all of it at once; then to the end."""
        self.assertTrue(client.login("PLAIN", user, PASSWORD)[0])
        client.look()
        client.wire.send(words + b"RSET\r\nQUIT\r\n")
        self.assertRegex(client.wire.lines.read(), rb"(221|5\d\d|421) .*\r\n$")

    def test_a_proxy_header_of_a_stranger_is_not_believed(self):
        """Also where others must send one. Version 1 is an unknown command, version 2 QUIT or none, and neither is TLS."""
        marks, visits = Logs.marks(self.homes), []
        for protocol, tls, header in itertools.product(MODES, ("none", "proxied", "implicit"), proxy_headers(FORGED)):
            if (protocol, tls) == ("sieve", "implicit"):
                continue
            visit = self.forger(client_of("none"), protocol, tls, "told")
            said = self.shout(visit, header)
            if header.startswith(b"PROXY") and tls != "implicit":
                visits.append(visit)
            else:
                self.assertNotRegex(said, rb"Logged in|235 ", str(visit))
                self.assertEqual(tls == "implicit", said == b"", visit)
        # Postfix names a client whose session is over without a mail by nothing but its address.
        self.believed_by_nobody([visit for visit in visits if visit.case.protocol != "submission"], marks)

    def shout(self, visit, header):
        """Header, login and farewell in one go; all that is answered."""
        initial = b64(Sasl("PLAIN", visit.user, PASSWORD).initial())
        words = {"imap": f"t AUTHENTICATE PLAIN {initial}\r\nt LOGOUT\r\n", "pop3": f"AUTH PLAIN {initial}\r\nQUIT\r\n",
                 "submission": f"EHLO lab.invalid\r\nAUTH PLAIN {initial}\r\nQUIT\r\n",
                 "sieve": f'AUTHENTICATE "PLAIN" "{initial}"\r\nLOGOUT\r\n'}[visit.case.protocol]
        wire = SocketWire(visit.host, self.port(visit), visit.source, header + words.encode())
        try:
            return wire.lines.read()
        except ConnectionResetError:
            return b""
        finally:
            wire.close()

    def test_a_trusted_proxy_says_who_calls(self):
        marks, visits = Logs.marks(self.homes), []
        for protocol, header, way in itertools.product(MODES, proxy_headers(TOLD), FRONTS):
            visits.append(self.proxied("a dialogue", protocol, TOLD, way))
            with self.dial(visits[-1], first=header) as client:
                self.assertTrue(client.login("PLAIN", visits[-1].user, PASSWORD)[0], visits[-1])
                client.look()
        for protocol in ("imap", "pop3"):
            visits.append(self.proxied("curl", protocol, TRUSTED, "told"))  # it can tell of nobody but itself
            self.assertTrue(self.attempt(visits[-1], more=("--haproxy-protocol",))[0])
        visits.append(self.proxied("swaks", "submission", TOLD, "proxied"))
        header = {"version": 1, "family": "TCP4", "source": TOLD, "source-port": 99, "dest": "127.0.0.1", "dest-port": 587}
        more = [word for key, value in header.items() for word in (f"--proxy-{key}", str(value))]
        self.assertTrue(self.attempt(visits[-1], more=more)[0])
        self.believed_by_nobody(visits, marks)

    def proxied(self, client, protocol, address, way):
        visit = self.forger(client, protocol, "proxied", way)
        visit.source, visit.address, visit.is_alone = TRUSTED, address, False
        return visit

    def test_a_trusted_proxy_that_does_not_say_it_is_shut_out(self):
        for protocol in MODES:
            visit = self.proxied("a dialogue", protocol, TRUSTED, "told")
            self.assertEqual(b"", self.shout(visit, b""))
            self.assertEqual([], [line for home in self.homes.values() for line in home.lines_of(visit.user)])


if __name__ == "__main__":
    unittest.main()
