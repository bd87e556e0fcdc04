"""How splitmx-policyd bears its peers: many, silent, slow, unwanted, and while it reloads or ends."""

import json
import os
import resource
import signal
import socket
import threading
import time
import unittest

from policyd_case import PolicydCase
from lab import wait_for
from lab.clients import Connection, Socketmap

NEW = ("OK", "lmtp:unix:private/ann")
IDLE_MANY = 10000
NOBODY = 65534


class ManyTest(PolicydCase):
    policyd_settings = {"max_connections": IDLE_MANY + 100}

    def many(self):
        """As many connections as this process may have, 10,000 at most."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return min(IDLE_MANY, hard - 500)

    def test_A11_ten_thousand_idle_connections(self):
        count, before = self.many(), self.resident_kib()
        descriptors = self.descriptors()
        path = self.policyd.address("socketmap")
        clients = []
        try:
            for _ in range(count):
                clients.append(Connection(path, 20))
            wait_for("all are accepted", 30, lambda: self.descriptors() >= count)
            with self.policyd.socketmap(1) as client:
                self.assertEqual(client.ask("transport", "ann@example.org"), NEW)
            # Each may ask as well, and costs a few hundred bytes then as before.
            for client in clients[::100]:
                client.send(Socketmap.frame("transport ann@example.org"))
                self.assertTrue(client.read_exactly(4))
            self.assertLess((self.resident_kib() - before) / count, 4)
        finally:
            for client in clients:
                client.close()
        self.wait_descriptors(descriptors + 5)

    def test_A11_ten_thousand_connects_and_closes(self):
        descriptors, before = self.descriptors(), self.resident_kib()
        path, address = self.policyd.address("socketmap"), self.policyd.address("socketmap", 1)
        for i in range(10000):
            Connection(path if i % 4 else address).close()
        with self.policyd.socketmap() as client:
            self.assertEqual(client.ask("transport", "ann@example.org"), NEW)
        self.wait_descriptors(descriptors + 5)
        self.assertLess(self.resident_kib() - before, 65536)

    def test_A11_a_peer_that_never_reads(self):
        request = Socketmap.frame("transport ann@example.org")
        before = self.resident_kib()
        with self.policyd.socketmap() as client:
            client.socket.setblocking(False)
            sent = 0
            end = time.monotonic() + 3
            while time.monotonic() < end and sent < (64 << 20):
                try:
                    sent += client.socket.send(request * 1000)
                except BlockingIOError:
                    time.sleep(0.05)
            self.assertLess(sent, 16 << 20)
            self.assertLess(self.resident_kib() - before, 4096)
            with self.policyd.socketmap() as other:
                self.assertEqual(other.ask("transport", "ann@example.org"), NEW)
            # Nothing is lost: whoever reads after all gets every answer.
            client.socket.setblocking(True)
            for _ in range(sent // len(request)):
                self.assertEqual(client.answer(), NEW)


class FewSeatsTest(PolicydCase):
    policyd_settings = {"max_connections": 5}

    def test_A11_beyond_the_limit_peers_wait(self):
        seated = [self.policyd.socketmap() for _ in range(5)]
        for client in seated:
            self.assertEqual(client.ask("transport", "ann@example.org"), NEW)
        with self.policyd.socketmap() as waiting:
            waiting.send(waiting.frame("transport ann@example.org"))
            waiting.socket.settimeout(0.3)
            with self.assertRaises(socket.timeout):
                waiting.answer()
            for client in seated:
                client.close()
            waiting.socket.settimeout(5)
            self.assertEqual(waiting.answer(), NEW)


class ShortTimesTest(PolicydCase):
    policyd_settings = {"idle_timeout": 600}

    @classmethod
    def settings(cls):
        return {**super().settings(), "cache": {"preload": 0}}  # a question is to wait

    def assert_ends(self, client):
        began = time.monotonic()
        self.assertTrue(client.is_closed(5))
        self.assertGreater(time.monotonic() - began, 0.4)

    def test_A10_no_line_feed_in_time(self):
        with self.policyd.tcp_table() as client:
            client.send(b"get ann@example.org")
            self.assert_ends(client)

    def test_A10_half_a_netstring_in_time(self):
        with self.policyd.socketmap() as client:
            client.send(b"25:transport ann")
            self.assert_ends(client)

    def test_A11_a_silent_peer_goes(self):
        with self.policyd.socketmap() as client:
            self.assertEqual(client.ask("transport", "ann@example.org"), NEW)
            self.assert_ends(client)

    def test_A11_a_peer_that_never_reads_goes(self):
        with self.policyd.socketmap() as client:
            self.assertEqual(client.ask("transport", "ann@example.org"), NEW)
            descriptors = self.descriptors()
            client.socket.setblocking(False)
            try:
                while True:
                    client.socket.send(client.frame("transport ann@example.org") * 1000)
            except BlockingIOError:
                pass
            wait_for("it is gone", 5, lambda: self.descriptors() < descriptors)

    def test_a_question_that_waits_is_not_idle(self):
        self.redis.freeze()
        try:
            with self.policyd.socketmap() as client:
                self.assertEqual(client.ask("transport", "frozen@example.org")[0], "TEMP")
        finally:
            self.redis.thaw()


@unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
class StrangerTest(PolicydCase):
    def as_nobody(self, path):
        """What nobody gets there: the error's name, "closed", or the answer's word."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            result = "failed"
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                with Socketmap(path) as client:
                    result = client.ask("transport", "ann@example.org")[0]
            except (EOFError, ConnectionError):
                result = "closed"
            except OSError as e:
                result = type(e).__name__
            finally:
                os.write(write, result.encode())
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as f:
            result = f.read().decode()
        os.waitpid(pid, 0)
        return result

    def setUp(self):
        path = self.sockets
        while path.startswith(self.lab.dir):
            os.chmod(path, 0o755)
            path = os.path.dirname(path)

    def test_A22_refused_by_mode(self):
        self.assertEqual(self.as_nobody(f"{self.sockets}/map"), "PermissionError")
        self.assertEqual(self.policyd.ask("transport", "ann@example.org"), NEW)

    def test_A22_refused_by_peercred(self):
        self.assertEqual(self.as_nobody(f"{self.sockets}/users"), "closed")
        with Socketmap(f"{self.sockets}/users") as client:
            self.assertEqual(client.ask("transport", "ann@example.org"), NEW)


