"""splitmx against a real Redis: init, explain, set, unset, list."""

import json
import os
import pwd
import signal
import threading
import time
import unittest

from admin import CONFIG, DATAERR, NOPERM, NOUSER, OK, TEMPFAIL, USAGE, AdminCase, Redis
from lab import wait_for


class Init(AdminCase):
    initialised = False

    def test_without_a_map_nothing_is_read_or_written(self):
        self.redis.cli("SET", "splitmx:owner:@example.org", "old")
        self.says(CONFIG, "set", "ann@example.org", "new", "--force")
        self.assertIn("splitmx init", self.error)
        self.says(CONFIG, "list")
        self.assertEqual("", self.owner("ann@example.org"))

    def test_a_new_map_has_an_identity_and_keeps_it(self):
        told = self.tells(OK, "init", "--lease", 5000, "--reason", "first")[0]
        self.assertRegex(told["id"], r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertEqual((1, 1, 5000, 1), (told["epoch"], told["schema"], told["lease_ms"], told["members"]))
        self.assertEqual("first", self.audit()["why"])
        self.says(NOPERM, "init")
        self.says(NOPERM, "init", "--force", "--members", 3)
        self.assertIn("0 replicas follow the master, of 2", self.error)
        again = self.tells(OK, "init", "--force", "--members", 1)[0]
        self.assertEqual((told["id"], 2, 5000, 1), (again["id"], again["epoch"], again["lease_ms"], again["members"]))
        self.assertEqual("unchanged", self.tells(OK, "init", "--force")[0]["result"])
        self.says(NOPERM, "init", "--force", "--lease", 4999)
        self.assertIn("window open --lease 4999", self.error)
        self.assertEqual(7000, self.tells(OK, "init", "--force", "--lease", 7000)[0]["lease_ms"])
        for members in (2, "a:1 b:1", "a b c", "x"):
            self.says(USAGE, "init", "--force", "--members", members)
        self.says(USAGE, "init", "--force", "--lease", 1)

    def test_a_redis_that_lost_its_map_is_not_given_another(self):
        self.says(OK, "init")
        self.redis.cli("FLUSHALL")
        self.says(NOPERM, "init")
        self.assertRegex(self.error, 'splitmx doctor.*remove .*/identity')
        os.unlink(os.path.join(self.settings["state_dir"], "identity"))
        self.says(OK, "init")

    def test_a_map_that_went_back_is_refused(self):
        self.says(OK, "init")
        self.redis.cli("HSET", "splitmx.map", "epoch", "50")
        self.says(OK, "list")
        self.redis.cli("HSET", "splitmx.map", "epoch", "49")
        self.says(TEMPFAIL, "list")
        self.assertIn("went back", self.error)

    def test_what_was_written_here_may_not_be_lost_again(self):
        self.says(OK, "init")
        self.says(OK, "set", "@example.org", "old", "--yes")
        self.redis.cli("HSET", "splitmx.map", "epoch", "1")
        self.says(TEMPFAIL, "list")
        self.assertIn("went back", self.error)

    def test_an_unknown_schema_is_refused(self):
        self.says(OK, "init")
        self.redis.cli("HSET", "splitmx.map", "schema", "2")
        self.says(TEMPFAIL, "set", "@example.org", "old", "--yes")
        self.assertIn("schema", self.error)

    def test_a_replica_is_refused(self):
        replica = Redis(self.lab, "replica", options={"replicaof": "127.0.0.1 1"})
        self.settings["redis"]["url"] = replica.url
        self.write_settings()
        self.says(TEMPFAIL, "init")
        self.assertRegex(self.error, "replica|master")


class PrivateRedis(AdminCase):
    """Without redis.url whoever comes first starts one."""

    initialised = False

    def setUp(self):
        super().setUp()
        del self.settings["redis"]
        self.settings["state_dir"] = os.path.join(self.lab.dir, "fresh")
        self.addCleanup(self.stop)

    def stop(self):
        self.lab.run(["redis-cli", "-s", self.settings["state_dir"] + "/redis.sock", "shutdown", "nosave"], check=False)

    def test_init_is_no_mistake_there(self):
        self.write_settings()
        told = self.tells(OK, "init")[0]
        self.assertEqual("initialised", told["result"])
        self.assertEqual(told["id"], self.tells(OK, "init")[0]["id"])
        self.says(NOPERM, "init", "--lease", 5000)
        self.says(OK, "set", "@example.org", "old", "--yes")

    @unittest.skipUnless(os.geteuid() == 0, "root alone can give something away")
    def test_root_makes_the_directory_for_the_user_of_the_daemons(self):
        self.settings.update(user="nobody", group="nogroup")
        self.write_settings()
        self.says(OK, "init")
        uid = pwd.getpwnam("nobody").pw_uid
        for name in ("", "redis.sock", "redis.lock", "redis"):
            self.assertEqual(uid, os.stat(os.path.join(self.settings["state_dir"], name)).st_uid, name)

    @unittest.skipUnless(os.geteuid() == 0, "root alone can give something away")
    def test_a_user_that_is_not_there_is_named(self):
        self.settings["user"] = "no-such-user"
        self.write_settings()
        self.says(CONFIG, "init")
        self.assertIn("no-such-user", self.error)
        self.assertFalse(os.path.exists(self.settings["state_dir"]))


class Words(AdminCase):
    initialised = False

    def test_help_and_version_are_found_by_whoever_guesses(self):
        self.assertEqual(self.says(OK, "help"), self.says(OK, "-h"))
        self.assertEqual(self.says(OK, "help", "list"), self.says(OK, "list", "-h"))
        self.assertEqual(self.says(OK, "version"), self.says(OK, "--version"))
        self.says(USAGE, "list", "--version")


class Owners(AdminCase):
    def setUp(self):
        super().setUp()
        self.says(OK, "set", "@example.org", "old", "--yes")

    def test_what_is_refused_is_not_written(self):
        rows = [
            ("an unknown destination", ("ann@example.org", "nowhere"), DATAERR, "nowhere is not a destination"),
            ("no address", ("ann", "old"), DATAERR, "not an address"),
            ("a domain that is not managed", ("ann@else.org", "old"), NOPERM, "not managed"),
            ("a direct change of owner", ("ann@example.org", "new"), NOPERM, "--hold"),
            ("a domain with nobody to ask", ("@else.org", "new"), NOPERM, "--yes"),
            ("a slip of the pen", ("ann@example.org", "old", "--reson", "x"), USAGE, "--reason?"),
        ]
        epoch = self.epoch()
        for name, words, code, said in rows:
            with self.subTest(name):
                self.says(code, "set", *words)
                self.assertIn(said, self.error)
        self.assertEqual(epoch, self.epoch())

    def test_a_change_is_written_with_its_epoch_and_its_reason(self):
        epoch = self.epoch()
        told = self.tells(OK, "set", "Ann@EXAMPLE.org", "new", "--force", "--reason", "ticket 4711", "--by", "dave")[0]
        self.assertEqual("new", self.owner("ann@example.org"))
        self.assertGreaterEqual(told.pop("ms"), 0)
        self.assertEqual({"address": "ann@example.org", "result": "changed", "before": "old", "after": "new",
                          "epoch": epoch + 1, "confirmed": True, "lost": False, "nodes": [],
                          "members": {"wanted": 0, "reached": 0, "missing": []}}, told)
        entry = self.audit()
        self.assertEqual(("set", "ticket 4711", "ann@example.org", "-", "new"),
                         tuple(entry[k] for k in ("what", "why", "account", "before", "after")))
        self.assertRegex(entry["who"], r"^dave \(.+@.+\)$")
        told = self.tells(OK, "set", "ann@example.org", "new")[0]
        self.assertEqual(("unchanged", True, epoch + 2), (told["result"], told["confirmed"], self.epoch()))
        self.assertEqual("confirm", self.audit()["what"])
        self.says(NOPERM, "unset", "ann@example.org")
        self.says(OK, "unset", "ann@example.org", "--force")
        self.assertEqual("", self.owner("ann@example.org"))
        self.assertEqual(("unset", "new", "-"), tuple(self.audit()[k] for k in ("what", "before", "after")))

    def test_a_domain_with_accounts_of_their_own_does_not_lose_its_key(self):
        """They would be honoured no more, and a hold of the domain is not theirs."""
        self.says(OK, "set", "ann@example.org", "new", "--force")
        self.redis.cli("SET", "splitmx:hold:@example.org", "mail:x", "EX", "100")
        for words in ((), ("--hold",)):
            self.says(NOPERM, "unset", "@example.org", "--yes", *words)
            self.assertIn("1 accounts of example.org have owners of their own", self.error)
        self.assertEqual("old", self.owner("@example.org"))
        self.assertIsNone(self.tells(OK, "unset", "@example.org", "--yes", "--force")[0]["after"])

    def test_what_the_audit_says_cannot_look_like_another_entry(self):
        for words in (("--reason", "x\naccount\nroot@example.org"), ("--by", "x\r\n"), ("--reason", "\x1b[2J")):
            self.says(USAGE, "set", "ann@example.org", "new", "--force", *words)
        self.redis.cli("SET", "splitmx:owner:ann@example.org", "x\nafter\nold")
        self.says(OK, "set", "ann@example.org", "new", "--force")
        self.assertEqual('"x\\x0aafter\\x0aold"', self.audit()["before"])

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_nobody_else_is_who_by_an_environment_variable(self):
        done = self.lab.run(["setpriv", "--reuid", "65534", "--clear-groups", *self.argv("set", "ann@example.org", "new", "--force")],
                            env={"SUDO_USER": "alice"})
        self.assertNotIn("alice", self.audit()["who"], done.stderr)

    def test_without_an_audit_stream_nothing_is_written(self):
        self.redis.cli("DEL", "splitmx.audit")
        self.redis.cli("RPUSH", "splitmx.audit", "x")
        self.says(TEMPFAIL, "set", "ann@example.org", "new", "--force")
        self.assertIn("nothing was written", self.error)
        self.assertEqual("", self.owner("ann@example.org"))

    def test_mail_that_another_key_routes_is_not_rerouted_without_a_hold(self):
        self.says(OK, "set", "ann@example.org", "new", "--force")
        self.redis.cli("SET", "splitmx:login:alias@example.org", "ann@example.org")
        for address in ("ann+shop@example.org", "alias@example.org"):
            self.says(NOPERM, "set", address, "old")
            self.assertEqual("", self.owner(address))
            self.says(OK, "set", address, "new", "--force")
        self.says(NOPERM, "unset", "ann+shop@example.org")
        self.says(OK, "unset", "ann+shop@example.org", "--force")

    def test_any_value_is_a_hold(self):
        for hold in ("", "all:" + "x" * 200):
            self.redis.cli("SET", "splitmx:hold:ann@example.org", hold, "EX", "100")
            run = self.start("set", "ann@example.org", "new")
            self.assertIn("watching it", run.stderr.readline())
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=10)

    def test_the_owner_that_the_domain_gives_needs_no_hold(self):
        self.says(OK, "set", "ann@example.org", "old")
        self.says(OK, "set", "ann@floor.org", "new")
        self.says(OK, "unset", "ann@example.org")

    def test_who_interrupts_a_hold_has_changed_nothing(self):
        run = self.start("set", "ann@example.org", "new", "--hold")
        wait_for("the hold", 10, lambda: self.redis.cli("EXISTS", "splitmx:hold:ann@example.org") == "1")
        self.assertEqual("hold", self.audit()["what"])
        self.assertRegex(self.redis.cli("GET", "splitmx:hold:ann@example.org"), "^mail:set-[0-9a-f]{16}$")
        self.assertLess(35000, int(self.redis.cli("PTTL", "splitmx:hold:ann@example.org")))
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=10)
        self.assertEqual(-signal.SIGINT, run.returncode)
        self.assertEqual("", self.owner("ann@example.org"))

    def test_a_hold_that_changes_while_it_is_watched_ends_it(self):
        self.redis.cli("SET", "splitmx:hold:ann@example.org", "mail:x", "EX", "100")
        run = self.start("set", "ann@example.org", "new")
        self.assertIn("watching it", run.stderr.readline())
        self.redis.cli("SET", "splitmx:hold:ann@example.org", "mail:y", "EX", "100")
        _, error = run.communicate(timeout=30)
        self.assertEqual(TEMPFAIL, run.returncode, error)
        self.assertIn("ended or is another one", error)
        self.assertEqual("", self.owner("ann@example.org"))

    @unittest.skipUnless(os.environ.get("SPLITMX_FULL") == "1", "takes 35 s")
    def test_a_hold_of_its_own_is_released_with_the_change(self):
        start = time.monotonic()
        self.says(OK, "set", "ann@example.org", "new", "--hold", seconds=90)
        self.assertLessEqual(35, time.monotonic() - start)
        self.assertEqual("new", self.owner("ann@example.org"))
        self.assertEqual("0", self.redis.cli("EXISTS", "splitmx:hold:ann@example.org"))

    def test_others_who_write_the_same_account_disturb_and_are_not_overwritten(self):
        stop = threading.Event()
        seen = []

        def hammer():
            while not stop.is_set():
                self.redis.pipe([("SET", "splitmx:owner:ann@example.org", "old")] * 200)

        thread = threading.Thread(target=hammer)
        thread.start()
        try:
            for _ in range(5):
                done = self.lab.run(self.argv("--json", "set", "ann@example.org", "new", "--force"), check=False)
                self.assertIn(done.returncode, (OK, TEMPFAIL), done.stderr)
                if done.returncode == OK:
                    seen.append(json.loads(done.stdout)["result"])  # or "unchanged": it was new from before still
        finally:
            stop.set()
            thread.join()
        entries = self.redis.cli("XRANGE", "splitmx.audit", "-", "+").split("\n")
        self.assertEqual(seen.count("changed"), sum(1 for a, b in zip(entries, entries[1:]) if (a, b) == ("after", "new")))


