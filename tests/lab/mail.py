"""Send by SMTP, read by IMAP, and catch what leaves for the rest of the world."""

import email
import email.utils
import imaplib
import re
import smtplib
import socket
import socketserver
import threading
import time
import uuid

from .core import Failure, wait_for


class Message:
    """One message that can be recognised again: its id stands in Message-ID and subject."""

    def __init__(self, sender, recipients, subject="", body=""):
        self.id = uuid.uuid4().hex[:12]
        self.sender = sender
        self.recipients = [recipients] if isinstance(recipients, str) else list(recipients)
        self.message_id = f"<{self.id}@lab.invalid>"
        self.subject = subject
        self.body = body
        self.accepted = None  # time.time() when the server said 250

    def as_bytes(self):
        date = email.utils.formatdate()
        return (f"From: <{self.sender}>\r\nTo: {', '.join(self.recipients)}\r\nDate: {date}\r\n"
                f"Message-ID: {self.message_id}\r\nSubject: {self.subject or self.id}\r\n\r\n"
                f"{self.body or 'Hello.'}\r\n").encode()


def smtp_send(port, messages, sender=None, recipients=None, seconds=60, **options):
    """Send over one session; every refusal is an exception. Give a Message, a list, or sender and recipients.

    Returns the messages.
    """
    if messages is None:
        messages = Message(sender, recipients, **options)
    many = messages if isinstance(messages, list) else [messages]
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.lab.invalid", timeout=seconds) as smtp:
        for message in many:
            refused = smtp.sendmail(message.sender, message.recipients, message.as_bytes())
            if refused:
                raise Failure(f"refused: {refused}")
            message.accepted = time.time()
    return messages


class Arrived:
    """One message in a mailbox: id (of Message), subject, when (INTERNALDATE, whole seconds), headers."""

    def __init__(self, headers, when):
        self.headers = email.message_from_bytes(headers)
        self.when = when
        self.subject = self.headers["Subject"] or ""
        self.message_id = (self.headers["Message-ID"] or "").strip()
        self.id = self.message_id.strip("<>").split("@")[0]

    def __repr__(self):
        return f"<{self.id} {self.subject!r}>"


def imap_list(port, user, password="secret", folder="INBOX"):
    """What a user finds over IMAP: a list of Arrived, in the mailbox's order."""
    imap = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    try:
        imap.login(user, password)
        imap.select(folder, readonly=True)
        status, data = imap.fetch("1:*", "(INTERNALDATE BODY.PEEK[HEADER])")
        if status != "OK":
            raise Failure(f"IMAP FETCH for {user}: {status} {data}")
        found = []
        for item in data:
            if isinstance(item, tuple):
                when = time.mktime(imaplib.Internaldate2tuple(item[0]))
                found.append(Arrived(item[1], when))
        return found
    except imaplib.IMAP4.error as e:
        if "Invalid messageset" in str(e):
            return []
        raise
    finally:
        try:
            imap.logout()
        except (imaplib.IMAP4.error, OSError):
            pass


def imap_wait(port, user, message, seconds=20, logs=()):
    """Wait until the message stands in the user's INBOX; returns it. Twice is a Failure."""
    want = message.id if isinstance(message, Message) else message
    def look():
        found = [m for m in imap_list(port, user) if m.id == want]
        if len(found) > 1:
            raise Failure(f"{user} has message {want} {len(found)} times")
        return found[0] if found else None
    return wait_for(f"message {want} in the mailbox of {user}", seconds, look, logs, every=0.1)


class Sink:
    """The rest of the world: an SMTP server that takes everything and remembers it.

    .messages: dicts with sender, recipients, headers (email.message), raw (all bytes), when.
    """

    def __init__(self, lab):
        self.port = lab.port()
        self.messages = []
        self._lock = threading.Lock()
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 120

            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self):
                try:
                    sink._dialogue(self)
                except (OSError, socket.timeout):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 512

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        lab.remember(self)

    def _dialogue(self, peer):
        peer.say("220 world.lab.invalid ESMTP")
        sender, recipients = None, []
        for line in iter(peer.rfile.readline, b""):
            text = line.decode("utf-8", "replace").strip()
            word = text.upper()
            if word.startswith("EHLO"):
                peer.say("250-world.lab.invalid\r\n250-8BITMIME\r\n250 SMTPUTF8")
            elif word.startswith("MAIL FROM:"):
                sender, recipients = re.sub(r"^[^<]*<([^>]*)>.*", r"\1", text), []
                peer.say("250 ok")
            elif word.startswith("RCPT TO:"):
                recipients.append(re.sub(r"^[^<]*<([^>]*)>.*", r"\1", text))
                peer.say("250 ok")
            elif word == "DATA":
                peer.say("354 go on")
                data = bytearray()
                for piece in iter(peer.rfile.readline, b""):
                    if piece == b".\r\n":
                        break
                    data += piece[1:] if piece.startswith(b".") else piece
                with self._lock:
                    self.messages.append({"sender": sender, "recipients": recipients, "when": time.time(),
                                          "headers": email.message_from_bytes(bytes(data)), "raw": bytes(data)})
                peer.say("250 taken")
            elif word == "QUIT":
                peer.say("221 bye")
                return
            else:
                peer.say("250 ok")

    def found(self, message):
        """The recipients to which this message came, one entry for each time."""
        with self._lock:
            return [r for m in self.messages for r in m["recipients"] if m["headers"]["Message-ID"] == message.message_id]

    def bounces_to(self, sender):
        """The delivery reports that came back to this address, as text."""
        with self._lock:
            return [m["headers"].as_string() for m in self.messages if m["sender"] == "" and sender in m["recipients"]]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