class LifeTest(PolicydCase):
    def test_A19_reload_changes_the_texts_of_connections_that_stay(self):
        with self.policyd.socketmap() as client, self.policyd.tcp_table() as table, \
                self.policyd.policy() as policy, Connection(self.policyd.address("sink")) as sink:
            self.assertEqual(client.ask("old-side", "ann@example.org"), ("OK", "relay:[mx.internal]:10026"))
            self.assertEqual(table.ask("ann@example.org"), (200, NEW[1]))
            former = dict(self.policyd.settings)
            self.policyd.settings["maps"] = [
                {"name": "transport", "owners": {"new": "n:%o", "old": "o:"}},
                {"name": "actions", "owners": {"new": "REJECT", "old": ""}},
                {"name": "long", "owners": {"new": "", "old": ""}}]
            self.policyd.settings["policyd"]["listen"][5]["reply"] = "451 4.0.0 Else"
            self.reload()
            self.assertEqual(client.ask("transport", "ann@example.org"), ("OK", "n:new"))
            self.assertEqual(client.ask("old-side", "ann@example.org")[0], "PERM")
            self.assertEqual(table.ask("ann@example.org"), (200, "n:new"))
            self.assertEqual(policy.ask(recipient="ann@example.org"), "REJECT")
            sink.read_line()
            sink.send(b"RCPT TO:<a@b>\r\n")
            self.assertEqual(sink.read_line(), b"451 4.0.0 Else\r")
            self.policyd.settings.update(former)
            self.policyd.settings["policyd"]["listen"][5]["reply"] = "450 4.2.1 Moving"
            self.reload()
            self.assertEqual(client.ask("transport", "ann@example.org"), NEW)

    def reload(self):
        self.policyd.write_config()
        lines = self.policyd.log_count(r"\breloaded\b")
        self.policyd.reload()
        wait_for("it says reloaded", 10, lambda: self.policyd.log_count(r"\breloaded\b") > lines,
                 (self.policyd.log,))

    def test_its_worker_is_a_node_of_the_map_until_it_ends(self):
        def run():
            text = self.redis.cli("HGET", "splitmx.nodes", "policyd/policyd/0")
            return text and json.loads(text)["run"]
        first = run()
        self.assertEqual(self.redis.cli("HKEYS", "splitmx.nodes"), "policyd/policyd/0")
        os.kill(self.worker(), signal.SIGKILL)
        wait_for("the next one takes its slot", 10, lambda: run() not in (first, None))
        self.policyd.wait_answer("transport", "ann@example.org", "OK")
        self.assertEqual(self.policyd.stop(), 0)
        self.assertEqual(self.redis.cli("HLEN", "splitmx.nodes"), "0")
        self.assertEqual(self.redis.cli("HLEN", "splitmx.beats"), "0")
        self.policyd.start()
        self.policyd.wait_answer("transport", "ann@example.org", "OK")

    def test_A19_a_broken_file_changes_nothing(self):
        with self.policyd.socketmap() as client:
            maps = self.policyd.settings["maps"]
            self.policyd.settings["maps"] = [{**maps[0], "held": "%x"}, *maps[1:]]
            self.policyd.write_config()
            try:
                self.policyd.reload()
                wait_for("it complains", 10, lambda: self.policyd.log_count("means nothing here"))
                self.assertEqual(client.ask("transport", "ann@example.org"), NEW)
            finally:
                self.policyd.settings["maps"] = maps
                self.policyd.write_config()

    def test_A19_term_under_load_loses_no_answer(self):
        stop, answers = threading.Event(), []

        def load():
            while not stop.is_set():
                try:
                    with self.policyd.socketmap() as client:
                        while not stop.is_set():
                            answers.append(client.ask("transport", "ann@example.org"))
                except (EOFError, ConnectionError, FileNotFoundError):
                    time.sleep(0.02)  # Postfix connects once more, and so do we

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        try:
            self.policyd.process.signal(signal.SIGTERM)
            self.assertEqual(self.policyd.process.popen.wait(20), 0)
            self.policyd.start()
            count = len(answers)
            wait_for("answers come again", 10, lambda: len(answers) > count + 100)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(set(answers), {NEW})


if __name__ == "__main__":
    unittest.main()
