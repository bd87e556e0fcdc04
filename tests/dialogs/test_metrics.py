"""What splitmx-policyd says to whoever collects numbers."""

import json
import os
import signal
import socket
import unittest

import openmetrics
from lab import wait_for
from lab.policyd import program
from openmetrics import SECONDS, scrape
from policyd_case import PolicydCase


def port_pair(lab):
    """Two ports side by side, both free a moment ago."""
    while True:
        port = lab.port()
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def refused(port):
    try:
        scrape(port)
    except OSError:
        return True
    return False


class Metrics(PolicydCase):
    @classmethod
    def settings(cls):
        cls.port = port_pair(cls.lab)
        cls.policyd_settings = {"workers": 2, "metrics": f"inet:127.0.0.1:{cls.port}"}
        return super().settings()

    def numbers(self, worker=0):
        status, kind, text = scrape(self.port + worker)
        self.assertEqual((200, "application/openmetrics-text; version=1.0.0; charset=utf-8"), (status, kind))
        return openmetrics.read(text)

    def test_each_worker_answers_for_itself_at_a_port_of_its_own(self):
        for worker in (0, 1):
            numbers = self.numbers(worker)
            self.assertEqual({str(worker)}, {v for name, v in openmetrics.labels(numbers) if name == "worker"})
            self.assertEqual(2, openmetrics.value(numbers, "splitmx_workers"))
            self.assertEqual(1, openmetrics.value(numbers, "splitmx_build", "_info", program="splitmx-policyd"))
            self.assertEqual(1, openmetrics.value(numbers, "splitmx_worker_ready"))
            wait_for("a live map", SECONDS, lambda w=worker: openmetrics.value(self.numbers(w), "splitmx_map_live") == 1)

    def test_answers_are_counted_by_protocol_and_verdict(self):
        def answers(**labels):
            return sum(openmetrics.value(self.numbers(w), "splitmx_policyd_answers", "_total", **labels) for w in (0, 1))

        found, absent = (answers(protocol="socketmap", verdict=v) for v in ("found", "absent"))
        with self.policyd.socketmap() as client:
            self.assertEqual("OK", client.ask("transport", "ann@example.org")[0])
            self.assertEqual("NOTFOUND", client.ask("transport", "who@foreign.invalid")[0])
            self.assertEqual(1, sum(openmetrics.value(self.numbers(w), "splitmx_policyd_connections",
                                                      protocol="socketmap") for w in (0, 1)))
        self.assertEqual(found + 1, answers(protocol="socketmap", verdict="found"))
        self.assertEqual(absent + 1, answers(protocol="socketmap", verdict="absent"))
        self.assertEqual(0, answers(protocol="policy"))

    def test_the_map_is_there_in_numbers(self):
        def whole():
            numbers = self.numbers()
            return numbers if "splitmx_map_round_trip_seconds" in numbers else None

        numbers = wait_for("a heartbeat that came back", SECONDS, whole)
        self.assertEqual(15, openmetrics.value(numbers, "splitmx_map_lease_seconds"))
        self.assertLessEqual(openmetrics.value(numbers, "splitmx_map_lease_left_seconds"), 15)
        self.assertEqual(1, openmetrics.value(numbers, "splitmx_map_epoch"))
        self.assertLess(0, openmetrics.value(numbers, "splitmx_map_round_trip_seconds"))
        self.assertLess(openmetrics.value(numbers, "splitmx_map_round_trip_seconds"), 15)

    def test_questions_to_the_map_are_counted(self):
        def asked():  # a client belongs to either worker
            return sum(openmetrics.value(self.numbers(w), "splitmx_map_questions", "_total") for w in (0, 1))

        before = asked()
        with self.policyd.socketmap() as client:
            client.ask("transport", "ann@example.org")
        self.assertEqual(before + 1, asked())

    def test_C21_no_account_and_no_address_is_in_it(self):
        with self.policyd.socketmap() as client:
            client.ask("transport", "ann@example.org")
            client.ask("transport", "held@example.org")
            client.ask("transport", "odd@example.org")
        for worker in (0, 1):
            text = scrape(self.port + worker)[2]
            for secret in ("ann", "held", "odd", "example.org", "private/", "127.0.0.1", self.sockets):
                self.assertNotIn(secret, text)

    def test_a_worker_that_died_answers_again_at_its_port(self):
        restarts = openmetrics.value(self.numbers(1), "splitmx_worker_restarts", "_total")
        told = self.policyd.splitmx("--json", "status", "--local").stdout.splitlines()
        os.kill(next(s["process"]["pid"] for s in map(json.loads, told) if s["process"]["slot"] == 1), signal.SIGKILL)
        wait_for("the next worker", SECONDS, lambda: openmetrics.value(
            self.numbers(1), "splitmx_worker_restarts", "_total") == restarts + 1)
        self.assertEqual(0, openmetrics.value(self.numbers(0), "splitmx_worker_restarts", "_total"))

    def test_nothing_else_is_answered(self):
        for path, method, code in (("/", "GET", 404), ("/status", "GET", 404), ("/metrics", "POST", 405),
                                   ("/metrics", "HEAD", 405), ("/metrics", "PUT", 405)):
            self.assertEqual(code, scrape(self.port, path, method)[0], (path, method))


