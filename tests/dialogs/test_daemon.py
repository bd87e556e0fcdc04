"""What all daemons share: start, end, reload, upgrade, and death of a worker.

Every test runs echod (tests/dialogs/echod.c), which is a whole daemon but for
its work. Standard library only:

    cd build && ../tests/dialogs/run test_daemon
"""

import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import unittest

from lab.core import BUILD, Lab, process_is_alive, wait_for
from openmetrics import scrape

ECHOD = os.path.join(BUILD, "tests", "dialogs", "echod")
SOON = 20


def wait_until(what, condition, seconds=SOON):
    return wait_for(what, seconds, condition, every=0.01)


class Client:
    """Lines to and from an echod; connects at once."""

    def __init__(self, address, seconds=SOON):
        unix = isinstance(address, str)
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        self.socket.settimeout(seconds)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, word):
        self.socket.sendall(word.encode() + b"\n")

    def receive(self):
        """The words of a reply; [] at the end."""
        return self.file.readline().decode().split()

    def ask(self, word):
        self.send(word)
        return self.receive()


def ask(address, word):
    with Client(address) as client:
        return client.ask(word)


class Daemon(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.dir = os.path.dirname(self.lab.path("d", "x"))
        self.path = os.path.join(self.dir, "a.sock")
        self.log_path = os.path.join(self.dir, "log")
        self.log = open(self.log_path, "wb")
        self.conf = os.path.join(self.dir, "splitmx.conf")
        self.process = None
        self.others = set()
        self.addCleanup(self.clean_up)

    def clean_up(self):
        """Ends whatever is left, masters first; the log is shown when a test failed."""
        pids = set(self.others)
        if self.process:
            pids.add(self.process.pid)
        children = [c for pid in pids for c in self.children(pid)]
        for pid in list(pids) + children:
            if process_is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        if self.process:
            self.process.wait()
        self.log.close()
        failed = any(error for _, error in getattr(self._outcome, "errors", []) or [])
        result = getattr(self._outcome, "result", None)
        failed = failed or any(t is self for t, _ in getattr(result, "failures", []) + getattr(result, "errors", []))
        text = self.log_text()
        if failed or "Sanitizer" in text or "runtime error" in text:
            sys.stderr.write(f"--- log of {self.id()}\n{text}---\n")
        self.lab.close()
        self.assertNotRegex(text, "Sanitizer|runtime error")

    @staticmethod
    def children(pid):
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                return [int(word) for word in f.read().split()]
        except OSError:
            return []

    # settings

    def write(self, listen=None, workers=1, idle=1000, drain=5000, more="", user="", listen_more="",
              policyd_more=""):
        listen = listen if listen is not None else [f"unix:{self.path}"]
        rows = ", ".join(f'{{ protocol = "socketmap"; address = "{a}"; {listen_more} }}' for a in listen)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(f'instance = "test"; run_dir = "{self.dir}"; state_dir = "{self.dir}";\n'
                    f'user = "{user}"; group = "";\n'
                    'log = { to = "stderr"; level = "info"; };\n'
                    'domains = ( "example.org" );\n'
                    'destinations = ( { name = "old"; } );\n'
                    'maps = ( { name = "transport"; owners = { old = "relay:[127.0.0.1]:25"; }; } );\n'
                    f"{more}\n"
                    f"policyd = {{ workers = {workers}; idle_timeout = {idle}; drain_timeout = {drain};\n"
                    f"  {policyd_more}\n"
                    f"  listen = ( {rows} ); }};\n")

    # life

    def start(self, wait=True, binary=ECHOD, env=None, **options):
        self.process = subprocess.Popen([binary, "-c", self.conf], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, env={**os.environ, **(env or {})}, **options)
        if wait:
            self.wait_log(r"info: ready ")

    def run_echod(self, *words):
        return subprocess.run([ECHOD, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              timeout=SOON)

    def log_text(self):
        with open(self.log_path, encoding="utf-8", errors="backslashreplace") as f:
            return f.read()

    def log_count(self, pattern):
        return len(re.findall(pattern, self.log_text(), re.MULTILINE))

    def wait_log(self, pattern, count=1):
        try:
            wait_until(f"{pattern} in the log", lambda: self.log_count(pattern) >= count)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log_text()}") from None

    def signal(self, signo, pid=None):
        os.kill(pid or self.process.pid, signo)

    def stop(self, code=0):
        self.signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(SOON), code, self.log_text())

    def control(self, slot=0):
        return os.path.join(self.dir, f"echod-{slot}.ctl")

    def command(self, request, slot=0):
        with Client(self.control(slot)) as client:
            client.send(json.dumps(request) if isinstance(request, dict) else request)
            return json.loads(client.file.readline())

    def status(self, slot=0):
        return self.command({"do": "status"}, slot)


