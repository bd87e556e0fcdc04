"""Hostile rows C3 and C20: certificates that are not to be believed, and handshakes that are none."""

import contextlib
import hashlib
import os
import ssl
import subprocess
import time
import unittest
import warnings

from front_scripts import PROTOCOLS, Home, RowsCase, plain
from lab.certs import Authority

NAME = "backend.example.org"
ALPN = {"imap": "imap", "pop3": "pop3", "submission": "smtp", "sieve": "managesieve"}
SHAKE_S = 10  # what a client has for its handshake


class Wrapped(Home):
    """TLS from its first byte on."""

    def serve(self, session):
        try:
            session.start_tls()
        except (OSError, ssl.SSLError):
            session.is_open = False
            session.sock.close()
            return
        super().serve(session)


def pin_of(lab, certificate):
    key = lab.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"]).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key.encode(), stdout=subprocess.PIPE,
                         check=True)
    return hashlib.sha256(der.stdout).hexdigest()


class Certificates(RowsCase):
    """A destination for each way in which a server can show itself."""

    frontd_settings = {"login_timeout": 5000}
    BELIEVED = ("old", "goodpin")

    @classmethod
    def make_homes(cls):
        cls.authority, stranger = Authority(cls.lab), Authority(cls.lab, "stranger")
        good, key = cls.authority.sign(NAME)
        cls.good = good
        expired = os.path.join(cls.authority.dir, "expired.pem")
        cls.lab.run(["openssl", "x509", "-req", "-in", good[:-4] + ".csr", "-CA", cls.authority.ca, "-CAkey", cls.authority.key,
                     "-CAcreateserial", "-days", "-1", "-extfile", good[:-4] + ".ext", "-out", expired])
        identities = {"old": (good, key), "goodpin": (good, key), "new": cls.authority.sign("other.example.org"),
                      "badpin": (good, key), "expired": (expired, key), "foreign": stranger.sign(NAME)}
        return {name: Wrapped(cls.lab, name, tls=identity) for name, identity in identities.items()}

    @classmethod
    def adjust(cls, settings):
        super().adjust(settings)
        pins = {"goodpin": [pin_of(cls.lab, cls.good)], "badpin": ["0" * 64]}
        for destination in settings["destinations"]:
            for service in destination["services"]:
                service.update(tls="implicit", ca_file=cls.authority.ca, server_name=NAME)
                if destination["name"] in pins:
                    service["pins"] = pins[destination["name"]]
                del service["trusted"]

    def test_C3_a_server_that_shows_the_wrong_certificate_gets_no_password(self):
        for name, home in self.homes.items():
            user = f"{name}-{self.user}"
            self.set_owner(name, user)
            for protocol in PROTOCOLS:
                with self.subTest(name, protocol=protocol), self.talk(protocol) as client:
                    self.assertEqual("in" if name in self.BELIEVED else "later", client.log_in(user, "good"))
            self.assertEqual(len(PROTOCOLS) if name in self.BELIEVED else 0, len(home.of(user)))
            if name not in self.BELIEVED:
                self.assertEqual([], home.heard())


