"""What splitmx-policyd answers to good, odd and hostile bytes, protocol by protocol."""

import socket
import unittest

from policyd_case import PolicydCase
from lab.clients import Connection
from lab.core import wait_for

NEW = ("OK", "lmtp:unix:private/ann")
OLD = ("OK", "relay:[old.internal]:10026")
HELD = ("OK", "splitmx-hold:[127.0.0.1]:10024")
NOTFOUND = ("NOTFOUND", "")


class SocketmapTest(PolicydCase):
    def ask(self, key, name="transport"):
        return self.policyd.ask(name, key)

    def test_every_kind_of_answer(self):
        rows = [("ann@example.org", NEW), ("bob@example.org", OLD), ("held@example.org", HELD),
                ("ann+ext@example.org", NEW), ("ann@example.net", NOTFOUND), ("*", NOTFOUND),
                ("<>", NOTFOUND), ('""', NOTFOUND), ("example.org", NOTFOUND)]
        with self.policyd.socketmap() as client:
            for key, want in rows:
                self.assertEqual(client.ask("transport", key), want, key)
            self.assertEqual(client.ask("old-side", "bob@example.org"), NOTFOUND)
            self.assertEqual(client.ask("old-side", "held@example.org"), NOTFOUND)
            word, reason = client.ask("transport", "odd@example.org")
            self.assertEqual(word, "TEMP")
            self.assertIn("no destination", reason)

    def test_A1_length_with_twenty_digits(self):
        for claim in (b"99999999999999999999:", b"131073:", b"-1:", b"x", b"18446744073709551621:a"):
            with self.policyd.socketmap() as client:
                before = self.resident_kib()
                client.send(claim)
                self.assertTrue(client.answer_raw().startswith(b"PERM "), claim)
                self.assertTrue(client.is_closed(), claim)
                self.assertLess(self.resident_kib() - before, 1024)

    def test_A3_missing_comma(self):
        with self.policyd.socketmap() as client:
            client.send(b"25:transport ann@example.org;")
            self.assertTrue(client.answer_raw().startswith(b"PERM "))
            self.assertTrue(client.is_closed())

    def test_A3_comma_inside(self):
        self.assertEqual(self.ask("a,b,@example.org"), OLD)

    def test_A3_many_requests_in_one_segment_are_answered_in_order(self):
        # The first is asked of Redis, those behind it are known at once.
        keys = ["fresh@example.org", "ann@example.org", "*", "held@example.org"] * 50
        want = [OLD, NEW, NOTFOUND, HELD] * 50
        with self.policyd.socketmap() as client:
            client.send(b"".join(client.frame("transport " + key) for key in keys))
            self.assertEqual([client.answer() for _ in keys], want)

    def test_A3_one_request_byte_by_byte(self):
        with self.policyd.socketmap(1) as client:
            client.send_slowly(client.frame("transport ann@example.org") * 2)
            self.assertEqual(client.answer(), NEW)
            self.assertEqual(client.answer(), NEW)

    def test_A3_a_request_and_the_end(self):
        with self.policyd.socketmap() as client:
            client.send(client.frame("transport later@example.org"))
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(client.answer(), OLD)
            self.assertTrue(client.is_closed())

    def test_A4_long_keys(self):
        for size in (9999, 10000, 10001, 100000):
            for domain in ("example.org", "example.net"):
                key = "x" * (size - len(domain) - 1) + "@" + domain
                word, _ = self.ask(key)
                want = "NOTFOUND" if domain == "example.net" else "PERM" if size > 10000 else "OK"
                self.assertEqual(word, want, (size, domain))

    def test_A5_odd_bytes(self):
        odd = [b"\0", b"\r", b"\n", b"\t", b"\x7f", b"\xed\xa0\x80", b"\xff", b"\xc0\xaf"]
        with self.policyd.socketmap() as client:
            for byte in odd:
                for key in (b"a" + byte + b"b@example.org", b"ann" + byte + b"@example.org"):
                    self.assertIn(client.ask("transport", key)[0], ("PERM", "OK"), key)
                    self.assertEqual(client.ask("transport", key.replace(b".org", b".net")), NOTFOUND, key)
            for byte in (b"\0", b"\r", b"\n", b"\t", b"\x7f"):
                self.assertEqual(client.ask("transport", b"ann@example.org" + byte)[0], "PERM", byte)
        for line in self.policyd.log_lines():
            self.assertTrue(line.isprintable(), line)

    def test_A5_no_value_with_a_line_break(self):
        with self.policyd.socketmap() as client:
            for byte in (b"\r", b"\n", b"\0"):
                client.send(client.frame(b'transport "a' + byte + b'b"@example.org'))
                self.assertNotIn(byte, client.answer_raw())

    def test_A7_format_and_glob_characters_are_data(self):
        keys = ["*", "?", "{a}", "%n", "%s%s%s", "%00", "$(id)", "`id`", "%a", "%u", "[a-z]", "a*"]
        with self.policyd.socketmap() as client:
            for key in keys:
                self.assertEqual(client.ask("transport", f"{key}@example.org"), OLD, key)
                self.assertEqual(client.ask("transport", f"{key}@example.net"), NOTFOUND, key)
            self.assertEqual(client.ask("%n", "ann@example.org")[0], "PERM")
            # The local part is put into the text, and not expanded again.
            self.redis.cli("SET", 'splitmx:owner:%d%o@example.org', "new")
            self.assertEqual(client.ask("transport", "%d%o@example.org"), ("OK", "lmtp:unix:private/%d%o"))

    def test_A8_one_account_however_it_is_written(self):
        with self.policyd.socketmap() as client:
            for key in ("ANN@Example.ORG", "ann@example.org.", '"ann"@example.org', "ann+x+y@example.org"):
                self.assertEqual(client.ask("transport", key), NEW, key)

    def test_A9_unknown_map_empty_name_empty_key(self):
        with self.policyd.socketmap() as client:
            for payload in ("transprot ann@example.org", " ann@example.org", "transport ", "transport", "", " "):
                client.send(client.frame(payload))
                word, reason = client.answer()
                self.assertEqual(word, "PERM", payload)
                self.assertTrue(reason, payload)
            self.assertEqual(client.ask("transport", "ann@example.org"), NEW)


