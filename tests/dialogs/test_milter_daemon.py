"""splitmx-milter as a daemon: policyd comes and goes, reload, drain, upgrade, killed workers, limits, numbers."""

import os
import re
import signal
import socket
import threading

import openmetrics
from lab import LabCase, wait_for
from lab.core import process_is_alive
from lab.milter import KEYS, Milter
from milter_case import HELD, MilterCase, TROUBLE
from test_metrics import port_pair


class PolicydAway(MilterCase):
    milter_settings = {"policyd_timeout": 20000}

    def ask(self, address="ann@example.org"):
        with self.session() as client:
            client.mail()
            return client.rcpt(address)

    def test_it_is_not_there_and_comes_back(self):
        self.policyd.stop()
        self.assertEqual(TROUBLE, self.ask())
        self.assertEqual(TROUBLE, self.ask("someone@foreign.invalid"))  # who knows
        self.policyd.start()
        self.assertEqual(b"c", self.ask())
        # The first of them is told at once, the others are a number.
        self.assertEqual(1, self.milter.log_count("question_in_trouble "))

    def test_it_is_started_anew_while_a_session_goes_on(self):
        with self.session() as client:
            client.mail()
            for _ in range(3):
                self.assertEqual(b"c", client.rcpt("ann@example.org"))
                self.policyd.stop()
                self.policyd.start()
            self.assertEqual(b"c", client.end()[1])
        self.assertEqual(3, len(self.policyd.reports[0]["accounts"]))

    def test_what_it_says_is_no_answer(self):
        for reply in (b"OK {}", b"OK", b"NOTFOUND ", b"TEMP no Redis", b"PERM no such map", b"",
                      b"OK {\"verdict\": \"found\"}", b"OK [" * 1000, b"OK \xff\xfe", b"OK " + b"x" * 99000):
            with self.subTest(reply[:30]):
                self.policyd.deed = lambda connection, question: self.policyd.say(connection, reply) or True
                self.assertEqual(TROUBLE, self.ask())

    def test_what_it_sends_is_no_netstring(self):
        for reply in (b"garbage\n", b"-1:x,", b"99999999999999999999:", b"3:abcd", b"3:OK ,3:OK ,", b"200000:" + b"x" * 1000):
            with self.subTest(reply[:30]):
                self.policyd.deed = lambda connection, question: connection.sendall(reply) or True
                self.assertEqual(TROUBLE, self.ask())
        self.policyd.deed = None
        self.assertEqual(b"c", self.ask())

    def test_it_closes_in_place_of_an_answer(self):
        self.policyd.deed = lambda connection, question: False
        self.assertEqual(TROUBLE, self.ask())

    def test_a_late_answer_is_nobody_elses(self):
        """The milter has given up, so its next question is answered on another connection."""
        self.milter.change(policyd_timeout=200)
        self.reload()
        asked, late = threading.Event(), threading.Event()

        def answer_late(connection, question):
            asked.set()
            late.wait(20)
            self.policyd.say(connection, b'OK {"verdict": "absent"}')
            return True
        self.policyd.deed = answer_late
        self.assertEqual(TROUBLE, self.ask())
        self.assertTrue(asked.is_set())
        self.policyd.deed = None
        late.set()
        self.milter.change(policyd_timeout=20000)
        self.reload()
        self.assertEqual("550 5.1.1 User unknown", self.ask("gone@example.org"))

    def reload(self):
        before = self.milter.status()["reloads"]
        self.milter.reload()
        wait_for("it has reloaded", 10, lambda: self.milter.status()["reloads"] > before, (self.milter.log,))

    def test_so_many_wait_and_no_more(self):
        self.milter.change(policyd_waiting=4, policyd_connections=2)
        self.reload()
        gate = threading.Event()

        def answer(connection, question):
            gate.wait(20)
            self.policyd.say(connection, self.policyd.answer(question))
            return True
        self.policyd.deed = answer
        crowd = [self.session() for _ in range(10)]

        def seen():
            numbers = self.milter.status()["policyd"]
            return numbers["waiting"] + numbers["refused"] - refused
        refused = self.milter.status()["policyd"]["refused"]
        # One after the other: of two at once libmilter may let one wait for a thread.
        for count, client in enumerate(crowd, 1):
            client.mail()
            client.packet(b"R", "<ann@example.org>")
            wait_for(f"{count} have asked", 10, lambda count=count: seen() == count, (self.milter.log,))
        self.assertEqual(6, self.milter.status()["policyd"]["refused"] - refused)
        self.assertEqual({"connections": 2, "waiting": 4}.items(),
                         {k: v for k, v in self.milter.status()["policyd"].items() if k in ("connections", "waiting")}.items())
        gate.set()
        told = [client.said() for client in crowd]
        self.assertEqual((4, 6), (told.count(b"c"), told.count(TROUBLE)))
        self.milter.change(policyd_waiting=500, policyd_connections=16)
        self.reload()


