"""A map on three Redis servers, of which nobody is ever promoted."""

from admin import OK, AdminCase, Redis
from lab import wait_for


class MemberCase(AdminCase):
    initialised = False

    def setUp(self):
        super().setUp()
        self.master = Redis(self.lab, "master", tcp=True)
        self.one, self.two = self.replica(1), self.replica(2)
        self.addresses = [f"127.0.0.1:{redis.tcp_port}" for redis in (self.master, self.one, self.two)]
        self.gone = self.addresses[2]
        self.settings["redis"]["url"] = self.master.tcp_url
        self.write_settings()
        self.says(OK, "init", "--lease", 100, "--members", " ".join(self.addresses))
        self.follow(2)

    def replica(self, number):
        return Redis(self.lab, f"replica{number}", tcp=True,
                     options={"replicaof": f"127.0.0.1 {self.master.tcp_port}", "repl-diskless-sync-delay": 0})

    def follow(self, count):
        wait_for(f"{count} replicas follow", 30, lambda: self.master.cli("INFO", "replication").count("state=online") == count)

    @staticmethod
    def address(redis):
        return f"127.0.0.1:{redis.tcp_port}"

    def dead(self):
        return self.master.cli("HGET", "splitmx.map", "dead")