class Starting(Daemon):
    def test_it_serves_and_ends_without_a_trace(self):
        self.write()
        self.start()
        self.assertEqual(ask(self.path, "word")[1:], ["1000", "word"])
        self.stop()
        self.assertEqual(sorted(os.listdir(self.dir)), ["log", "splitmx.conf"])

    def test_help_version_and_wrong_words(self):
        for words, code in ((["--help"], 0), (["-h"], 0), (["--version"], 0), (["--dance"], 64), (["word"], 64)):
            with self.subTest(words):
                self.assertEqual(self.run_echod(*words).returncode, code)

    def test_every_problem_of_the_settings_is_named_and_the_code_is_78(self):
        self.write(workers=0, more="color = 1;")
        for words in ([], ["--check"]):
            done = self.run_echod("-c", self.conf, *words)
            self.assertEqual(done.returncode, 78)
            self.assertRegex(done.stderr, r"splitmx\.conf:\d+: .*workers")
            self.assertRegex(done.stderr, r"splitmx\.conf:\d+: .*color")
        self.assertEqual(self.run_echod("-c", self.dir + "/none").returncode, 78)

    def test_good_settings_are_checked_without_a_word(self):
        self.write()
        done = self.run_echod("-c", self.conf, "--check", "-f")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_the_program_has_its_own_checks(self):
        self.write(idle=666)
        done = self.run_echod("-c", self.conf)
        self.assertEqual(done.returncode, 78)
        self.assertIn("not this one", done.stderr)

    def test_a_name_is_no_address_to_listen_on(self):
        self.write(listen=["inet:mail.example.org:1234"])
        done = self.run_echod("-c", self.conf)
        self.assertEqual(done.returncode, 78)
        self.assertIn("mail.example.org", done.stderr)

    def test_a_worker_that_cannot_start_ends_the_daemon(self):
        self.write(idle=667)
        self.start(wait=False)
        self.assertEqual(self.process.wait(SOON), 69)
        self.assertIn("this one does not start", self.log_text())

    def test_a_socket_file_that_nobody_listens_on_is_replaced(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(self.path)
            s.listen()
        self.write()
        self.start()
        self.assertEqual(ask(self.path, "word")[2], "word")

    def test_a_living_socket_is_not_stolen(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(self.path)
            s.listen()
            self.write()
            self.start(wait=False)
            self.assertEqual(self.process.wait(SOON), 69)
            self.assertIn("another process listens", self.log_text())
            self.assertTrue(os.path.exists(self.path))

    def test_a_second_daemon_is_refused_and_the_first_goes_on(self):
        self.write()
        self.start()
        self.assertEqual(self.run_echod("-c", self.conf).returncode, 69)
        self.assertEqual(ask(self.path, "word")[2], "word")

    def test_a_predecessor_that_was_killed_is_waited_for(self):
        port = self.lab.port()
        self.write(listen=[f"unix:{self.path}", f"inet:127.0.0.1:{port}"])
        self.start()
        self.process.kill()
        self.process.wait()
        self.start(wait=False)
        self.wait_log("info: ready ", 2)
        self.assertEqual(ask(self.path, "word")[2], "word")
        self.assertEqual(ask(("127.0.0.1", port), "word")[2], "word")

    def test_what_is_no_socket_is_not_removed(self):
        with open(self.path, "w", encoding="ascii") as f:
            f.write("precious")
        self.write()
        self.start(wait=False)
        self.assertEqual(self.process.wait(SOON), 69)
        with open(self.path, encoding="ascii") as f:
            self.assertEqual(f.read(), "precious")

    def test_sockets_have_the_mode_of_the_settings(self):
        self.write(listen_more='mode = "0606";')
        self.start()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o606)
        self.assertEqual(stat.S_IMODE(os.stat(self.control()).st_mode), 0o660)

    @unittest.skipUnless(os.geteuid() == 0, "root has something to give up")
    def test_workers_give_up_root_for_good(self):
        nobody = pwd.getpwnam("nobody")
        self.write(user="nobody")
        self.start()
        with open(f"/proc/{self.status()['pid']}/status", encoding="ascii") as f:
            words = {line.split(":")[0]: line.split()[1:] for line in f}
        self.assertEqual(words["Uid"], [str(nobody.pw_uid)] * 4)
        self.assertEqual(words["Gid"], [str(nobody.pw_gid)] * 4)
        self.assertEqual(words["NoNewPrivs"], ["1"])
        self.assertEqual(words["CapEff"], ["0000000000000000"])
        self.assertNotIn("0", words["Groups"])

    @unittest.skipUnless(os.geteuid() == 0, "root has something to give up")
    def test_an_unknown_user_is_a_mistake_in_the_settings(self):
        self.write(user="no-such-user")
        self.start(wait=False)
        self.assertEqual(self.process.wait(SOON), 78)
        self.assertIn("no-such-user", self.log_text())


class Controlling(Daemon):
    def setUp(self):
        super().setUp()
        self.write(workers=2)
        self.start()

    def test_each_worker_tells_its_status(self):
        seen = [self.status(slot) for slot in (0, 1)]
        self.assertEqual([s["slot"] for s in seen], [0, 1])
        self.assertEqual({s["master"] for s in seen}, {self.process.pid})
        self.assertEqual({s["program"] for s in seen}, {"echod"})
        self.assertEqual({s["idle_timeout_ms"] for s in seen}, {1000})

    def test_a_program_adds_commands(self):
        self.assertEqual(self.command({"do": "greet", "name": "ann"}), {"hello": "ann"})
        self.assertEqual(self.command({"do": "greet"}), {"error": "greet whom?"})

    def test_nonsense_is_answered_with_what_is_wrong(self):
        for request, words in (("{", "not JSON"), ("[]", "object"), ('{"do":1}', "object"),
                               ('{"do":"dance"}', "status, greet"), ('{"do":"status","do":"x"}', "not JSON"),
                               ("\xff", "not JSON"), ("[" * 30000, "not JSON"), ("", "not JSON")):
            with self.subTest(request[:20]):
                self.assertIn(words, self.command(request)["error"])

    def test_a_line_without_end_ends_the_connection(self):
        with Client(self.control()) as client:
            client.socket.sendall(b" " * 70000)
            self.assertIn("65535", json.loads(client.file.readline())["error"])
            self.assertEqual(client.file.readline(), b"")

    def test_requests_may_come_together_and_end_with_the_connection(self):
        with Client(self.control()) as client:
            client.socket.sendall(b'{"do":"status"}\n{"do":"greet","name":"x"}\n')
            client.socket.shutdown(socket.SHUT_WR)
            self.assertIn("program", json.loads(client.file.readline()))
            self.assertEqual(json.loads(client.file.readline()), {"hello": "x"})
            self.assertEqual(client.file.readline(), b"")

    def test_the_33rd_client_waits_for_another_to_leave(self):
        clients = [Client(self.control()) for _ in range(32)]
        for client in clients:
            client.send('{"do":"greet","name":"x"}')
            client.receive()
        late = Client(self.control(), 0.3)
        late.send('{"do":"greet","name":"late"}')
        with self.assertRaises(TimeoutError):
            late.receive()
        clients.pop().__exit__()
        late.socket.settimeout(SOON)
        late.file = late.socket.makefile("rb")
        self.assertEqual(json.loads(late.file.readline()), {"hello": "late"})
        for client in clients + [late]:
            client.__exit__()

    def test_A11_status_answers_when_descriptors_have_run_out(self):
        pid = int(ask(self.path, "files")[0])
        slot = 0 if self.status(0)["pid"] == pid else 1
        for _ in range(40):
            self.assertEqual(self.status(slot)["pid"], pid)
        clients = [Client(self.control(slot)) for _ in range(32)]
        for client in clients:
            client.send('{"do":"greet","name":"x"}')
            self.assertEqual(json.loads(client.file.readline()), {"hello": "x"})
        for client in clients:
            client.__exit__()


class Ending(Daemon):
    def test_A19_no_reply_is_lost_when_it_ends_under_load(self):
        self.write(workers=2)
        self.start()
        clients = [Client(self.path) for _ in range(50)]
        for i, client in enumerate(clients):
            client.send(f"sleep 500 word{i}")
        waiting = Client(self.path)  # perhaps not accepted yet
        waiting.send("last")
        self.signal(signal.SIGTERM)
        for i, client in enumerate(clients):
            self.assertEqual(client.receive()[2:], [f"word{i}"])
            self.assertEqual(client.receive(), [])
        self.assertEqual(waiting.receive()[2:], ["last"])
        self.assertEqual(self.process.wait(SOON), 0)
        for client in clients + [waiting]:
            client.__exit__()

    def test_new_clients_are_refused_at_once_while_it_drains(self):
        self.write()
        self.start()
        with Client(self.path) as client:
            client.send("sleep 1000 word")
            time.sleep(0.1)
            self.signal(signal.SIGTERM)
            wait_until("the socket is gone", lambda: not os.path.exists(self.path))
            with self.assertRaises(FileNotFoundError):
                Client(self.path)
            self.assertEqual(client.receive()[2:], ["word"])

    def test_who_takes_too_long_is_cut_off(self):
        self.write(drain=300)
        self.start()
        with Client(self.path) as client:
            client.send("sleep 30000 word")
            time.sleep(0.1)
            self.stop()
            self.assertEqual(client.receive(), [])

    def test_a_worker_that_hangs_is_killed_in_the_end(self):
        self.write(drain=100)
        self.start()
        with Client(self.path) as client:
            client.send("hang")
            time.sleep(0.2)
            self.stop()
        self.assertIn("not drained in time", self.log_text())

    def test_the_second_signal_ends_it_at_once(self):
        self.write(drain=30000)
        self.start()
        with Client(self.path) as client:
            client.send("sleep 30000 word")
            time.sleep(0.1)
            self.signal(signal.SIGINT)
            self.wait_log("stopping")
            self.signal(signal.SIGINT)
            self.assertEqual(self.process.wait(SOON), 0)

    def test_workers_leave_when_their_master_is_killed(self):
        self.write(workers=2)
        self.start()
        pids = [self.status(slot)["pid"] for slot in (0, 1)]
        with Client(self.path) as client:
            client.send("sleep 300 word")
            time.sleep(0.1)
            self.process.kill()
            self.assertEqual(client.receive()[2:], ["word"])
        wait_until("the workers leave", lambda: not any(process_is_alive(pid) for pid in pids))


class Supervising(Daemon):
    def test_A21_nobody_is_refused_while_workers_are_killed(self):
        port = self.lab.port()
        self.write(listen=[f"unix:{self.path}", f"inet:127.0.0.1:{port}"], workers=2)
        self.start()
        refused, served, stop = [], [0], threading.Event()

        def connect_and_ask(address):
            """As Postfix does: a connection that breaks is tried once more, a refusal counts."""
            while not stop.is_set():
                try:
                    client = Client(address)
                except OSError as e:
                    refused.append(repr(e))
                    continue
                try:
                    with client:
                        served[0] += client.ask("word")[2:] == ["word"]
                except OSError:
                    pass  # it was in the hands of a worker that died
        threads = [threading.Thread(target=connect_and_ask, args=(a,)) for a in [self.path, ("127.0.0.1", port)] * 4]
        for thread in threads:
            thread.start()
        for i in range(6):
            time.sleep(0.15)
            slot = i % 2
            pid = self.status(slot)["pid"]
            self.signal(signal.SIGKILL, pid)
            self.wait_log(rf"worker_ended slot={slot} pid={pid} .*killed by signal 9")
        before = served[0]
        wait_until("it serves on", lambda: served[0] > before)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(refused, [])
        self.stop()

    def test_a_crash_is_logged_and_the_next_worker_counts_it(self):
        self.write()
        self.start()
        first = self.status()
        self.assertEqual(ask(self.path, "die"), [])
        self.assertEqual(ask(self.path, "word")[2:], ["word"])  # waited in the backlog
        again = self.status()
        self.assertNotEqual(first["pid"], again["pid"])
        self.assertEqual((first["restarts"], again["restarts"]), (0, 1))
        self.assertRegex(self.log_text(), "killed by signal 6")

    def test_one_that_dies_again_and_again_is_started_ever_more_slowly(self):
        self.write()
        self.start()
        began = time.monotonic()
        for _ in range(5):
            self.assertEqual(ask(self.path, "die"), [])
        ask(self.path, "word")
        self.assertGreater(time.monotonic() - began, 1.4)  # 0 + 0.2 + 0.4 + 0.8

    def test_a_worker_asked_to_leave_finishes_and_is_replaced(self):
        self.write()
        self.start()
        with Client(self.path) as client:
            client.send("sleep 300 word")
            time.sleep(0.1)
            self.signal(signal.SIGTERM, self.status()["pid"])
            self.assertEqual(client.receive()[2:], ["word"])
        self.assertEqual(ask(self.path, "next")[2:], ["next"])


class Reloading(Daemon):
    def reload(self, count=1):
        self.signal(signal.SIGHUP)
        self.wait_log("info: reloaded ", count)

    def test_new_settings_come_and_connections_stay(self):
        self.write(workers=2)
        self.start()
        with Client(self.path) as client:
            pid, idle, _ = client.ask("a")
            self.write(workers=2, idle=2000)
            self.reload()
            self.assertEqual(client.ask("b"), [pid, "2000", "b"])
        self.assertEqual([self.status(slot)["idle_timeout_ms"] for slot in (0, 1)], [2000, 2000])

    def test_A19_broken_settings_change_nothing_and_are_named(self):
        self.write()
        self.start()
        with Client(self.path) as client:
            before = client.ask("a")
            for broken in ("syntax = = ;", "color = 1;"):
                self.write(idle=2000, more=broken)
                count = self.log_count("reload_refused")
                self.signal(signal.SIGHUP)
                self.wait_log("reload_refused", count + 1)
            self.assertRegex(self.log_text(), r"settings_refused why=.*splitmx\.conf:\d+")
            os.unlink(self.conf)
            self.signal(signal.SIGHUP)
            self.wait_log("reload_refused", 3)
            self.assertEqual(client.ask("a"), before)
        self.assertEqual(ask(self.path, "b")[1:], ["1000", "b"])

    def test_listeners_come_and_go(self):
        other, port = os.path.join(self.dir, "b.sock"), self.lab.port()
        self.write()
        self.start()
        kept = Client(self.path)
        kept.ask("a")
        self.write(listen=[f"unix:{other}", f"inet:127.0.0.1:{port}"])
        self.reload()
        self.assertEqual(ask(other, "b")[2:], ["b"])
        self.assertEqual(ask(("127.0.0.1", port), "c")[2:], ["c"])
        self.assertFalse(os.path.exists(self.path))
        self.assertEqual(kept.ask("d")[2:], ["d"])
        kept.__exit__()
        self.write()
        self.reload(2)
        self.assertEqual(ask(self.path, "e")[2:], ["e"])
        self.assertFalse(os.path.exists(other))
        with self.assertRaises(ConnectionRefusedError):
            Client(("127.0.0.1", port))

    def test_a_listener_that_cannot_be_opened_refuses_the_whole_file(self):
        self.write()
        self.start()
        self.write(idle=2000, listen=[f"unix:{self.path}", f"unix:{self.dir}/b.sock", "unix:/nowhere/c.sock"])
        self.signal(signal.SIGHUP)
        self.wait_log("reload_refused")
        self.assertEqual(ask(self.path, "a")[1:], ["1000", "a"])
        self.assertFalse(os.path.exists(self.dir + "/b.sock"))
        self.assertEqual(self.log_count("warning|error: (?!socket_failed|reload_refused)"), 0)

    def test_a_socket_file_that_was_removed_comes_back(self):
        self.write()
        self.start()
        os.unlink(self.path)
        self.reload()
        self.assertEqual(ask(self.path, "a")[2:], ["a"])

    def test_a_new_mode_is_set_on_the_open_socket(self):
        self.write()
        self.start()
        inode = os.stat(self.path).st_ino
        self.write(listen_more='mode = "0600";')
        self.reload()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertEqual(os.stat(self.path).st_ino, inode)

    def test_what_needs_a_restart_is_named_and_stays(self):
        self.write(workers=1)
        self.start()
        self.write(workers=2, more='prefix = "x";'.replace("prefix", "question_timeout").replace('"x"', "500"))
        self.reload()
        self.assertRegex(self.log_text(), r"setting_needs_restart setting=policyd\.workers")
        self.assertFalse(os.path.exists(self.control(1)))

    def test_a_worker_may_refuse_and_says_so(self):
        self.write()
        self.start()
        with Client(self.path) as client:
            client.ask("refuse")
            self.write(idle=2000, listen=[f"unix:{self.dir}/b.sock"])
            self.reload()
            self.wait_log("worker_kept_old_settings")
            self.assertEqual(client.ask("a")[1:], ["1000", "a"])

    def test_a_worker_that_dies_is_born_with_the_newest_settings(self):
        self.write()
        self.start()
        self.write(idle=3000)
        self.reload()
        ask(self.path, "die")
        self.assertEqual(ask(self.path, "a")[1:], ["3000", "a"])

    def test_A19_a_thousand_reloads_harm_nobody(self):
        self.write(workers=2)
        self.start()
        descriptors = [len(os.listdir(f"/proc/{self.status(slot)['pid']}/fd")) for slot in (0, 1)]
        stop, wrong = threading.Event(), []

        def keep_asking():
            with Client(self.path) as client:
                while not stop.is_set():
                    if client.ask("word")[2:] != ["word"]:
                        wrong.append("no reply")
                        return
        threads = [threading.Thread(target=keep_asking) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(1000):
            if i % 100 == 0:
                self.write(workers=2, idle=1000 + i, listen=[f"unix:{self.path}", f"unix:{self.dir}/b{i % 200}.sock"])
            self.signal(signal.SIGHUP)
            time.sleep(0.001)
        self.write(workers=2, idle=5000)
        self.signal(signal.SIGHUP)
        wait_until("the last settings are in force",
                   lambda: [self.status(s)["idle_timeout_ms"] for s in (0, 1)] == [5000, 5000])
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual([self.status(slot)["restarts"] for slot in (0, 1)], [0, 0])
        wait_until("no descriptor is left behind", lambda: descriptors == [
            len(os.listdir(f"/proc/{self.status(slot)['pid']}/fd")) for slot in (0, 1)])
        self.stop()


class Upgrading(Daemon):
    def setUp(self):
        super().setUp()
        self.binary = os.path.join(self.dir, "echod")
        shutil.copy(ECHOD, self.binary)

    def replace_binary(self, content=None):
        """As a package does: another file at the same path."""
        new = self.binary + ".new"
        if content is None:
            shutil.copy(ECHOD, new)
        else:
            with open(new, "w", encoding="ascii") as f:
                f.write(content)
            os.chmod(new, 0o755)
        os.rename(new, self.binary)

    def upgraded_pid(self):
        self.wait_log("info: upgraded ")
        pid = int(re.findall(r"info: upgraded pid=(\d+)", self.log_text())[-1])
        self.others.add(pid)
        return pid

    def test_A21_no_reply_is_lost_and_nobody_refused_during_an_upgrade(self):
        port = self.lab.port()
        self.write(listen=[f"unix:{self.path}", f"inet:127.0.0.1:{port}"], workers=2)
        self.start(binary=self.binary)
        stop, wrong, served = threading.Event(), [], [0]

        def keep_asking(address):
            """One connection each time; nothing excuses a lost reply."""
            while not stop.is_set():
                try:
                    reply = ask(address, "word")
                except OSError as e:
                    reply = [repr(e)]
                if reply[2:] != ["word"]:
                    wrong.append(reply)
                served[0] += 1
        threads = [threading.Thread(target=keep_asking, args=(a,)) for a in [self.path, ("127.0.0.1", port)] * 2]
        slow = [Client(self.path) for _ in range(20)]
        for client in slow:
            client.send("sleep 1500 slow")
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        self.replace_binary()
        old = self.process.pid
        self.signal(signal.SIGUSR2)
        new = self.upgraded_pid()
        for client in slow:
            self.assertEqual(client.receive()[2:], ["slow"])
            client.__exit__()
        self.assertEqual(self.process.wait(SOON), 0)
        before = served[0]
        wait_until("the new one serves", lambda: served[0] > before + 10)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(self.status()["master"], new)
        self.assertNotEqual(old, new)
        self.signal(signal.SIGTERM, new)
        wait_until("the new one ends", lambda: not process_is_alive(new))
        self.assertFalse(os.path.exists(self.path))
        self.assertFalse(os.path.exists(self.control()))

    def test_the_new_one_takes_the_numbers_over(self):
        port = self.lab.port()
        self.write(policyd_more=f'metrics = "inet:127.0.0.1:{port}";')
        self.start(binary=self.binary)
        self.assertEqual(200, scrape(port)[0])
        self.replace_binary()
        self.signal(signal.SIGUSR2)
        new = self.upgraded_pid()
        self.assertEqual(self.process.wait(SOON), 0)
        status, _, text = scrape(port)
        self.assertEqual(200, status)
        self.assertIn('splitmx_build_info{worker="0",program="echod"', text)
        self.signal(signal.SIGTERM, new)
        wait_until("the new one ends", lambda: not process_is_alive(new))
        with self.assertRaises(OSError):
            scrape(port)

    def test_a_new_binary_that_fails_leaves_the_old_one_in_charge(self):
        self.write()
        self.start(binary=self.binary)
        for content, why in (("#!/bin/sh\nexit 3\n", "left with code 3"), ("garbage", "left with code 71")):
            self.replace_binary(content)
            self.signal(signal.SIGUSR2)
            self.wait_log(f"upgrade_failed .*{why}")
            self.assertEqual(ask(self.path, "a")[2:], ["a"])
        self.replace_binary()
        self.write(idle=667)  # its worker refuses to start
        self.signal(signal.SIGUSR2)
        self.wait_log("upgrade_failed .*left with code 69")
        self.write(idle=666)  # its settings are refused
        self.signal(signal.SIGUSR2)
        self.wait_log("upgrade_failed .*left with code 78")
        self.assertEqual(ask(self.path, "a")[1:], ["1000", "a"])
        self.stop()

    def test_one_that_never_serves_can_be_stopped_with_the_old_one(self):
        self.write()
        self.start(binary=self.binary)
        self.replace_binary("#!/bin/sh\nexec sleep 1000\n")
        self.signal(signal.SIGUSR2)
        self.wait_log("info: upgrading")
        pid = int(re.findall(r"info: upgrading .*pid=(\d+)", self.log_text())[-1])
        self.others.add(pid)
        self.stop()
        self.assertFalse(process_is_alive(pid))

    def test_the_new_one_drops_the_sockets_its_settings_no_longer_name(self):
        other = os.path.join(self.dir, "b.sock")
        self.write(listen=[f"unix:{self.path}", f"unix:{other}"])
        self.start(binary=self.binary)
        self.write()
        self.signal(signal.SIGUSR2)
        self.upgraded_pid()
        self.assertFalse(os.path.exists(other))
        self.assertEqual(ask(self.path, "a")[2:], ["a"])


class Systemd(Daemon):
    """What systemd would do, done by hand."""

    LAUNCHER = ("import os, sys\n"
                "fds = [int(word) for word in sys.argv[1].split(',')]\n"
                "high = [os.dup(fd) for fd in fds]\n"
                "[os.dup2(fd, 100 + i) for i, fd in enumerate(high)]\n"
                "[os.dup2(100 + i, 3 + i) for i in range(len(fds))]\n"
                "os.closerange(3 + len(fds), 200)\n"
                "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)))\n"
                "os.execv(sys.argv[2], sys.argv[2:])\n")

    def activate(self, sockets, env=None):
        fds = [s.fileno() for s in sockets]
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.LAUNCHER, ",".join(map(str, fds)), ECHOD, "-c", self.conf],
            pass_fds=fds, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, **(env or {})})

    def test_sockets_are_found_by_their_address_and_survive_a_restart(self):
        other, port = os.path.join(self.dir, "b.sock"), self.lab.port()
        with socket.socket(socket.AF_UNIX) as a, socket.socket(socket.AF_UNIX) as b, socket.socket() as c:
            a.bind(self.path)
            b.bind(other)
            c.bind(("127.0.0.1", port))
            for s in (a, b, c):
                s.listen()
            inode = os.stat(self.path).st_ino
            self.write(listen=[f"inet:127.0.0.1:{port}", f"unix:{self.path}"])
            self.activate([b, a, c], {"LISTEN_FDNAMES": "x:y:z"})
            self.wait_log(r"socket_unused address=unix:.*b\.sock")  # said behind "ready"
            self.assertEqual(ask(self.path, "a")[2:], ["a"])
            self.assertEqual(ask(("127.0.0.1", port), "b")[2:], ["b"])
            self.stop()
            self.assertEqual(os.stat(self.path).st_ino, inode)
            with Client(self.path) as client:  # nobody is there, and nobody is refused
                client.send("c")
                self.activate([a, c])
                self.assertEqual(client.receive()[2:], ["c"])
            self.wait_log("info: ready ", 2)
            self.stop()

    def test_sockets_for_another_process_are_not_touched(self):
        self.write()
        self.start(env={"LISTEN_PID": "1", "LISTEN_FDS": "3"})
        self.assertEqual(ask(self.path, "a")[2:], ["a"])

    def test_what_is_no_listening_socket_is_refused_with_a_word(self):
        a, b = socket.socketpair()
        self.write()
        self.activate([a, b])
        self.wait_log("info: ready ")
        self.assertEqual(self.log_count("socket_refused"), 2)
        self.assertEqual(ask(self.path, "a")[2:], ["a"])
        a.close()
        b.close()

    def hear(self, notify, want, seconds=SOON):
        """Datagrams until one holds `want`; returns all of them."""
        notify.settimeout(seconds)
        words = []
        while not any(want in word for word in words):
            words.append(notify.recv(4096).decode())
        return words

    def test_it_is_told_of_every_step(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(self.dir + "/notify")
            self.write()
            self.start(env={"NOTIFY_SOCKET": self.dir + "/notify"})
            self.hear(notify, "READY=1")
            self.signal(signal.SIGHUP)
            self.hear(notify, "RELOADING=1\nMONOTONIC_USEC=")
            self.hear(notify, "READY=1")
            self.write(idle=666)
            self.signal(signal.SIGHUP)
            self.hear(notify, "RELOADING=1")
            self.hear(notify, "READY=1")
            self.write()
            self.signal(signal.SIGUSR2)
            words = self.hear(notify, "MAINPID=") + self.hear(notify, "MAINPID=")
            pids = set(re.findall(r"MAINPID=(\d+)", "".join(words)))
            self.assertEqual(len(pids), 1)
            new = int(pids.pop())
            self.others.add(new)
            self.process.wait(SOON)
            self.signal(signal.SIGTERM, new)
            self.hear(notify, "STOPPING=1")
            wait_until("the new one ends", lambda: not process_is_alive(new))

    def test_the_watchdog_hears_nothing_while_a_worker_hangs(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(b"\0" + self.dir.encode())
            self.write(workers=2, drain=100)
            self.start(env={"NOTIFY_SOCKET": "@" + self.dir, "WATCHDOG_USEC": "200000"})
            for _ in range(5):
                self.hear(notify, "WATCHDOG=1", 2)
            with Client(self.path) as client:
                client.send("hang")
                time.sleep(0.3)
                notify.setblocking(False)
                try:
                    while notify.recv(4096):
                        pass
                except BlockingIOError:
                    pass
                with self.assertRaises(TimeoutError):
                    self.hear(notify, "WATCHDOG=1", 1)
            self.stop()


if __name__ == "__main__":
    unittest.main()
