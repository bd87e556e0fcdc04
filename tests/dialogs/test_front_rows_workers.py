"""Workers that are killed, and thousands of sessions through reloads and a new binary (hostile row D10)."""

import json
import os
import selectors
import signal
import socket
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from front_case import FrontCase
from front_scripts import PROTOCOLS, RowsCase
from lab import FULL, wait_for
from lab.core import process_is_alive

SESSIONS = int(os.environ.get("SPLITMX_SESSIONS", 8000 if FULL else 400))
KILLS = 10 if FULL else 2


class Killed(RowsCase):
    frontd_settings = {"workers": 2, "fail_delay": 0, "end_timeout": 1000}

    def ask(self, slot, **request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(os.path.join(self.front.run_dir, f"frontd-{slot}.ctl"))
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def sessions_of(self, slot):
        return self.ask(slot, do="sessions")["sessions"]

    def accounts_of(self, slot):
        return {session.get("account") for session in self.sessions_of(slot)}

    def kill(self, slot):
        """SIGKILL; returns when another has its place."""
        pid = self.ask(slot, do="status")["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for("it has gone", 10, lambda: not process_is_alive(pid))
        return pid

    def wait_back(self, slot, pid, seconds=30):
        def is_back():
            try:
                return self.ask(slot, do="status")["pid"] != pid
            except (OSError, ValueError):
                return False
        wait_for(f"worker {slot} is back", seconds, is_back, (self.front.log,))

    def is_there(self, client):
        try:
            client.sock.settimeout(5)
            return client.noop().startswith((b"n OK", b"+OK", b"250", b"OK"))
        except OSError:
            return False

    def test_a_killed_worker_costs_its_sessions_and_no_others_in_any_protocol(self):
        for n in range(KILLS):
            clients = {}
            while not all(self.sessions_of(slot) for slot in (0, 1)):  # who accepts is the kernel's choice
                self.assertLess(len(clients), 400)
                more = [(protocol, f"{n}-{len(clients) + i}-{protocol}-{self.user}") for i in range(10) for protocol in PROTOCOLS]
                with ThreadPoolExecutor(len(more)) as pool:
                    clients.update(zip((user for _, user in more), pool.map(lambda one: self.inside(*one), more)))
            mine = self.accounts_of(n % 2)
            pid = self.kill(n % 2)
            alive = {account for account, client in clients.items() if self.is_there(client)}
            self.assertEqual(set(clients) - mine, alive)
            wait_for("the backends have heard of it", 10, lambda: not any(self.old.open_of(account) for account in mine))
            self.assertTrue(all(self.old.open_of(account) for account in alive))
            for protocol in PROTOCOLS:  # whoever comes is served, by the other one at least
                with self.inside(protocol, f"next-{self.user}") as client:
                    self.assertTrue(self.is_there(client))
            self.wait_back(n % 2, pid)
            for client in clients.values():
                client.close()
            wait_for("both carry nobody", 10, lambda: not self.sessions_of(0) and not self.sessions_of(1))

    def test_what_a_killed_worker_held_hangs_no_barrier(self):
        clients = [self.inside("imap") for _ in range(20)]
        while not all(self.user in self.accounts_of(slot) for slot in (0, 1)):  # who accepts is the kernel's choice
            self.assertLess(len(clients), 200)
            with ThreadPoolExecutor(20) as pool:
                clients += pool.map(lambda _: self.inside("imap"), range(20))
        pid = self.kill(0)
        began = time.monotonic()
        told = self.flip(wait=30)
        took = time.monotonic() - began
        self.figures(f"killed worker: flip confirmed_s={took:.2f} nodes={[node['state'] for node in told['nodes']]}")
        self.assertLess(took, 15)
        self.assertEqual([], self.old.open_of(self.user))
        for client in clients:
            client.everything()
        with self.inside("imap"):
            self.assertEqual(1, len(self.new.open_of(self.user)))
        self.wait_back(0, pid)
        for slot in (0, 1):
            claims = self.ask(slot, do="status")["map"]["claims"]
            self.assertEqual(0, claims["unsure"] + claims["ending"], claims)
        self.front.splitmx("barrier", self.user)

    def test_a_barrier_that_waits_for_a_worker_ends_when_that_is_killed(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.old.hooks["LOGOUT"] = lambda session, tag, rest: gate.wait(60) and "end"  # it does not close
        client, told = self.inside("imap"), []
        slot = 0 if self.user in self.accounts_of(0) else 1
        flip = threading.Thread(target=lambda: told.append(self.flip(wait=40)))
        flip.start()
        client.everything()
        wait_for("it waits for the backend", 10, lambda: [s["phase"] for s in self.sessions_of(slot)] == ["leaving"])
        self.assertEqual([], told)
        pid = self.kill(slot)
        flip.join(40)
        self.assertEqual(1, len(told))
        self.wait_back(slot, pid)

    def test_logins_that_a_killed_worker_was_at_are_closed_and_come_again(self):
        self.hold()
        clients = [self.talk("imap") for _ in range(20)]
        for client in clients:
            client.greet()
            client.say(f'a LOGIN "{self.user}" "good"')
        wait_for("all wait", 10, lambda: sum(s["phase"] == "parked" for slot in (0, 1) for s in self.sessions_of(slot)) == 20)
        lost = len(self.sessions_of(1))
        pid = self.kill(1)
        self.release()
        answers = []
        for client in clients:
            try:
                answers.append(client.answer()[:4])
            except ConnectionError:
                answers.append(b"")
        self.assertEqual(20 - lost, answers.count(b"a OK"))
        self.assertEqual(lost, answers.count(b""))
        self.wait_back(1, pid)
        self.assertEqual("in", self.talk("imap").log_in(self.user, "good"))


class Crowd:
    """A backend for thousands of sessions in one thread: IMAP as far as a login, NOOP and LOGOUT."""

    WORDS = b"IMAP4rev1 LITERAL+ SASL-IR ID AUTH=PLAIN"

    def __init__(self, lab):
        self.imap_port = lab.port()
        self.ports = {"imap": self.imap_port}
        self.gates = {}
        self.listening = socket.create_server(("127.0.0.1", self.imap_port), backlog=4096)
        self.listening.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listening, selectors.EVENT_READ)
        self.sessions = 0
        threading.Thread(target=self.run, daemon=True).start()

    def behave(self):
        """It always does."""

    def run(self):
        while True:
            for key, _ in self.selector.select():
                try:
                    self.accept() if key.fileobj is self.listening else self.serve(key.fileobj, key.data)
                except OSError:
                    self.drop(key.fileobj)

    def drop(self, sock):
        if sock is not self.listening:
            self.selector.unregister(sock)
            sock.close()
            self.sessions -= 1

    def accept(self):
        sock, _ = self.listening.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"* OK [CAPABILITY " + self.WORDS + b"] Ready\r\n")
        self.selector.register(sock, selectors.EVENT_READ, bytearray())
        self.sessions += 1

    def serve(self, sock, rest):
        data = sock.recv(65536)
        if not data:
            self.drop(sock)
            return
        rest += data
        *lines, tail = bytes(rest).split(b"\r\n")
        rest[:] = tail
        for line in lines:
            tag, _, words = line.partition(b" ")
            if words.upper().startswith(b"CAPABILITY"):
                sock.sendall(b"* CAPABILITY " + self.WORDS + b"\r\n")
            sock.sendall(tag + b" OK Done\r\n")
            if words.upper().startswith(b"LOGOUT"):
                self.drop(sock)
                return


class Many(FrontCase):
    """D10: every session lives through reloads and a new binary, and those of the old binary still end."""

    frontd_settings = {"workers": 2, "drain_timeout": 120000, "max_per_address": 100000, "max_per_account": 100000,
                       "max_connections": 9500, "login_timeout": 60000}

    @classmethod
    def make_homes(cls):
        return {name: Crowd(cls.lab) for name in ("old", "new")}

    def all_there(self, clients):
        for client in clients:
            client.say(b"n NOOP\r\n")
        return [i for i, client in enumerate(clients) if client.until("n")[-1:] != [b"n OK Done\r\n"]]

    def test_D10_thousands_of_sessions_and_SIGHUP_and_a_new_binary(self):
        began = time.monotonic()
        clients = [self.session(f"user{i}@example.org") for i in range(SESSIONS)]
        took = time.monotonic() - began
        for i in range(5):
            self.front.settings["frontd"]["fail_delay"] = 200 + i
            self.front.write_config()
            before = self.front.log_count(r"\breloaded\b")
            self.front.reload()
            wait_for("it has reloaded", 30, lambda b=before: self.front.log_count(r"\breloaded\b") > b, (self.front.log,))
        self.assertEqual([], self.all_there(clients))
        workers = self.front.worker_pids()
        self.front.process.signal(signal.SIGUSR2)
        wait_for("another serves", 60, lambda: self.front.log_count(r"\bupgraded pid="), (self.front.log,))
        successor = int(self.front.log_lines(r"\bupgraded pid=")[0].rpartition("=")[2])
        self.addCleanup(self.end, successor)
        with self.session("newcomer@example.org"):
            self.assertEqual([], self.all_there(clients))
        self.figures(f"D10 sessions={SESSIONS} logins_per_s={SESSIONS / took:.0f} lost=0")
        for client in clients:
            client.say(b"z LOGOUT\r\n")
        self.assertEqual([], [i for i, client in enumerate(clients) if b"z OK" not in client.everything()])
        wait_for("the old workers have gone", 60, lambda: not any(map(process_is_alive, workers)), (self.front.log,))

    def end(self, pid):
        os.kill(pid, signal.SIGTERM)
        wait_for("the successor ends", 20, lambda: not process_is_alive(pid), (self.front.log,))


if __name__ == "__main__":
    unittest.main()
