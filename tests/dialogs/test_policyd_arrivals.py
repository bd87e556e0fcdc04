"""What the milter asks splitmx-policyd, and what it reports: each message counted once, or the count said to be unknown."""

import glob
import json
import os
import secrets
import select
import shutil
import socket
import threading
import time
import unittest

import openmetrics
from lab import LabCase, Policyd, Redis, wait_for
from openmetrics import scrape

ANN, BOB, HELD = "ann@example.org", "bob@example.org", "held@example.org"
RECORD = {"owner:@example.org": "old", "owner:" + ANN: "new", "owner:" + HELD: "old", "hold:" + HELD: "mail:test",
          "owner:odd@example.org": "nowhere", "owner:@full.org": "old", "complete:@full.org": "yes",
          "complete:list@full.org": "list", "login:ann.b@example.org": ANN, "login:sales@full.org": "gone@full.org"}
MAPS = [{"name": "transport", "owners": {"new": "lmtp:new", "old": "relay:[old]:25"}, "held": "hold:[x]:1"}]
SECONDS = 20


class CutRedis:
    """A Unix socket before a Redis that cuts the connection on which what arrived is counted, once, at its EXEC.

    "late": EXEC has not passed, and does when release() is called; "unheard": it has, and its reply is lost;
    "slow": that connection is no cut one, but its first commands pass only when go_on is set.
    """

    def __init__(self, redis, path, how):
        self.redis, self.how = redis, how
        self.server, self.rest = None, b""
        self.cut, self.closed, self.go_on = threading.Event(), threading.Event(), threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        self.url = "unix://" + path
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.closed.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.redis.socket)
        is_counting = False
        with client:
            while not self.closed.is_set():
                for peer in select.select([client, server], [], [], 0.2)[0]:
                    try:
                        data = peer.recv(65536)
                    except ConnectionError:
                        data = b""
                    if not data:
                        server.close()
                        return
                    is_counting = is_counting or b"splitmx-arrivals" in data
                    if self.how == "slow":
                        if is_counting and peer is client:
                            self.cut.set()
                            self.go_on.wait(SECONDS)
                    elif peer is client and is_counting and b"\r\nEXEC\r\n" in data and not self.cut.is_set():
                        self.server, self.rest = server, data
                        if self.how == "unheard":
                            self.release()
                        self.cut.set()
                        return
                    (server if peer is client else client).sendall(data)
        server.close()

    def release(self):
        """What was held passes, in a whole: the reply to EXEC, "*-1" where it did nothing."""
        self.server.settimeout(5)
        self.server.sendall(self.rest)
        reply = b""
        while b"QUEUED\r\n*" not in reply or not reply.endswith(b"\r\n"):
            reply += self.server.recv(65536)
        return reply.rpartition(b"QUEUED\r\n")[2]

    def close(self):
        self.closed.set()
        self.listener.close()
        if self.server:
            self.server.close()


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class ArrivalsCase(LabCase):
    """Each test has a Redis and a policyd of its own: an unknown count is everybody's."""

    count = 0

    def begin(self, acl=None, cut=None, lease_ms=None, grace=0, **policyd):
        """acl: the user that policyd and the command come as, a line of Redis's ACL file; cut: see CutRedis."""
        ArrivalsCase.count += 1
        name = f"p{ArrivalsCase.count}"
        self.redis = Redis(self.lab, name + "-redis", aof=True, acl=acl and ["user default on nopass ~* &* +@all", acl])
        self.addCleanup(self.redis.stop)
        sockets = os.path.dirname(self.lab.path(name, "s", "x"))
        self.port = self.lab.port()
        listen = [{"protocol": "socketmap", "address": f"unix:{sockets}/map", "mode": "0600"},
                  {"protocol": "socketmap", "address": f"inet:127.0.0.1:{self.port}"}]
        self.policyd = Policyd(self.lab, {
            "domains": ["example.org"], "destinations": [{"name": "old"}, {"name": "new"}], "maps": MAPS, "grace": grace,
            "redis": {"reconnect_least": 20, "reconnect_most": 200},
            "policyd": {"listen": listen, **policyd}}, name=name, redis=self.redis, start=False)
        if acl:
            self.policyd.settings["redis"].update(
                {"user": acl.split()[1], "password_file": self.lab.write(name + "/word", "sesame\n", 0o600)})
            self.policyd.write_config()
        for key, value in RECORD.items():
            self.redis.cli("SET", "splitmx:" + key, value)
        if lease_ms:
            self.redis.cli("HSET", "splitmx.map", "lease_ms", lease_ms)
        if cut:
            self.cut = CutRedis(self.redis, self.lab.path(name, "cut.sock"), cut)
            self.addCleanup(self.cut.close)
            self.policyd.settings["redis"]["url"] = self.cut.url
            self.policyd.write_config()
        self.policyd.start()
        self.addCleanup(self.policyd.stop)
        self.wait_live()

    def wait_live(self):
        self.policyd.wait_answer("transport", ANN, "OK")

    def ask(self, address):
        word, text = self.policyd.ask("=ask", address)
        self.assertEqual("OK", word, text)
        return json.loads(text)

    @staticmethod
    def text(*accounts, number=None, lost=0, at="mx1"):
        """Of one message; an account is a name, or (name, owner, stray)."""
        rows = [row if isinstance(row, tuple) else (row, "new" if row == ANN else "old", False) for row in accounts]
        return json.dumps({"id": number or secrets.token_hex(16), "lost": lost, "from": at, "accounts": rows})

    def report(self, *accounts, **more):
        self.assertEqual(("OK", json.dumps({"kept": len(accounts)}, separators=(",", ":"))),
                         self.policyd.ask("=arrived", self.text(*accounts, **more)))

    def counts(self, account=ANN):
        words = self.redis.cli("HGETALL", "splitmx.arrivals:" + account).split("\n")
        return dict(zip(words[::2], words[1::2]))

    def wait_messages(self, number, account=ANN):
        wait_for(f"{number} messages of {account} are counted", SECONDS,
                 lambda: self.counts(account).get("messages") == str(number), (self.policyd.log,))

    def wait_nothing_waits(self):
        wait_for("all that was kept is counted", SECONDS,
                 lambda: not glob.glob(self.files() + ".sent") and self.policyd.status()["arrivals"]["waiting_bytes"] == 0,
                 (self.policyd.log,))

    def files(self, slot=0):
        return os.path.join(self.policyd.state_dir, "nodes", f"policyd-{slot}.arrivals")

    def told(self, account=ANN):
        return json.loads(self.policyd.splitmx("--json", "explain", account).stdout)["arrived"]

    def line(self, account=ANN):
        lines = self.policyd.splitmx("explain", account).stdout.splitlines()
        return next(line for line in lines if line.startswith("arrived "))