class Clash(PolicydCase):
    """A second worker would listen where somebody else does."""

    def test_the_settings_are_refused(self):
        listener = next(row["address"] for row in self.policyd.settings["policyd"]["listen"] if "inet" in row["address"])
        port = int(listener.rpartition(":")[2])
        self.policyd.settings["policyd"] |= {"workers": 2, "metrics": f"inet:127.0.0.1:{port - 1}"}
        self.policyd.write_config()
        done = self.lab.run([program("splitmx-policyd"), "--check", "-c", self.policyd.config], check=False)
        self.assertEqual(78, done.returncode)
        self.assertIn(f"{listener}: is where worker 1 would answer for OpenMetrics", done.stderr)


class Reload(PolicydCase):
    @classmethod
    def settings(cls):
        cls.first, cls.second = port_pair(cls.lab), cls.lab.port()
        cls.policyd_settings = {"metrics": f"inet:127.0.0.1:{cls.first}"}
        return super().settings()

    def become(self, metrics):
        self.policyd.settings["policyd"]["metrics"] = metrics
        self.policyd.write_config()
        os.kill(self.policyd.pid, signal.SIGHUP)

    def log(self):
        with open(self.policyd.log, encoding="utf-8") as f:
            return f.read()

    def test_a_reload_moves_it_and_a_bad_one_does_not(self):
        self.assertEqual(200, scrape(self.first)[0])
        self.become(f"inet:127.0.0.1:{self.second}")
        wait_for("numbers at the new address", SECONDS, lambda: not refused(self.second))
        wait_for("nobody at the old address", SECONDS, lambda: refused(self.first))
        numbers = openmetrics.read(scrape(self.second)[2])
        self.assertEqual(1, openmetrics.value(numbers, "splitmx_worker_reloads", "_total"))
        listener = next(row["address"] for row in self.policyd.settings["policyd"]["listen"] if "inet" in row["address"])
        for bad, why in (("inet:192.0.2.1:9850", "is not a loopback address"), (listener, "is given twice"),
                         ("inet:127.0.0.1:65536", "65536")):
            self.become(bad)
            wait_for("a refusal", SECONDS, lambda w=why: w in self.log())
        self.assertEqual(200, scrape(self.second)[0])
        self.become(f"inet:127.0.0.1:{self.first}")
        wait_for("numbers at the first address", SECONDS, lambda: not refused(self.first))
        with self.policyd.socketmap() as client:
            self.assertEqual("OK", client.ask("transport", "ann@example.org")[0])


if __name__ == "__main__":
    unittest.main()
