"""What the dialogues with splitmx-policyd share: one Redis, one policyd, a small map."""

import os
import shutil
import unittest

from lab import LabCase, Policyd, Redis, wait_for

RECORD = {"owner:@example.org": "old", "owner:ann@example.org": "new", "owner:held@example.org": "old",
          "hold:held@example.org": "mail:test", "owner:odd@example.org": "nowhere"}
LONG = "x" * 1900
MAPS = [
    {"name": "transport", "owners": {"new": "lmtp:unix:private/%u", "old": "relay:[old.internal]:10026"},
     "held": "splitmx-hold:[127.0.0.1]:10024"},
    {"name": "old-side", "owners": {"new": "relay:[mx.internal]:10026", "old": ""}},
    {"name": "actions", "owners": {"new": "DUNNO", "old": "PREPEND X-Owner: %o"}, "held": "450 4.2.1 %a is moving"},
    # An answer that fits into no line of tcp_table.
    {"name": "long", "owners": {"new": LONG * 1 + "%a" * 40, "old": ""}},
]


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class PolicydCase(LabCase):
    """cls.policyd answers on every protocol; policyd_settings says what else it is told."""

    policyd_settings = {}

    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.redis.cli("HSET", "splitmx.map", "id", "6f1c1bd4-3d53-4c0e-9e7e-0d1b8f0f5d11", "epoch", 1,
                      "schema", 1, "lease_ms", 15000, "members", 1)
        for key, value in RECORD.items():
            cls.redis.cli("SET", "splitmx:" + key, value)
        cls.sockets = os.path.dirname(cls.lab.path("s", "x"))
        cls.policyd = Policyd(cls.lab, cls.settings(), redis=cls.redis, init=False)
        cls.policyd.wait_answer("transport", "ann@example.org", "OK")

    @classmethod
    def settings(cls):
        listen = [
            {"protocol": "socketmap", "address": f"unix:{cls.sockets}/map", "mode": "0600"},
            {"protocol": "socketmap", "address": f"inet:127.0.0.1:{cls.lab.port()}"},
            {"protocol": "tcp_table", "address": f"inet:127.0.0.1:{cls.lab.port()}", "map": "transport"},
            {"protocol": "tcp_table", "address": f"unix:{cls.sockets}/long", "mode": "0600", "map": "long"},
            {"protocol": "policy", "address": f"unix:{cls.sockets}/policy", "mode": "0600", "map": "actions"},
            {"protocol": "sink", "address": f"inet:127.0.0.1:{cls.lab.port()}", "reply": "450 4.2.1 Moving"},
            {"protocol": "socketmap", "address": f"unix:{cls.sockets}/users", "mode": "0666", "users": ["root"]},
        ]
        return {"domains": ["example.org"], "destinations": [{"name": "old"}, {"name": "new"}], "maps": MAPS,
                "policyd": {"listen": listen, **cls.policyd_settings}}

    # what its worker costs

    def worker(self):
        pid = self.policyd.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return int(f.read().split()[0])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.worker()}/fd"))

    def resident_kib(self):
        with open(f"/proc/{self.worker()}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

    def wait_descriptors(self, most):
        wait_for(f"at most {most} descriptors are open", 10, lambda: self.descriptors() <= most)
