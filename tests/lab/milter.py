"""splitmx-milter, a raw client of the milter protocol, and a policyd that answers as it is told.

    policyd = ScriptedPolicyd(lab, {"ann@example.org": found("ann@example.org", "new")})
    milter = Milter(lab, policyd.path)
    with milter.client() as client:
        client.negotiate()
        client.mail()
        client.rcpt("ann@example.org")          # b"c": continue
        changes, reply = client.end()
"""

import json
import os
import socket
import struct
import threading

from .clients import Connection
from .policyd import Policyd

VERSION = 6
ACTIONS, STEPS = 0x1ff, 0x1fffff  # what Postfix offers
TRACE = "X-Splitmx-Trace"
KEYS = "2026b " + "3f1c9a42" * 8 + "\n2026a " + "88d0e577" * 8 + "\n"

# What a milter may say in between, at the end of a message.
CHANGES = b"hmi+-23bqeop"


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command + data


def strings(*words):
    return b"".join((word if isinstance(word, bytes) else word.encode()) + b"\0" for word in words)


def found(account, owner="new", hold="none", unknown=False, epoch=7):
    return {"verdict": "found", "account": account, "owner": owner, "hold": hold, "unknown": unknown, "epoch": epoch}


class MilterClient(Connection):
    """One SMTP session, as an MTA tells a milter of it. The actions and steps that were agreed to are kept."""

    def packet(self, command, *words):
        self.send(packet(command, strings(*words)))

    def reply(self):
        """(command, data)"""
        size, = struct.unpack(">I", self.read_exactly(4))
        data = self.read_exactly(size)
        return data[:1], data[1:]

    def negotiate(self, version=VERSION, actions=ACTIONS, steps=STEPS):
        """The version, actions and steps that the milter wants."""
        self.send(packet(b"O", struct.pack(">III", version, actions, steps)))
        command, data = self.reply()
        if command != b"O":
            raise AssertionError(f"{command!r} {data!r} is no answer to a negotiation")
        return struct.unpack(">III", data[:12])

    def macros(self, command, **macros):
        self.send(packet(b"D", command + strings(*(word for pair in macros.items() for word in pair))))

    def mail(self, sender="<someone@foreign.invalid>"):
        self.packet(b"M", sender)

    def rcpt(self, address, *more):
        """b"c", or the code and text of a reply."""
        self.packet(b"R", address if isinstance(address, bytes) or address.startswith("<") else f"<{address}>", *more)
        return self.said()

    def said(self):
        command, data = self.reply()
        return data.rstrip(b"\0").decode() if command == b"y" else command

    def header(self, name, value):
        self.packet(b"L", name, value)

    def end(self):
        """([(command, data)] of the changes, what was said)"""
        self.send(packet(b"E"))
        changes = []
        while True:
            command, data = self.reply()
            if command not in CHANGES:
                break
            changes.append((command, data))
        return changes, data.rstrip(b"\0").decode() if command == b"y" else command

    def message(self, *recipients, headers=(), queue_id="4fXYZ"):
        """One whole message: (what was said to each recipient, changes, what was said at the end)."""
        self.mail()
        told = [self.rcpt(recipient) for recipient in recipients]
        for name, value in headers:
            self.header(name, value)
        self.macros(b"E", i=queue_id)
        return told, *self.end()

    def abort(self):
        self.send(packet(b"A"))

    def quit(self):
        self.send(packet(b"Q"))


def inserted(changes):
    """The value of the one header that was put on top."""
    (data,) = [data for command, data in changes if command == b"i"]
    name, value, _ = data[4:].split(b"\0")
    if struct.unpack(">I", data[:4]) != (0,) or name.decode() != TRACE:
        raise AssertionError(f"{data!r} is no header on top")
    return value.decode()


def removed(changes):
    """The places of the headers that were taken off, in their order."""
    gone = [data for command, data in changes if command == b"m"]
    if any(data[4:] != strings(TRACE, "") for data in gone):
        raise AssertionError(f"{gone!r} take off something else")
    return [struct.unpack(">I", data[:4])[0] for data in gone]