class Asking(ArrivalsCase):
    def test_an_address_has_an_answer_for_the_milter(self):
        self.begin()
        found = {"verdict": "found", "account": ANN, "owner": "new", "hold": "none", "unknown": False}
        for address in (ANN, "ANN@Example.org", "ann+x@example.org", "ann.b@example.org"):
            answer = self.ask(address)
            self.assertGreater(answer.pop("epoch"), 0)
            self.assertEqual(found, answer, address)
        self.assertEqual(("old", "mail"), tuple(self.ask(HELD)[k] for k in ("owner", "hold")))
        self.assertEqual({"verdict": "absent"}, self.ask("who@foreign.invalid"))
        self.assertEqual({"verdict": "temp", "reason": "the owner in the map is no destination"}, self.ask("odd@example.org"))
        self.assertEqual("perm", self.ask("a\0b@example.org")["verdict"])
        self.assertEqual("perm", self.ask("x" * 20000 + "@example.org")["verdict"])

    def test_B3_an_address_is_data_whatever_its_bytes(self):
        self.begin()
        for local in ("$(id)", "`id`", "a;b|c", "%s%n", '"a b"', '"a\\"b"', "a@b.example", "@hop.example:a", "\u00e4"):
            answer = self.ask(local + "@example.org")
            self.assertEqual(("found", "old"), (answer["verdict"], answer["owner"]), local)
        for odd in (b"a\0b", b"a\nb", b"\xff", b"\xed\xa0\x80", b"x" * 65536):
            self.assertEqual("perm", self.ask(odd + b"@example.org")["verdict"], odd[:20])
            self.assertEqual("absent", self.ask(odd + b"@foreign.invalid")["verdict"], odd[:20])
        for odd in ("<>", "postmaster", "@", "*"):
            self.assertEqual("absent", self.ask(odd)["verdict"], odd)

    def test_unknown_is_who_is_nobody_in_a_complete_domain(self):
        self.begin()
        self.assertTrue(self.ask("nobody@full.org")["unknown"])
        self.assertTrue(self.ask("gone@full.org")["unknown"])
        for address in ("list@full.org", "list+x@full.org", "nobody@example.org", "sales@full.org", "PostMaster@full.org"):
            self.assertFalse(self.ask(address)["unknown"], address)
        self.redis.cli("SET", "splitmx:owner:nobody@full.org", "new")
        wait_for("nobody is somebody", SECONDS, lambda: not self.ask("nobody@full.org")["unknown"])

    def test_the_names_are_for_programs_of_this_host(self):
        self.begin()
        no_map = ("PERM", "there is no map of this name")
        with self.policyd.socketmap(1) as client:
            self.assertEqual(no_map, client.ask("=ask", ANN))
            self.assertEqual(no_map, client.ask("=arrived", self.text(ANN)))
            self.assertEqual("PERM", client.ask("=", ANN)[0])
        self.assertEqual(no_map, self.policyd.ask("=asked", ANN))
        self.assertEqual("PERM", self.policyd.ask("=", ANN)[0])

    def test_without_redis_it_is_later_and_reports_are_kept(self):
        self.begin(lease_ms=300)
        self.redis.kill()
        wait_for("the lease is over", SECONDS, lambda: self.ask(ANN)["verdict"] == "temp")
        self.assertTrue(self.ask(ANN)["reason"])
        self.report(ANN)
        self.redis.start()
        self.wait_messages(1)

    def test_nobody_is_unknown_when_redis_is_away_and_the_lease_is_over(self):
        """Somebody may have got the address since, and a refusal is for good: only who is known is answered."""
        self.begin(lease_ms=300, grace=60000)
        known = (ANN, "list@full.org", "nobody@example.org")
        self.assertTrue(self.ask("nobody@full.org")["unknown"])
        self.assertEqual([False] * 3, [self.ask(address)["unknown"] for address in known])
        self.redis.kill()
        wait_for("the lease is over", SECONDS, lambda: self.ask("nobody@full.org")["verdict"] == "temp", (self.policyd.log,))
        self.assertIn("nobody can be said to be unknown", self.ask("nobody@full.org")["reason"])
        self.assertEqual([("found", False)] * 3, [tuple(self.ask(address)[k] for k in ("verdict", "unknown")) for address in known])

    def test_what_is_no_report_is_refused_and_nobody_is_named_in_the_log(self):
        self.begin()
        for text in ("", "{}", "[]", "x", json.dumps({"id": "0" * 32, "lost": 0, "from": "mx1", "accounts": [["secret.one@example.org"]]})):
            self.assertEqual("PERM", self.policyd.ask("=arrived", text)[0], text)
        self.assertNotIn("secret.one", "".join(self.policyd.log_lines()))


