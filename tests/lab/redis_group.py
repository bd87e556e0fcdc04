"""A master, its replicas and the sentinels that watch them: all real, on ports of 127.0.0.1.

Members start from configuration files of their own, which Redis and Sentinel write again as roles
change: a member that is restarted remembers whose replica it is.
"""

import os
import signal

from .core import Failure, Process, wait_for
from .redis import Redis

NAME = "splitmx"


class Sentinel:
    """One redis-server --sentinel; extra: further lines of its configuration."""

    def __init__(self, lab, name, master, quorum, down_after, failover_timeout, extra=(), host=None):
        self.lab = lab
        self.name = name
        self.host = host
        self.port = lab.port()
        self.ip = host.address if host else "127.0.0.1"
        self.address = f"{self.ip}:{self.port}"
        self.process = None
        lines = [f"port {self.port}", f"bind {self.ip}", "protected-mode no", f"dir {os.path.dirname(lab.path(name, 'x'))}", "daemonize no",
                 'logfile ""', f"sentinel monitor {NAME} {master.ip} {master.tcp_port} {quorum}",
                 f"sentinel down-after-milliseconds {NAME} {down_after}",
                 f"sentinel failover-timeout {NAME} {failover_timeout}", f"sentinel parallel-syncs {NAME} 1", *extra]
        self.config = lab.write(f"{name}/sentinel.conf", "\n".join(lines) + "\n")
        self.start()

    def start(self):
        self.process = Process(self.lab, self.name, self._run(["redis-server", self.config, "--sentinel"]))
        self.process.wait_until("it answers", 20, lambda: "PONG" in self.cli("PING", check=False) or self.is_locked())

    def _run(self, argv):
        return self.host.run(argv) if self.host else argv

    def is_locked(self):
        return "NOAUTH" in self.cli("PING", check=False)

    def is_alive(self):
        return self.process.is_alive()

    def cli(self, *words, check=True, user=None, password=None):
        env = {"REDISCLI_AUTH": password} if password else {}
        done = self.lab.run(self._run(["redis-cli", "-h", self.ip, "-p", str(self.port), *(["--user", user] if user else []),
                                       "-e", *words]), env=env, check=False)
        if check and done.returncode != 0:
            raise Failure(f"redis-cli -p {self.port} {' '.join(words)}: {done.stdout}{done.stderr}")
        return (done.stdout + ("" if check else done.stderr)).rstrip("\n")

    def master_port(self):
        return int(self.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME).split("\n")[1])

    def about_master(self):
        lines = self.cli("SENTINEL", "MASTER", NAME).split("\n")
        return dict(zip(lines[::2], lines[1::2]))

    def good_replicas(self):
        """How many replicas it sees well enough to promote one."""
        replicas, flags = self.cli("SENTINEL", "REPLICAS", NAME).split("\n"), []
        for key, value in zip(replicas[::2], replicas[1::2]):
            if key == "flags":
                flags.append([value])
            elif key == "master-link-status" and flags:
                flags[-1].append(value)
        return flags.count(["slave", "ok"])

    def freeze(self):
        self.process.signal(signal.SIGSTOP)

    def thaw(self):
        self.process.signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()


class RedisGroup:
    """replicas and sentinels: how many; down_after in ms (2000 is what the manual recommends);
    options: further lines of every member's redis.conf; sentinel_extra: lines of every sentinel's.
    password, acl: as of Redis. hosts: member i and sentinel i run on the i-th of them (lab.network).
    """

    def __init__(self, lab, name="group", replicas=2, sentinels=3, down_after=1000, failover_timeout=10000, options=None,
                 sentinel_extra=(), password=None, acl=None, hosts=()):
        self.lab = lab
        self.name = name
        common = {"repl-timeout": 10, "repl-diskless-sync-delay": 0, "min-replicas-to-write": 1 if replicas else 0,
                  "min-replicas-max-lag": 2, **(options or {})}
        self.members, self.stopped = [], []
        for i in range(1 + replicas):
            follow = {"replicaof": f"{self.members[0].ip} {self.members[0].tcp_port}"} if i else {}
            self.members.append(Redis(lab, name=f"{name}-m{i}", tcp=True, aof=True, password=password, acl=acl,
                                      options={**common, **follow}, host=hosts[i] if hosts else None))
        self.wait_online(self.members[0])
        self.sentinels = [Sentinel(lab, f"{name}-s{i}", self.members[0], sentinels // 2 + 1, down_after,
                                   failover_timeout, sentinel_extra, hosts[i] if hosts else None) for i in range(sentinels)]
        self.wait_ready()

    def settings(self, **more):
        """The group "redis" of splitmx.conf."""
        return {"sentinels": [s.address for s in self.sentinels], "sentinel_master": NAME, **more}

    @property
    def logs(self):
        return [self.lab.log_path(x.name) for x in (*self.members, *self.sentinels)]

    def running(self):
        """Those that would answer."""
        return [m for m in self.members if m.process.is_alive() and m not in self.stopped]

    def role(self, member):
        return member.cli("ROLE", check=False).split("\n")[0]

    def named(self):
        """The ports that the running sentinels name."""
        return {s.master_port() for s in self.sentinels if s.is_alive()}

    def master(self):
        """The member that all running sentinels name, if it says so too; else None."""
        ports = self.named()
        found = [m for m in self.running() if ports == {m.tcp_port}]
        return found[0] if found and self.role(found[0]) == "master" else None

    def replicas(self):
        master = self.master()
        return [m for m in self.running() if m is not master]

    def online(self, master):
        return sum(line.startswith("slave") and "state=online" in line
                   for line in master.cli("INFO", "replication", check=False).split("\n"))

    def wait_online(self, master, count=None, seconds=30):
        """Until so many replicas follow this master; None: all that run."""
        wait_for("replicas online", seconds,
                 lambda: self.online(master) >= (len(self.running()) - 1 if count is None else count), every=0.05)

    def wait_ready(self, seconds=30):
        """Until all follow the master and the sentinels know it: a failover works from now on. Returns the master."""
        def ready():
            master = self.master()
            alive = [s for s in self.sentinels if s.is_alive()]
            replicas = len(self.running()) - 1
            return (master and self.online(master) == replicas and
                    all(s.good_replicas() == replicas and s.about_master()["flags"] == "master" and
                        int(s.about_master()["num-other-sentinels"]) >= len(alive) - 1 for s in alive) and master)
        return wait_for(f"{self.name} is ready", seconds, ready, self.logs, 0.1)

    def wait_failover(self, old, seconds=30):
        """Until the sentinels name another master than old; returns it."""
        def moved():
            master = self.master()
            return master if master is not old else None
        return wait_for("a failover", seconds, moved, self.logs, 0.05)

    def failover(self):
        """A planned one. Returns (old master, new master); the old one lives, as a master for some seconds."""
        old = self.wait_ready()
        self.sentinels[0].cli("SENTINEL", "FAILOVER", NAME)
        return old, self.wait_failover(old)

    # what can happen to a member

    def kill(self, member):
        member.kill()

    def stop(self, member):
        """SIGSTOP."""
        self.stopped.append(member)
        member.freeze()

    def cont(self, member):
        member.thaw()
        self.stopped.remove(member)

    def restart(self, member):
        member.restart()
