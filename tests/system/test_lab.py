"""The laboratory keeps its own promises: what it starts, it stops; what it is told, happens."""

import os
import signal
import subprocess
import sys
import textwrap
import unittest

from lab import Dovecot, Lab, LabCase, Message, Postfix, Redis, imap_wait, smtp_send, wait_for
from lab.core import TOP, processes_of


class EndTest(unittest.TestCase):
    """A program that is ended in the middle leaves nothing."""

    PROGRAM = textwrap.dedent("""
        import sys, time
        from lab import *
        with Lab() as lab:
            Redis(lab)
            Dovecot(lab, "dovecot", ["ann@example.org"])
            Postfix(lab, "mx")
            lab.run(["sh", "-c", "sleep 1000 </dev/null >/dev/null 2>&1 &"])
            print(lab.dir, flush=True)
            sys.stdin.readline()
            ACTION
        """)

    def end(self, action, sig=None):
        env = {**os.environ, "PYTHONPATH": os.path.join(TOP, "tests")}
        env.pop("SPLITMX_LOGS", None)
        # A shell starts what runs in its background with SIGINT ignored, and that is inherited.
        child = subprocess.Popen([sys.executable, "-B", "-c", self.PROGRAM.replace("ACTION", action)], env=env, text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        directory = child.stdout.readline().strip()
        self.assertGreater(len(processes_of(directory)), 3)
        if sig:
            child.send_signal(sig)
        _, said = child.communicate("go on\n" if not sig else None, timeout=60)
        self.assertEqual([], processes_of(directory))
        return directory, child.returncode, said

    def test_normal_end_removes_everything(self):
        directory, status, _ = self.end("pass")
        self.assertEqual(0, status)
        self.assertFalse(os.path.exists(directory))

    def test_exception_keeps_the_logs_and_names_them(self):
        directory, status, said = self.end("raise Failure('as planned')")
        self.assertEqual(1, status)
        self.assertIn(f"logs are in {directory}/log", said)
        self.assertTrue(os.path.exists(f"{directory}/log/mx.log"))
        subprocess.run(["rm", "-rf", directory], check=True)

    def test_signals_stop_all_servers(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            directory, status, _ = self.end("time.sleep(100)", sig)
            self.assertNotEqual(0, status)
            subprocess.run(["rm", "-rf", directory], check=True)


class ServersTest(LabCase):
    def test_redis_by_socket_port_and_tls_with_passwords(self):
        lab = self.lab
        key, cert = lab.path("tls/key.pem"), lab.path("tls/cert.pem")
        lab.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=localhost", "-keyout", key, "-out", cert])
        redis = Redis(lab, "redis-all", tcp=True, password="secret", tls=(cert, key, cert), aof=True,
                      acl=["user default on >secret ~* &* +@all", "user reader on >word ~splitmx:* +get"])
        self.assertEqual("OK", redis.cli("SET", "splitmx:owner:a@example.org", "new"))
        self.assertEqual("new", redis.cli("GET", "splitmx:owner:a@example.org", user="reader", password="word"))
        self.assertIn("NOPERM", redis.cli("SET", "x", "1", user="reader", password="word", check=False))
        done = lab.run(["redis-cli", "-p", str(redis.tls_port), "--tls", "--cacert", cert, "-a", "secret", "PING"])
        self.assertEqual("PONG", done.stdout.strip())
        redis.pipe(["SET", f"k{i}", i] for i in range(1000))
        self.assertEqual("1001", redis.cli("DBSIZE"))
        redis.kill()
        redis.start()
        self.assertEqual("1001", redis.cli("DBSIZE"), "AOF, always: a killed Redis has lost nothing")

    def test_mail_from_postfix_to_dovecot(self):
        postfix = Postfix(self.lab, "alone", start=False)
        dovecot = Dovecot(self.lab, "box", ["ann@example.org"], lmtp_socket=os.path.join(postfix.queue, "private", "box"))
        postfix.configure(virtual_mailbox_domains="example.org", virtual_transport="lmtp:unix:private/box")
        postfix.start()
        message = smtp_send(postfix.port, Message("a@world.invalid", "ann+tag@example.org"))
        arrived = imap_wait(dovecot.imap_port, "ann@example.org", message, logs=[postfix.log, dovecot.log])
        self.assertLess(abs(arrived.when - message.accepted), 3)
        postfix.wait_empty()

        dovecot.stop()
        message = smtp_send(postfix.port, Message("a@world.invalid", "ann@example.org"))
        wait_for("it is deferred", 10, lambda: postfix.queue_of("ann@example.org"))
        dovecot.start()
        postfix.flush("ann@example.org")
        imap_wait(dovecot.imap_port, "ann@example.org", message, logs=[postfix.log, dovecot.log])

    def test_two_labs_never_share_a_port(self):
        with Lab() as other:
            ports = [lab.port() for _ in range(200) for lab in (self.lab, other)]
        self.assertEqual(len(ports), len(set(ports)))
