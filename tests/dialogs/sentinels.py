"""A sentinel that says what a test wants."""

import socket
import ssl
import threading

from mapdrive import array, bulk


def address(host, port):
    return array(bulk(host), bulk(str(port)))


NOBODY = b"*-1\r\n"


class FakeSentinel:
    """answer: bytes, None (says nothing), b"" (closes), or a list of such: one for each question, the last for all that follow.

    tls: (certificate, key); refuse: {"SUBSCRIBE": b"-NOPERM ..."} answers a command so.
    """

    def __init__(self, lab, answer, tls=None):
        self.port = lab.port()
        self.address = f"127.0.0.1:{self.port}"
        self.answer, self.questions, self.refuse = answer, 0, {}
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.connections, self.listeners = [], []
        self.changed = threading.Condition()
        self.open()

    def open(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def close(self):
        """No more connections, and those that are there end."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()

    def drop(self):
        with self.changed:
            ending, self.connections, self.listeners = self.connections, [], []
        for sock in ending:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def wait_listener(self, seconds=10):
        with self.changed:
            assert self.changed.wait_for(lambda: self.listeners, seconds), "nobody has subscribed"
        return self

    def announce(self, text):
        with self.changed:
            for sock in self.listeners:
                sock.sendall(array(bulk("message"), bulk("+switch-master"), bulk(text)))

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            with self.changed:
                self.connections.append(sock)
            stream = sock.makefile("rb")
            while head := stream.readline():
                words = [stream.read(int(stream.readline()[1:]) + 2)[:-2].decode() for _ in range(int(head[1:]))]
                if not self._take(sock, words):
                    break
        except (OSError, ValueError):
            pass
        sock.close()

    def _take(self, sock, words):
        reply = self.refuse.get(words[0])
        if reply is None and words[0] == "SENTINEL":
            assert words == ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "splitmx"], words
            answers = self.answer if isinstance(self.answer, list) else [self.answer]
            reply = answers[min(self.questions, len(answers) - 1)]
            self.questions += 1
            if reply == b"":
                return False
        elif reply is None and words[0] == "SUBSCRIBE":
            assert words == ["SUBSCRIBE", "+switch-master"], words
            with self.changed:
                sock.sendall(array(bulk("subscribe"), bulk(words[1]), b":1\r\n"))
                self.listeners.append(sock)
                self.changed.notify_all()
        elif reply is None:
            reply = array(bulk("pong"), bulk("")) if words[0] == "PING" else b"+OK\r\n"
        if reply:
            sock.sendall(reply)
        return True
