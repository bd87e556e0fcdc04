"""splitmx import and export against a real Redis."""

import hashlib
import json
import os
import re
import signal
import subprocess
import unittest

from admin import DATAERR, NOINPUT, NOPERM, OK, AdminCase
from lab import wait_for

BATCH, SCAN_STEP = 100, 800  # CHANGE_BATCH_MOST, SCAN_STEP


class Import(AdminCase):
    def setUp(self):
        super().setUp()
        self.redis.cli("SET", "splitmx:owner:@example.org", "old")

    def file(self, text, name="accounts"):
        return self.lab.write(name, text)

    def test_every_bad_line_is_named_and_nothing_written(self):
        epoch = self.epoch()
        self.says(DATAERR, "import", "--yes", self.file(
            "a@example.org old\n\n# a comment\nnot-an-address old\nb@example.org nowhere\nc@example.org\n"
            "a@example.org new\nA@example.org old\n"))
        for said in (":4: ", ":5: nowhere", ":6: ", ":7: a@example.org has another destination in line 1", "4 problems"):
            self.assertIn(said, self.error)
        self.assertEqual(epoch, self.epoch())

    def test_a_dry_run_prints_the_difference_and_changes_nothing(self):
        self.redis.cli("MSET", "splitmx:owner:same@example.org", "new", "splitmx:owner:flip@example.org", "old")
        text = ("same@example.org new\nadd@example.org old\nflip@example.org new\nother@else.org new\n"
                "@third.org new\nann@third.org old\n")
        rows = self.says(DATAERR, "import", "--dry-run", self.file(text)).splitlines()
        self.assertIn("+ add@example.org old", rows)
        self.assertIn("+ ann@third.org old", rows)
        self.assertTrue(any(r.startswith("! flip@example.org old -> new: ") for r in rows), rows)
        self.assertTrue(any(r.startswith("! other@else.org") for r in rows), rows)
        self.assertTrue(rows[-1].startswith("would be: 3 added, 0 changed, 1 unchanged, 2 refused"), rows[-1])
        rows = self.says(DATAERR, "import", "--dry-run", "--force", self.file(text)).splitlines()
        self.assertIn("~ flip@example.org old -> new", rows)
        told = self.tells(DATAERR, "import", "--dry-run", self.file(text))
        self.assertEqual({"added": 3, "changed": 0, "unchanged": 1, "refused": 2},
                         {k: told[-1][k] for k in ("added", "changed", "unchanged", "refused")})
        self.assertEqual("", self.owner("add@example.org"))

    def test_nobody_to_ask_means_no(self):
        self.says(NOPERM, "import", self.file("a@example.org old\n"))
        self.assertEqual("", self.owner("a@example.org"))
        self.says(OK, "import", self.file("@example.org old\n"))  # nothing would change

    def test_from_standard_input_with_an_audit(self):
        self.says(OK, "import", "-", "--yes", "--reason", "start", stdin='{"address":"Ann@example.org","owner":"old"}\n'
                  '{"address":"bob@example.org","owner":"old"}\n')
        self.assertEqual(("old", "old"), (self.owner("ann@example.org"), self.owner("bob@example.org")))
        entry = self.redis.cli("XREVRANGE", "splitmx.audit", "+", "-", "COUNT", "2")
        for said in ("import", "start", "ann@example.org - old", "bob@example.org - old"):
            self.assertIn(said, entry)

    def test_only_what_was_asked_for(self):
        path = self.file("a@example.org old\nb@example.org new\nc@third.org old\n@third.org old\n")
        self.says(OK, "import", path, "--yes", "--domain", "third.org")
        self.assertEqual(("", "old"), (self.owner("a@example.org"), self.owner("c@third.org")))
        self.says(OK, "import", path, "--yes", "--owner", "new", "--force")
        self.assertEqual(("", "new"), (self.owner("a@example.org"), self.owner("b@example.org")))

    def test_what_is_exported_is_imported_again(self):
        self.redis.pipe(("SET", f"splitmx:owner:u{i}@example.org", "old" if i % 3 else "new") for i in range(2500))
        self.redis.cli("SET", 'splitmx:owner:"a b"@example.org', "new")
        for words in ((), ("--text",)):
            with self.subTest(words):
                text = self.says(OK, "export", *words)
                path = self.file(text)
                told = self.tells(OK, "import", path, "--dry-run")[-1]
                self.assertEqual((0, 2502), (told["added"], told["unchanged"]))
                lines = text.splitlines(keepends=True)
                for name, damaged in (("a line is missing", lines[:5] + lines[6:]), ("cut short", lines[:-1]),
                                      ("a line was changed", lines[:-1] + [lines[-1].replace("old", "new")
                                       if "old" in lines[-1] else lines[-1].replace("new", "old")])):
                    with self.subTest(name):
                        self.says(DATAERR, "import", "--yes", "--force", self.file("".join(damaged), "damaged"))
                        self.assertIn("digest", self.error)
        self.redis.cli("FLUSHDB")
        os.unlink(os.path.join(self.settings["state_dir"], "identity"))
        self.says(OK, "init")
        self.says(OK, "import", path, "--yes", "--force")
        self.assertEqual(2502, len(self.says(OK, "list").splitlines()))

    def test_an_account_never_belongs_to_its_new_domain_for_a_moment(self):
        """The domain's key is written when each account that differs has its own."""
        text = "@third.org new\n" + "".join(f"u{i}@third.org old\n" for i in range(250))
        with Monitor(self.redis, self.lab) as monitor:
            told = self.tells(OK, "import", self.file(text), "--yes")[-1]
        self.assertEqual((251, 0), (told["added"], told["refused"]))
        self.assertEqual("splitmx:owner:@third.org", [words[1] for words in monitor.said if words[0] == "SET" and ":owner:" in words[1]][-1])

    def test_what_editors_do_to_a_file(self):
        rows = [("a byte order mark", "\ufeffa@example.org old\n"), ("carriage returns", "a@example.org old\r\n"),
                ("a byte order mark and NDJSON", '\ufeff{"address":"a@example.org","owner":"old"}\n'),
                ("empty lines before NDJSON", '\n \n{"address":"a@example.org","owner":"old"}\n'),
                ("no end of the last line", "a@example.org old")]
        for name, text in rows:
            with self.subTest(name):
                path = self.lab.path("edited")
                with open(path, "wb") as file:
                    file.write(text.encode())
                self.assertEqual("a@example.org", self.tells(OK, "import", path, "--dry-run")[0]["address"])

    def test_what_is_no_row(self):
        rows = [b"\xff\xfe@example.org old\n", b"a\0b@example.org old\n", b"x" * 1000000 + b"@example.org old\n",
                b'{"address":"a@example.org","owner":"old"}\n{"address":"\\u0000a@example.org","owner":"old"}\n',
                b'{"address":"a@example.org","owner":"old"\n', b'{}\n{\x1b]0;x\x07 "address":"a@example.org","owner":"old"}\n']
        for bad in rows:
            with self.subTest(bad[:60]):
                path = self.lab.path("bad")
                with open(path, "wb") as file:
                    file.write(bad)
                self.says(DATAERR, "import", path, "--yes")
                self.assertIn("nothing was changed", self.error)
                self.assertNotIn("\x1b", self.error)
        self.assertEqual("1", self.redis.cli("EVAL", "return #redis.call('KEYS', 'splitmx:owner:*')", "0"))
        self.says(NOINPUT, "import", self.lab.dir, "--yes")

    def test_a_header_that_counts_wrong_is_refused(self):
        body = "a@example.org old\n"
        digest = hashlib.sha256(body.encode()).hexdigest()
        for count, code in ((1, OK), (7, DATAERR)):
            header = f"# splitmx-accounts schema=1 accounts={count} map=x digest=sha256:{digest}\n"
            self.says(code, "import", "--dry-run", self.file(header + body))

    def test_what_cannot_be_read_again_is_not_exported(self):
        self.redis.pipe([("SET", b"splitmx:owner:n\0ul@example.org", "old"), ("SET", "splitmx:owner:t@example.org", "a\tb")])
        self.assertEqual(3, len(self.says(DATAERR, "export").splitlines()))  # the header, the domain, the tab
        self.assertEqual(2, len(self.says(DATAERR, "export", "--text").splitlines()))

    def test_an_export_of_a_part(self):
        self.redis.cli("MSET", "splitmx:owner:@else.org", "new", "splitmx:owner:a@else.org", "old")
        rows = [json.loads(line) for line in self.says(OK, "export", "--domain", "else.org").splitlines()]
        self.assertEqual((1, 2), (rows[0]["schema"], rows[0]["accounts"]))
        self.assertEqual({"@else.org", "a@else.org"}, {r["address"] for r in rows[1:]})
        self.assertEqual(["a@else.org old"], self.says(OK, "export", "--text", "--owner", "old", "--domain",
                                                       "else.org").splitlines()[1:])