class Explain(AdminCase):
    def setUp(self):
        super().setUp()
        self.redis.cli("SET", "splitmx:owner:@example.org", "old")

    def test_an_extension_and_the_key_that_decides(self):
        self.redis.cli("SET", "splitmx:owner:ann@example.org", "new")
        told = self.tells(OK, "explain", "Ann+shop@example.org")[0]
        self.assertEqual(("ann+shop@example.org", "new", "ann@example.org", "new"),
                         (told["canonical"], told["owner"], told["account"], told["login"]))
        self.assertEqual("owner:ann@example.org", told["matched"])
        self.assertEqual("lmtp:new", told["maps"]["transport"]["text"])
        keys = {k["key"]: k["value"] for k in told["keys"]}
        self.assertEqual("new", keys["splitmx:owner:ann@example.org"])
        self.assertIsNone(keys["splitmx:owner:ann+shop@example.org"])

    def test_a_hold_and_the_time_it_has_left(self):
        self.redis.cli("SET", "splitmx:owner:ann@example.org", "new")
        self.redis.cli("SET", "splitmx:hold:ann@example.org", "all:x", "PX", "50000")
        told = self.tells(OK, "explain", "ann@example.org")[0]
        self.assertEqual(("all", True, "waits"), (told["hold"], told["held"], told["login"]))
        self.assertEqual(("hold:[x]:1", True), (told["maps"]["transport"]["text"], told["maps"]["transport"]["held"]))
        self.assertEqual("lmtp:new", told["maps"]["verify"]["text"])
        left = [k["ttl_ms"] for k in told["keys"] if k["key"] == "splitmx:hold:ann@example.org"][0]
        self.assertTrue(30000 < left <= 50000, left)
        self.redis.cli("PERSIST", "splitmx:hold:ann@example.org")
        self.assertIn("WITHOUT AN END", self.says(OK, "explain", "ann@example.org"))

    def test_trouble_is_named_with_its_key(self):
        self.redis.cli("RPUSH", "splitmx:owner:ann@example.org", "new")
        told = self.tells(DATAERR, "explain", "ann@example.org")[0]
        self.assertEqual("temp", told["verdict"])
        self.assertIn("splitmx:owner:ann@example.org", told["reason"])
        self.assertIn("no string", self.says(DATAERR, "explain", "ann@example.org"))
        self.assertEqual("temp", self.tells(DATAERR, "explain", "x@floor.org")[0]["verdict"])

    def test_an_owner_that_is_no_destination_is_trouble(self):
        self.redis.cli("SET", "splitmx:owner:ann@example.org", "\x1b[31mnowhere")
        told = self.tells(DATAERR, "explain", "ann@example.org")[0]
        self.assertIsNone(told["login"])
        self.assertIn("no destination", told["reason"])
        self.assertNotIn("\x1b", self.says(DATAERR, "explain", "ann@example.org"))
        self.redis.cli("SET", "splitmx:owner:@else.org", "nowhere")
        self.assertIn("old, new", self.says(DATAERR, "explain", "@else.org"))
        self.redis.cli("DEL", "splitmx:owner:@else.org")
        self.redis.cli("RPUSH", "splitmx:owner:@else.org", "new")
        self.assertTrue(self.tells(DATAERR, "explain", "@else.org")[0]["managed"])

    def test_a_login_name_and_where_it_leads(self):
        self.redis.cli("SET", "splitmx:owner:ann@example.org", "new")
        told = self.tells(NOUSER, "explain", "Alice")[0]
        self.assertEqual(("alice", "absent", [{"key": "splitmx:login:alice", "value": None}]), (told["canonical"], told["verdict"], told["keys"]))
        self.assertRegex(self.says(NOUSER, "explain", "alice"), r"(?s)^login name alice\nowner +none: no login key.*splitmx:login:alice +\(not there\)")
        self.redis.cli("SET", "splitmx:login:alice", "ann@example.org")
        told = self.tells(OK, "explain", "Alice")[0]
        self.assertEqual(("alice", "new", "ann@example.org", "new", "owner:ann@example.org", {}),
                         (told["canonical"], told["owner"], told["account"], told["login"], told["matched"], told["maps"]))
        self.assertEqual("ann@example.org", {k["key"]: k["value"] for k in told["keys"]}["splitmx:login:alice"])
        said = self.says(OK, "explain", "Alice")
        self.assertRegex(said, r"^login name alice\nasked as   Alice\naccount    ann@example.org\nowner      new, by owner:ann@example.org\n")
        self.assertNotIn("maps", said)  # Postfix asks for addresses only
        self.redis.cli("SET", "splitmx:hold:ann@example.org", "all:x", "PX", "50000")
        self.assertEqual("waits", self.tells(OK, "explain", "alice")[0]["login"])
        for value in ("ann@else.org", "ann", "@example.org"):
            self.redis.cli("SET", "splitmx:login:alice", value)
            self.assertIn("splitmx:login:alice", self.tells(DATAERR, "explain", "alice")[0]["reason"])

    def test_the_login_names_of_an_account(self):
        self.redis.cli("SET", "splitmx:owner:ann@example.org", "new")
        self.assertNotIn("logins", self.tells(OK, "explain", "ann@example.org")[0])
        self.assertEqual([], self.tells(OK, "explain", "ann@example.org", "--logins")[0]["logins"])
        self.assertIn("logins     no login key leads here", self.says(OK, "explain", "ann@example.org", "--logins"))
        keys = {"alice": "ann@example.org", "al\u00efs": "Ann@Example.org", "Alice2": "ann@example.org", "bob": "bob@example.org",
                "a.smith@example.org": "ann+x@example.org", "dan@example.org": "ann@example.org", "@floor.org": "@example.org",
                "@else.org": "@floor.org", "broken": "ann"}
        for name, target in keys.items():
            self.redis.cli("SET", f"splitmx:login:{name}", target)
        self.redis.cli("RPUSH", "splitmx:login:odd", "ann@example.org")
        self.redis.cli("SET", "splitmx:owner:dan@example.org", "old")
        self.redis.pipe(("SET", f"splitmx:login:u{i}", f"u{i}@example.org") for i in range(5000))
        told = self.tells(OK, "explain", "alice", "--logins")[0]["logins"]
        self.assertEqual([("Alice2", "login:Alice2", False), ("a.smith@example.org", "login:a.smith@example.org", True),
                          ("alice", "login:alice", True), ("al\u00efs", "login:al\u00efs", True),
                          ("ann@floor.org", "login:@floor.org", True), ("dan@example.org", "login:dan@example.org", False)],
                         [(row["name"], row["key"], row["leads"]) for row in told])
        self.assertRegex(self.says(OK, "explain", "ann@example.org", "--logins"),
                         r"(?m)^logins$\n(?:.*\n)*  dan@example\.org +by login:dan@example\.org, which is not looked at: .*\n")
        self.says(USAGE, "explain", "@example.org", "--logins")
        self.assertNotIn("logins", self.tells(NOUSER, "explain", "x@foreign.org", "--logins")[0])

    def test_a_login_name_is_given_no_owner(self):
        for words in (("set", "alice", "new", "--force"), ("unset", "alice", "--force"), ("doctor", "alice")):
            self.says(DATAERR, *words)
            self.assertIn("alice is not an address", self.error)
        self.assertEqual("", self.owner("alice"))
        for name in ("", "a\nb"):
            self.says(DATAERR, "explain", name)

    def test_foreign_domains_and_whole_domains(self):
        self.assertEqual("absent", self.tells(NOUSER, "explain", "x@else.org")[0]["verdict"])
        self.assertTrue(self.tells(OK, "explain", "@example.org")[0]["managed"])
        self.assertFalse(self.tells(NOUSER, "explain", "@else.org")[0]["managed"])
        self.assertIn("try again later", self.says(OK, "explain", "@floor.org"))


