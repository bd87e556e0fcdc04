"""A private Postfix: own configuration, queue, data directory and log, high loopback ports.

Services are chrooted as on Debian, so a socket path in a table must be relative
to the queue directory. The system's /etc/postfix is only read, for
dynamicmaps.cf. Postfix must be started by root.
"""

import json
import os
import shutil
import signal
import socket
import subprocess

from .core import Failure, Logged, Process, wait_for

MAIN = {
    "compatibility_level": "3.6",
    "inet_protocols": "ipv4",
    "inet_interfaces": "127.0.0.1",
    "mynetworks": "127.0.0.0/8",
    "mydestination": "",
    "local_recipient_maps": "",
    "local_transport": "error:5.1.1 no local mailboxes here",
    "alias_maps": "",
    "alias_database": "",
    "biff": "no",
    "disable_dns_lookups": "yes",
    "smtp_host_lookup": "native",
    "smtpd_peername_lookup": "no",
    "smtp_tls_security_level": "none",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    "smtpd_recipient_restrictions": "",
    "smtpd_client_connection_count_limit": "0",
    "recipient_delimiter": "+",
    # Quicker than in life, so that a test need not wait for minutes.
    "minimal_backoff_time": "300s",
    "queue_run_delay": "300s",
    "smtp_connect_timeout": "5s",
}

# name -> type private unpriv chroot wakeup maxproc command, as in Debian's master.cf
MASTER = {
    ("pickup", "unix"): "n - y 60 1 pickup",
    ("cleanup", "unix"): "n - y - 0 cleanup",
    ("qmgr", "unix"): "n - n 300 1 qmgr",
    ("tlsmgr", "unix"): "- - y 1000? 1 tlsmgr",
    ("rewrite", "unix"): "- - y - - trivial-rewrite",
    ("bounce", "unix"): "- - y - 0 bounce",
    ("defer", "unix"): "- - y - 0 bounce",
    ("trace", "unix"): "- - y - 0 bounce",
    ("verify", "unix"): "- - y - 1 verify",
    ("flush", "unix"): "n - y 1000? 0 flush",
    ("proxymap", "unix"): "- - n - - proxymap",
    ("proxywrite", "unix"): "- - n - 1 proxymap",
    ("smtp", "unix"): "- - y - - smtp",
    ("relay", "unix"): "- - y - - smtp -o syslog_name=postfix/relay",
    ("showq", "unix"): "n - y - - showq",
    ("error", "unix"): "- - y - - error",
    ("retry", "unix"): "- - y - - error",
    ("discard", "unix"): "- - y - - discard",
    ("local", "unix"): "- n n - - local",
    ("virtual", "unix"): "- n n - - virtual",
    ("lmtp", "unix"): "- - y - - lmtp",
    ("anvil", "unix"): "- - y - 1 anvil",
    ("scache", "unix"): "- - y - 1 scache",
    ("postlog", "unix-dgram"): "n - n - 1 postlogd",
}


