"""A real mail program that stays logged in: fetchmail, by IMAP over TLS, in IDLE.

It fetches what comes as soon as the server tells it, and when it is thrown out it
waits for two seconds and logs in again, as mail programs do.
"""

import email
import os
import re

from .core import Logged, Process, wait_for

RC = """\
set invisible
set no bouncemail
poll localhost service {port} protocol imap
  user "{user}" password "{password}"
  ssl sslcertck sslcertfile "{ca}"
  idle keep
  mda "{deliver}"
"""

DELIVER = """\
#!/bin/sh
temporary=$(mktemp {dir}/.XXXXXX) && cat >"$temporary" && mv "$temporary" "{mail}/${{temporary##*.}}"
"""

PAUSE_SECONDS = 2
SAID = re.compile(r"^fetchmail: IMAP([<>]) (.*)$")


class Fetchmail(Logged):
    """port: where "localhost", the name in the certificate, speaks IMAP over TLS; ca: who has signed that."""

    def __init__(self, lab, name, user, port, ca, password="secret"):
        self.lab = lab
        self.user = user
        self.dir = os.path.dirname(lab.path(name, "mail", "x"))[:-len("/mail")]
        self.mail = os.path.join(self.dir, "mail")
        deliver = lab.write(f"{name}/deliver", DELIVER.format(dir=self.dir, mail=self.mail), mode=0o755)
        rc = lab.write(f"{name}/rc", RC.format(port=port, user=user, password=password, ca=ca, deliver=deliver), mode=0o600)
        self.process = Process(lab, name, ["fetchmail", "-v", "-N", "-d", str(PAUSE_SECONDS), "-f", rc,
                                           "--pidfile", os.path.join(self.dir, "pid")], env={"FETCHMAILHOME": self.dir})
        self.log = self.process.log

    def said(self):
        """What it and the server have said so far: pairs of ">" or "<" and the line; passwords are stars."""
        return [found.groups() for found in map(SAID.match, self.log_lines("IMAP[<>]")) if found]

    def wait_said(self, what, pattern, after=0, seconds=20, logs=()):
        """Until a line behind the first `after` ones matches; returns how many lines there are up to it, and with it."""
        def found():
            lines = self.said()
            return next((n for n in range(after + 1, len(lines) + 1) if re.search(pattern, "".join(lines[n - 1]))), None)
        return wait_for(f"{self.user}'s fetchmail: {what}", seconds, found, (self.log, *logs))

    def fetched(self):
        """The messages that it has, without an order."""
        messages = []
        for name in os.listdir(self.mail):
            with open(os.path.join(self.mail, name), "rb") as f:
                messages.append(email.message_from_binary_file(f))
        return messages

    def wait_fetched(self, message, seconds=20, logs=()):
        """Until it has this lab.mail.Message."""
        wait_for(f"{self.user}'s fetchmail has \"{message.subject}\"", seconds,
                 lambda: any(m["Message-ID"] == message.message_id for m in self.fetched()), (self.log, *logs))
