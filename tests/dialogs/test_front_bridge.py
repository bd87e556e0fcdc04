"""Sessions through splitmx-frontd, and everything that can come between: the backends are scripted."""

import socket
import threading
import time
import unittest

from front_case import PASSWORD, FrontCase
from lab import FULL, wait_for
from lab.imap_script import ImapClient

GIB = 1 << 30
STREAM = GIB if FULL else GIB // 8
TEMPFAIL = 75


class Moves(FrontCase):
    """The account moves, and its session is in the middle of something."""

    def state(self, told):
        return {node["node"]: node["state"] for node in told["nodes"]}

    def test_D5_an_append_that_runs_is_completed_before_the_flip_is_confirmed(self):
        client = self.session()
        client.say(b"b APPEND INBOX {300000+}\r\n" + bytes(100000))
        told = []
        flip = threading.Thread(target=lambda: told.append(self.flip()))
        flip.start()
        self.wait_phases(["ending"], self.user)
        self.assertEqual([], told)
        client.say(bytes(200000) + b"\r\n")
        said = client.everything()
        self.assertRegex(said, rb"^b OK Appended\r\n\* BYE \[UNAVAILABLE\][^\r]*\r\n$")
        flip.join()
        self.assertEqual(300000, self.old.of(self.user)[0].appended)
        self.assertEqual(["acknowledged"], list(self.state(told[0]).values()))

    def test_D5_a_logout_that_was_said_while_a_command_runs_is_answered(self):
        client = self.session()
        client.say(b"b APPEND INBOX {5+}\r\nhe")
        self.old.wait_said(self.user, "APPEND")
        self.set_owner("new")
        self.wait_phases(["ending"], self.user)
        client.say(b"llo\r\nc EXPUNGE\r\nd LOGOUT\r\n")  # read in one piece, and not all of it passes
        self.assertRegex(client.everything(), rb"^b OK Appended\r\n\* BYE \[UNAVAILABLE\][^\r]*\r\n"
                                              rb"c NO \[UNAVAILABLE\][^\r]*\r\nd OK [^\r]*\r\n$")
        self.wait_gone()
        self.assertNotIn("EXPUNGE", self.old.of(self.user)[0].said)

    def test_D5_a_client_that_stalls_in_a_literal_is_cut_and_nothing_is_appended(self):
        client = self.session()
        client.say(b"b APPEND INBOX {300000+}\r\n" + bytes(100000))
        self.old.wait_said(self.user, "APPEND")
        self.flip()
        self.assertEqual(0, self.old.of(self.user)[0].appended)
        self.assertEqual([], self.old.open_of(self.user))
        self.assertNotIn(b"OK", client.everything())

    def test_D5_a_reply_that_is_missing_is_waited_for_as_long_as_it_takes(self):
        gate = self.old.gate("append")
        client = self.session()
        client.say(b"b APPEND INBOX {5+}\r\nhello\r\n")
        self.old.wait_said(self.user, "APPEND")
        told = self.flip(TEMPFAIL, wait=3)  # much longer than end_timeout
        self.assertEqual(["not_drained"], list(self.state(told).values()))
        self.assertNotIn(b"OK", client.everything())
        self.wait_phases(["stuck"], self.user)
        self.assertEqual(1, self.front.log_count(rf"session_stuck .*{self.user}"))
        gate.set()
        self.wait_gone()
        self.assertEqual([], self.old.open_of(self.user))
        self.front.splitmx("barrier", self.user)

    def test_a_backend_that_never_closes_keeps_the_claim_and_the_node_is_named(self):
        gate = self.old.gate("close")
        client = self.session()
        told = self.flip(TEMPFAIL, wait=3)
        self.assertEqual({"frontd/frontd/0": "not_drained"}, self.state(told))
        self.assertRegex(client.everything(), rb"^\* BYE \[UNAVAILABLE\]")
        self.wait_phases(["stuck"], self.user)
        with self.client() as again:  # who comes now is at the new side already
            self.assertRegex(again.login(self.user, PASSWORD), rb"^a OK")
            self.assertEqual(1, len(self.new.of(self.user)))
        gate.set()
        self.wait_gone()
        self.front.splitmx("barrier", self.user)

    def test_a_client_that_left_while_its_command_runs_does_not_let_the_flip_through(self):
        for way in ("close", "reset"):
            with self.subTest(way):
                user = f"{way}-{self.user}"
                gate = self.old.gate("slow")
                client = self.session(user)
                client.say("b SLOW")
                self.old.wait_said(user, "SLOW")
                client.close() if way == "close" else client.reset()
                time.sleep(1.5)  # longer than end_timeout: nobody loses patience
                self.flip(TEMPFAIL, wait=2, user=user)
                gate.set()
                self.wait_gone(user)
                self.front.splitmx("barrier", user)

    def test_a_client_that_does_not_read_its_stream_is_cut(self):
        client = self.session(buffer=4096)
        client.say(f"b STREAM {STREAM}")
        self.old.wait_said(self.user, "STREAM")
        time.sleep(0.5)
        self.flip(wait=30)
        self.assertEqual([], self.old.open_of(self.user))

    def test_a_client_that_went_in_its_stream_does_not_hold_its_backend(self):
        for way in ("close", "reset"):
            with self.subTest(way):
                user = f"{way}-{self.user}"
                client = self.session(user)
                client.say(f"b STREAM {STREAM}")
                client.count(1 << 20)
                client.close() if way == "close" else client.reset()
                self.flip(wait=30, user=user)
                self.assertEqual([], self.old.open_of(user))

    def test_an_idle_session_ends_at_once_and_a_hold_is_an_end_too(self):
        client = self.session()
        client.say("b IDLE")
        self.assertRegex(client.line(), rb"^\+")
        self.hold()
        self.assertRegex(client.everything(), rb"^\* BYE \[UNAVAILABLE\]")
        self.wait_gone()
        self.assertIn("LOGOUT", self.old.of(self.user)[0].said)

    def test_a_backend_that_speaks_nonsense_keeps_the_claim_until_it_closes(self):
        gate = self.old.gate("end")
        self.old.hooks["XYZZY"] = lambda session, tag, rest: session.send("nobody asked for this\r\n")
        client = self.session()
        client.say("b XYZZY")
        self.assertRegex(client.everything(), rb"BYE|^$")
        self.flip(TEMPFAIL, wait=2)
        gate.set()
        self.wait_gone()
        self.assertEqual(1, self.front.log_count(rf"session_ended .*{self.user}.*why=unreadable"))