class Counting(ArrivalsCase):
    def test_messages_are_counted_and_explained(self):
        self.begin()
        self.assertEqual("uncounted", self.told()["state"])
        self.assertIn("not counted", self.line())
        for _ in range(3):
            self.report(ANN, BOB)
        self.report(ANN, ANN)
        self.wait_messages(5)
        self.wait_messages(3, BOB)
        self.assertEqual(("new", "known", 5), (self.counts()["owner"], self.told()["state"], self.told()["messages"]))
        self.assertIn("5 messages under this owner", self.line())
        self.assertEqual(0, self.told(HELD)["messages"])
        self.assertIn("no message under this owner", self.line(HELD))

    def test_a_report_that_comes_again_is_counted_once_whichever_worker_it_reaches(self):
        self.begin(workers=2)
        numbers = [secrets.token_hex(16) for _ in range(5)]
        for _ in range(8):
            for number in numbers:
                self.report(ANN, number=number)
        self.wait_messages(5)
        # A minute later the same: the next batches see what the former ones had.
        for number in numbers:
            self.report(ANN, number=number)
        self.report(BOB)
        self.wait_messages(1, BOB)
        wait_for("nothing waits", SECONDS, lambda: not glob.glob(self.files("*") + ".sent"))
        self.wait_messages(5)

    def test_ids_of_reports_are_forgotten_little_by_little(self):
        self.begin()
        now = int(time.time())
        self.redis.pipe([("ZADD", "splitmx.arrivals.reports", now - 3700 - i, f"{i:032x}") for i in range(350)])
        for left in (150, 0):
            self.report(ANN)
            wait_for("more are forgotten", SECONDS, lambda n=left: self.redis.cli(
                "ZCOUNT", "splitmx.arrivals.reports", "-inf", now - 3600) == str(n))
        self.assertEqual("2", self.redis.cli("ZCARD", "splitmx.arrivals.reports"))

    def test_what_was_kept_survives_kill_minus_9(self):
        self.begin()
        self.redis.freeze()
        for _ in range(7):
            self.report(ANN)
        self.policyd.crash()
        self.assertTrue(os.path.exists(self.files()))
        self.redis.thaw()
        self.assertEqual({}, self.counts())
        self.policyd.start()
        self.wait_messages(7)
        self.assertEqual("known", self.told()["state"], self.told())

    def test_another_worker_counts_what_a_slot_has_left_that_nobody_takes_again(self):
        self.begin()
        self.redis.freeze()
        for _ in range(4):
            self.report(ANN)
        self.policyd.crash()
        for path in glob.glob(self.files() + "*"):
            os.rename(path, path.replace("policyd-0", "policyd-5"))
        self.redis.thaw()
        self.policyd.start()
        self.report(BOB)
        self.wait_messages(4)
        self.assertEqual(("known", "1"), (self.told()["state"], self.counts(BOB)["messages"]), self.told())
        self.assertTrue(self.redis.cli("GET", f"splitmx.arrivals.batch:p{ArrivalsCase.count}/policyd/5"))
        self.assertEqual(1, len(self.policyd.log_lines("arrivals_left .*policyd/5")))

    def test_killed_again_and_again_and_still_exact(self):
        self.begin()
        kept = 0
        for i in range(8):
            for _ in range(5):
                self.report(ANN)
                kept += 1
            # At another moment of the second in which a batch comes about.
            time.sleep(0.16 * i)
            self.policyd.crash()
            self.policyd.start()
        self.wait_messages(kept)
        self.assertEqual(("known", kept), (self.told()["state"], self.told()["messages"]))

    def test_a_batch_that_is_sent_again_is_not_doubled(self):
        self.begin()
        self.redis.freeze()
        for _ in range(4):
            self.report(ANN)
        self.policyd.crash()
        with open(next(path for path in (self.files() + ".sent", self.files()) if os.path.exists(path)), "rb") as f:
            batch = f.read()
        self.redis.thaw()
        self.policyd.start()
        self.wait_messages(4)
        self.wait_nothing_waits()
        # As if it had been killed between Redis's answer and the end of the file; the ids of its reports are long gone.
        self.policyd.stop()
        self.redis.cli("DEL", "splitmx.arrivals.reports")
        with open(self.files() + ".sent", "wb") as f:
            f.write(batch)
        self.policyd.start()
        self.wait_nothing_waits()
        self.report(ANN)
        self.wait_messages(5)
        self.assertEqual("known", self.told()["state"], self.told())

    def test_a_reply_that_was_lost_is_no_reason_to_count_twice(self):
        self.begin(cut="unheard")
        for _ in range(3):
            self.report(ANN, BOB)
        self.assertTrue(self.cut.cut.wait(SECONDS))
        self.wait_nothing_waits()
        self.report(ANN)
        self.wait_messages(4)
        self.assertEqual(("3", "known"), (self.counts(BOB)["messages"], self.told()["state"]))

    def test_a_transaction_of_a_lost_connection_comes_too_late(self):
        self.begin(cut="late")
        for _ in range(3):
            self.report(ANN, BOB)
        self.assertTrue(self.cut.cut.wait(SECONDS))
        self.wait_messages(3)
        self.assertEqual(b"*-1\r\n", self.cut.release())
        self.report(ANN)
        self.wait_messages(4)
        self.assertEqual(("3", "known"), (self.counts(BOB)["messages"], self.told()["state"]))

    def test_redis_goes_and_comes_back(self):
        self.begin()
        self.report(ANN)
        self.wait_messages(1)
        self.redis.kill()
        for _ in range(150):
            self.report(ANN, BOB)
        self.redis.start()
        self.wait_messages(151)
        self.wait_messages(150, BOB)
        self.assertEqual("known", self.told()["state"], self.told())

    def test_what_is_left_at_the_end_is_counted_before_it(self):
        self.begin()
        self.report(ANN)
        self.policyd.stop()
        self.assertEqual("1", self.counts()["messages"])

    def test_others_write_to_the_same_accounts(self):
        self.begin(workers=4)
        for _ in range(25):
            with self.policyd.socketmap() as a, self.policyd.socketmap() as b:
                for client in (a, b):
                    self.assertEqual("OK", client.ask("=arrived", self.text(ANN, BOB))[0])
        self.wait_messages(50)
        self.wait_messages(50, BOB)

    def test_the_numbers(self):
        self.begin(metrics=f"inet:127.0.0.1:{self.lab.port()}")
        port = int(self.policyd.settings["policyd"]["metrics"].rpartition(":")[2])
        number = secrets.token_hex(16)
        self.report(ANN, (BOB, "old", True), number=number)
        self.report(ANN, (BOB, "old", True), number=number, lost=2)
        self.report((ANN, "old", False))
        self.policyd.ask("=arrived", "x")
        self.wait_messages(1)

        def value(name, suffix="_total", **labels):
            return openmetrics.value(openmetrics.read(scrape(port)[2]), "splitmx_policyd_" + name, suffix, **labels)
        self.wait_nothing_waits()
        self.assertEqual((3, 1, 1), tuple(value("arrival_reports", result=r) for r in ("kept", "refused", "repeated")))
        self.assertEqual((2, 1, 1, 2), tuple(value(n) for n in ("arrivals", "arrivals_stray", "arrivals_late", "arrivals_lost")))
        self.assertEqual(0, value("arrivals_waiting_bytes", ""))


