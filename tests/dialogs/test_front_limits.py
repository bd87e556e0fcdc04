"""How many splitmx-frontd lets in, what it keeps over reload, upgrade, drain and a killed worker, and what it must not keep."""

import base64
import contextlib
import json
import os
import resource
import signal
import socket
import threading
import time
import unittest

import openmetrics
from front_case import PASSWORD, FrontCase
from lab import FULL, wait_for
from lab.certs import Authority
from lab.core import process_is_alive
from test_metrics import port_pair

LOGINS = 20000 if FULL else 2000
SESSIONS = 1000 if FULL else 200


class Crowds(FrontCase):
    """Each limit lets so many in, and is given back once, whichever way they leave."""

    frontd_settings = {"max_per_address": 6, "max_per_account": 3, "max_parked_per_address": 2, "login_timeout": 2000}

    def test_connections_from_one_address(self):
        for way in ("close", "reset", "logout", "stay"):
            with self.subTest(way):
                crowd = [self.client() for _ in range(6)]
                self.assertTrue(all(client.line().startswith(b"* OK") for client in crowd))
                self.assertRegex(self.client().everything(), rb"^\* BYE \[LIMIT\]")
                for i, client in enumerate(crowd):
                    if way == "reset":
                        client.reset()
                    elif way == "logout":
                        self.assertRegex(client.ask("a LOGOUT"), rb"^a OK")
                    elif way == "close":
                        client.close()
                    else:
                        client.everything()  # until it was too slow
                self.wait_nobody()

    def test_sessions_count_as_connections_until_their_backend_has_closed(self):
        gate = self.old.gate("close")
        crowd = [self.session(f"user{i}-{self.user}") for i in range(6)]
        self.assertRegex(self.client().everything(), rb"^\* BYE \[LIMIT\]")
        for client in crowd:
            client.say("b LOGOUT")
            client.until("b")
        self.assertRegex(self.client().everything(), rb"^\* BYE \[LIMIT\]")
        gate.set()
        self.wait_nobody()
        for _ in range(3):
            with self.session():
                pass
            self.wait_nobody()

    def test_sessions_of_one_account(self):
        crowd = [self.session() for _ in range(3)]
        with self.client() as client:
            self.assertRegex(client.login(self.user, PASSWORD), rb"^\* BYE \[LIMIT\]")
        self.session(f"other-{self.user}")
        crowd[0].reset()
        self.wait_phases(["running", "running"], self.user)
        self.session()

    def test_logins_of_one_account_at_the_same_moment(self):
        gate = self.old.gate("login")
        crowd = [self.client() for _ in range(6)]
        for client in crowd:
            client.line()
            client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
        self.old.wait_said(self.user, "A", 6)
        gate.set()
        answers = sorted(client.line()[:11] for client in crowd)
        self.assertEqual([b"* BYE [LIMI"] * 3 + [b"a OK Logged"] * 3, answers)

    def test_C10_parked_logins_from_one_address(self):
        self.hold()
        for _ in range(2):
            parked = [self.client() for _ in range(2)]
            for client in parked:
                client.line()
                client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
            self.wait_phases(["parked", "parked"], self.user)
            with self.client() as client:
                self.assertRegex(client.login(self.user, PASSWORD), rb"^\* BYE \[LIMIT\]")
            parked[0].reset()
            parked[1].close()
            self.wait_nobody()
        self.release()

    def test_parked_logins_that_go_on_are_counted_no_more(self):
        for _ in range(3):
            self.hold()
            parked = [self.client() for _ in range(2)]
            for client in parked:
                client.line()
                client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
            self.wait_phases(["parked", "parked"], self.user)
            self.release()
            for client in parked:
                self.assertRegex(client.line(), rb"^a OK")
                client.close()
            self.wait_nobody()