class Reloads(MilterCase):
    listeners = 2
    milter_settings = {"mode": "0600"}

    def reload(self, ok=True, **settings):
        self.milter.change(**settings)
        lines = self.milter.log_count("reloaded|reload_refused|worker_kept_old_settings")
        self.milter.reload()
        wait_for("the reload is over", 10, lambda: self.milter.log_count("reloaded|reload_refused|worker_kept_old") > lines,
                 (self.milter.log,))

    def test_a_reload_counts_for_messages_that_begin_later(self):
        with self.session() as begun, self.session(1) as other:
            begun.mail()
            self.reload(defers_held=True)
            self.assertEqual(b"c", begun.rcpt("held@example.org"))
            other.mail()
            self.assertEqual(HELD, other.rcpt("held@example.org"))
            begun.abort()
            begun.mail()
            self.assertEqual(HELD, begun.rcpt("held@example.org"))
            self.reload(defers_held=False)

    def test_keys_that_cannot_be_read_change_nothing(self):
        for what, keys, mode in (("nothing", "", 0o600), ("no key", "2026b 00\n", 0o600), ("open", KEYS, 0o644),
                                 ("long", "#" * 20000, 0o600)):
            with self.subTest(what):
                self.lab.write("milter/trace.keys", keys, mode)
                before = self.milter.log_count("reload_failed")
                self.reload(defers_held=True)
                wait_for("both have refused", 10, lambda: self.milter.log_count("reload_failed") >= before + 2)
                with self.session() as client:
                    client.mail()
                    self.assertEqual(b"c", client.rcpt("held@example.org"))
        self.assertFalse(self.milter.log_lines(KEYS.split()[1]))
        self.lab.write("milter/trace.keys", KEYS, 0o600)
        self.reload(defers_held=False)

    def test_listeners_need_a_restart_and_stay(self):
        other = self.lab.path("s", "other")
        self.reload(listen=[f"unix:{other}"])
        self.assertTrue(self.milter.log_lines("setting_needs_restart setting=milter.listen"))
        self.assertFalse(os.path.exists(other))
        for number in (0, 1):
            with self.session(number) as client:
                self.assertEqual(b"c", client.message("ann@example.org")[2])
        self.reload(listen=self.milter.listen)

    def test_the_mode_changes_with_a_reload(self):
        path = self.milter.place()
        self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
        self.reload(mode="0660")
        self.assertEqual(0o660, os.stat(path).st_mode & 0o777)
        self.reload(mode="0600")

    def test_nothing_of_libmilters_own_is_left(self):
        self.assertEqual({"milter-0.ctl", "milter-1.ctl"}, set(os.listdir(self.milter.run_dir)))