class Allowed(ArrivalsCase):
    """What splitmx-map(7) says that users of Redis need."""

    @staticmethod
    def user(name):
        manual = os.path.join(os.path.dirname(__file__), "..", "..", "doc", "man", "splitmx-map.7")
        with open(manual, encoding="utf-8") as f:
            block = f.read().partition(f"user {name} on >SECRET")[2].partition("\n\n")[0]
        return f"user {name} on >sesame" + block.replace("\n", "")

    def test_the_user_of_the_manual_may_count(self):
        self.begin(acl=self.user("reader"))
        self.report(ANN)
        self.report((BOB, "old", True))
        self.wait_messages(1)
        self.wait_messages(1, BOB)
        self.redis.cli("SET", "splitmx:owner:" + ANN, "old")
        wait_for("policyd knows", SECONDS, lambda: self.ask(ANN)["owner"] == "old")
        self.report((ANN, "old", False))
        wait_for("it is counted anew", SECONDS, lambda: self.counts().get("owner") == "old")
        self.assertEqual([], self.policyd.log_lines(r"\barrivals"))

    def test_one_who_may_not_counts_later(self):
        acl = self.user("reader").replace("%RW~splitmx.arrivals*", "")
        self.begin(acl=acl)
        self.report(ANN)
        wait_for("the log says so", SECONDS, lambda: self.policyd.log_lines(r"warning: arrivals .*NOPERM"))
        self.report(ANN)
        self.assertEqual({}, self.counts())
        self.redis.cli("ACL", "SETUSER", "reader", "%RW~splitmx.arrivals*")
        self.wait_messages(2)
        self.assertEqual(1, len(self.policyd.log_lines(r"warning: arrivals ")))

    def test_the_writer_of_the_manual_may_look_and_flip(self):
        # policyd comes as the same user here, and counts.
        self.begin(acl=self.user("writer") + " +hsetnx +zadd +zrem +zscore +zrangebyscore")
        self.report((BOB, "old", True))
        self.wait_messages(1, BOB)
        self.assertEqual(("known", 1), (self.told(BOB)["state"], self.told(BOB)["strays"]))
        self.assertIn(BOB, self.policyd.splitmx("strays").stdout)
        self.policyd.splitmx("set", BOB, "new", "--force")
        self.assertEqual({}, self.counts(BOB))