def parse_queue(text):
    """The lines of `postqueue -j`, one JSON object each."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


class Postfix(Logged):
    """main: settings added to MAIN; services: rows added to MASTER, as (name, type): text (None removes a row);
    smtpd: names of listeners -> options of their smtpd; each gets a port, found in .ports[name].

    With start=False the directories exist already, so that others can put sockets under the queue directory.
    """

    def __init__(self, lab, name, main=None, services=None, smtpd=None, start=True):
        self.lab = lab
        self.name = name
        self.dir = os.path.dirname(lab.path(name, "x"))
        self.etc = os.path.join(self.dir, "etc")
        self.queue = os.path.join(self.dir, "queue")
        self.data = os.path.join(self.dir, "data")
        self.log = lab.log_path(name)
        self.process = None
        self.smtpd = dict(smtpd or {"smtp": ""})
        self.ports = {listener: lab.port() for listener in self.smtpd}
        self.main = {**MAIN, "myhostname": f"{name}.lab.invalid", "queue_directory": self.queue,
                     "data_directory": self.data, "maillog_file": self.log, "maillog_file_prefixes": lab.dir, **(main or {})}
        self.services = {**MASTER, **(services or {})}
        self._prepare()
        if start:
            self.start()

    @property
    def port(self):
        return self.ports["smtp"]

    def _prepare(self):
        for path in (self.etc, self.queue, self.data, os.path.join(self.queue, "private"), os.path.join(self.queue, "etc")):
            os.makedirs(path, exist_ok=True)
        shutil.chown(self.data, "postfix", "postfix")
        shutil.chown(os.path.join(self.queue, "private"), "postfix", "root")
        os.chmod(os.path.join(self.queue, "private"), 0o700)
        for source in ("/etc/hosts", "/etc/services", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/localtime"):
            if os.path.exists(source):  # what a chrooted daemon wants to read
                shutil.copyfile(source, os.path.join(self.queue, source[1:]))
        self.write_config()

    def write_config(self):
        rows = []
        for listener, options in self.smtpd.items():
            rows.append(f"127.0.0.1:{self.ports[listener]} inet n - y - - smtpd "
                        f"-o syslog_name=postfix/{listener} {options}\n")
        for (name, kind), rest in self.services.items():
            if rest is not None:
                rows.append(f"{name} {kind} {rest}\n")
        prefix = self.lab.dir + "/"
        self.lab.write(os.path.join(self.etc, "master.cf")[len(prefix):], "".join(rows))
        self.lab.write(os.path.join(self.etc, "main.cf")[len(prefix):],
                       "".join(f"{k} = {v}\n" for k, v in self.main.items()))

    def table(self, name, rows):
        """A texthash table; returns "texthash:path" for main.cf. Read when a daemon starts."""
        path = os.path.join(self.etc, name)
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(f"{key} {value}\n" for key, value in rows.items())
        return "texthash:" + path

    def configure(self, **main):
        """Change settings of main.cf and reload if it runs."""
        self.main.update(main)
        self.write_config()
        if self.process:
            self.reload()

    # life

    def start(self):
        """In the foreground: a shell script that ends when the master, its child, does."""
        self.process = Process(self.lab, self.name + "-master", ["postfix", "-c", self.etc, "start-fg"])
        self.lab.remember(self)
        for listener, port in self.ports.items():
            self.process.wait_until(f"{listener} greets on port {port}", 30,
                                    lambda port=port: self._greets(port), (self.log,))

    def _greets(self, port):
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.settimeout(5)
                return s.recv(200).startswith(b"220")
        except OSError:
            return False

    @property
    def master_pid(self):
        """0 while there is none."""
        try:
            with open(os.path.join(self.queue, "pid", "master.pid"), encoding="ascii") as f:
                return int(f.read().split()[0])
        except (OSError, ValueError, IndexError):
            return 0

    def stop(self):
        """The master takes its daemons with it; nothing listens afterwards."""
        if self.process:
            if self.process.is_alive() and self.master_pid:
                os.kill(self.master_pid, signal.SIGTERM)
                try:
                    self.process.popen.wait(10)
                except subprocess.TimeoutExpired:
                    pass  # Process.stop and the lab's end are less polite
            self.process.stop()
            self.process = None
            for port in self.ports.values():
                wait_for(f"{self.name} has left port {port}", 10, lambda port=port: not self._greets(port), (self.log,))
        self.lab.forget(self)

    def command(self, *argv, check=True, seconds=30):
        return self.lab.run([argv[0], "-c", self.etc, *argv[1:]], check=check, seconds=seconds).stdout

    def reload(self):
        """Also ends every smtpd and qmgr, and with them what they remember of the map."""
        before = self.log_count("daemon started|reload -- version")
        self.command("postfix", "reload")
        wait_for(f"{self.name} has reloaded", 10,
                 lambda: self.log_count("daemon started|reload -- version") > before, (self.log,))

    # the queue

    def queue_list(self, name=None):
        """The messages in the queue (postqueue -j), or those of one: "active", "deferred", "incoming", "hold"."""
        return [m for m in parse_queue(self.command("postqueue", "-j")) if name in (None, m["queue_name"])]

    def queue_of(self, address):
        """Messages that still have this recipient."""
        return [m for m in self.queue_list() if any(r["address"] == address for r in m["recipients"])]

    def flush(self, address=None):
        """Try everything in the queue now, or only the messages for one recipient."""
        if address is None:
            self.command("postqueue", "-f")
        else:
            for message in self.queue_of(address):
                # It may have left the queue in the meantime.
                self.command("postqueue", "-i", message["queue_id"], check=False)

    def wait_empty(self, seconds=30):
        try:
            wait_for(f"the queue of {self.name} is empty", seconds, lambda: not self.queue_list(), (self.log,), every=0.1)
        except Failure as e:
            raise Failure(f"{e}\n  queue: {json.dumps(self.queue_list()[:5], indent=1)}") from None

    def postmap_query(self, key, table):
        """What a table answers, asked from the queue directory as a chrooted daemon would see it."""
        done = self.lab.run(["postmap", "-c", self.etc, "-q", key, table], check=False, cwd=self.queue)
        return done.returncode, done.stdout.rstrip("\n"), done.stderr