class Life(MilterCase):
    """Each test has a milter of its own: most of them end it."""

    milter_settings = {"drain_timeout": 20000}

    def setUp(self):
        super().setUp()
        if not self.milter.process:
            self.milter.start()
        self.addCleanup(self.milter.stop)

    def test_a_session_goes_on_while_it_drains(self):
        """Each step of a message is still taken; who has not begun finds nobody."""
        client = self.session()
        client.mail()
        self.milter.process.signal(signal.SIGTERM)
        wait_for("the socket is gone", 10, lambda: not os.path.exists(self.milter.place()))
        worker = self.milter.worker_pids()[0]
        wait_for("its listener is closed", 10, lambda: self.listens(worker) == 0)
        self.assertEqual(b"c", client.rcpt("ann@example.org"))
        self.assertEqual(b"c", client.end()[1])
        self.assertTrue(process_is_alive(self.milter.pid))
        client.quit()
        self.assertEqual(0, self.milter.process.popen.wait(10))
        self.assertFalse(self.milter.log_lines("worker_killed"))

    def listens(self, worker):
        """How many sockets with a path of ours this process still listens at."""
        with open("/proc/net/unix", encoding="ascii", errors="replace") as f:
            ours = {line.split()[6] for line in f if line.rstrip().endswith(self.milter.place())
                    and int(line.split()[3], 16) & 0x10000}
        found = 0
        for fd in os.listdir(f"/proc/{worker}/fd"):
            try:
                link = os.readlink(f"/proc/{worker}/fd/{fd}")
            except OSError:
                continue
            found += re.sub(r"\D", "", link) in ours
        return found

    def test_the_time_to_drain_has_an_end(self):
        self.milter.stop()
        self.milter.change(drain_timeout=300)
        self.addCleanup(self.milter.change, drain_timeout=20000)
        self.milter.start()
        client = self.session()
        client.mail()
        self.milter.process.signal(signal.SIGTERM)
        self.assertTrue(client.is_closed(10))
        self.assertEqual(0, self.milter.process.popen.wait(10))
        self.assertTrue(self.milter.log_lines("drain_cut slot=0 after_ms=300"))

    def test_a_signal_to_a_worker_is_its_own_not_libmilters(self):
        """SIGTERM drains it, SIGHUP and SIGINT at the same time included: the session is not cut off."""
        client = self.session()
        client.mail()
        worker = self.worker()
        for signo in (signal.SIGHUP, signal.SIGTERM, signal.SIGTERM):
            os.kill(worker, signo)
        self.assertEqual(b"c", client.rcpt("ann@example.org"))
        self.assertEqual(b"c", client.end()[1])
        client.quit()
        wait_for("it has ended", 10, lambda: not process_is_alive(worker))
        self.assertFalse(self.milter.log_lines("milter_ended"))
        with self.session() as client:  # of its successor
            self.assertEqual(b"c", client.message("ann@example.org")[2])

    def test_a_new_binary_takes_over_and_refuses_nobody(self):
        old = self.session()
        old.mail()
        master = self.milter.pid
        self.milter.process.signal(signal.SIGUSR2)
        (line,) = wait_for("it is upgraded", 20, lambda: self.milter.log_lines("upgraded pid="), (self.milter.log,))
        successor = int(re.search(r"upgraded pid=(\d+)", line)[1])
        with self.session() as client:
            self.assertEqual(b"c", client.message("ann@example.org")[2])
            self.assertEqual(successor, self.milter.status()["master"])
        self.assertEqual(b"c", old.rcpt("ann@example.org"))
        self.assertEqual(b"c", old.end()[1])
        old.quit()
        self.assertEqual(0, self.milter.process.popen.wait(20))
        self.assertNotEqual(master, successor)
        os.kill(successor, signal.SIGTERM)
        wait_for("the new one has ended", 20, lambda: not process_is_alive(successor), (self.milter.log,))

    def test_a_killed_worker_refuses_nobody(self):
        for _ in range(3):
            os.kill(self.worker(), signal.SIGKILL)
            with self.session() as client:
                self.assertEqual(b"c", client.message("ann@example.org")[2])


class Limits(MilterCase):
    milter_settings = {"max_sessions": 5, "idle_timeout": 1000}

    def test_so_many_sessions_and_no_more(self):
        crowd = [self.session() for _ in range(5)]
        with self.assertRaises((EOFError, ConnectionError)):
            self.session()
        self.assertTrue(self.milter.log_lines('session_refused why="there are max_sessions" more=0'))
        crowd[0].close()
        wait_for("one has gone", 10, lambda: self.milter.status()["sessions"]["now"] == 4)
        with self.session() as client:
            self.assertEqual(b"c", client.message("ann@example.org")[2])