class Hellos(RowsCase):
    tls = ("implicit", "starttls")
    frontd_settings = {"login_timeout": 30000}

    @classmethod
    def adjust(cls, settings):
        super().adjust(settings)
        authority = Authority(cls.lab)
        cls.ca = authority.ca
        names = ("front.example.org", "mail.example.org")
        pairs = [authority.sign(*((name, "127.0.0.1") if i == 0 else (name,))) for i, name in enumerate(names)]
        settings["frontd"]["certificates"] = [{"cert_file": certificate, "key_file": key} for certificate, key in pairs]

    def context(self, *alpn):
        context = ssl.create_default_context(cafile=self.ca)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def test_C20_another_protocol_by_ALPN_ends_the_handshake(self):
        for protocol in PROTOCOLS:
            others = [name for p, name in ALPN.items() if p != protocol] + ["http/1.1", "h2", "ftp"]
            for alpn in ([ALPN[protocol]], [], ["h2", ALPN[protocol]]):
                with self.talk(protocol, tls="implicit", context=self.context(*alpn)) as client:
                    self.assertEqual("in", client.log_in(self.user, "good"), (protocol, alpn))
                    self.assertEqual(ALPN[protocol] if alpn else None, client.sock.selected_alpn_protocol())
            for alpn in ([other] for other in others):
                with self.subTest(protocol, alpn=alpn), self.assertRaises(ssl.SSLError):
                    self.talk(protocol, tls="implicit", context=self.context(*alpn))

    def test_C20_a_name_chooses_the_certificate_and_an_unknown_one_gets_the_first(self):
        context = self.context()
        context.check_hostname = False
        for asked, shown in (("front.example.org", "front.example.org"), ("MAIL.example.org", "mail.example.org"),
                             ("other.example.org", "front.example.org"),
                             ("x" * 60 + ".example.org", "front.example.org"), (None, "front.example.org")):
            with self.talk("imap", tls="implicit", context=context, name=asked) as client:
                names = [value for kind, value in client.sock.getpeercert()["subjectAltName"] if kind == "DNS"]
                self.assertEqual([shown], names, asked)

    def shake(self, client, cut, context):
        """A handshake whose hello leaves as records of so many bytes; what the server says then."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="front.example.org")
        is_first = True
        while True:
            try:
                tls.do_handshake()
                client.sock.sendall(outgoing.read())
                break
            except ssl.SSLWantReadError:
                data = outgoing.read()
                if is_first:  # 5 bytes of head, and the hello
                    data = b"".join(data[:3] + len(part).to_bytes(2, "big") + part
                                    for part in (data[5:][i:i + cut] for i in range(0, len(data) - 5, cut)))
                is_first = False
                client.sock.sendall(data)
                more = client.sock.recv(65536)
                if not more:
                    return None
                incoming.write(more)
        while True:
            try:
                return tls.read(4096)
            except ssl.SSLWantReadError:
                incoming.write(client.sock.recv(65536))

    def test_C20_a_hello_in_records_of_one_byte_and_one_of_sixteen_kilobytes(self):
        for protocol in PROTOCOLS:
            for cut in (1, 7, 16000):
                with self.subTest(protocol, cut=cut), self.talk(protocol, tls="implicit") as client:
                    said = self.shake(client, cut, self.context())
                    self.assertRegex(said, rb'^(\* OK|\+OK|220|"IMPLEMENTATION")')
        long = self.context(*[f"x{i:0200d}" for i in range(78)], "imap")  # some 15.8 KB of names
        with self.talk("imap", tls="implicit") as client:
            self.assertRegex(self.shake(client, 16000, long), rb"^\* OK")

    def test_C20_half_a_handshake_has_its_time_and_no_more(self):
        began, clients = time.monotonic(), []
        for protocol in PROTOCOLS:
            for first in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"):
                clients.append(self.talk(protocol, tls="implicit", first=first))
            client = self.talk(protocol, tls="starttls")
            client.greet()
            client.say({"imap": "a STARTTLS", "pop3": "STLS"}.get(protocol, "STARTTLS"))
            client.answer()
            clients.append(client)
        for client in clients:
            self.assertNotRegex(client.everything(2 * SHAKE_S), rb"[a-zA-Z]{4}")  # at most an alert
            self.assertTrue(SHAKE_S - 1 < time.monotonic() - began < SHAKE_S + 6)
        self.wait_nobody()

    def openssl(self, protocol, *words, said=b"", seconds=15):
        argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.front.ports[protocol, 'implicit']}", "-CAfile", self.ca,
                "-servername", "front.example.org", *words]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            output = b""
            try:
                for part in (b"", said):
                    time.sleep(0.5)
                    with contextlib.suppress(BrokenPipeError):
                        process.stdin.write(part)
                        process.stdin.flush()
                time.sleep(0.5)
                output = process.communicate(timeout=seconds)[0]
            finally:
                process.kill()
        return output.decode("utf-8", "replace")

    def test_C20_nobody_renegotiates(self):
        said = self.openssl("imap", "-tls1_2", said=b"R\n")
        self.assertIn("RENEGOTIATING", said)
        self.assertRegex(said, r"no renegotiation|NO_RENEGOTIATION|handshake failure|unexpected message")

    def test_C20_there_is_no_early_data(self):
        session = self.lab.path("session.pem")
        early = self.lab.path("early")
        with open(early, "w", encoding="ascii") as f:
            f.write(f'a AUTHENTICATE PLAIN {plain(self.user, "good")}\r\n')
        said = self.openssl("imap", "-tls1_3", "-sess_out", session, said=b"x NOOP\r\n")
        self.assertRegex(said, r"Max Early Data: 0\b")
        self.assertTrue(os.path.exists(session))
        said = self.openssl("imap", "-tls1_3", "-sess_in", session, "-early_data", early)
        self.assertRegex(said, r"Early data was (not sent|rejected)")
        self.assertEqual([], self.old.of(self.user))

    def test_C20_versions_before_1_2_do_not_exist(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
            for protocol in PROTOCOLS:
                with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                    self.talk(protocol, tls="implicit", context=context)


if __name__ == "__main__":
    unittest.main()
