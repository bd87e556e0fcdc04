"""A private Dovecot: LMTP in, IMAP out, users with plain passwords.

Mail is delivered to maildirs in the lab, owned by the system user `mail`
(Dovecot refuses to deliver as root). A recipient's extension is dropped
(recipient_delimiter), so user+ext@domain lands in user@domain's INBOX.
"""

import os
import shutil
import socket

from .core import Process

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
instance_name = {name}
protocols = {protocols} lmtp
listen = 127.0.0.1
log_path = {log}
auth_verbose = yes
{ssl}
disable_plaintext_auth = no
{more}
first_valid_uid = 1
mail_location = maildir:~/mail
recipient_delimiter = +
lmtp_save_to_detail_mailbox = no
mail_max_userip_connections = 100
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
  default_fields = uid=mail gid=mail home={dir}/home/%u
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap_port}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps_port}
    ssl = yes
  }}
}}
{services}
service lmtp {{
  process_min_avail = 0
  {lmtp_socket}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service stats {{
  unix_listener stats-reader {{
    mode = 0600
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@lab.invalid
}}
"""


SERVICES = {"pop3": "pop3-login", "sieve": "managesieve-login"}
# What Dovecot listens at by itself where it has TLS: everybody's port 995.
OFF = {"pop3": "inet_listener pop3s {\n    port = 0\n  }"}

LOGIN = """
service {service} {{
  inet_listener {listener} {{
    address = 127.0.0.1
    port = {port}
  }}
  {off}
}}
"""

AUTH = """
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


class Dovecot:
    """users: addresses; the password of each is "secret". lmtp_socket: a path where LMTP listens for Postfix too.

    protocols: "imap" and perhaps "pop3" and "sieve", whose ports are in .ports; auth: also a port where Postfix's
    smtpd can ask for passwords (.ports["auth"]). tls: (certificate, key): STARTTLS, and IMAP over TLS at imaps_port. more: further lines of dovecot.conf.
    """

    PASSWORD = "secret"

    def __init__(self, lab, name, users, lmtp_socket=None, tls=None, more="", protocols=("imap",), auth=False):
        self.lab = lab
        self.name = name
        self.dir = os.path.dirname(lab.path(name, "x"))
        self.imap_port = lab.port()
        self.imaps_port = lab.port() if tls else 0
        self.lmtp_port = lab.port()
        self.ports = {"imap": self.imap_port, **{protocol: lab.port() for protocol in protocols if protocol != "imap"}}
        services = "".join(LOGIN.format(service=SERVICES[protocol], listener=protocol, port=port, off=OFF.get(protocol, ""))
                           for protocol, port in self.ports.items() if protocol != "imap")
        if auth:
            self.ports["auth"] = lab.port()
            services += AUTH.format(port=self.ports["auth"])
        self.log = lab.log_path(name + "-mail")
        self.process = None
        for sub in ("run", "state", "home"):
            os.makedirs(os.path.join(self.dir, sub), exist_ok=True)
        shutil.chown(os.path.join(self.dir, "home"), "mail", "mail")
        self.set_users(users)
        listener = ""
        if lmtp_socket:
            listener = f"unix_listener {lmtp_socket} {{\n    user = postfix\n    mode = 0600\n  }}"
        ssl = f"ssl = yes\nssl_cert = <{tls[0]}\nssl_key = <{tls[1]}" if tls else "ssl = no"
        self.config = lab.write(f"{name}/dovecot.conf", CONFIG.format(
            ssl=ssl, more=more, protocols=" ".join(protocols), services=services, imaps_port=self.imaps_port, dir=self.dir, name=name, log=self.log, imap_port=self.imap_port, lmtp_port=self.lmtp_port, lmtp_socket=listener))
        self.start()

    def set_users(self, users):
        """Replace the users; takes effect at once."""
        self.users = list(users)
        self.lab.write(f"{self.name}/users", "".join(f"{user}:{self.PASSWORD}::::::\n" for user in self.users))

    def start(self):
        self.process = Process(self.lab, self.name, ["dovecot", "-F", "-c", self.config])
        for port in (self.imap_port, self.lmtp_port):
            self.process.wait_until(f"port {port} greets", 20, lambda port=port: self._greets(port), (self.log,))

    def _greets(self, port):
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as s:
                return s.recv(100) != b""
        except OSError:
            return False

    def kick(self, user):
        self.lab.run(["doveadm", "-c", self.config, "kick", user], check=False)

    def stop(self):
        if self.process:
            self.process.stop()