class Monitor:
    """Every command that Redis gets while the block runs, as lists of words, in `said`."""

    def __init__(self, redis, lab):
        self.redis, self.path = redis, lab.path("monitor")
        self.said = []

    def lines(self):
        with open(self.path, encoding="ascii") as file:
            return file.read().splitlines()

    def __enter__(self):
        with open(self.path, "w", encoding="ascii") as file:
            self.process = subprocess.Popen(["redis-cli", "-s", self.redis.socket, "MONITOR"], stdout=file)
        wait_for("MONITOR", 10, lambda: "OK" in self.lines())
        return self

    def __exit__(self, *_):
        try:
            self.redis.cli("PING", "the end")
            wait_for("the last command", 30, lambda: '"the end"' in self.lines()[-1])
        finally:
            self.process.kill()
            self.process.wait(10)
        self.said = [[json.loads(f'"{w}"') for w in re.findall(r'"((?:[^"\\]|\\.)*)"', line)]
                     for line in self.lines() if line != "OK"]

    def transactions(self):
        """How many commands stood between each MULTI and its EXEC; one client at a time is asking."""
        counts = []
        for words in self.said:
            if words[0] == "MULTI":
                start = len(counts)
                counts.append(0)
            elif words[0] == "EXEC":
                start = None
            elif counts and start is not None:
                counts[start] += 1
        return counts


