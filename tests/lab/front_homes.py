"""Two homes that serve every protocol with every mechanism, and fronts that tell them in different ways who calls.

    client --> front "told"    -- IMAP ID, XCLIENT ---> old: Dovecot and Postfix without TLS
           --> front "proxied" -- PROXY headers ------> new: Dovecot and Postfix with TLS

Both homes know the same accounts, passwords and tokens. Everybody has a message with
the subject "at old" or "at new" in the INBOX and a Sieve script of that name, so a
session shows where it is. The homes' logs say who called (rip), from which port, and
which connection it really was (real_rip).
"""

import base64
import hashlib
import hmac
import json
import os
import pwd
import time

from .core import wait_for
from .dialogs import dial
from .dovecot import Dovecot
from .front import Frontd
from .postfix import Postfix

MECHANISMS = ("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2", "SCRAM-SHA-1", "SCRAM-SHA-256")
TOKENS = ("OAUTHBEARER", "XOAUTH2")
PASSWORD = "never-to-be-seen-Xq7"  # of everybody: tests grep for it
MODES = {"imap": ("implicit", "starttls", "none"), "pop3": ("implicit", "starttls", "none"),
         "submission": ("implicit", "starttls", "none"), "sieve": ("starttls", "none")}
FRONTS = {  # way of telling -> TLS to the new home, by protocol
    "told": {"imap": "implicit", "pop3": "starttls", "submission": "starttls", "sieve": "starttls"},
    "proxied": {"imap": "starttls", "pop3": "implicit", "submission": "implicit", "sieve": "starttls"},
}
NAME = "mail.example.org"  # what certificates say beside the addresses

MORE = """
login_trusted_networks = 127.0.0.1/32
haproxy_trusted_networks = 127.0.0.1/32
login_log_format_elements = user=<%u> method=%m rip=%r rport=%b real_rip=%{{real_rip}} %c session=<%{{session}}>
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {oauth2}
}}
plugin {{
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
service pop3-login {{
  inet_listener pop3s {{
    port = 0
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""

LISTENER = """
service {service} {{
  inet_listener {name} {{
    address = 127.0.0.1
    port = {port}
    {options}
  }}
}}
"""

LOGINS = {"imap": "imap-login", "pop3": "pop3-login", "sieve": "managesieve-login"}


class Tokens:
    """A JSON Web Token authority (RFC 7515, HS256), whose key the homes' Dovecots have."""

    KEY = b"the key with which the lab signs its tokens"

    def __init__(self, lab):
        self.key_dir = os.path.dirname(lab.path("tokens", "x"))
        lab.write("tokens/default/HS256/default", base64.b64encode(self.KEY).decode())
        self.config = lab.write("tokens.conf", f"introspection_mode = local\nusername_attribute = email\n"
                                               f"local_validation_key_dict = fs:posix:prefix={self.key_dir}/\n")

    @staticmethod
    def _part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    def sign(self, user, key=None, seconds=3600):
        now = int(time.time())
        claims = {"email": user, "sub": user, "iat": now - 10, "nbf": now - 10, "exp": now + seconds}
        text = self._part(b'{"alg":"HS256","typ":"JWT"}') + b"." + self._part(json.dumps(claims).encode())
        return (text + b"." + self._part(hmac.new(key or self.KEY, text, hashlib.sha256).digest())).decode()

    def forge(self, user):
        """The claims are those of a good one; whoever signed it is not the authority."""
        return self.sign(user, key=b"another key")


class MailDovecot(Dovecot):
    PASSWORD = PASSWORD