class Ends(FrontCase):
    """Sessions end in all ways but a move."""

    def test_D4_a_gigabyte_for_a_client_that_reads_late_needs_no_memory(self):
        client = self.session(buffer=65536)
        before = self.resident_kib()
        client.say(f"b STREAM {STREAM}")
        most = before
        for _ in range(20):
            time.sleep(0.1)
            most = max(most, self.resident_kib())
        head = client.line()
        self.assertRegex(head, rb"^\* 1 FETCH")
        got = 0
        while got < STREAM:
            got += client.count(min(1 << 24, STREAM - got))
            most = max(most, self.resident_kib())
        self.assertRegex(client.until("b")[-1], rb"^b OK")
        self.assertLess(most - before, 4096, "KiB")

    def test_D4_a_backend_that_does_not_read_holds_its_client(self):
        gate = self.old.gate("slow")
        client = self.session()
        client.say("b SLOW")
        before = self.resident_kib()
        client.sock.settimeout(1)
        sent = 0
        with self.assertRaises(socket.timeout):
            while sent < 256 << 20:
                client.sock.sendall(b"c NOOP\r\n" * 1000)
                sent += 8000
        self.assertLess(self.resident_kib() - before, 4096, "KiB")
        gate.set()

    def test_what_a_client_said_before_it_closed_its_half_is_answered(self):
        client = self.client()
        client.line()
        client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
        client.until("a")
        client.say(b"b NOOP\r\nc APPEND INBOX {5}\r\nhello\r\nd STREAM 400000\r\ne SLOW\r\nf NOOP\r\n")
        client.sock.shutdown(socket.SHUT_WR)
        said = client.everything()
        for tag in b"bcdef":
            self.assertIn(b"\n%c OK" % tag, b"\n" + said)
        self.wait_gone()
        self.assertEqual(5, self.old.of(self.user)[0].appended)

    def test_what_a_backend_said_before_it_closed_arrives_however_slow_the_client(self):
        line, count, end = b"* 1 FETCH (FLAGS (" + b"x" * 80 + b"))\r\n", 100000, b"* BYE Gone\r\nb OK Done\r\n"
        self.old.hooks["LAST"] = lambda session, tag, rest: (session.send(line * count + end), "end")[1]
        client = self.session(buffer=4096)
        client.say("b LAST")
        got = 0
        while self.phases(self.user):  # until the front has heard of the end
            got += client.count(1 << 16)
        time.sleep(3)  # longer than it lingers where nothing is unsent
        said = client.everything()
        self.assertTrue(said.endswith(b"))\r\n" + end), said[-60:])
        self.assertEqual(len(line) * count + len(end), got + len(said))

    def test_a_backend_that_closes_right_behind_its_ok(self):
        def login(session, tag, rest):
            session.send(f"{tag} OK Logged in\r\n")
            return "end"
        self.old.hooks["LOGIN"] = self.old.hooks["AUTHENTICATE"] = login
        with self.client() as client:
            answer = client.login(self.user, PASSWORD)
            self.assertRegex(answer, rb"^a (OK|NO \[UNAVAILABLE\])")
            if answer.startswith(b"a OK"):
                self.assertRegex(client.everything(), rb"^\* BYE \[UNAVAILABLE\]")
        self.wait_gone()

    def test_a_kick_of_a_session_that_leaves_already(self):
        gate = self.old.gate("close")
        client = self.session()
        self.assertEqual({"ended": 1}, self.front.control(do="kick", account=self.user))
        self.assertRegex(client.everything(), rb"^\* BYE")
        self.assertEqual({"ended": 1}, self.front.control(do="kick", account=self.user))
        gate.set()
        self.wait_gone()
        self.assertEqual(1, self.front.log_count(rf"session_ended .*{self.user}.*why=kicked"))

    def test_the_counted_bytes_are_those_that_passed(self):
        with self.session() as client:
            client.say("b STREAM 3000000")
            client.until("b")
        self.wait_gone()
        line = self.front.log_lines(rf"session_ended .*{self.user}")[0]
        out = int(line.partition(" out=")[2].split()[0])
        self.assertTrue(3000000 < out < 3000200, line)


    def test_each_event_has_the_address_and_the_port_of_the_client(self):
        self.old.hooks = {"LOGIN": lambda session, tag, rest: session.send(f"{tag} NO [AUTHENTICATIONFAILED] No\r\n"),
                          "AUTHENTICATE": lambda session, tag, rest: session.send(f"{tag} NO [AUTHENTICATIONFAILED] No\r\n")}
        with self.client() as client:
            source = "{}:{} ".format(*client.sock.getsockname())
            self.assertRegex(client.login(self.user, PASSWORD), rb"^a NO")
            self.assertEqual(1, self.front.log_count(f"login_refused .* from={source}"))
            self.old.hooks = {}
            self.assertRegex(client.login(self.user, PASSWORD), rb"^a OK")
        self.wait_gone()
        self.assertEqual(1, self.front.log_count(f"session_ended .* from={source}"))
        with self.client() as client:
            source = "{}:{} ".format(*client.sock.getsockname())
            client.line()
        self.wait_nobody()
        self.assertEqual(1, self.front.log_count(f"login_ended .* from={source}"))


