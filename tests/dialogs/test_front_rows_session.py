"""Hostile rows D1, D3, D5 and D6, and commands that must not pass: sessions, and backends that fail, in each protocol."""

import re
import threading
import time
import unittest
from concurrent import futures

from front_scripts import PROTOCOLS, Client, RowsCase, plain
from lab import FULL, wait_for
from lab.imap_script import reset

SESSIONS = 1000 if FULL else 150
FORBIDDEN = re.compile(r"COMPRESS|UNAUTHENTICATE|DEFLATE", re.IGNORECASE)


def cases_of(word):
    """Spellings that a server takes for the same."""
    return (word, word.lower(), word.title(), "".join(c.lower() if i % 2 else c for i, c in enumerate(word)))


class Forbidden(RowsCase):
    """What would end the authenticated state, or hide where commands end."""

    def commands(self):
        """What clients say, by protocol; none of it may reach a backend as a command."""
        yield from (("imap", f"x {w}{rest}") for word in ("UNAUTHENTICATE", "COMPRESS") for w in cases_of(word)
                    for rest in ("", " DEFLATE", "  DEFLATE", ' "DEFLATE"', " {7+}\r\nDEFLATE", " deflate x y", "\t",
                                 "\tDEFLATE"))
        yield from (("imap", said) for said in (" UNAUTHENTICATE", "x  COMPRESS DEFLATE", "x\tUNAUTHENTICATE",
                                                "* UNAUTHENTICATE",
                                                "+ UNAUTHENTICATE", "x UNAUTHENTICATE\r", "x {14+}\r\nUNAUTHENTICATE",
                                                'x "COMPRESS" DEFLATE',
                                                "x UID\0\r\nx UNAUTHENTICATE", "\rx UNAUTHENTICATE", "x\r\nx UNAUTHENTICATE"))
        for word in ("UNAUTHENTICATE", "COMPRESS", "AUTHENTICATE", "STARTTLS", "XCLIENT"):
            yield from (("sieve", w + rest) for w in cases_of(word)
                        for rest in ("", ' "DEFLATE"', "  ", "\t", " {7+}\r\nDEFLATE", ' "PLAIN" "AGEAYg=="'))
        yield from (("sieve", said) for said in (" UNAUTHENTICATE", '"UNAUTHENTICATE"', "{14+}\r\nUNAUTHENTICATE",
                                                 "\tCOMPRESS \"DEFLATE\""))
        for word in ("COMPRESS DEFLATE", "STLS", "XCLIENT ADDR=192.0.2.1", "AUTH PLAIN", "USER x", "APOP x y"):
            yield from (("pop3", w) for w in cases_of(word))
        yield from (("pop3", said) for said in (" COMPRESS DEFLATE", "COMPRESS\tDEFLATE", "\tSTLS"))
        for word in ("COMPRESS DEFLATE", "STARTTLS", "AUTH PLAIN", "XCLIENT ADDR=192.0.2.1", "XFORWARD ADDR=192.0.2.1"):
            yield from (("submission", w) for w in cases_of(word))
        yield from (("submission", said) for said in (" STARTTLS", "STARTTLS\t", "\tXCLIENT ADDR=192.0.2.1"))

    HIDDEN = re.compile(r"^(\S* )?\s*\"?(UNAUTHENTICATE|COMPRESS|XCLIENT|XFORWARD|STARTTLS|STLS)\b", re.IGNORECASE)

    def test_COMPRESS_and_UNAUTHENTICATE_reach_no_backend_however_they_are_said(self):
        count, clients = 0, {}
        for protocol, said in self.commands():
            client = clients.get(protocol)
            if client is None:
                client = clients[protocol] = self.inside(protocol, f"{protocol}-{count}-{self.user}")
            client.say(said)
            client.say("zz NOOP" if protocol == "imap" else "NOOP")
            wait = self.past(client)
            if not wait:  # it ended, which is an answer, too
                client.close()
                del clients[protocol]
            count += 1
        self.assertGreater(count, 150)
        for session in self.old.sessions:
            if session.user is None or self.user not in session.user:
                continue
            # behind the login, which is the last that may have such a word
            login = max(i for i, line in enumerate(session.said) if "AUTH" in line or line.startswith("PASS"))
            self.assertEqual([], [line for line in session.said[login + 1:] if self.HIDDEN.search(line)], session.protocol)

    def past(self, client):
        """Until the NOOP behind it is answered; False: the connection has ended."""
        client.sock.settimeout(5)
        quiet = {"imap": b"zz OK", "pop3": b"+OK", "submission": b"250", "sieve": b"OK"}[client.protocol]
        while line := client.line():
            if line.startswith(quiet):
                return True
        return False

    def test_COMPRESS_and_UNAUTHENTICATE_pipelined_with_and_behind_the_login(self):
        secret = plain(self.user, "good")
        said = {"imap": f"a AUTHENTICATE PLAIN {secret}\r\nb COMPRESS DEFLATE\r\nc UNAUTHENTICATE\r\nd NOOP\r\n"
                        "e COMPRESS DEFLATE\r\nzz NOOP\r\n",
                "sieve": f'AUTHENTICATE "PLAIN" "{secret}"\r\nUNAUTHENTICATE\r\nCOMPRESS "DEFLATE"\r\nNOOP\r\n'
                         "UNAUTHENTICATE\r\nLOGOUT\r\n",
                "pop3": f"AUTH PLAIN {secret}\r\nCOMPRESS DEFLATE\r\nNOOP\r\nCOMPRESS DEFLATE\r\nQUIT\r\n",
                "submission": f"AUTH PLAIN {secret}\r\nCOMPRESS DEFLATE\r\nNOOP\r\nSTARTTLS\r\nQUIT\r\n"}
        for protocol in PROTOCOLS:
            for step in (len(said[protocol]), 1, 7):
                with self.subTest(protocol, step=step), self.ready(protocol) as client:
                    for at in range(0, len(said[protocol]), step):
                        client.say(said[protocol][at:at + step].encode())
                    if protocol == "imap":
                        self.past(client)
                    else:
                        client.everything(10)
        for session in self.old.of(self.user):
            behind = session.said[max(i for i, line in enumerate(session.said) if secret in line) + 1:]
            self.assertEqual([], [line for line in behind if FORBIDDEN.search(line) or "STARTTLS" in line])
            self.assertTrue(any("NOOP" in line for line in behind), behind)

    def test_no_capability_list_shows_them_in_whatever_form_it_comes(self):
        lists = ("* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE IDLE UNAUTHENTICATE",
                 "* capability IMAP4rev1 Compress=Deflate unauthenticate",
                 "* CAPABILITY COMPRESS=DEFLATE", "* CAPABILITY  COMPRESS=DEFLATE  UNAUTHENTICATE ",
                 "* OK [CAPABILITY COMPRESS=DEFLATE A] Hi",
                 "* ok [capability a UNAUTHENTICATE]", "* NO [CAPABILITY COMPRESS=ZSTD] x",
                 "* BAD [CAPABILITY X COMPRESS=DEFLATE] x",
                 "* BYE [CAPABILITY UNAUTHENTICATE] x", "* CAPABILITY " + "X" * 4000 + " COMPRESS=DEFLATE UNAUTHENTICATE")
        forms = {"imap": [line + "\r\n{tag} OK Done\r\n" for line in lists] + [
                     "{tag} OK [CAPABILITY A COMPRESS=DEFLATE UNAUTHENTICATE] Done\r\n",
                                                                               "{tag} OK [CAPABILITY COMPRESS=DEFLATE]\r\n",
                     "* CAPABILITY A COMPRESS=DEFLATE\n{tag} OK Done\r\n"],
                 "pop3": ["+OK\r\nTOP\r\nCOMPRESS DEFLATE\r\nUIDL\r\n.\r\n", "+OK\r\ncompress\r\nSTLS\r\nXCLIENT\r\n.\r\n",
                          "+OK x\r\nCompress\r\ncompress deflate\r\n.\r\n"],
                 "submission": ["250-home\r\n250-COMPRESS DEFLATE\r\n250-STARTTLS\r\n250-XCLIENT ADDR\r\n250 SIZE 1\r\n",
                                "250-home\r\n250 compress\r\n"],
                 "sieve": ['"IMPLEMENTATION" "x"\r\n"UNAUTHENTICATE"\r\n"COMPRESS" "DEFLATE"\r\nOK\r\n',
                           '{14}\r\nUNAUTHENTICATE\r\n"SIEVE" "x"\r\nOK "x"\r\n', '"un\\authenticate"\r\n"STARTTLS"\r\nOK\r\n',
                           '"compress" {7}\r\nDEFLATE\r\n"SIEVE" "x"\r\nOK {2}\r\nhi\r\n']}
        ask = {"imap": "q CAPABILITY", "pop3": "CAPA", "submission": "EHLO me.example.org", "sieve": "CAPABILITY"}
        end = {"imap": rb"(?m)^q OK", "pop3": rb"(?m)^\.\r$", "submission": rb"(?m)^250 ", "sieve": rb"(?m)^OK"}
        for protocol in PROTOCOLS:
            for form in forms[protocol]:
                client = self.inside(protocol)
                word = ask[protocol].split(" ")[1 if protocol == "imap" else 0]
                self.old.hooks[protocol, word] = lambda s, tag, rest, f=form: s.send(f.replace("{tag}", tag).replace("{5}", ""))
                client.say(ask[protocol])
                said = b""
                while not re.search(end[protocol], said) and (line := client.line()):
                    said += line
                self.old.hooks.clear()
                self.assertNotRegex(said.decode(), FORBIDDEN, (protocol, form[:60]))
                self.assertRegex(said, end[protocol])
                client.close()

    def test_neither_greeting_nor_login_shows_them(self):
        for protocol in PROTOCOLS:
            with self.talk(protocol) as client:
                client.say({"imap": "a CAPABILITY\r\nb LOGOUT", "pop3": "CAPA\r\nQUIT", "submission": "EHLO x\r\nQUIT",
                            "sieve": "CAPABILITY\r\nLOGOUT"}[protocol])
                self.assertNotRegex(client.everything().decode(), FORBIDDEN)
            with self.ready(protocol) as client:
                client.auth("PLAIN", plain(self.user, "good"))
                client.say("z LOGOUT" if protocol == "imap" else "LOGOUT" if protocol == "sieve" else "QUIT")
                self.assertNotRegex(client.everything().decode(), FORBIDDEN)


