"""The client's half of a SASL exchange, as far as logins through the front need it.

    sasl = Sasl("SCRAM-SHA-256", "ann@example.org", "secret")
    sasl.initial(); sasl.answer(challenge)...

PLAIN (RFC 4616), LOGIN, OAUTHBEARER (RFC 7628), XOAUTH2, SCRAM-SHA-1 and -256 (RFC 5802, RFC 7677).
The server's signature is checked: has_proof says that it was there and right.
"""

import base64
import hashlib
import hmac
import os


class Sasl:
    def __init__(self, mechanism, user, secret):
        self.mechanism = mechanism
        self.user = user
        self.secret = secret
        self.turn = 0
        self.has_proof = False  # SCRAM: the server knows the password, too

    def initial(self):
        """None where the server speaks first."""
        if self.mechanism == "PLAIN":
            return f"\0{self.user}\0{self.secret}".encode()
        if self.mechanism == "OAUTHBEARER":
            return f"n,a={self.user},\1host=mail.example.org\1auth=Bearer {self.secret}\1\1".encode()
        if self.mechanism == "XOAUTH2":
            return f"user={self.user}\1auth=Bearer {self.secret}\1\1".encode()
        if self.mechanism == "LOGIN":
            return None
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.first = f"n={self.user},r={self.nonce}"
        return b"n,," + self.first.encode()

    def answer(self, challenge):
        self.turn += 1
        if self.mechanism == "LOGIN":
            return (self.user if self.turn == 1 else self.secret).encode()
        if self.mechanism.startswith("SCRAM"):
            return self._final(challenge.decode()) if self.turn == 1 else self._check(challenge.decode())
        return b"\1" if self.mechanism == "OAUTHBEARER" else b""  # the challenge tells what is wrong with the token

    def _final(self, challenge):
        said = dict(part.split("=", 1) for part in challenge.split(","))
        assert said["r"].startswith(self.nonce) and said["r"] != self.nonce, "the server's nonce is not ours"
        kind = self.mechanism.removeprefix("SCRAM-").replace("-", "").lower()
        salted = hashlib.pbkdf2_hmac(kind, self.secret.encode(), base64.b64decode(said["s"]), int(said["i"]))
        key = hmac.new(salted, b"Client Key", kind).digest()
        without_proof = f"c={base64.b64encode(b'n,,').decode()},r={said['r']}"
        message = f"{self.first},{challenge},{without_proof}".encode()
        signature = hmac.new(hashlib.new(kind, key).digest(), message, kind).digest()
        self.expected = hmac.new(hmac.new(salted, b"Server Key", kind).digest(), message, kind).digest()
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        return f"{without_proof},p={proof}".encode()

    def _check(self, challenge):
        assert challenge.startswith("v="), challenge
        self.has_proof = hmac.compare_digest(base64.b64decode(challenge[2:]), self.expected)
        assert self.has_proof, "the server's signature is wrong"
        return b""

    def success_data(self, data):
        """What came with the server's success, where it does: SCRAM's last challenge."""
        if self.mechanism.startswith("SCRAM") and not self.has_proof:
            self._check(data.decode())
