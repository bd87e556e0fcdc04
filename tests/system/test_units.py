"""The units of contrib/systemd: systemd takes them, they leave little exposed, and their sockets reach the daemons.

systemd need not run: systemd-analyze reads the units, and systemd-socket-activate hands over what it has bound as
root to a daemon that is nobody, as the units do.
"""

import glob
import os
import re
import socket
import types
import unittest

from lab.case import LabCase
from lab.core import BUILD, TOP, Process
from lab.dovecot import Dovecot
from lab.front import Frontd
from lab.imap_script import ImapClient
from lab.milter import Milter, MilterClient, ScriptedPolicyd, found
from lab.clients import Socketmap
from lab.policyd import Policyd, program
from lab.redis import Redis

ANN = "ann@example.org"
# What systemd-analyze may say at most, in tenths; less is better. What is left: networks, sockets and users of others.
EXPOSED = {"splitmx-frontd.service": 14, "splitmx-milter.service": 14, "splitmx-policyd.service": 14,
           "splitmx-doctor.service": 12}


class UnitsTest(LabCase):
    @classmethod
    def furnish(cls):
        """All units in one directory, with the programs that were built."""
        contrib = os.path.join(TOP, "contrib", "systemd")
        for path in glob.glob(os.path.join(contrib, "*.socket")) + glob.glob(os.path.join(contrib, "*.timer")):
            cls.copy(path, lambda text: text)
        for path in glob.glob(os.path.join(BUILD, "contrib", "systemd", "*.service")):
            cls.copy(path, lambda text: re.sub(r"^ExecStart=\S*/", f"ExecStart={BUILD}/", text, flags=re.M))
        cls.units = os.path.dirname(cls.lab.path("units", "x"))

    @classmethod
    def copy(cls, path, change):
        with open(path, encoding="utf-8") as f:
            cls.lab.write(os.path.join("units", os.path.basename(path)), change(f.read()))

    def test_systemd_has_nothing_to_say(self):
        units = sorted(glob.glob(os.path.join(self.units, "*")))
        self.assertEqual(8, len(units))
        done = self.lab.run(["systemd-analyze", "verify", "--man=no", *units], env={"SYSTEMD_UNIT_PATH": self.units + ":"})
        said = [line for line in (done.stdout + done.stderr).splitlines() if "splitmx" in line]
        self.assertEqual([], said)

    def test_little_is_exposed(self):
        for unit, most in EXPOSED.items():
            with self.subTest(unit=unit):
                self.lab.run(["systemd-analyze", "security", "--offline=true", f"--threshold={most}",
                              os.path.join(self.units, unit)])

    def test_who_asks_which_boot_it_is_can_see_it(self):
        """/proc/sys is hidden by ProcSubset=pid: then nothing that was saved for the grace is used, and any kill -9 is
        taken for the end of the host."""
        for name in ("splitmx-frontd.service", "splitmx-policyd.service"):
            with open(os.path.join(self.units, name), encoding="utf-8") as f:
                self.assertNotIn("\nProcSubset=pid\n", f.read(), name)

    def test_the_sockets_are_those_of_the_example(self):
        """Whoever takes both as they are has nothing that is called unused."""
        with open(os.path.join(TOP, "doc", "splitmx.conf.example"), encoding="utf-8") as f:
            example = set(re.findall(r'"(?:inet|unix):([^"]+)"', f.read()))
        for name in ("splitmx-frontd.socket", "splitmx-milter.socket", "splitmx-policyd.socket"):
            with open(os.path.join(self.units, name), encoding="utf-8") as f:
                self.assertEqual([], sorted(set(re.findall(r"^ListenStream=(.+)$", f.read(), re.M)) - example), name)

    def test_user_and_directories_are_made(self):
        root = self.lab.path("root", "etc")
        os.makedirs(root)
        root = os.path.dirname(root)
        contrib = os.path.join(TOP, "contrib", "systemd")
        self.lab.run(["systemd-sysusers", f"--root={root}", os.path.join(contrib, "splitmx.sysusers")])
        with open(os.path.join(root, "etc", "passwd"), encoding="utf-8") as f:
            user = re.search(r"^splitmx:x:(\d+):(\d+):.*:/var/lib/splitmx:/usr/sbin/nologin$", f.read(), re.M)
        self.assertTrue(user)
        self.lab.run(["systemd-tmpfiles", "--create", f"--root={root}", os.path.join(contrib, "splitmx.tmpfiles")])
        for path, mode in (("run/splitmx", 0o755), ("var/lib/splitmx", 0o700)):
            made = os.stat(os.path.join(root, path))
            self.assertEqual((int(user[1]), int(user[2]), mode), (made.st_uid, made.st_gid, made.st_mode & 0o777), path)
        self.assertTrue(os.path.isdir(os.path.join(root, "var/spool/postfix/run/splitmx")))