class TcpTableTest(PolicydCase):
    def test_every_kind_of_answer(self):
        with self.policyd.tcp_table() as client:
            self.assertEqual(client.ask("ann@example.org"), (200, NEW[1]))
            self.assertEqual(client.ask("held@example.org"), (200, HELD[1]))
            self.assertEqual(client.ask("ann@example.net")[0], 500)
            self.assertEqual(client.ask("*")[0], 500)
            self.assertEqual(client.ask("odd@example.org")[0], 400)

    def test_A10_hexadecimal(self):
        with self.policyd.tcp_table() as client:
            client.send(b"get a%6E%6e@example%2Eorg\nget ann%2bx@example.org\n")
            self.assertEqual(client.answer(), (200, NEW[1]))
            self.assertEqual(client.answer(), (200, NEW[1]))
            for bad in (b"get %", b"get %4", b"get %zz", b"get ann%4g@example.org"):
                client.send(bad + b"\n")
                self.assertEqual(client.answer()[0], 400, bad)
            client.send(b"get ann%0a@example.org\nget ann%00@example.org\nget x%0a@example.net\n")
            self.assertEqual([client.answer()[0] for _ in range(3)], [400, 400, 500])

    def test_A10_put_and_other_words(self):
        with self.policyd.tcp_table() as client:
            for line, code in ((b"put a b", 500), (b"get", 400), (b"get ", 400), (b"", 400), (b"GET a", 400)):
                client.send(line + b"\n")
                self.assertEqual(client.answer()[0], code, line)
            self.assertEqual(client.ask("ann@example.org"), (200, NEW[1]))

    def test_A10_a_line_of_a_megabyte(self):
        with self.policyd.tcp_table() as client:
            before = self.resident_kib()
            try:
                client.send(b"get " + b"a" * (1 << 20))
            except ConnectionError:
                pass
            self.assertEqual(client.answer()[0], 400)
            self.assertTrue(client.is_closed(5))
            self.assertLess(self.resident_kib() - before, 1024)

    def test_A10_no_reply_above_4096_bytes(self):
        with self.policyd.tcp_table(1) as client:
            client.send(b"get ann@example.org\n")
            line = client.read_line()
            self.assertTrue(line.startswith(b"200 "))
            self.assertLess(len(line), 4096)
            self.redis.cli("SET", "splitmx:owner:" + "a" * 60 + "@example.org", "new")

            def refused():
                client.send(b"get " + b"a" * 60 + b"@example.org\n")
                return client.read_line().startswith(b"400 ")
            wait_for("the new owner, whose text is too long, is known", 5, refused)

    def test_A10_requests_byte_by_byte_and_many_at_once(self):
        with self.policyd.tcp_table() as client:
            client.send_slowly(b"get ann@example.org\r\n")
            self.assertEqual(client.answer(), (200, NEW[1]))
            client.send(b"get ann@example.org\nget *\n" * 100)
            self.assertEqual([client.answer()[0] for _ in range(200)], [200, 500] * 100)