class Flips(ArrivalsCase):
    def test_a_flip_begins_anew(self):
        self.begin()
        self.report(BOB)
        self.wait_messages(1, BOB)
        self.policyd.splitmx("set", BOB, "new", "--force")
        self.assertEqual({}, self.counts(BOB))
        self.assertEqual(("known", 0), (self.told(BOB)["state"], self.told(BOB)["messages"]))
        self.assertIn("no message since the flip", self.line(BOB))
        for _ in range(2):
            self.report((BOB, "new", False))
        self.wait_messages(2, BOB)
        self.assertIn("2 messages since the flip", self.line(BOB))
        self.policyd.splitmx("set", BOB, "old", "--force")
        self.assertEqual({}, self.counts(BOB))

    def test_B10_a_recipient_of_before_the_flip_does_not_count_for_the_next_owner(self):
        self.begin()
        self.policyd.splitmx("set", BOB, "new", "--force")
        self.report((BOB, "old", False))
        self.report((BOB, "new", False), ANN)
        self.wait_messages(1)
        self.assertEqual(("new", "1"), (self.counts(BOB)["owner"], self.counts(BOB)["messages"]))
        self.assertEqual(1, self.policyd.status()["arrivals"]["late"])

    def test_B10_a_flip_between_the_question_who_owns_it_and_the_count(self):
        """Another policyd has counted for the new owner already: that stays, and ours was of the former one's time."""
        self.begin(cut="slow")
        self.report(ANN, BOB)
        self.assertTrue(self.cut.cut.wait(SECONDS))  # they were asked for, and nothing was looked at
        self.policyd.splitmx("set", ANN, "old", "--force")
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.redis.cli("HSET", "splitmx.arrivals:" + ANN, "owner", "old", "messages", "5", "first", at, "last", at)
        self.cut.go_on.set()
        self.wait_messages(1, BOB)
        self.wait_nothing_waits()
        self.assertEqual(("known", 5), (self.told()["state"], self.told().get("messages")))

    def test_what_is_no_flip_leaves_the_count_alone(self):
        self.begin()
        self.report(BOB)
        self.wait_messages(1, BOB)
        self.policyd.splitmx("set", BOB, "old", "--force")  # its domain's owner was that before
        self.policyd.splitmx("barrier", BOB)
        self.assertEqual("1", self.counts(BOB)["messages"])

    def test_a_hand_changes_the_owner(self):
        self.begin()
        self.report(ANN)
        self.wait_messages(1)
        self.redis.cli("SET", "splitmx:owner:" + ANN, "old")
        self.assertEqual(0, self.told()["messages"])  # it is another owner's
        wait_for("policyd knows", SECONDS, lambda: self.ask(ANN)["owner"] == "old")
        self.report((ANN, "old", False))
        wait_for("it is counted anew", SECONDS, lambda: self.counts().get("owner") == "old")
        self.assertEqual("1", self.counts()["messages"])


