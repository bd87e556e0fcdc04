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

    def splitmx(self, *words):
        config = self.lab.write("splitmx.conf", conf_file({**self.drive.settings, "state_dir": self.lab.path("state")}))
        return splitmx(self.lab, config, "--json", *words, check=False)

    def wait_splitmx(self, *words):
        """Until the command succeeds; returns what it said last."""
        def succeeds():
            done = self.splitmx(*words)
            self.assertIn(done.returncode, (0, 75), done.stderr)
            return done if done.returncode == 0 else None
        return wait_for(f"splitmx {' '.join(words)}", 20, succeeds).stdout

    def test_a_command_after_a_failover(self):
        old = self.group.master()
        self.assertEqual(json.loads(self.wait_splitmx("explain", "ann@example.org"))["owner"], self.drive.ask("ann@example.org")["owner"])
        old.kill()
        new = self.group.wait_failover(old)
        wait_for("a replica", 20, lambda: self.group.online(new) > 0)
        for owner in ("old", "new"):
            self.wait_splitmx("set", "ann@example.org", owner, "--force", "--yes")
            self.assertEqual(new.cli("GET", "splitmx:owner:ann@example.org"), owner)
            self.assertEqual(json.loads(self.wait_splitmx("explain", "ann@example.org"))["owner"], owner)
            self.drive.ask_until("ann@example.org", 20, owner=owner)
        self.group.restart(old)
        wait_for("it follows", 20, lambda: self.group.role(old) == "slave")

    def test_a_planned_failover_and_an_old_master_that_lives_on(self):
        sessions = self.drive.status()["link"]["sessions"]
        old, new = self.group.failover()
        begun = time.monotonic()
        self.wait_server(new)
        self.assertLess(time.monotonic() - begun, 8, "an old master is demoted after about 11 s")
        self.assertEqual(self.group.role(old), "master", "it was the announcement that ended the session")
        self.assertEqual(self.drive.status()["link"]["sessions"], sessions + 1)
        self.answers_what_the_new_master_says(new)

    def test_A12_a_killed_master(self):
        old = self.group.master()
        old.kill()
        answer = self.drive.ask("ann@example.org")
        self.assertEqual(answer["verdict"], "found", "the lease runs")
        new = self.group.wait_failover(old)
        self.wait_server(new)
        self.answers_what_the_new_master_says(new)
        self.group.restart(old)
        wait_for("it follows", 20, lambda: self.group.role(old) == "slave")

    def test_A12_a_stopped_master(self):
        old = self.group.master()
        self.group.stop(old)
        try:
            new = self.group.wait_failover(old)
            self.wait_server(new)
            self.answers_what_the_new_master_says(new)
        finally:
            self.group.cont(old)
        wait_for("it follows", 30, lambda: self.group.role(old) == "slave")


@needs_redis
class Users(LabCase):
    """The users that splitmx-map(7) gives to replicas and sentinels are enough for a failover."""

    ACL = ["user default on >everything ~* &* +@all",
           "user replica on >sesame-1 -@all +psync +replconf +ping",
           "user sentinel on >sesame-2 resetkeys allchannels -@all +multi +exec +ping +info +role +slaveof +subscribe +publish "
           "+config|rewrite +client|setname +client|kill +script|kill"]

    def test_a_failover_with_users_of_few_rights(self):
        group = RedisGroup(self.lab, replicas=1, sentinels=1, password="everything", acl=self.ACL,
                           options={"masteruser": "replica", "masterauth": "sesame-1"},
                           sentinel_extra=["sentinel auth-user splitmx sentinel", "sentinel auth-pass splitmx sesame-2"])
        fill(group.master())
        self.assertEqual("1", group.master().cli("WAIT", 1, 5000), "what a failover must keep is on the replica")
        password = self.lab.write("password", "everything\n", 0o600)
        drive = Drive(self.lab, redis=group.settings(password_file=password), cache={"preload": 0})
        drive.ask_until("ann@example.org", owner="new")
        old, new = group.failover()
        wait_for("a session with the new master", 20, lambda: str(new.tcp_port) in drive.status()["link"]["server"])
        # No replica, no writing, no new lease: until the old master is demoted, 11 s later.
        drive.ask_until("ann@example.org", 40, owner="new", source="redis")
        wait_for("the old one follows", 30, lambda: group.role(old) == "slave" and group.online(new) == 1)