class PolicyTest(PolicydCase):
    def test_actions(self):
        with self.policyd.policy() as client:
            self.assertEqual(client.ask(recipient="ann@example.org"), "DUNNO")
            self.assertEqual(client.ask(recipient="bob@example.org"), "PREPEND X-Owner: old")
            self.assertEqual(client.ask(recipient="held@example.org"), "450 4.2.1 held@example.org is moving")
            self.assertEqual(client.ask(recipient="ann@example.net"), "DUNNO")
            self.assertEqual(client.ask(protocol_state="MAIL", recipient=""), "DUNNO")
            self.assertEqual(client.ask(sender="a@b"), "DUNNO")

    def test_trouble_defers_and_keeps_its_reason(self):
        with self.policyd.policy() as client:
            for attributes in ({"recipient": "odd@example.org"}, {"request": "other", "recipient": "ann@example.org"},
                               {"recipient": "a\x7fb@example.org"}):
                self.assertEqual(client.ask(**attributes), "DEFER_IF_PERMIT 4.3.0 Temporary lookup failure")

    def test_A5_a_request_without_end_is_ended(self):
        for flood in (b"name=value\n" * 1000, b"x" * 100000):
            with self.policyd.policy() as client:
                try:
                    client.send(flood)
                except ConnectionError:
                    pass
                self.assertTrue(client.answer().startswith("DEFER_IF_PERMIT"))
                self.assertTrue(client.is_closed())


class SinkTest(PolicydCase):
    def replies(self, client, count):
        """The next whole replies, as (code, [texts])."""
        found = []
        while len(found) < count:
            texts = []
            while True:
                line = client.read_line().rstrip(b"\r").decode()
                texts.append(line[4:])
                if line[3:4] != "-":
                    break
            found.append((int(line[:3]), texts))
        return found

    def connect(self):
        client = Connection(self.policyd.address("sink"))
        self.assertEqual(self.replies(client, 1)[0][0], 220)
        return client

    def test_a_pipelined_delivery_is_told_to_come_again(self):
        for hello in (b"EHLO", b"LHLO"):
            with self.connect() as client:
                client.send(hello + b" mx.example.org\r\n")
                code, texts = self.replies(client, 1)[0]
                self.assertEqual(code, 250)
                for word in ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"):
                    self.assertIn(word, texts)
                self.assertFalse([t for t in texts if t.split()[0] in ("SIZE", "STARTTLS", "AUTH", "CHUNKING")])
                client.send(b"MAIL FROM:<> SMTPUTF8\r\n" + b"RCPT TO:<held@example.org>\r\n" * 3 +
                            b"DATA\r\nRSET\r\nQUIT\r\n")
                self.assertEqual([code for code, _ in self.replies(client, 7)], [250, 450, 450, 450, 451, 250, 221])
                self.assertTrue(client.is_closed())

    def test_nothing_is_refused_for_ever(self):
        with self.connect() as client:
            client.send(b"RCPT TO:<a@b>\r\nDATA\r\nBDAT 0\r\nSTARTTLS\r\nAUTH PLAIN\r\nVRFY a\r\n"
                        b"RCPT TO:<" + b"a" * 50000 + b"@b>\r\nNOOP\r\n")
            codes = [code for code, _ in self.replies(client, 8)]
            self.assertEqual(codes, [450, 451, 451, 454, 454, 252, 451, 250])

    def test_junk_and_messages_nobody_asked_for_end_it(self):
        with self.connect() as client:
            client.send(b"Received: from a by b\r\n" * 100)
            codes = [code for code, _ in self.replies(client, 21)]
            self.assertEqual(codes, [500] * 20 + [421])
            self.assertTrue(client.is_closed())


if __name__ == "__main__":
    unittest.main()