class List(AdminCase):
    def setUp(self):
        super().setUp()
        self.accounts = {"@example.org": "old", "@else.org": "new"}
        self.accounts.update({f"u{i}@example.org": "old" if i % 2 else "new" for i in range(3000)})
        self.accounts.update({f"a*{i}@else.org": "old" for i in range(10)})
        self.redis.pipe(("SET", f"splitmx:owner:{k}", v) for k, v in self.accounts.items())
        self.redis.pipe(("SET", f"splitmx:hold:u{i}@example.org", "mail:x") for i in range(1000))

    def listed(self, *words):
        return {row["address"]: row["owner"] for row in self.tells(OK, "list", *words)}

    def test_everything_and_parts_of_it(self):
        def part(test):
            return {k: v for k, v in self.accounts.items() if test(k, v)}

        self.assertEqual(self.accounts, self.listed())
        self.assertEqual(part(lambda k, v: v == "new"), self.listed("--owner", "new"))
        self.assertEqual(part(lambda k, v: k.endswith("@else.org")), self.listed("--domain", "Else.Org"))
        self.assertEqual(part(lambda k, v: k.startswith("u1")), self.listed("--pattern", "u1*"))
        self.assertEqual(part(lambda k, v: k.startswith("a*1")), self.listed("--pattern", "a\\*1*"))
        self.assertEqual({}, self.listed("--owner", "nobody"))
        self.assertEqual({"old", "new"}, {row.split()[0] for row in self.says(OK, "list", "--count").splitlines()})

    def test_a_key_of_a_wrong_type_is_named(self):
        self.redis.cli("HSET", "splitmx:owner:bad@example.org", "a", "b")
        rows = self.says(DATAERR, "list").splitlines()
        self.assertEqual(len(self.accounts), len(rows))
        self.assertIn("bad@example.org", self.error)

    def test_a_reader_that_goes_away_is_no_trouble(self):
        done = self.lab.run(["sh", "-c", " ".join(f"'{w}'" for w in self.argv("list")) + " | head -1"])
        self.assertEqual(1, len(done.stdout.splitlines()))
        self.assertEqual("", done.stderr)


class Trouble(AdminCase):
    def test_a_redis_that_is_not_there(self):
        self.redis.stop()
        self.says(TEMPFAIL, "list")
        self.assertIn(self.redis.socket, self.error)

    def test_a_redis_that_is_stopped(self):
        self.redis.freeze()
        start = time.monotonic()
        self.says(TEMPFAIL, "list")
        self.redis.thaw()
        self.assertLess(time.monotonic() - start, 25)

    def test_a_wrong_password_is_never_shown(self):
        redis = Redis(self.lab, "locked", password="secret-one")
        secret = self.lab.write("password", "secret-two\n", mode=0o600)
        self.settings["redis"] = {"url": redis.url, "password_file": secret}
        self.write_settings()
        self.says(TEMPFAIL, "list")
        self.assertNotIn("secret-", self.error)


if __name__ == "__main__":
    unittest.main()
