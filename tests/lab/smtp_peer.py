"""A scripted server that speaks enough SMTP or LMTP to be asked for recipients, and writes down what it was told."""

import contextlib
import socket
import socketserver
import ssl
import threading


class SmtpPeer:
    """Accepts the recipients in `known`; `say` maps an address to another answer to RCPT.

    options: everything (accept all), pipelining, lmtp, errors_most (then 421 and the end, as Postfix does), path (a Unix
    socket instead of a port), script (command -> answer, or None for silence), certificate (cert, key: STARTTLS is
    offered, and nothing is answered without), broken_tls (it is offered, and the handshake goes wrong).
    """

    def __init__(self, known=(), say=None, **options):
        self.known, self.say, self.options = set(known), say or {}, options
        self.sessions = []  # each a list of lines
        base = socketserver.ThreadingUnixStreamServer if options.get("path") else socketserver.ThreadingTCPServer
        server = type("Server", (base,), {"daemon_threads": True, "allow_reuse_address": True, "request_queue_size": 32})
        self.server = server(options.get("path") or ("127.0.0.1", 0), self.handler())
        self.port = None if options.get("path") else self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def handler(self):
        peer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                session = []
                peer.sessions.append(session)
                try:
                    with contextlib.ExitStack() as ends:
                        peer.talk(session, self.rfile, self.connection, ends)
                except OSError:
                    pass  # it has hung up

        return Handler

    def talk(self, session, lines, connection, ends):
        errors, wrapped = 0, not self.options.get("certificate")
        self.send(connection, self.options.get("script", {}).get("", "220 here ESMTP"))
        while line := lines.readline():
            words = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            session.append(words)
            answer = self.answer(words)
            if words.upper() == "STARTTLS":
                self.send(connection, "220 2.0.0 go on")
                if self.options.get("broken_tls"):
                    self.send(connection, "what?")
                    return
                connection, wrapped = ends.enter_context(self.wrap(connection)), True
                lines = ends.enter_context(connection.makefile("rb"))
                continue
            if answer is None:
                continue
            if not wrapped and words.upper().startswith(("MAIL", "RCPT", "RSET")):
                answer = "530 5.7.0 Must issue a STARTTLS command first"
            errors += answer.startswith(("5", "4"))
            if errors > self.options.get("errors_most", 1000):
                self.send(connection, "421 4.7.0 too many errors")
                return
            self.send(connection, answer)
            if words.upper() == "QUIT":
                return

    def wrap(self, connection):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.options["certificate"])
        return context.wrap_socket(connection, server_side=True)

    @staticmethod
    def send(connection, answer):
        connection.sendall(answer.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n")

    def answer(self, words):
        verb = words.split(" ", 1)[0].upper()
        script = self.options.get("script", {})
        if verb in script:
            return script[verb]
        if verb == ("LHLO" if self.options.get("lmtp") else "EHLO"):
            words = ["PIPELINING"] if self.options.get("pipelining") else []
            words += ["STARTTLS"] if self.options.get("certificate") or self.options.get("broken_tls") else []
            return "\n".join(["250-here", *[f"250-{word}" for word in words], "250 8BITMIME"])
        if verb == "RCPT":
            address = words[len("RCPT TO:<"):-1]
            if address in self.say:
                return self.say[address]
            known = self.options.get("everything") or address in self.known
            return "250 2.1.5 Ok" if known else f"550 5.1.1 <{address}>: no such user"
        return {"MAIL": "250 2.1.0 Ok", "RSET": "250 2.0.0 Ok", "QUIT": "221 2.0.0 Bye"}.get(verb, "502 5.5.2 what?")

    def said(self, verb):
        return [line for session in self.sessions for line in session if line.upper().startswith(verb)]


def refused_port():
    """A port where nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