class Home:
    """A Dovecot and the Postfix that asks it. ports: (protocol, TLS mode, with PROXY header) -> port."""

    def __init__(self, lab, name, users, tokens, tls=None):
        self.lab = lab
        self.name = name
        self.tls = tls
        self.ports = {}
        modes = ("none",) if tls is None else ("starttls", "implicit")
        more = MORE.format(mechanisms=" ".join(MECHANISMS).lower(), oauth2=tokens.config)
        for protocol, service in LOGINS.items():
            for mode in set(modes) & set(MODES[protocol]):
                for proxied in (False, True):
                    options = ("ssl = yes\n    " if mode == "implicit" else "") + ("haproxy = yes" if proxied else "")
                    port = self._port(protocol, mode, proxied)
                    more += LISTENER.format(service=service, name=f"{mode}-{port}", port=port, options=options)
        self.dovecot = MailDovecot(lab, name, users, tls=tls, more=more, protocols=("imap", "pop3", "sieve"), auth=True)
        for user in users:
            self._furnish(user)
        self.postfix = self._postfix(modes)
        self.logs = [self.dovecot.log, self.postfix.log]

    def _port(self, protocol, mode, proxied):
        self.ports[protocol, mode, proxied] = self.lab.port()
        return self.ports[protocol, mode, proxied]

    def _furnish(self, user):
        home = os.path.join(self.dovecot.dir, "home", user)
        for sub in ("mail/new", "sieve"):  # Dovecot makes the rest
            os.makedirs(os.path.join(home, sub))
        with open(os.path.join(home, "mail/new/1.lab"), "w", encoding="ascii") as f:
            f.write(f"From: <{user}>\nTo: <{user}>\nMessage-ID: <{self.name}.{user}>\nSubject: at {self.name}\n\nHello.\n")
        with open(os.path.join(home, f"sieve/at {self.name}.sieve"), "w", encoding="ascii") as f:
            f.write("keep;\n")
        owner = pwd.getpwnam("mail")
        for path, _, files in os.walk(home):
            for each in (path, *(os.path.join(path, file) for file in files)):
                os.chown(each, owner.pw_uid, owner.pw_gid)

    def _postfix(self, modes):
        services = {}
        for mode in modes:
            for proxied in (False, True):
                options = "-o smtpd_tls_wrappermode=yes " if mode == "implicit" else ""
                options += "-o smtpd_upstream_proxy_protocol=haproxy" if proxied else ""
                port = self._port("submission", mode, proxied)
                services[f"127.0.0.1:{port}", "inet"] = f"n - y - - smtpd -o syslog_name=postfix/submission {options}"
        tls = {"smtpd_tls_security_level": "none"}
        if self.tls:
            tls = {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": self.tls[0], "smtpd_tls_key_file": self.tls[1]}
        return Postfix(self.lab, "postfix-" + self.name, services=services, smtpd={"smtp": ""}, main={
            **tls, "myhostname": f"{self.name}.example.org", "smtpd_client_port_logging": "yes",
            "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": f"inet:127.0.0.1:{self.dovecot.ports['auth']}", "smtpd_sasl_security_options": "noanonymous",
            "smtpd_authorized_xclient_hosts": "127.0.0.1/32", "smtpd_authorized_xforward_hosts": "127.0.0.1/32",
            "default_transport": "discard", "mynetworks": "192.0.2.0/24", "smtpd_error_sleep_time": "0",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject", "smtpd_client_auth_rate_limit": "0"})

    def lines_of(self, *words, marks=None):
        """The lines of its logs with any of these words; marks: how long each log was before."""
        found = []
        for path in self.logs:
            with open(path, "rb") as f:
                f.seek(marks[path] if marks else 0)
                lines = f.read().decode("utf-8", "backslashreplace").split("\n")
            found += [line for line in lines if any(word in line for word in words)]
        return found


class Front(Frontd):
    """way: how it tells the homes who calls, a key of FRONTS. ports: (protocol, TLS mode) -> port of 127.0.0.1 and ::1.

    proxy_from: networks that must say by PROXY header who calls; they have ports of their own, ports[protocol, "proxied"].
    """

    def __init__(self, lab, way, homes, redis, tls, ca, proxy_from=(), **options):
        self.way = way
        self.ca = ca
        ports = {(protocol, mode): lab.port() for protocol, modes in MODES.items() for mode in modes}
        listen = [{"protocol": protocol, "address": f"inet:{host}:{port}", "tls": mode, "plaintext_login": mode == "none"}
                  for (protocol, mode), port in ports.items() for host in ("127.0.0.1", "[::1]")]
        if proxy_from:
            for protocol in MODES:
                port = ports[protocol, "proxied"] = lab.port()
                listen.append({"protocol": protocol, "address": f"inet:127.0.0.1:{port}", "tls": "none",
                               "plaintext_login": True, "proxy_from": list(proxy_from)})
        frontd = {"certificates": [{"cert_file": tls[0], "key_file": tls[1]}], "token_claims": ["email"], "listen": listen}
        super().__init__(lab, homes, name=way, redis=redis, settings={"frontd": frontd}, **options)
        self.ports = ports

    def services(self, home):
        services = []
        for protocol, new_mode in FRONTS[self.way].items():
            mode = new_mode if home.tls else "none"
            caller = "proxy" if self.way == "proxied" else "id" if protocol == "imap" else "xclient"
            port = home.ports[protocol, mode, self.way == "proxied"]
            services.append({"protocol": protocol, "addresses": [f"inet:127.0.0.1:{port}"], "tls": mode, "caller": caller,
                             **({"ca_file": self.ca, "server_name": NAME} if home.tls else {"trusted": True})})
        return services

    def announced(self, protocol):
        with dial(protocol, "none", "127.0.0.1", self.ports[protocol, "none"]) as client:
            return client.announced()

    def wait_offers(self):
        """Until it has visited the homes and offers whatever both can."""
        for protocol in MODES:
            wait_for(f"{self.way} offers all mechanisms of {protocol}", 30,
                     lambda p=protocol: set(MECHANISMS) <= set(self.announced(p).split()), (self.log,), every=0.1)
