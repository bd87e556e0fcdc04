"""Hostile row C10: guesses from one address and from thousands, at people who exist and at people who do not."""

import statistics
import threading
import time
import unittest
from concurrent import futures

from front_scripts import PROTOCOLS, WRONG, RowsCase, plain, verdict
from lab import FULL

ADDRESSES = 10000 if FULL else 800
AT_ONCE = 48
DELAY_MS = 300
GUESSES = 16  # in the same moment
PACE_S = 0.25  # front/crowd.h


def address(i):
    return f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"


class Guesses(RowsCase):
    """A balancer at 127.0.0.1 says who calls; whoever comes from another address of 127.0.0.0/8 comes by himself."""

    frontd_settings = {"fail_delay": DELAY_MS, "login_timeout": 60000, "max_per_address": 40, "max_parked_per_address": 3}

    @classmethod
    def adjust(cls, settings):
        super().adjust(settings)
        for row in settings["frontd"]["listen"]:
            row["proxy_from"] = ["127.0.0.1/32"]

    def called(self, protocol, ip):
        return self.talk(protocol, first=f"PROXY TCP4 {ip} 192.0.2.1 4711 143\r\n".encode())

    def guess(self, protocol, ip, user, password=WRONG):
        """(answer, seconds) of one login from there."""
        with self.called(protocol, ip) as client:
            client.greet()
            began = time.monotonic()
            return client.auth("PLAIN", plain(user, password)), time.monotonic() - began

    def test_C10_ten_thousand_addresses_learn_nothing_and_stop_nobody(self):
        before, stop, honest = self.resident_kib(), threading.Event(), []

        def go_on_working():
            while not stop.wait(0.1):
                answer, took = self.guess("imap", "192.0.2.7", f"honest-{self.user}", "good")
                honest.append((verdict(answer), took))

        def one(i):
            known = i % 2 == 0
            user = f"victim{i % 50}-{self.user}" if known else f"nobody{i % 50}@foreign.invalid"
            protocol = PROTOCOLS[i // 2 % 4]
            answer, took = self.guess(protocol, address(i), user)
            return protocol, known, answer, took

        worker = threading.Thread(target=go_on_working)
        worker.start()
        with futures.ThreadPoolExecutor(AT_ONCE) as pool:
            seen = list(pool.map(one, range(ADDRESSES)))
        stop.set()
        worker.join(60)
        for protocol in PROTOCOLS:
            words = {(known, answer) for p, known, answer, _ in seen if p == protocol}
            self.assertEqual(1, len({answer for _, answer in words}), words)
            self.assertEqual({"wrong"}, {verdict(answer) for _, answer in words})
            took = {known: [t for p, k, _, t in seen if p == protocol and k == known] for known in (True, False)}
            self.assertGreaterEqual(min(took[True] + took[False]), DELAY_MS / 1000 - 0.02)
            known, unknown = statistics.median(took[True]), statistics.median(took[False])
            self.assertLess(abs(known - unknown), 0.1, (protocol, known, unknown))
        self.assertEqual({"in"}, {word for word, _ in honest})
        grown = self.resident_kib() - before
        median = statistics.median(took for _, took in honest)
        self.figures(f"C10 addresses={ADDRESSES} honest_logins={len(honest)} honest_p50_ms={median * 1000:.0f} grown_kib={grown}")
        self.assertLess(grown, 8192, "KiB")
        self.wait_nobody()
        refused = self.front.log_lines(r"login_refused .*refusal=wrong")
        self.assertEqual(ADDRESSES, len({line.partition(" from=")[2].partition(":")[0] for line in refused if " from=10." in line}))

    def test_C10_a_hundred_guesses_from_one_address_are_slowed_down_and_its_neighbours_are_not(self):
        crowd = [self.called("imap", "192.0.2.66") for _ in range(30)]
        for client in crowd:
            client.greet()
        began = time.monotonic()
        for i in range(100):  # those that are through try again, as fast as they can
            crowd[i % 30].say(f"a AUTHENTICATE PLAIN {plain(self.user, WRONG)}")
        answered = 0
        while time.monotonic() - began < 3:
            for client in crowd:
                client.sock.settimeout(0.005)
                try:
                    line = client.line()
                    self.assertIn(verdict(line), ("wrong", "bye"))
                    answered += 1
                except TimeoutError:
                    pass
        self.assertTrue(0 < answered < 12, answered)  # 300 ms, and 0, 300, 600, 1200 ... on top
        for user, password, want in ((f"other-{self.user}", "good", "in"), (f"third-{self.user}", WRONG, "wrong")):
            answer, took = self.guess("imap", "192.0.2.66", user, password)  # the same address, another account
            self.assertEqual(want, verdict(answer))
            self.assertLess(took, 1.5)
        answer, took = self.guess("imap", "192.0.2.67", self.user, "good")  # the same account, another address
        self.assertEqual("in", verdict(answer))
        self.assertLess(took, 1.5)
        for client in crowd:
            client.close()
        self.wait_nobody()

    def guess_at_once(self, count, ip):
        """So many connections that have said a wrong password, behind two whose refusals have made the pair owe a wait."""
        for _ in range(2):
            self.assertEqual("wrong", verdict(self.guess("imap", ip, self.user)[0]))
        crowd = [self.called("imap", ip) for _ in range(count)]
        for client in crowd:
            client.greet()
            client.say(f"a AUTHENTICATE PLAIN {plain(self.user, WRONG)}")
        return crowd

    def test_C10_guesses_in_the_same_moment_take_turns_and_the_owner_has_his(self):
        crowd = self.guess_at_once(GUESSES, "192.0.2.68")
        began = time.monotonic()
        for user, ip in ((f"other-{self.user}", "192.0.2.68"), (self.user, "192.0.2.69")):
            answer, took = self.guess("imap", ip, user, "good")
            self.assertEqual("in", verdict(answer))
            self.assertLess(took, 1.5)
        answer, _ = self.guess("imap", "192.0.2.68", self.user, "good")
        took = time.monotonic() - began
        self.assertEqual("in", verdict(answer))
        self.assertTrue((GUESSES - 3) * PACE_S < took < GUESSES * PACE_S + 5, took)  # all who came before, and nobody's wait
        for client in crowd:
            client.close()
        self.wait_nobody()

    def test_C10_whoever_leaves_the_line_is_not_waited_for(self):
        crowd = self.guess_at_once(GUESSES, "192.0.2.70")
        for client in crowd:
            client.close()
        self.wait_nobody()
        answer, took = self.guess("imap", "192.0.2.70", self.user, "good")
        self.assertEqual("in", verdict(answer))
        self.assertLess(took, 1.5)

    def test_C10_connections_are_counted_by_address_whoever_carries_them(self):
        crowd = [self.called("imap", "192.0.2.8") for _ in range(40)]
        self.assertTrue(all(client.line().startswith(b"* OK") for client in crowd))
        self.assertRegex(self.called("imap", "192.0.2.8").line(), rb"^\* BYE \[LIMIT\]")
        crowd.append(self.called("imap", "192.0.2.9"))
        self.assertRegex(crowd[-1].line(), rb"^\* OK")
        own = [self.talk("imap", source="127.1.2.3") for _ in range(40)]
        self.assertTrue(all(client.line().startswith(b"* OK") for client in own))
        self.assertRegex(self.talk("imap", source="127.1.2.3").line(), rb"^\* BYE \[LIMIT\]")
        own.append(self.talk("imap", source="127.1.2.4"))
        self.assertRegex(own[-1].line(), rb"^\* OK")
        for client in crowd + own:
            client.close()
        self.wait_nobody()
        self.assertRegex(self.called("imap", "192.0.2.8").line(), rb"^\* OK")

    def test_C10_parked_logins_are_counted_by_address_whoever_carries_them(self):
        self.hold()
        for i, ip in enumerate(("192.0.2.20", "192.0.2.21"), 1):
            parked = [self.called("imap", ip) for _ in range(4)]
            for client in parked[:3]:
                client.greet()
                client.say(f"a AUTHENTICATE PLAIN {plain(self.user, 'good')}")
            self.wait_phases(["parked"] * 3 * i, self.user)
            parked[3].greet()
            self.assertRegex(parked[3].auth("PLAIN", plain(self.user, "good")), rb"^\* BYE \[LIMIT\]")
        self.release()
        self.wait_phases(["running"] * 6, self.user)


if __name__ == "__main__":
    unittest.main()
