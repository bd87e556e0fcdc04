"""IMAP servers that always know who is logged in, and clients that come again and again; each a process of its own.

    watched.py homes SLOW_MS NAME:PORT:SOCKET ...
    watched.py clients COUNT ACCOUNTS PORT ...

A home answers at its socket, in the socketmap protocol, whether it has a session of
an account at this moment: "OK NAME", or TEMP. A session is there from the moment that
the login is read until before the connection is closed, so whoever knows of the close
finds nobody. Closing takes it up to SLOW_MS. A client chooses an account, logs in and asks for something now and then
until it is sent away or has enough; told to end, it says what it heard, as JSON.
"""

import asyncio
import base64
import collections
import contextlib
import json
import os
import random
import signal
import sys

WORDS = "IMAP4rev1 LITERAL+ SASL-IR ID IDLE AUTH=PLAIN"
STAY_S, PAUSE_S = 2, 0.2  # the most that a client stays, and is silent
PASSWORD = "secret"


# ---- homes

def user_of(rest):
    """Who logs in so: LOGIN, or AUTHENTICATE PLAIN with an initial response."""
    words = rest.split()
    if words[0].upper() == "LOGIN":
        return words[1].strip('"')
    return base64.b64decode(words[2]).decode().split("\0")[1]


class Home:
    def __init__(self, name, slow_s):
        self.name, self.slow_s = name, slow_s
        self.here = collections.Counter()

    async def serve(self, reader, writer):
        user = None
        try:
            writer.write(f"* OK [CAPABILITY {WORDS}] Ready\r\n".encode())
            while line := (await reader.readline()).decode():
                tag, _, rest = line.rstrip("\r\n").partition(" ")
                word = rest.split(" ")[0].upper()
                if word in ("LOGIN", "AUTHENTICATE"):
                    user = user_of(rest)
                    self.here[user] += 1
                    await asyncio.sleep(random.uniform(0, self.slow_s) / 4)
                if word == "CAPABILITY":
                    writer.write(f"* CAPABILITY {WORDS}\r\n".encode())
                if word == "LOGOUT":
                    writer.write(f"* BYE Bye\r\n{tag} OK Done\r\n".encode())
                    break
                writer.write(f"{tag} OK {self.name}\r\n".encode())
            await asyncio.sleep(random.uniform(0, self.slow_s))
        except ConnectionError:
            pass
        finally:
            if user:
                self.here[user] -= 1  # first: nobody is to hear of the end before it is one
            writer.close()

    async def answer(self, reader, writer):
        """Is anybody here?"""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                size = int((await reader.readuntil(b":"))[:-1])
                account = (await reader.readexactly(size + 1))[:-1].decode().partition(" ")[2]
                text = f"OK {self.name}" if self.here[account] > 0 else "TEMP nobody"
                writer.write(f"{len(text)}:{text},".encode())


async def homes(slow_ms, *rows):
    for row in rows:
        name, port, path = row.split(":")
        home = Home(name, int(slow_ms) / 1000)
        await asyncio.start_server(home.serve, "127.0.0.1", int(port), backlog=1000)
        await asyncio.start_unix_server(home.answer, path + ".new")
        os.rename(path + ".new", path)  # it is there when it listens
    await asyncio.Event().wait()


# ---- clients

class Clients:
    def __init__(self, accounts, ports):
        self.accounts, self.ports = accounts, ports
        self.heard = collections.Counter()

    async def ask(self, reader, writer, command):
        """What answers it: the tagged line, a BYE, or "" at the end."""
        writer.write(f"a {command}\r\n".encode())
        while line := (await reader.readline()).decode():
            if line.startswith(("a ", "* BYE")):
                return line
        return ""

    def note(self, what, line):
        """The first words: what a program looks at."""
        words = line.split()
        count = 3 if "[" in line else 2
        self.heard[" ".join([what, *words[:count]])] += 1

    async def visit(self, reader, writer):
        account = f"fence{random.randrange(self.accounts)}@example.org"
        await reader.readline()
        line = await self.ask(reader, writer, f'LOGIN "{account}" "{PASSWORD}"')
        self.note("login", line)
        leave = asyncio.get_running_loop().time() + random.uniform(0, STAY_S)
        while line.startswith("a OK") and asyncio.get_running_loop().time() < leave:
            await asyncio.sleep(random.uniform(0, PAUSE_S))
            line = await self.ask(reader, writer, "NOOP")
            self.note("noop", line)
        if line.startswith("a OK") and random.random() < 0.5:
            self.note("logout", await self.ask(reader, writer, "LOGOUT"))

    async def come_again(self):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", random.choice(self.ports))
                try:
                    await self.visit(reader, writer)
                finally:
                    writer.close()
            except ConnectionError as e:
                self.heard[type(e).__name__] += 1
            await asyncio.sleep(random.uniform(0, 0.02))


async def clients(count, accounts, *ports):
    crowd = Clients(int(accounts), [int(port) for port in ports])
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    tasks = [asyncio.create_task(crowd.come_again()) for _ in range(int(count))]
    await over.wait()
    ended = [task for task in tasks if task.done()]
    print(json.dumps(crowd.heard), flush=True)
    sys.exit(f"clients ended by themselves: {ended}" if ended else 0)


if __name__ == "__main__":
    asyncio.run({"homes": homes, "clients": clients}[sys.argv[1]](*sys.argv[2:]))
