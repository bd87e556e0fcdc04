"""A house (house.py) with a splitmx-milter at mx and at old, and what its tests look at."""

import os

from .case import LabCase
from .house import SOCKET, House
from .mail import imap_list
from .milter import Milter
from .redis import Redis

YOUNG = 40  # seconds; a visit that is older is no circle any more
MILTERS = "{ unix:run/milter.sock, default_action=tempfail }"


class MilterHouseCase(LabCase):
    """users, aliases: of cls.house; all accounts are old's. cls.milters: of mx and of old."""

    users, aliases = [], {}

    @classmethod
    def furnish(cls):
        cls.house = House(cls.lab, cls.users, redis=Redis(cls.lab), with_new=False, aliases=cls.aliases)
        cls.house.set_owner("@example.org", "old")
        cls.house.policyd.wait_answer("transport", "ann@example.org", "OK")
        cls.milters = [cls.attach(server) for server in (cls.house.mx, cls.house.old)]

    @classmethod
    def attach(cls, server):
        path = os.path.join(server.queue, "run", "milter.sock")
        milter = Milter(cls.lab, os.path.join(cls.house.mx.queue, SOCKET), name=f"milter-{server.name}", listen=[f"unix:{path}"],
                        milter={"instance": f"{server.name}1", "group": "postfix"})
        server.configure(smtpd_milters=MILTERS)
        return milter

    def logs(self):
        return self.house.logs() + [milter.log for milter in self.milters]

    def mailboxes(self, account, message):
        return [side for side, dovecot in (("old", self.house.dovecot_old), ("new", self.house.dovecot_new))
                for m in imap_list(dovecot.imap_port, account) if m.id == message.id]

    def reports(self):
        return [milter.status()["reports"] for milter in self.milters]