class Crowded(FrontCase):
    """So many may be on their way to their login, and who comes then is told so."""

    frontd_settings = {"max_logins": 3, "login_timeout": 10000}

    def test_logins_under_way(self):
        crowd = [self.client() for _ in range(3)]
        self.assertTrue(all(client.line().startswith(b"* OK") for client in crowd))
        for _ in range(3):
            self.assertRegex(self.client().everything(), rb"^\* BYE \[LIMIT\]")
        self.assertEqual(1, self.front.log_count("login_crowded"))
        crowd[0].say(f'a LOGIN "{self.user}" "{PASSWORD}"')
        self.assertRegex(crowd[0].line(), rb"^a OK")  # is on its way no more
        self.assertRegex(self.client().line(), rb"^\* OK")
        self.assertRegex(self.client().everything(), rb"^\* BYE \[LIMIT\]")
        before = self.front.control(do="status")["reloads"]
        self.front.settings["frontd"]["max_logins"] = 4
        self.front.write_config()
        self.front.reload()
        wait_for("it has reloaded", 10, lambda: self.front.control(do="status")["reloads"] > before, (self.front.log,))
        self.assertRegex(self.client().line(), rb"^\* OK")
        self.assertRegex(self.client().everything(), rb"^\* BYE \[LIMIT\]")


class CrowdedTls(FrontCase):
    """Before the handshake nobody can be told that there are too many; whoever runs it must see that it is so."""

    frontd_settings = {"max_logins": 2, "max_per_address": 3, "login_timeout": 10000}
    listen = [("imap", "none"), ("imap", "implicit")]

    @classmethod
    def adjust(cls, settings):
        certificate, key = Authority(cls.lab).sign("localhost")
        cls.port = port_pair(cls.lab)
        settings["frontd"].update(certificates=[{"cert_file": certificate, "key_file": key}],
                                  metrics=f"inet:127.0.0.1:{cls.port}")

    def turned_away(self):
        """By max_logins, by max_per_address: the same in the numbers and in the status."""
        numbers = openmetrics.read(openmetrics.scrape(self.port)[2])
        status = self.front.control(do="status")["logins"]["imap"]["turned_away"]
        counts = tuple(openmetrics.value(numbers, "splitmx_frontd_turned_away", "_total", protocol="imap", limit=limit)
                       for limit in ("max_logins", "max_per_address"))
        self.assertEqual((status["max_logins"], status["max_per_address"]), counts)
        return counts

    def nothing_is_said(self):
        with self.front.dial("imap", "implicit") as client:
            client.settimeout(20)
            self.assertEqual(b"", client.recv(1))

    def test_who_is_not_even_shaken_hands_with_is_logged_and_counted(self):
        self.assertEqual((0, 0), self.turned_away())
        crowd = [self.client() for _ in range(2)]
        self.assertTrue(all(client.line().startswith(b"* OK") for client in crowd))
        for count in range(1, 4):
            self.nothing_is_said()
            self.assertEqual((count, 0), self.turned_away())
        port = self.front.ports["imap", "implicit"]
        self.assertEqual(1, self.front.log_count(f"login_crowded listener=inet:127.0.0.1:{port} "))  # in this minute
        self.assertEqual(3, self.front.log_count("login_ended .*from=127.0.0.1:[1-9].*why=too_many"))
        self.assertRegex(self.client().everything(), rb"^\* BYE \[LIMIT\]")
        self.assertEqual((4, 0), self.turned_away())
        for client in crowd:
            client.close()
        self.wait_nobody()
        sessions = [self.session(f"{i}-{self.user}") for i in range(3)]
        self.nothing_is_said()
        self.assertRegex(self.client().everything(), rb"^\* BYE \[LIMIT\]")
        self.assertEqual((4, 2), self.turned_away())
        self.assertTrue(all(session.is_open() for session in sessions))
        self.assertEqual(6, self.front.log_count("login_ended .*from=127.0.0.1:[1-9].*why=too_many"))


class Descriptors(FrontCase):
    def test_D9_a_worker_without_descriptors_serves_whom_it_has_and_recovers(self):
        with self.session(f"first-{self.user}") as first:
            before, worker = self.descriptors(), self.worker()
            _, most = resource.prlimit(worker, resource.RLIMIT_NOFILE)
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (before + 7, most))
            crowd = [self.client() for _ in range(20)]  # the kernel lets them wait
            for client in crowd:
                client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
            time.sleep(1)
            self.assertTrue(first.is_open())
            answered = 0
            for client in crowd:
                client.sock.settimeout(0.05)
                with contextlib.suppress(socket.timeout):
                    client.line()
                    self.assertRegex(client.line(), rb"^a (OK|NO \[UNAVAILABLE\])")
                    answered += 1
                client.close()
            self.assertGreater(answered, 0)
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (most, most))
            self.assertTrue(first.is_open())
        self.wait_nobody(20)

        def works():
            with self.client() as client:
                return client.login(self.user, PASSWORD).startswith(b"a OK")
        wait_for("logins work again", 20, works, (self.front.log,))
        wait_for("all descriptors are back", 10, lambda: self.descriptors() <= before, (self.front.log,))