class ActivationTest(LabCase):
    def redis(self, name):
        """One that everybody may ask."""
        redis = Redis(self.lab, name)
        os.chmod(redis.url.removeprefix("unix://"), 0o777)
        return redis

    def activate(self, daemon, addresses):
        """What systemd does for a unit with User=: the sockets are root's, the daemon is nobody."""
        for directory in (daemon.run_dir, daemon.state_dir):
            for path, _, files in os.walk(directory):
                for name in (path, *(os.path.join(path, f) for f in files)):
                    os.chown(name, 65534, 65534)
        listen = [word for address in addresses for word in ("-l", address)]
        daemon.lab.remember(daemon)
        daemon.process = Process(self.lab, daemon.name, [
            "systemd-socket-activate", *listen, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
            program(daemon.binary), "-c", daemon.config])
        daemon.process.wait_until("it listens", 20, lambda: daemon.log_count("Listening on") == len(addresses))

    def low_port(self):
        """Below 1024, where only root may bind."""
        for port in range(1023, 600, -1):
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
        self.fail("no free port below 1024")

    def test_frontd_takes_a_port_that_only_root_can_bind(self):
        dovecot = Dovecot(self.lab, "dovecot", [ANN])
        home = types.SimpleNamespace(imap_port=dovecot.imap_port)
        front = Frontd(self.lab, {"old": home}, redis=self.redis("of-frontd"), start=False)
        front.redis_cli("SET", "splitmx:owner:@example.org", "old")
        port, other = self.low_port(), self.lab.port()
        front.settings["frontd"]["listen"][0]["address"] = f"inet:127.0.0.1:{port}"
        front.write_config()
        self.activate(front, [f"127.0.0.1:{port}", f"127.0.0.1:{other}"])
        with ImapClient(port) as client:  # who comes first wakes it up, and is served
            self.assertRegex(client.login(ANN), b"^a OK")
        self.assertEqual(1, front.log_count("ready workers=1 listeners=1"))
        self.assertEqual(1, front.log_count(f"socket_unused address=inet:127.0.0.1:{other} "))
        with open(f"/proc/{front.pid}/status", encoding="ascii") as f:
            self.assertIn("Uid:\t65534\t65534\t65534\t65534", f.read())
        self.assertEqual(0, front.stop())

    def test_policyd_takes_a_socket_in_a_directory_of_others(self):
        path = self.lab.path("queue", "run", "map.sock")
        policyd = Policyd(self.lab, {
            "destinations": [{"name": "old"}, {"name": "new"}],
            "maps": [{"name": "transport", "owners": {"old": "relay:[old]", "new": "lmtp:unix:new"}}],
            "policyd": {"listen": [{"protocol": "socketmap", "address": f"unix:{path}"}]}}, redis=self.redis("of-policyd"),
            start=False)
        policyd.redis_cli("SET", "splitmx:owner:@example.org", "old")
        self.activate(policyd, [path])
        with Socketmap(path, 10) as client:
            self.assertEqual(("OK", "relay:[old]"), client.ask("transport", ANN))
        self.assertEqual(0, policyd.log_count("socket_unused"))
        self.assertEqual(0, policyd.stop())
        self.assertTrue(os.path.exists(path))  # systemd's, not ours to remove

    def test_the_milter_takes_a_socket_in_a_directory_of_others(self):
        """libmilter never sees that directory, nor could it write there."""
        path = self.lab.path("queue", "run", "milter.sock")
        policyd = ScriptedPolicyd(self.lab, {ANN: found(ANN)})
        os.chmod(policyd.path, 0o777)
        milter = Milter(self.lab, policyd.path, listen=[f"unix:{path}"], start=False)
        os.chown(milter.keys, 65534, 65534)
        self.activate(milter, [path])
        with MilterClient(path, 10) as client:
            client.negotiate()
            self.assertEqual(b"c", client.message(ANN)[2])
        self.assertEqual(0, milter.log_count("socket_unused"))
        self.assertEqual(0, milter.stop())
        self.assertTrue(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
