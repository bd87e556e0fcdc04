"""A Redis whose replies come late: a Unix socket before a Redis of the lab.

Late are the replies on connections that named themselves so (CLIENT SETNAME), by so
many milliseconds; the others pass at once. So one reply can be made to arrive after
what was sent later on another connection. hold(): nothing passes any more, and nobody is told.
"""

import select
import socket
import threading
import time


class SlowRedis:
    def __init__(self, lab, redis, name="slow", late=b"splitmx-data", late_ms=20):
        self.lab = lab
        self.redis = redis
        self.late = late
        self.late_s = late_ms / 1000
        self.path = lab.path(name, "redis.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.closed, self.held = threading.Event(), threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()
        lab.remember(self)

    @property
    def url(self):
        return "unix://" + self.path

    def hold(self):
        self.held.set()

    def go_on(self):
        self.held.clear()

    def _accept(self):
        while not self.closed.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client):
        server = socket.socket(socket.AF_UNIX)
        waiting = []  # (when, bytes)
        is_late = False
        try:
            server.connect(self.redis.socket)
            while not self.closed.is_set():
                if self.held.is_set():
                    time.sleep(0.01)
                    continue
                pause = max(0, waiting[0][0] - time.monotonic()) if waiting else 1
                ready, _, _ = select.select([client, server], [], [], pause)
                if self.held.is_set():
                    continue
                for peer in ready:
                    data = peer.recv(65536)
                    if not data:
                        return
                    if peer is client:
                        is_late = is_late or self.late in data
                        server.sendall(data)
                    else:
                        waiting.append((time.monotonic() + (self.late_s if is_late else 0), data))
                while waiting and waiting[0][0] <= time.monotonic():
                    client.sendall(waiting.pop(0)[1])
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def stop(self):
        self.closed.set()
        self.listener.close()
        self.lab.forget(self)