class Backends(RowsCase):
    frontd_settings = {"login_timeout": 2000}

    def past_the_breakers(self):
        def works(protocol):
            with self.talk(protocol) as client:
                return client.log_in(f"probe-{self.user}", "good") == "in"
        for protocol in PROTOCOLS:
            wait_for(f"{protocol} works", 20, lambda p=protocol: works(p), (self.front.log,))

    def verdicts(self):
        """What a login comes to in each protocol; all at once, because some have to wait for it."""
        def one(protocol):
            with self.talk(protocol) as client:
                return protocol, client.log_in(self.user, "good")
        with futures.ThreadPoolExecutor(len(PROTOCOLS)) as pool:
            return dict(pool.map(one, PROTOCOLS))

    def test_D1_whatever_the_backend_says_no_password_is_called_wrong(self):
        def flood(session):
            session.send(b"+OK " + b"x" * (1 << 20))
            session.read(1)

        def gone(session):
            session.read(1)
            reset(session.sock)

        def silent(session):
            session.read(1 << 20)

        odd = {"a flood": flood, "RST": gone, "silence": silent, "%n": "%n%s%n%s\r\n",
               "HTTP": "HTTP/1.1 400 Bad Request\r\n\r\n",
               "TLS": "\x15\x03\x01\0\x02\x02F", "no end": "+OK ready", "IMAP": "* BYE Not now\r\n",
               "POP3": "-ERR [SYS/TEMP] later\r\n",
               "SMTP": "421 4.3.2 later\r\n", "SIEVE": 'BYE (TRYLATER) "later"\r\n', "a dot": ".\r\n", "NUL": "\0\0\0\0\r\n"}
        for name, greeting in odd.items():
            self.old.greetings = {protocol: greeting for protocol in PROTOCOLS}
            self.assertEqual(dict.fromkeys(PROTOCOLS, "later"), self.verdicts(), name)
            self.calm_down()
            self.past_the_breakers()

    def test_D1_after_the_password_whatever_comes_is_not_called_wrong_either(self):
        words = {"imap": "AUTHENTICATE", "pop3": "AUTH", "submission": "AUTH", "sieve": "AUTHENTICATE"}
        for answer in ("end", "%n%s\r\n", "* BYE x\r\n", "+ \r\n", "", "\0\r\n", "x" * 70000):
            for protocol in PROTOCOLS:
                self.old.hooks[protocol, words[protocol]] = lambda s, tag, rest, a=answer: "end" if a == "end" else s.send(a)
            self.assertEqual(dict.fromkeys(PROTOCOLS, "later"), self.verdicts(), answer[:10])
            self.calm_down()
            self.past_the_breakers()

    def test_D3_both_away_and_then_one_that_comes_and_goes(self):
        for home in self.homes.values():
            home.close()
        self.set_owner("new", f"other-{self.user}")
        began = self.front.log_count("backend_failed .*cannot connect")
        for i in range(40):
            with self.talk("imap") as client:
                self.assertEqual("later", client.log_in(f"other-{self.user}" if i % 2 else self.user, "good"))
        self.assertLess(self.front.log_count("backend_failed .*cannot connect") - began, 30)
        self.new.open()
        stop, seen = time.monotonic() + 4, {"in": 0, "later": 0}
        is_open, last = False, time.monotonic()
        while time.monotonic() < stop:  # the old one flaps; the new one is not to notice
            if time.monotonic() - last > 0.5:
                self.old.close() if is_open else self.old.open()
                is_open, last = not is_open, time.monotonic()
            with self.talk("imap") as client:
                seen[client.log_in(self.user, "good")] += 1
            time.sleep(0.05)
        if not is_open:
            self.old.open()
        self.assertGreater(seen["later"], 0)
        self.past_the_breakers()
        wait_for("the new one works", 20, lambda: Client.log_in(self.talk("imap"), f"other-{self.user}", "good") == "in")