class Unknown(ArrivalsCase):
    def test_a_milter_lost_some(self):
        self.begin()
        self.report(ANN)
        self.report(ANN, lost=3)
        self.wait_messages(2)
        self.assertEqual(("unknown", 2, "3 messages could not be reported by mx1"),
                         tuple(self.told()[k] for k in ("state", "messages", "reason")))
        self.assertRegex(self.line(), r"unknown: 3 messages could not be reported by mx1 \(2.*Z\); at least 2 messages")
        self.assertEqual("unknown", self.told(BOB)["state"])  # theirs may have been among them
        self.report(lost=1)  # nobody's, to say that
        wait_for("it is noted", SECONDS, lambda: self.told()["reason"].startswith("1 message could"))
        time.sleep(1.1)  # times are whole seconds
        self.policyd.splitmx("set", BOB, "new", "--force")
        self.assertEqual("known", self.told(BOB)["state"])

    def test_redis_went_back(self):
        self.begin()
        self.report(ANN)
        self.wait_messages(1)
        self.wait_nothing_waits()
        self.redis.cli("DEL", "splitmx.arrivals:" + ANN, "splitmx.arrivals.batch:p%d/policyd/0" % ArrivalsCase.count)
        self.report(ANN)
        self.wait_messages(1)
        self.assertEqual(("unknown", 1), (self.told()["state"], self.told()["messages"]))
        self.assertIn("went back to a former state", self.told()["reason"])

    def test_the_host_went_down(self):
        self.begin()
        self.report(BOB)
        self.wait_messages(1, BOB)
        self.policyd.stop()
        os.truncate(self.files(), 0)  # as a file system may leave it
        self.policyd.start()
        wait_for("it is unknown", SECONDS, lambda: self.told(BOB)["state"] == "unknown")
        self.assertIn("went down", self.told(BOB)["reason"])

    def test_keys_that_are_none_of_ours_stop_nobody(self):
        self.begin()
        self.redis.cli("SET", "splitmx.arrivals:" + ANN, "x")
        self.assertEqual("unknown", self.told()["state"])
        self.report(ANN, BOB)
        self.wait_messages(1, BOB)
        self.wait_messages(1)
        self.assertEqual(("unknown", "known"), (self.told()["state"], self.told(BOB)["state"]))

    def test_nobody_can_say_who_owns_it(self):
        self.begin()
        self.redis.cli("LPUSH", "splitmx:owner:bad@example.org", "x")
        self.report(("bad@example.org", "new", False), ("gone@foreign.invalid", "new", False), ANN)
        self.wait_messages(1)
        self.assertIn("nobody could say", self.counts("bad@example.org")["unknown"])
        self.assertEqual({}, self.counts("gone@foreign.invalid"))


