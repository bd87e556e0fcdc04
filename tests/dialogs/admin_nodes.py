"""Nodes of the map that are none: what they would write, written by hand."""

import json
import threading

from admin import OK, AdminCase

ENTRY = {"host": "mx1", "role": "policyd", "pid": 7, "version": "0.1.0", "schema": [1, 1], "grace_ms": 0, "drain_ms": 0,
         "run": "0123456789abcdef", "since": "2026-11-21T13:00:00Z"}
BEAT = {"run": "0123456789abcdef", "beat": 1, "epoch": 1, "lease_left_ms": 100, "phase": "live", "answers": 5, "entries": 3}


class Beating:
    """Writes a beat of a node every 200 ms until it is stopped."""

    def __init__(self, case, node, **members):
        self.case, self.node, self.beat = case, node, {**BEAT, **members}
        self.ended = threading.Event()
        case.put("beats", node, self.beat)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        case.addCleanup(self.stop)

    def run(self):
        while not self.ended.wait(0.2):
            self.beat["beat"] += 1
            self.case.put("beats", self.node, self.beat)

    def stop(self):
        self.ended.set()
        self.thread.join()


class NodeCase(AdminCase):
    """The lease is short, because what is silent is waited out."""

    initialised = False

    def setUp(self):
        super().setUp()
        self.says(OK, "init", "--lease", 100)

    def put(self, hash_name, node, members):
        self.redis.cli("HSET", f"splitmx.{hash_name}", node, members if isinstance(members, str) else json.dumps(members))

    def enter(self, node, beat=True, **members):
        self.put("nodes", node, {**ENTRY, **members})
        if beat:
            self.put("beats", node, BEAT)

    def roster(self):
        return set(self.redis.cli("HKEYS", "splitmx.nodes").split())