class Tcp(LabCase):
    def test_inet_and_unix_side_by_side_and_their_numbers(self):
        from lab.milter import ScriptedPolicyd
        from milter_case import PEOPLE
        policyd, port = ScriptedPolicyd(self.lab, dict(PEOPLE)), port_pair(self.lab)
        listen = [f"inet:127.0.0.1:{self.lab.port()}", f"unix:{self.lab.path('s', 'm')}"]
        milter = Milter(self.lab, policyd.path, listen=listen, milter={"metrics": f"inet:127.0.0.1:{port}"})
        for number in (0, 1):
            with milter.session(number) as client:
                client.message("ann@example.org", "gone@example.org", "dark@example.org")
                status, _, text = openmetrics.scrape(port + number)
                self.assertEqual(200, status)
                families = openmetrics.read(text)
                worker = {"worker": str(number)}

                def value(name, suffix="_total", **labels):
                    return openmetrics.value(families, name, suffix, **worker, **labels)
                self.assertEqual(1, value("splitmx_milter_sessions", ""))
                self.assertEqual(1, value("splitmx_milter_messages"))
                self.assertEqual(3, value("splitmx_milter_recipients"))
                self.assertEqual(1, value("splitmx_milter_refusals", why="unknown"))
                self.assertEqual(1, value("splitmx_milter_refusals", why="trouble"))
                self.assertEqual(1, value("splitmx_milter_reports", result="kept"))
                self.assertEqual(1, value("splitmx_milter_policyd_troubles"))
        self.assertEqual(0, milter.stop())


class Refusals(LabCase):
    """What it does not start with."""

    def check(self, settings, why, keys=KEYS, status=78):
        milter = Milter(self.lab, "/nowhere", name=f"m{len(os.listdir(self.lab.dir))}", milter=settings, keys=keys, start=False)
        for name in [name for name, value in settings.items() if value is None]:
            del milter.settings["milter"][name]
        milter.write_config()
        from lab.policyd import program
        done = self.lab.run([program("splitmx-milter"), "-c", milter.config], check=False)
        self.assertEqual(status, done.returncode, done.stderr)
        self.assertRegex(done.stderr, why)

    def test_settings_that_are_missing_or_do_not_fit(self):
        for settings, why in (({"listen": None}, "milter.listen: nothing to listen on"),
                              ({"listen": []}, "milter.listen: names no address"),
                              ({"trace_keys": None}, "milter.trace_keys: is missing"),
                              ({"listen": ["inet:192.0.2.1:10030"]}, "192.0.2.1:10030 is open to other hosts"),
                              ({"listen": ["inet:127.0.0.1:10030"], "mode": "0600"}, "milter.mode: is for Unix sockets only"),
                              ({"open_to_network": True}, "milter.open_to_network: has no effect"),
                              ({"side": "nowhere"}, "milter.side: there is no destination nowhere"),
                              ({"policyd": "/" + "x" * 200}, "milter.policyd: .* is too long for a Unix socket"),
                              ({"instance": "x" * 121}, "milter.instance: is too long for a header"),
                              ({"metrics": "inet:0.0.0.0:9850"}, "milter.metrics: .* is not a loopback address")):
            with self.subTest(settings):
                self.check(settings, why)

    def test_keys_that_cannot_be_used(self):
        for keys, why in (("", "no key in it"), ("x y\n", "64 hexadecimal digits"), ("2026b " + "0" * 64, "this is no secret")):
            with self.subTest(keys[:20]):
                self.check({}, why, keys=keys, status=69)

    def test_keys_that_everybody_may_read(self):
        open_keys = self.lab.write("open.keys", KEYS, 0o644)
        self.check({"trace_keys": open_keys}, "readable by everybody", status=69)
        self.check({"trace_keys": "/nowhere.keys"}, "No such file", status=69)