class Away(FrontCase):
    """Redis is gone."""

    def test_D7_when_the_lease_is_over_sessions_end_and_nobody_is_let_in(self):
        gate = self.old.gate("close")  # one backend does not even close
        stuck, clients = self.session("stuck@example.org"), []
        for i in range(20):
            clients.append(self.session(f"user{i}@example.org"))
        self.redis.kill()
        began = time.monotonic()
        for client in [stuck, *clients]:
            self.assertRegex(client.everything(), rb"^\* BYE \[UNAVAILABLE\]")
        self.wait_nobody()
        # lease 1 s, end_timeout 1 s; the rest is this machine's
        self.assertLess(time.monotonic() - began, 6)
        gate.set()
        with self.client() as late:
            self.assertRegex(late.login("user1@example.org", PASSWORD), rb"^a NO \[UNAVAILABLE\]")
        self.redis.start()
        self.redis.cli("SET", "splitmx:owner:@example.org", "old")


class Together(FrontCase):
    main_settings = {"cache": {"preload": 0}}  # Redis is asked about everybody

    def test_logins_that_wait_for_redis_together_hold_on_to_their_own_records(self):
        users = [f"user{i}@example.org" for i in range(5)]
        clients = [self.client() for _ in users]
        for client in clients:
            client.greeted = client.line()
        self.redis.cli("CLIENT", "PAUSE", 400)
        for user, client in zip(users, clients):
            client.say(f'a LOGIN "{user}" "{PASSWORD}"')
        for client in clients:
            self.assertRegex(client.until("a")[-1], rb"^a OK")
        for user in users:
            self.set_owner("old", user)  # nothing changes
            self.front.splitmx("barrier", user)
        self.assertEqual([True] * len(users), [client.is_open() for client in clients])
        self.flip(user=users[0])
        self.assertEqual([False] + [True] * 4, [client.is_open() for client in clients])


class Grace(FrontCase):
    main_settings = {"grace": 4000, "cache": {"preload": 0}}  # nor a copy of the whole map

    def test_D7_within_the_grace_those_who_are_known_are_served_and_others_are_not(self):
        client = self.session()
        self.redis.kill()
        began = time.monotonic()
        time.sleep(1.5)  # the lease is over, the grace is not
        with self.session():
            self.assertTrue(client.is_open())
        with self.client() as stranger:
            self.assertRegex(stranger.login(f"stranger-{self.user}", PASSWORD), rb"^a NO \[UNAVAILABLE\]")
        self.assertLess(time.monotonic() - began, 4)
        self.assertRegex(client.everything(), rb"^\* BYE \[UNAVAILABLE\]")
        self.assertGreater(time.monotonic() - began, 4)
        self.wait_nobody()
        self.assertLess(time.monotonic() - began, 12)
        self.redis.start()
        self.redis.cli("SET", "splitmx:owner:@example.org", "old")


if __name__ == "__main__":
    unittest.main()
