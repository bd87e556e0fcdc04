"""A whole migration on one machine, as contrib/postfix describes it.

    world --> mx --+-- lmtp --> Dovecot new <-- lmtp -- new (the new side's own MTA, submission)
                   |
                   +-- relay --> old -- lmtp --> Dovecot old

mx, old and new are real Postfix servers that ask one policyd, each through its
own map: transport, transport-old and transport-new. They talk to each other on
peer ports. Mail that leaves for other domains ends in a sink.
"""

import os
import shutil

from .core import wait_for
from .dovecot import Dovecot
from .mail import Sink
from .policyd import Policyd
from .postfix import Postfix

DOMAIN = "example.org"
SOCKET = "run/splitmx/map.sock"  # relative to a Postfix's queue directory

# Peers only; what comes in here was accepted by one of ours already.
PEER = ("-o smtpd_client_restrictions=permit_mynetworks,reject -o smtpd_relay_restrictions=permit_mynetworks,reject "
        "-o content_filter=")


class House:
    """users: local parts or addresses that both Dovecots know. redis: a Redis, or None for policyd's private one.

    aliases: virtual_alias_maps of the old side, address -> text. with_new: start the new side's MTA too.
    """

    def __init__(self, lab, users, redis=None, aliases=None, with_new=True, say=lambda text: None):
        self.lab = lab
        self.users = [u if "@" in u else f"{u}@{DOMAIN}" for u in users]
        self.world = Sink(lab)
        self.sink_port = lab.port()
        self.mx = Postfix(lab, "mx", smtpd={"smtp": "", "peer": PEER}, start=False)
        self.old = Postfix(lab, "old", smtpd={"smtp": "", "peer": PEER, "submission": ""}, start=False)
        self.new = Postfix(lab, "new", smtpd={"submission": "", "peer": PEER}, start=False) if with_new else None
        self.servers = [s for s in (self.mx, self.old, self.new) if s]

        lmtp_new = os.path.join(self.mx.queue, "private", "dovecot-lmtp")
        say("Dovecot, the old and the new one")
        self.dovecot_old, self.dovecot_new = self.make_dovecots(lmtp_new)
        say("splitmx-policyd" + ("" if redis else " with its private redis-server"))
        self.policyd = Policyd(lab, self._settings(), redis=redis)
        self._configure(aliases or {})
        for server in self.servers:
            say(f"Postfix \"{server.name}\"")
            server.start()

    def make_dovecots(self, lmtp_new):
        """(old, new)"""
        return (Dovecot(self.lab, "dovecot-old", self.users),
                Dovecot(self.lab, "dovecot-new", self.users, lmtp_socket=lmtp_new))

    def _settings(self):
        mx_peer = f"relay:[127.0.0.1]:{self.mx.ports['peer']}"
        held = f"splitmx-hold:[127.0.0.1]:{self.sink_port}"
        maps = [
            {"name": "transport", "owners": {"new": "lmtp:unix:private/dovecot-lmtp",
                                             "old": f"relay:[127.0.0.1]:{self.old.ports['peer']}"}, "held": held},
            {"name": "transport-old", "owners": {"new": mx_peer, "old": ""}, "held": held},
            {"name": "transport-new", "owners": {"new": "", "old": mx_peer}, "held": held},
            {"name": "transport-verify", "owners": {"new": "lmtp:unix:private/dovecot-lmtp",
                                                    "old": f"relay:[127.0.0.1]:{self.old.ports['peer']}"}},
        ]
        listen = []
        for server in self.servers:
            path = os.path.join(server.queue, SOCKET)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.chown(os.path.dirname(path), "root", "postfix")
            os.chmod(os.path.dirname(path), 0o750)
            listen.append({"protocol": "socketmap", "address": "unix:" + path, "mode": "0660", "group": "postfix",
                           "users": ["postfix", "root"]})
        listen.append({"protocol": "sink", "address": f"inet:127.0.0.1:{self.sink_port}",
                       "reply": "450 4.2.1 Mailbox is being moved, try again later"})
        return {"domains": [DOMAIN], "recipient_delimiter": "+", "destinations": [{"name": "old"}, {"name": "new"}],
                "maps": maps, "policyd": {"listen": listen}}

    def _configure(self, aliases):
        def transport(name):
            return f"socketmap:unix:{SOCKET}:{name}"

        common = {"relayhost": f"[127.0.0.1]:{self.world.port}", "defer_transports": "splitmx-hold"}
        for server in self.servers:
            # The only transport of held mail; its next hop, policyd's sink, answers 450.
            server.services[("splitmx-hold", "unix")] = "- - y - - smtp"
        self.mx.main.update({**common, "transport_maps": transport("transport"), "relay_domains": DOMAIN})
        self.old.main.update({**common, "transport_maps": transport("transport-old"), "virtual_mailbox_domains": DOMAIN,
                              "virtual_mailbox_maps": self.old.table("mailboxes", {u: "yes" for u in self.users}),
                              "virtual_alias_maps": self.old.table("aliases", aliases),
                              "virtual_transport": f"lmtp:inet:127.0.0.1:{self.dovecot_old.lmtp_port}"})
        if self.new:
            self.new.main.update({**common, "transport_maps": transport("transport-new"),
                                  "virtual_mailbox_domains": DOMAIN,
                                  # An address that is unknown here may be an alias on the old side.
                                  "virtual_mailbox_maps": "",
                                  "virtual_transport": f"lmtp:inet:127.0.0.1:{self.dovecot_new.lmtp_port}"})
        for server in self.servers:
            server.write_config()

    # what a person does with redis-cli

    def redis_cli(self, *words):
        return self.policyd.redis_cli(*words)

    def set_owner(self, who, owner):
        """who: an address, or "@domain"."""
        return self.redis_cli("SET", f"splitmx:owner:{who}", owner)

    def hold(self, who, seconds=600, value="mail:lab"):
        return self.redis_cli("SET", f"splitmx:hold:{who}", value, "EX", seconds)

    def release(self, who):
        return self.redis_cli("DEL", f"splitmx:hold:{who}")

    # what it looks like

    def logs(self):
        return [s.log for s in self.servers] + [self.policyd.log, self.dovecot_old.log, self.dovecot_new.log]

    def flush(self, address=None):
        for server in self.servers:
            server.flush(address)

    def wait_quiet(self, seconds=20):
        """All queues empty at the same time (mail may go from one to the other)."""
        wait_for("all queues are empty", seconds, lambda: not any(s.queue_list() for s in self.servers),
                 self.logs(), every=0.2)
