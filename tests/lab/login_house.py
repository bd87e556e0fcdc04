"""A House whose people log in through splitmx-frontd, as on a host that has everything.

    people --TLS--> front --+-- plain --> Dovecot old
                            |
                            +--- TLS ---> Dovecot new

Postfix's maps, the milter at the MX and the front have one splitmx.conf, and so one
Redis.
"""

import os

from .certs import Authority
from .dovecot import Dovecot
from .front import FrontBeside
from .house import SOCKET, House
from .milter import KEYS, MilterBeside

TRUST = "login_trusted_networks = 127.0.0.0/8"  # of whom Dovecot believes who is calling
MILTER = "run/splitmx/milter.sock"  # relative to a Postfix's queue directory
NAME = "localhost"  # in the certificates: what clients and the front connect to


class LoginHouse(House):
    """front_port: IMAP over TLS, for clients that trust authority.ca."""

    def __init__(self, lab, users, say=lambda text: None, **options):
        self.authority = Authority(lab)
        self.certificate = self.authority.sign(NAME)
        self.front_port = lab.port()
        super().__init__(lab, users, say=say, **options)
        say("splitmx-milter")
        self.milter = MilterBeside(self.policyd)
        say("splitmx-frontd")
        self.front = FrontBeside(self.policyd)

    def make_dovecots(self, lmtp_new):
        old = Dovecot(self.lab, "dovecot-old", self.users, more=TRUST)
        new = Dovecot(self.lab, "dovecot-new", self.users, more=TRUST, lmtp_socket=lmtp_new, tls=self.certificate)
        return old, new

    def _settings(self):
        settings = {"instance": "mx1", **super()._settings()}
        homes = {
            "old": {"addresses": [f"inet:127.0.0.1:{self.dovecot_old.imap_port}"], "tls": "none", "trusted": True},
            "new": {"addresses": [f"inet:127.0.0.1:{self.dovecot_new.imaps_port}"], "tls": "implicit",
                    "server_name": NAME, "ca_file": self.authority.ca},
        }
        settings["destinations"] = [{"name": name, "services": [{"protocol": "imap", "caller": "id", **service}]}
                                    for name, service in homes.items()]
        settings["frontd"] = {
            "workers": 1, "drain_timeout": 1000,
            "certificates": [dict(zip(("cert_file", "key_file"), self.certificate))],
            "listen": [{"protocol": "imap", "address": f"inet:127.0.0.1:{self.front_port}", "tls": "implicit"}]}
        settings["milter"] = {
            "listen": ["unix:" + os.path.join(self.mx.queue, MILTER)], "group": "postfix", "drain_timeout": 1000,
            "policyd": os.path.join(self.mx.queue, SOCKET), "trace_keys": self.lab.write("trace.keys", KEYS, 0o600)}
        return settings

    def _configure(self, aliases):
        self.mx.main["smtpd_milters"] = f"{{ unix:{MILTER}, default_action=tempfail }}"
        super()._configure(aliases)

    def logs(self):
        return super().logs() + [self.milter.log, self.front.log]
