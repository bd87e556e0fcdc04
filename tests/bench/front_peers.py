"""The proxies that tests/bench/front compares, each before the same backend, each with one worker.

A peer is started for one kind of connection: "plain", "tls" (clients over TLS,
the backend in clear) or "tlstls". It says at which port it listens, which
processes are it, and which only help (Redis, nginx's auth_http server). Each
logs what it logs as Debian delivers it: HAProxy, Dovecot and splitmx a line per
session, nginx none.
"""

import os
import socket

from lab.core import Process
from lab.figures import tree
from lab.front import Frontd
from lab.load import TOOL
from lab.redis import Redis

DESCRIPTORS = 20000
USERS = 1000

HAPROXY = """
global
  nbthread 1
  maxconn {most}
  log stdout format raw local0
defaults
  mode tcp
  log global
  option tcplog
  option dontlognull
  option splice-auto
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind 127.0.0.1:{port} {bind} backlog 4096
  server backend 127.0.0.1:{backend} {server}
"""

NGINX = """
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_processes 1;
worker_rlimit_nofile {descriptors};
events {{ worker_connections {descriptors}; }}
mail {{
  auth_http 127.0.0.1:{auth}/;
  timeout 1h;
  proxy_timeout 1h;
  imap_capabilities IMAP4rev1 LITERAL+ IDLE;
  server {{
    listen 127.0.0.1:{port} {ssl} backlog=4096;
    protocol imap;
    imap_auth plain login;
    {certificate}
  }}
}}
"""

DOVECOT = """
base_dir = {dir}/run
state_dir = {dir}/state
instance_name = bench
protocols = imap
listen = 127.0.0.1
log_path = {dir}/dovecot.log
default_client_limit = {descriptors}
default_vsz_limit = 4G
disable_plaintext_auth = no
ssl = {ssl}
{certificate}
passdb {{
  driver = static
  args = proxy=y nopassword=y host=127.0.0.1 port={backend} {backend_ssl}
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  process_limit = 1
  client_limit = {descriptors}
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service auth {{
  client_limit = {descriptors}
}}
service anvil {{
  client_limit = {descriptors}
}}
service stats {{
  unix_listener stats-reader {{
    mode = 0600
  }}
}}
"""


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 2):
            return True
    except OSError:
        return False


class Peer:
    """name: of its line; within: how far it may be ahead of us by the goals (None: it is no peer)."""

    within = 1.0
    kinds = ("plain", "tls", "tlstls")

    def __init__(self, lab, kind, backend, certificate, ca):
        self.lab = lab
        self.kind = kind
        self.backend = backend
        self.certificate = certificate
        self.ca = ca
        self.port = lab.port()
        self.dir = os.path.dirname(lab.path(f"{self.name}-{kind}", "x"))
        self.process = None
        self.helpers = []
        self.start()

    @property
    def tls(self):
        """Whether clients come over TLS."""
        return self.kind != "plain"

    @property
    def backend_port(self):
        return self.backend.tls_port if self.kind == "tlstls" else self.backend.port

    def write(self, name, text, **values):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.format(dir=self.dir, port=self.port, backend=self.backend_port, descriptors=DESCRIPTORS, **values))
        return path

    def spawn(self, name, argv, port=None):
        process = Process(self.lab, f"{name}-{self.kind}", argv)
        process.wait_until("it listens", 20, lambda: answers(port or self.port))
        return process

    def pids(self):
        return tree(self.process.pid)

    def helper_pids(self):
        return [helper.pid for helper in self.helpers]

    def stop(self):
        for process in [self.process, *self.helpers]:
            process.stop()


class Relay(Peer):
    name = "relay"
    within = None
    kinds = ("plain",)

    def start(self):
        self.process = self.spawn("relay", [TOOL, "relay", "-p", str(self.port), "-b", str(self.backend_port)])


class Haproxy(Peer):
    name = "HAProxy"
    within = 1.2  # it does not look at the login, so we need not be ahead of it

    def start(self):
        both = os.path.join(self.dir, "both.pem")
        with open(both, "w", encoding="utf-8") as out:
            for path in self.certificate:
                with open(path, encoding="utf-8") as f:
                    out.write(f.read())
        config = self.write("haproxy.cfg", HAPROXY, most=DESCRIPTORS // 3, bind=f"ssl crt {both}" if self.tls else "",
                            server=f"ssl verify required ca-file {self.ca}" if self.kind == "tlstls" else "")
        self.process = self.spawn("haproxy", ["haproxy", "-db", "-f", config])


class Nginx(Peer):
    name = "nginx"
    kinds = ("plain", "tls")

    def start(self):
        auth = self.lab.port()
        self.helpers = [self.spawn("auth", [TOOL, "auth", "-p", str(auth), "-b", str(self.backend_port)], auth)]
        lines = "ssl_protocols TLSv1.3; ssl_certificate {}; ssl_certificate_key {};".format(*self.certificate) if self.tls else ""
        config = self.write("nginx.conf", NGINX, auth=auth, ssl="ssl" if self.tls else "", certificate=lines)
        self.process = self.spawn("nginx", ["nginx", "-p", self.dir, "-e", os.path.join(self.dir, "error.log"), "-c", config])


class DovecotProxy(Peer):
    name = "Dovecot"

    def start(self):
        lines = "ssl_cert = <{}\nssl_key = <{}".format(*self.certificate) if self.tls else ""
        config = self.write("dovecot.conf", DOVECOT, ssl="yes" if self.tls else "no", certificate=lines,
                            backend_ssl="ssl=any-cert" if self.kind == "tlstls" else "",
                            plain_port=0 if self.tls else self.port, tls_port=self.port if self.tls else 0)
        self.process = self.spawn("dovecot", ["dovecot", "-F", "-c", config])


class Splitmx(Peer):
    name = "splitmx"
    within = None

    def start(self):
        redis = Redis(self.lab, f"redis-{self.kind}")
        redis.cli("SET", "splitmx:owner:@example.org", "old")
        redis.pipe(["SET", f"splitmx:owner:user{i}@example.org", "old"] for i in range(USERS))
        self.backend.service = None
        if self.kind == "tlstls":
            self.backend.service = {"protocol": "imap", "addresses": [f"inet:127.0.0.1:{self.backend_port}"], "tls": "implicit",
                                    "caller": "id", "ca_file": self.ca, "server_name": "bench.example.org"}
        mode = "implicit" if self.tls else "none"
        settings = {"workers": 1, "max_connections": DESCRIPTORS, "max_per_address": DESCRIPTORS, "max_per_account": DESCRIPTORS}
        if self.tls:
            settings["certificates"] = [{"cert_file": self.certificate[0], "key_file": self.certificate[1]}]
        self.front = Frontd(self.lab, {"old": self.backend}, name=f"splitmx-{self.kind}", redis=redis, listen=[("imap", mode)],
                            settings={"frontd": settings})
        self.port = self.front.ports["imap", mode]
        self.process = self.front
        self.helpers = [redis]


PEERS = (Relay, Haproxy, Nginx, DovecotProxy, Splitmx)