class Changes(FrontCase):
    """Sessions stay through whatever happens to the settings and to the program."""

    frontd_settings = {"drain_timeout": 20000}

    def reloads(self):
        return self.front.control(do="status")["reloads"]

    def reload(self):
        before = self.reloads()
        self.front.reload()
        wait_for("it has reloaded", 10, lambda: self.reloads() > before, (self.front.log,))

    def test_D10_sessions_and_logins_live_through_reloads(self):
        clients = [self.session(f"user{i}@example.org") for i in range(50)]
        gate = self.old.gate("login")
        late = self.client()
        late.line()
        late.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
        self.old.wait_said(self.user, "A")
        with open(self.front.config, encoding="utf-8") as f:
            good = f.read()
        for i in range(10):
            self.front.settings["frontd"]["max_per_account"] = 500 + i
            self.front.write_config()
            self.reload()
        lines = self.front.log_count("")
        for broken in ("domains = (", good.replace('"old"', '"ol d"'), good.replace("inet:127.0.0.1:", "inet:nowhere:", 1),
                       good.replace('protocol = "imap"', 'protocol = "gopher"'), ""):
            with open(self.front.config, "w", encoding="utf-8") as f:
                f.write(broken)
            self.front.reload()
            wait_for("it says why not", 10, lambda: self.front.log_count("") > lines, (self.front.log,))
            lines = self.front.log_count("")
        gate.set()
        self.assertRegex(late.line(), rb"^a OK")
        self.assertTrue(all(client.is_open() for client in clients))
        with open(self.front.config, "w", encoding="utf-8") as f:
            f.write(good)
        self.reload()
        self.assertTrue(late.is_open())
        with self.session("fresh@example.org"):
            self.assertEqual(52, len(self.phases()))

    def test_D10_many_reloads_at_once(self):
        clients = [self.session(f"user{i}@example.org") for i in range(20)]
        before, descriptors = self.reloads(), self.descriptors()
        for _ in range(300):
            self.front.reload()
        with self.session():
            pass
        wait_for("it has reloaded", 20, lambda: self.reloads() > before, (self.front.log,))
        self.assertTrue(all(client.is_open() for client in clients))
        for _ in range(20):
            before = self.reloads()
            self.front.reload()
            wait_for("it has reloaded", 20, lambda: self.reloads() > before, (self.front.log,))
        wait_for("all descriptors are back", 10, lambda: self.descriptors() <= descriptors, (self.front.log,))

    def test_D10_a_listener_that_goes_leaves_its_sessions(self):
        client, talking = self.session(), self.client()
        talking.line()
        listen = list(self.front.settings["frontd"]["listen"])
        port = self.lab.port()
        self.front.settings["frontd"]["listen"] = [{**listen[0], "address": f"inet:127.0.0.1:{port}"}]
        self.front.write_config()
        self.reload()
        with self.assertRaises(OSError):
            self.client()
        self.assertTrue(client.is_open())
        self.assertRegex(talking.ask(f'a LOGIN "late-{self.user}" "{PASSWORD}"'), rb"^a OK")
        self.front.settings["frontd"]["listen"] = listen
        self.front.write_config()
        self.reload()
        self.session(f"again-{self.user}")
        self.assertTrue(client.is_open())


class Upgrades(FrontCase):
    frontd_settings = {"drain_timeout": 20000}

    def test_D10_a_new_binary_takes_over_and_old_sessions_finish(self):
        clients = [self.session(f"user{i}@example.org") for i in range(50)]
        worker = self.worker()
        self.front.process.signal(signal.SIGUSR2)
        wait_for("another serves", 20, lambda: self.front.log_count(r"\bupgraded pid="), (self.front.log,))
        successor = int(self.front.log_lines(r"\bupgraded pid=")[0].rpartition("=")[2])
        with self.session("newcomer@example.org"):
            self.assertTrue(all(client.is_open() for client in clients))
            self.set_owner("new", "user0@example.org")  # the old worker still hears of flips
            self.assertRegex(clients[0].everything(), rb"BYE \[UNAVAILABLE\]")
            for client in clients:
                client.close()
            wait_for("the old worker has gone", 20, lambda: not process_is_alive(worker), (self.front.log,))
        os.kill(successor, signal.SIGTERM)
        wait_for("the successor ends", 10, lambda: not process_is_alive(successor), (self.front.log,))


