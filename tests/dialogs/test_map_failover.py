"""The map client, the commands and real sentinels: masters that move."""

import json
import time

from mapdrive import Drive, needs_redis
from test_map import fill

from lab.case import LabCase
from lab.core import wait_for
from lab.policyd import conf_file, splitmx
from lab.redis_group import RedisGroup


@needs_redis
class Failovers(LabCase):
    @classmethod
    def furnish(cls):
        cls.group = RedisGroup(cls.lab, down_after=1000)
        fill(cls.group.master())
        cls.drive = Drive(cls.lab, redis=cls.group.settings())

    def setUp(self):
        self.group.wait_ready(60)
        self.drive.wait_live()
        self.drive.ask_until("ann@example.org", source="memory")

    def server(self):
        return self.drive.status()["link"]["server"]

    def wait_server(self, member, seconds=20):
        wanted = f"inet:127.0.0.1:{member.tcp_port} (master splitmx by sentinel)"
        wait_for(f"a session with {wanted}", seconds,
                 lambda: self.server() == wanted and self.drive.status()["link"]["state"] == "live", [self.drive.log])

    def answers_what_the_new_master_says(self, new):
        owner = "old" if self.drive.ask("ann@example.org")["owner"] == "new" else "new"
        wait_for("a replica", 20, lambda: "NOREPLICAS" not in new.cli("SET", "splitmx:owner:ann@example.org", owner, check=False))
        self.drive.ask_until("ann@example.org", owner=owner)

    def test_a_planned_failover_and_an_old_master_that_lives_on(self):
        sessions = self.drive.status()["link"]["sessions"]
        old, new = self.group.failover()
        begun = time.monotonic()
        self.wait_server(new)
        self.assertLess(time.monotonic() - begun, 8, "an old master is demoted after about 11 s")
        self.assertEqual(self.group.role(old), "master", "it was the announcement that ended the session")
        self.assertEqual(self.drive.status()["link"]["sessions"], sessions + 1)
        self.answers_what_the_new_master_says(new)

    def test_A15_a_killed_master(self):
        old = self.group.master()
        old.kill()
        answer = self.drive.ask("ann@example.org")
        self.assertEqual(answer["verdict"], "found", "the lease runs")
        new = self.group.wait_failover(old)
        self.wait_server(new)
        self.answers_what_the_new_master_says(new)
        self.group.restart(old)
        wait_for("it follows", 20, lambda: self.group.role(old) == "slave")

    def test_A15_a_stopped_master(self):
        old = self.group.master()
        self.group.stop(old)
        try:
            new = self.group.wait_failover(old)
            self.wait_server(new)
            self.answers_what_the_new_master_says(new)
        finally:
            self.group.cont(old)
        wait_for("it follows", 30, lambda: self.group.role(old) == "slave")