class Strays(ArrivalsCase):
    def strays(self):
        return [json.loads(line) for line in self.policyd.splitmx("--json", "strays").stdout.splitlines()]

    def test_they_are_listed_newest_first(self):
        self.begin()
        self.assertEqual([], self.strays())
        self.redis.pipe([("SET", f"other:{i}", "x") for i in range(1000)])
        self.report((ANN, "new", True), at="old1.example.org")
        self.wait_messages(1)
        time.sleep(1.1)  # times are whole seconds
        self.report((BOB, "old", True), (HELD, "old", False), at="new1.example.org")
        self.report(ANN)
        self.wait_messages(2)
        self.wait_messages(1, HELD)
        self.assertEqual([(BOB, "old", "new1.example.org", 1, 1), (ANN, "new", "old1.example.org", 1, 2)],
                         [tuple(row[k] for k in ("account", "owner", "from", "strays", "messages")) for row in self.strays()])
        lines = self.policyd.splitmx("strays").stdout.splitlines()
        self.assertRegex(lines[1], r"^2.*Z ann@example.org at old1.example.org, owner new: 1 of 2 messages$")
        self.assertEqual({"at", "from"}, set(self.told()["last_stray"]))
        self.assertIn("strays     1 of them", self.policyd.splitmx("explain", ANN).stdout)
        self.policyd.splitmx("set", ANN, "old", "--force")
        self.assertEqual([BOB], [row["account"] for row in self.strays()])

    def test_there_may_be_more_where_a_node_lost_count(self):
        self.begin()
        self.report((ANN, "new", True), at="old1.example.org")
        self.wait_messages(1)
        self.assertEqual([True], [row["known"] for row in self.strays()])
        self.report(lost=1)  # anybody's
        wait_for("it is unknown", SECONDS, lambda: self.told()["state"] == "unknown", (self.policyd.log,))
        self.assertEqual([False], [row["known"] for row in self.strays()])
        self.assertIn("owner new: at least 1 of 1 message", self.policyd.splitmx("strays").stdout)


if __name__ == "__main__":
    unittest.main()