class ScriptedPolicyd:
    """A socketmap server that answers =ask and =arrived as milter/inquiry.h says.

    answers: address -> object; others are absent. deed: what it does with each question in place of that, a function
    (connection, question) that returns False to close; None: it answers.
    """

    def __init__(self, lab, answers=None, name="ask"):
        self.lab, self.answers, self.deed = lab, answers or {}, None
        self.path = lab.path("s", name)
        self.questions, self.reports = [], []
        self.accepted = 0
        self.connections = set()
        self.listener = None
        self.start()
        lab.remember(self)

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(512)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """Ends as a policyd that is killed does; start() begins anew."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
            os.unlink(self.path)
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was quicker

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as stream:
                while self._serve_one(connection, stream):
                    pass
        except OSError:
            pass  # the milter has closed it
        finally:
            self.connections.discard(connection)

    def _serve_one(self, connection, stream):
        digits = b""
        while (byte := stream.read(1)) != b":":
            if not byte:
                return False
            digits += byte
        question = stream.read(int(digits))
        if stream.read(1) != b",":
            return False
        if self.deed:
            return self.deed(connection, question)
        self.say(connection, self.answer(question))
        return True

    def answer(self, question):
        name, _, key = question.partition(b" ")
        if name == b"=ask":
            self.questions.append(key)
            return b"OK " + json.dumps(self.answers.get(key.decode("latin-1"), {"verdict": "absent"})).encode()
        if name == b"=arrived":
            report = json.loads(key)
            self.reports.append(report)
            return b"OK " + json.dumps({"kept": len(report["accounts"])}).encode()
        return b"NOTFOUND "

    @staticmethod
    def say(connection, reply):
        connection.sendall(b"%d:%s," % (len(reply), reply))


class Milter(Policyd):
    """splitmx-milter. listen: addresses, or how many Unix sockets; milter: more of its settings."""

    def __init__(self, lab, policyd, name="milter", listen=1, milter=None, keys=KEYS, settings=None, start=True,
                 binary="splitmx-milter", **options):
        self.keys = lab.write(f"{name}/trace.keys", keys, mode=0o600)
        if isinstance(listen, int):
            listen = [f"unix:{lab.path('s', f'{name}-{i}')}" for i in range(listen)]
        self.listen = list(listen)
        everything = {"domains": ["example.org"], "destinations": [{"name": "old"}, {"name": "new"}],
                      "milter": {"listen": self.listen, "policyd": policyd, "trace_keys": self.keys, "drain_timeout": 1000,
                                 **(milter or {})}, **(settings or {})}
        super().__init__(lab, everything, name=name, init=False, start=start, binary=binary, own_redis=False, **options)

    def place(self, number=0):
        kind, _, rest = self.listen[number].partition(":")
        if kind == "unix":
            return rest
        host, _, port = rest.rpartition(":")
        return host, int(port)

    def client(self, number=0, seconds=10):
        return MilterClient(self.place(number), seconds)

    def session(self, number=0, **offer):
        client = self.client(number)
        try:
            client.negotiate(**offer)
        except BaseException:
            client.close()
            raise
        return client

    def change(self, **milter):
        self.settings["milter"].update(milter)
        self.write_config()

    def control(self, slot=0, **request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(os.path.join(self.run_dir, f"milter-{slot}.ctl"))
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def status(self, slot=0):
        return self.control(slot, do="status")


class MilterBeside(Milter):
    """The milter of a host that has a policyd: the same splitmx.conf, the same directories."""

    def __init__(self, policyd, name="milter"):
        self.lab, self.name, self.host, self.env = policyd.lab, name, policyd.host, policyd.env
        self.binary, self.redis, self.own_redis = "splitmx-milter", policyd.redis, False
        self.config, self.settings = policyd.config, policyd.settings
        self.run_dir, self.state_dir = policyd.run_dir, policyd.state_dir
        self.listen = self.settings["milter"]["listen"]
        self.log, self.process = self.lab.log_path(name), None
        self.start()
