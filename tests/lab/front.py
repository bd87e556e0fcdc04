"""splitmx-frontd before two Dovecots, and clients that log in through it."""

import imaplib
import json
import os
import socket

from .policyd import Policyd


class Frontd(Policyd):
    """The login front. homes: destination -> its Dovecot; listeners: protocol and TLS mode -> port."""

    def __init__(self, lab, homes, name="frontd", redis=None, settings=None, listen=None, start=True,
                 binary="splitmx-frontd", **options):
        self.homes = homes
        self.ports = {}
        front = {"workers": 1, "drain_timeout": 1000, "fail_delay": 100, "listen": []}
        for protocol, tls in listen or [("imap", "none")]:
            port = self.ports[protocol, tls] = lab.port()
            front["listen"].append({"protocol": protocol, "address": f"inet:127.0.0.1:{port}", "tls": tls,
                                    "plaintext_login": tls == "none"})
        everything = {"domains": ["example.org"],
                      "destinations": [{"name": name, "services": self.services(home)} for name, home in homes.items()],
                      "frontd": front}
        for key, value in (settings or {}).items():
            if isinstance(value, dict):
                everything.setdefault(key, {}).update(value)
            else:
                everything[key] = value
        super().__init__(lab, everything, name=name, redis=redis, start=start, binary=binary, **options)

    def services(self, dovecot):
        """What this home serves: its Dovecot's protocols, and its Postfix's submission if it has one (.submission).

        A home that has a service of its own (lab.load.Backend) is reached as that says.
        """
        if getattr(dovecot, "service", None):
            return [dovecot.service]
        ports = getattr(dovecot, "ports", None) or {"imap": dovecot.imap_port}
        callers = {"imap": "id", "pop3": "xclient", "sieve": "xclient"}
        services = [{"protocol": protocol, "addresses": [f"inet:127.0.0.1:{port}"], "tls": "none", "trusted": True,
                     "caller": callers[protocol]} for protocol, port in ports.items() if protocol in callers]
        if getattr(dovecot, "submission", None):
            services.append({"protocol": "submission", "addresses": [f"inet:127.0.0.1:{dovecot.submission}"], "tls": "none",
                             "trusted": True, "caller": "xclient"})
        return services

    def imap(self, tls="none", context=None):
        port = self.ports["imap", tls]
        if tls == "implicit":
            return imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context, timeout=20)
        client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
        if tls == "starttls":
            client.starttls(context)
        return client

    def dial(self, protocol, tls="none"):
        return socket.create_connection(("127.0.0.1", self.ports[protocol, tls]), 20)

    def control(self, **request):
        """One question to the first worker's control socket."""
        path = os.path.join(self.run_dir, "frontd-0.ctl")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(path)
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def sessions(self):
        return self.control(do="sessions")["sessions"]


class FrontBeside(Frontd):
    """The front of a host that has a policyd: the same splitmx.conf, the same directories, the same Redis."""

    def __init__(self, policyd, name="frontd"):
        self.lab, self.name, self.host, self.env = policyd.lab, name, policyd.host, policyd.env
        self.binary, self.redis, self.own_redis = "splitmx-frontd", policyd.redis, False
        self.config, self.settings = policyd.config, policyd.settings
        self.run_dir, self.state_dir = policyd.run_dir, policyd.state_dir
        self.log, self.process = self.lab.log_path(name), None
        self.start()
