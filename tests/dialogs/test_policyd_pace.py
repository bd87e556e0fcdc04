"""How long one request may take to arrive at splitmx-policyd, and that only this one counts."""

import os
import time
from types import SimpleNamespace

from lab.case import LabCase
from lab.policyd import Policyd

IDLE_MS = 600


class Pace(LabCase):
    @classmethod
    def furnish(cls):
        directory = os.path.dirname(cls.lab.path("pace", "x"))
        cls.policyd = Policyd(cls.lab, {
            "domains": ["example.org"], "domains_complete": True, "destinations": [{"name": "old"}, {"name": "new"}],
            "maps": [{"name": "transport", "owners": {"new": "lmtp:a", "old": "relay:b"}}],
            "policyd": {"idle_timeout": IDLE_MS, "listen": [
                {"protocol": "socketmap", "address": f"unix:{directory}/map", "mode": "0600"}]}},
            name="pace", redis=SimpleNamespace(url=f"redis://127.0.0.1:{cls.lab.port()}"), init=False)

    def test_A3_a_byte_at_a_time_for_ever_is_too_slow(self):
        with self.policyd.socketmap() as client:
            began = time.monotonic()
            with self.assertRaises((EOFError, OSError)):
                client.send_slowly(client.frame("transport " + "x" * 100 + "@foreign.invalid"), 0.05)
                client.answer()
            self.assertLess(time.monotonic() - began, 5 * IDLE_MS / 1000)

    def test_A3_who_always_asks_one_and_a_half_may_stay(self):
        with self.policyd.socketmap() as client:
            request = client.frame("transport who@foreign.invalid")
            client.send(request[:9])
            for _ in range(25):
                time.sleep(0.08)
                client.send(request[9:] + request[:9])
                self.assertEqual(client.answer(), ("NOTFOUND", ""))
