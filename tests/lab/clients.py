"""Clients of policyd's protocols, as Postfix speaks them, and raw access for everything it would never say."""

import socket
import time
from urllib.parse import quote_from_bytes, unquote_to_bytes


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode()


class Connection:
    """address: (host, port) or a Unix socket's path. All reads end after `seconds`."""

    def __init__(self, address, seconds=5):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(seconds)
        self.buffer = b""
        try:
            self._connect(address, seconds)
        except BaseException:
            self.socket.close()
            raise

    def _connect(self, address, seconds):
        # With a timeout, a full queue at a Unix socket is an error at once, where Postfix would wait.
        end = time.monotonic() + seconds
        while True:
            try:
                return self.socket.connect(address)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.002)

    def send(self, data):
        """Raw bytes."""
        self.socket.sendall(data)

    def send_slowly(self, data, pause=0.001):
        """One byte at a time."""
        for i in range(len(data)):
            self.socket.sendall(data[i:i + 1])
            time.sleep(pause)

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the server closed the connection")
        self.buffer += data

    def read_line(self):
        """Up to and without the line feed; EOFError when the server closes."""
        while b"\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def read_exactly(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def is_closed(self, seconds=2):
        """Does the server close within that time, without a byte more?"""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except socket.timeout:
            return False
        except ConnectionError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Socketmap(Connection):
    """ask("transport", "ann@example.org") -> ("OK", "lmtp:...")"""

    @staticmethod
    def frame(payload):
        payload = _bytes(payload)
        return b"%d:%s," % (len(payload), payload)

    def ask(self, name, key):
        self.send(self.frame(_bytes(name) + b" " + _bytes(key)))
        return self.answer()

    def answer_raw(self):
        """The payload of the next netstring."""
        while b":" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b":", 1)
        payload = self.read_exactly(int(head) + 1)
        assert payload.endswith(b","), payload
        return payload[:-1]

    def answer(self):
        word, _, value = self.answer_raw().decode("utf-8", "surrogateescape").partition(" ")
        return word, value


class TcpTable(Connection):
    """ask("ann@example.org") -> (200, "lmtp:...")"""

    def ask(self, key):
        self.send(b"get " + quote_from_bytes(_bytes(key), safe="@+=!$&'*,;:/?^`{|}~\\\"<>()[]#.-_").encode() + b"\n")
        return self.answer()

    def answer(self):
        code, _, text = self.read_line().partition(b" ")
        return int(code), unquote_to_bytes(text).decode("utf-8", "surrogateescape")


class Policy(Connection):
    """ask(recipient="ann@example.org", ...) -> "DUNNO" """

    def ask(self, **attributes):
        attributes = {"request": "smtpd_access_policy", "protocol_state": "RCPT", **attributes}
        self.send(b"".join(_bytes(f"{k}={v}\n") for k, v in attributes.items()) + b"\n")
        return self.answer()

    def answer(self):
        action = self.read_line().decode("utf-8", "surrogateescape")
        assert self.read_line() == b"", "the answer has a second line"
        assert action.startswith("action="), action
        return action[len("action="):]