class Drains(FrontCase):
    frontd_settings = {"drain_timeout": 3000, "max_per_address": 2 * SESSIONS}

    def is_shut(self):
        """The listener is closed: not at the same moment in which clients are told."""
        try:
            self.front.dial("imap").close()
        except OSError:
            return True
        return False

    def test_D10_SIGTERM_lets_sessions_end_and_tells_those_that_do_not(self):
        clients = [self.session(f"user{i}@example.org") for i in range(SESSIONS)]
        talking = self.client()
        talking.line()
        self.hold("held@example.org")
        parked = self.client()
        parked.line()
        parked.say(f'a LOGIN "held@example.org" "{PASSWORD}"')
        self.wait_phases(["parked"], "held@example.org")
        self.front.process.signal(signal.SIGTERM)
        began = time.monotonic()
        for client in (talking, parked):
            self.assertRegex(client.everything(), rb"^\* BYE")
        self.assertLess(time.monotonic() - began, 2)
        wait_for("nobody is let in", 2, self.is_shut, (self.front.log,))
        self.assertTrue(all(client.is_open() for client in clients))
        for client in clients[:SESSIONS // 2]:
            self.assertRegex(client.ask("b LOGOUT"), rb"^b OK")
        ends = [client.everything() for client in clients[SESSIONS // 2:]]
        self.assertEqual({True}, {end.startswith(b"* BYE [UNAVAILABLE]") for end in ends}, ends[:3])
        self.assertLess(time.monotonic() - began, 10)
        wait_for("it has ended", 10, lambda: not self.front.process.is_alive(), (self.front.log,))
        self.front.start()


class Workers(FrontCase):
    frontd_settings = {"workers": 2}

    def test_a_killed_worker_costs_only_its_sessions(self):
        pids = self.front.worker_pids()
        self.assertEqual(2, len(pids))
        clients = [self.session(f"user{i}@example.org") for i in range(60)]
        held = {}
        for slot in range(2):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(os.path.join(self.front.run_dir, f"frontd-{slot}.ctl"))
                s.sendall(json.dumps({"do": "sessions"}).encode() + b"\n")
                sessions = json.loads(s.makefile().readline())["sessions"]
            held[slot] = {session["account"] for session in sessions}
        self.assertEqual(60, len(held[0] | held[1]))
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(self.front.run_dir, "frontd-0.ctl"))
            s.sendall(json.dumps({"do": "status"}).encode() + b"\n")
            victim = json.loads(s.makefile().readline())["pid"]
        os.kill(victim, signal.SIGKILL)
        lost = {f"user{i}@example.org" for i, client in enumerate(clients) if not client.is_open()}
        self.assertEqual(held[0], lost)
        for i in range(20):
            self.session(f"again{i}@example.org")
        wait_for("there are two again", 10, lambda: len(self.front.worker_pids()) == 2 and
                 victim not in self.front.worker_pids(), (self.front.log,))


class Growth(FrontCase):
    frontd_settings = {"max_per_address": 1000}

    def many(self, count):
        """So many logins, each in a way of its own; four at a time."""
        def some(first):
            for i in range(first, count, 4):
                with self.client() as client:
                    if i % 7 == 0:
                        client.login(f"user{i % 50}@example.org", PASSWORD + "-wrong")
                    if i % 11 == 0:
                        continue
                    client.login(f"user{i % 50}@example.org", PASSWORD)
                    if i % 5 == 0:
                        client.say("b STREAM 100000")
                    if i % 13 == 0:
                        client.reset()
                    elif i % 2 == 0:
                        client.ask("c LOGOUT")
        clients = [threading.Thread(target=some, args=(first,)) for first in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(300)
        self._cleanups = [entry for entry in self._cleanups if entry[0].__name__ != "close"]
        self.wait_nobody(20)

    def test_logins_without_number_leave_nothing_behind(self):
        self.old.hooks["AUTHENTICATE"] = self.judge
        self.many(LOGINS // 4)
        wait_for("the last orphans have gone", 20, lambda: self.settled())
        descriptors, before = self.descriptors(), self.resident_kib()
        self.many(LOGINS)
        wait_for("the last orphans have gone", 20, lambda: self.settled())
        self.assertLessEqual(self.descriptors(), descriptors + 2)
        self.assertLess(self.resident_kib() - before, 2048)
        status = self.front.status()
        self.assertEqual([0, 0], [status["sessions"], status["logins_under_way"]])
        self.assertEqual(0, sum(status["map"]["claims"][state] for state in ("sure", "unsure", "ending")))

    def settled(self):
        """No more descriptors go away."""
        before = self.descriptors()
        time.sleep(2.5)
        return self.descriptors() >= before

    def judge(self, session, tag, rest):
        wrong = base64.b64decode(rest.split(" ")[2]).endswith(b"-wrong")
        session.send(f"{tag} NO Wrong\r\n" if wrong else f"{tag} OK Logged in\r\n")


class Secrets(FrontCase):
    main_settings = {"log": {"to": "stderr", "level": "debug"}}

    def test_C21_no_secret_in_log_status_or_core(self):
        encoded = "AGFubkBleGFtcGxlLm9yZwBuZXZlci10by1iZS1zZWVuLVhxNw=="  # "\0ann@example.org\0" and the password
        self.old.hooks["NOOP"] = lambda session, tag, rest: session.send(f"{tag} OK {PASSWORD}\r\n")
        with self.session() as client:
            client.ask("b NOOP")
            status = json.dumps([self.front.control(do="status"), self.front.sessions()])
        with self.client() as client:
            client.line()
            self.assertRegex(client.ask(f"a AUTHENTICATE PLAIN {encoded}"), rb"^a OK")
        for way in ("NO", "BAD", "NO [ALERT]"):  # a backend that repeats what it heard
            self.old.hooks["AUTHENTICATE"] = lambda session, tag, rest: session.send(f"{tag} {way} {PASSWORD} {rest}\r\n")
            with self.client() as client:
                client.login(self.user, PASSWORD)
        self.old.hooks["AUTHENTICATE"] = lambda session, tag, rest: session.send(f"* BYE {PASSWORD}\r\n")
        with self.client() as client:
            client.login(self.user, PASSWORD)
        self.old.hooks["AUTHENTICATE"] = lambda session, tag, rest: session.send(f"{rest}\r\n")
        with self.client() as client:
            client.login(self.user, PASSWORD)
            client.say(f'LOGIN "{self.user}" "{PASSWORD}"')  # the tag is missing
            client.say(f'x LOGIN "{self.user}" "{PASSWORD}" "{PASSWORD}"')
            client.say(f"{PASSWORD}")
            client.ask("z LOGOUT")
        self.wait_nobody()
        with open(self.front.log, encoding="utf-8", errors="backslashreplace") as f:
            log = f.read()
        self.assertGreater(len(log), 1000)
        for secret in (PASSWORD, encoded, encoded[-16:]):
            self.assertNotIn(secret, log)
            self.assertNotIn(secret, status)
        self.assertEqual(0, self.dumpable())

    def dumpable(self):
        """Bytes that a core would have: the descriptors of a process that is not dumpable are root's."""
        with open(f"/proc/{self.worker()}/limits", encoding="ascii") as f:
            core = next(line for line in f if line.startswith("Max core file size")).split()[4]
        owner = os.stat(f"/proc/{self.worker()}/fd").st_uid
        return 0 if owner == 0 or core == "0" else 1


class Memory(FrontCase):
    def test_C22_nothing_of_a_password_stays_in_memory(self):
        self.old.hooks["AUTHENTICATE"] = lambda session, tag, rest: session.send(f"{tag} NO Wrong\r\n")
        with self.client() as client:
            client.login(self.user, PASSWORD)
        self.calm_down()
        gone = self.client()  # in the middle of its password
        gone.line()
        gone.say(f'a LOGIN "{self.user}" "{PASSWORD}'.encode())
        gone.close()
        with self.session() as client:
            found = [where for where, data in self.memory() if PASSWORD.encode() in data]
            self.assertTrue(client.is_open())
        self.assertEqual([], found)

    def memory(self):
        """What can be read of the worker's memory (we are root)."""
        pid = self.worker()
        with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in maps:
                span, mode = line.split()[:2]
                low, high = (int(end, 16) for end in span.split("-"))
                if "rw" not in mode or high - low > 1 << 30:
                    continue
                try:
                    mem.seek(low)
                    yield line.strip(), mem.read(high - low)
                except (OSError, ValueError, OverflowError):
                    continue


if __name__ == "__main__":
    unittest.main()