class Large(AdminCase):
    COUNT = 60000

    def setUp(self):
        super().setUp()
        self.redis.cli("SET", "splitmx:owner:@example.org", "old")
        self.path = self.lab.write("accounts", "".join(f"user{i}@example.org old\n" for i in range(self.COUNT)))

    def size(self):
        return int(self.redis.cli("DBSIZE"))

    def test_an_import_that_was_killed_goes_on(self):
        run = self.start("import", self.path, "--yes")
        wait_for("some accounts", 30, lambda: self.size() > 2000, every=0.001)
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=10)
        done = self.size() - 3  # the domain, splitmx.map, splitmx.audit
        self.assertLess(done, self.COUNT)
        told = self.tells(OK, "import", self.path, "--yes")[-1]
        self.assertEqual((self.COUNT - done, done), (told["added"], told["unchanged"]))
        self.assertEqual(self.COUNT + 4, self.size())  # and splitmx.confirming

    def test_redis_is_never_asked_for_much_at_once(self):
        """What a command costs Redis grows with its keys; how long that takes is tests/bench/import's question."""
        accounts = self.lab.write("some", "".join(f"user{i}@example.org old\n" for i in range(5000)))
        with Monitor(self.redis, self.lab) as monitor:
            self.says(OK, "import", accounts, "--yes")
            self.says(OK, "import", accounts, "--dry-run")
            self.says(OK, "list", "--owner", "old")
            self.says(OK, "list", "--domain", "example.org", "--count")
            self.says(OK, "export")
        self.assertEqual(set(), {words[0] for words in monitor.said} - {
            "CLIENT", "ROLE", "HGETALL", "PING", "TYPE", "WATCH", "UNWATCH", "MGET", "MULTI", "SET", "HINCRBY", "XADD", "EXEC", "SCAN", "HSET",
            "SUBSCRIBE", "PUBLISH", "INFO"})
        most = {name: max(len(words) for words in monitor.said if words[0] == name) for name in ("WATCH", "MGET")}
        self.assertLessEqual(most["WATCH"], 1 + 2 * BATCH)
        self.assertLessEqual(most["MGET"], 1 + 4 * SCAN_STEP)  # a step of SCAN may return more than it was asked for
        self.assertEqual({str(SCAN_STEP)}, {words[words.index("COUNT") + 1] for words in monitor.said if words[0] == "SCAN"})
        self.assertLessEqual(max(monitor.transactions()), BATCH + 3)  # ..., HINCRBY, HSET, XADD
        self.assertEqual(5000 // BATCH + 2, len(monitor.transactions()))  # what is confirmed, and a look at the roster

    def test_a_redis_that_dies_leaves_a_word_how_to_go_on(self):
        run = self.start("import", self.path, "--yes")
        wait_for("some accounts", 30, lambda: self.size() > 2000, every=0.001)
        self.redis.kill()
        _, error = run.communicate(timeout=30)
        self.assertEqual(75, run.returncode, error)
        self.assertIn("start the same import again", error)


if __name__ == "__main__":
    unittest.main()