class Ends(RowsCase):
    """Kicks and holds, in the middle of whatever runs."""

    def test_D5_a_kick_during_IDLE_says_BYE_and_leaves_nothing(self):
        self.old.hooks["IDLE"] = lambda s, tag, rest: s.send("+ idling\r\n")
        client = self.inside("imap")
        client.say("i IDLE")
        self.assertRegex(client.line(), rb"^\+")
        self.assertEqual({"ended": 1}, self.front.control(do="kick", account=self.user))
        self.assertRegex(client.everything(), rb"\* BYE \[UNAVAILABLE\]")
        wait_for("the backend has closed", 10, lambda: not self.old.open_of(self.user))

    def test_D5_a_message_that_is_sent_when_the_hold_comes_is_whole_or_was_never_sent(self):
        for finishes in (True, False):
            with self.subTest(finishes=finishes):
                user = f"{finishes}-{self.user}".lower()
                client = self.inside("submission", user)
                for word in (f"MAIL FROM:<{user}>", "RCPT TO:<x@example.org>", "DATA"):
                    client.say(word)
                    self.assertRegex(client.answer(), rb"^[23]")
                client.say(b"Subject: x\r\n\r\n" + b"line\r\n" * 1000)
                flip = threading.Thread(target=self.flip, kwargs={"user": user, "wait": 20})
                flip.start()
                self.wait_phases(["ending"], user)
                if finishes:
                    client.say(b"line\r\n" * 1000 + b".\r\n")
                    said = client.everything()
                    self.assertRegex(said, rb"^250 [^\r]*\r\n421 4\.3\.2 ")
                else:
                    self.assertNotRegex(client.everything(), rb"^250")  # it stalls, and is cut
                flip.join()
                messages = [lines for who, lines in self.old.messages if who == user]
                self.assertEqual([2002] if finishes else [], messages)
                self.assertEqual([], self.old.open_of(user))

    def test_D5_a_kick_in_each_protocol_while_a_command_runs(self):
        for protocol in ("imap", "pop3", "sieve", "submission"):
            gate, word = threading.Event(), {"imap": "SEARCH", "pop3": "LIST", "sieve": "LISTSCRIPTS",
                                             "submission": "VRFY"}[protocol]
            answer = {"imap": "{} OK Late\r\n", "pop3": "+OK Late\r\n.\r\n", "sieve": 'OK "Late"\r\n',
                      "submission": "252 Late\r\n"}[protocol]
            self.old.hooks[protocol, word] = lambda s, tag, rest, a=answer, g=gate: (g.wait(20), s.send(a.format(tag)))[2:]
            client = self.inside(protocol)
            client.say({"imap": "s SEARCH ALL", "pop3": "LIST", "sieve": "LISTSCRIPTS", "submission": "VRFY x"}[protocol])
            wait_for("it runs", 10, lambda: any(word in line for s in self.old.open_of(self.user) for line in s.said))
            self.assertEqual({"ended": 1}, self.front.control(do="kick", account=self.user))
            self.assertEqual(["ending"], self.phases(self.user))
            gate.set()
            said = client.everything()
            self.assertIn(b"Late", said, protocol)
            self.assertRegex(said,
                             {"imap": rb"\* BYE", "pop3": rb"Late\r\n\.\r\n$", "sieve": rb"BYE \(TRYLATER\)",
                              "submission": rb"421 4"}[protocol])
            self.wait_gone()


class Many(RowsCase):
    frontd_settings = {"max_per_account": 2000, "max_per_address": 5000, "end_timeout": 10000}

    def test_D6_a_hold_of_an_account_with_many_sessions_is_confirmed_when_the_last_has_gone(self):
        clients = [self.inside("imap") for _ in range(SESSIONS)]
        others = [self.inside("imap", f"other{i}-{self.user}") for i in range(20)]
        self.assertEqual(SESSIONS, len(self.old.open_of(self.user)))
        began = time.monotonic()
        self.flip(wait=30)
        self.figures(f"D6 sessions={SESSIONS} confirmed_s={time.monotonic() - began:.2f}")
        self.assertEqual([], self.old.open_of(self.user))
        for client in clients:
            self.assertRegex(client.everything(), rb"^\* BYE \[UNAVAILABLE\]")
        self.assertTrue(all(b"OK" in client.noop() for client in others))
        self.assertEqual(20, sum(len(self.old.open_of(f"other{i}-{self.user}")) for i in range(20)))


if __name__ == "__main__":
    unittest.main()
