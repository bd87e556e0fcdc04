"""A login that succeeded at its owner is tried at another destination too, and nobody notices."""

import base64
import json
import re
import time
import unittest

import openmetrics
from front_case import PASSWORD, FrontCase
from lab import wait_for
from test_metrics import port_pair

RESULT = r"(yes|no) \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def says(text):
    return lambda session, tag, rest: session.send(f"{tag} {text}\r\n")


class RehearseCase(FrontCase):
    """Logins at old are tried at new."""

    @classmethod
    def adjust(cls, settings):
        next(d for d in settings["destinations"] if d["name"] == "old")["rehearse"] = "new"

    def key(self, user=None):
        return f"splitmx.rehearsal:{user or self.user}"

    def kept(self, user=None):
        return self.redis.cli("HGET", self.key(user), "new")

    def wait_kept(self, word, user=None):
        return wait_for(f"{word} is kept", 10, lambda: re.fullmatch(RESULT, self.kept(user)) and self.kept(user).startswith(word),
                        (self.front.log,))

    def counts(self):
        return self.front.control(do="status")["rehearsals"]

    def wait_quiet(self):
        wait_for("nothing is tried", 10, lambda: self.counts()["under_way"] == 0, (self.front.log,))

    def refuse(self, text):
        self.new.hooks = {"AUTHENTICATE": says(text), "LOGIN": says(text)}

    def explain(self, user=None):
        return json.loads(self.front.splitmx("--json", "explain", user or self.user).stdout)["rehearsed"]


class Answers(RehearseCase):
    frontd_settings = {"master_separators": "*"}

    def test_what_works_is_kept_and_shown_and_the_client_stays(self):
        client = self.session()
        self.wait_kept("yes")
        session = self.new.wait_said(self.user, "LOGOUT")
        self.assertEqual(1, len(self.new.of(self.user)))
        self.assertFalse([line for line in session.said if "x-originating" in line.lower()], "told of a client")
        wait_for("it has left", 10, lambda: not self.new.open_of(self.user))
        self.assertTrue(client.is_open())
        shown = self.explain()
        self.assertEqual({"new": {"works": True, "at": self.kept().split(" ")[1]}}, shown)
        text = self.front.splitmx("explain", self.user).stdout
        self.assertRegex(text, rf"(?m)^rehearsed  yes at new, {shown['new']['at']}$")

    def test_what_does_not_work_is_kept_and_not_tried_again(self):
        self.refuse("NO [AUTHENTICATIONFAILED] No")
        for _ in range(5):
            self.session()
            self.wait_kept("no")
            self.wait_quiet()
        self.assertEqual(1, len(self.new.of(self.user)))
        self.assertFalse(self.explain()["new"]["works"])
        self.assertRegex(self.front.splitmx("explain", self.user).stdout, r"(?m)^rehearsed  no at new, ")

    def test_who_is_asked_to_come_later_has_said_nothing(self):
        self.refuse("NO [UNAVAILABLE] Not now")
        before = self.counts()["failed"]
        self.assertTrue(self.session().is_open())
        wait_for("it came to nothing", 10, lambda: self.counts()["failed"] == before + 1, (self.front.log,))
        self.assertEqual("", self.kept())
        self.assertEqual({}, self.explain())

    def test_nothing_is_tried_for_others_nor_where_nobody_wants_it(self):
        """Master users, authorization ids, accounts that are there already, wrong passwords."""
        before = self.counts()
        plain = base64.b64encode(b"\0".join((self.user.encode(), b"root@example.org", PASSWORD.encode()))).decode()
        moved = f"moved-{self.user}"
        self.set_owner("new", moved)
        self.assertRegex(self.client().login(f"{self.user}*root", PASSWORD), rb"^a OK")
        with self.client() as client:
            client.line()
            self.assertRegex(client.ask(f"a AUTHENTICATE PLAIN {plain}"), rb"^a OK")
        self.session(user=moved)
        self.old.hooks = {"AUTHENTICATE": says("NO [AUTHENTICATIONFAILED] No"), "LOGIN": says("NO [AUTHENTICATIONFAILED] No")}
        self.assertRegex(self.client().login(self.user, PASSWORD), rb"^a NO")
        self.assertEqual(before, self.counts())
        self.assertEqual("", self.kept() + self.kept(moved))

    def test_nothing_is_tried_under_a_hold_of_mail(self):
        self.redis.cli("SET", f"splitmx:hold:{self.user}", "mail:test", "EX", 600)
        self.session()
        self.assertEqual(0, self.counts()["under_way"])
        self.release()
        wait_for("the hold is forgotten, and it is tried", 10, lambda: self.session() and self.new.of(self.user))

    def test_one_who_has_another_name_there_is_one_account(self):
        alias = f"alias-{self.user}"
        self.redis.cli("SET", f"splitmx:login:{alias}", self.user)
        self.session(user=alias)
        self.wait_kept("yes")
        self.session()
        self.wait_quiet()
        self.assertEqual((1, 0), (len(self.new.of(alias)), len(self.new.of(self.user))))

    def test_no_secret_is_anywhere(self):
        self.session()
        self.wait_kept("yes")
        self.refuse("NO [AUTHENTICATIONFAILED] No")
        other = f"other-{self.user}"
        self.session(user=other)
        self.wait_kept("no", other)
        with open(self.front.log, encoding="utf-8") as f:
            log = f.read()
        self.assertRegex(log, rf"rehearsed proto=imap account={self.user} destination=new works=yes ms=\d+")
        kept = "".join(self.redis.cli("HGETALL", self.key(user)) for user in (self.user, other))
        for secret in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode()[:-4]):
            self.assertNotIn(secret, log + kept)
        self.assertEqual(2, len(self.redis.cli("HGETALL", self.key()).split("\n")), "more than a word and a time")


class Moves(RehearseCase):
    def test_an_account_that_moves_is_logged_out_there_before_it_is_confirmed(self):
        self.new.gate("login")
        self.session()
        self.new.wait_said(self.user, "AUTHENTICATE")
        self.assertEqual(1, self.counts()["under_way"])
        self.new.gates["login"].set()
        told = self.flip()
        self.assertTrue(told["confirmed"], told)
        self.wait_quiet()

    def test_a_hold_ends_it_although_the_server_does_not_answer(self):
        self.new.gate("login")
        self.session()
        self.new.wait_said(self.user, "AUTHENTICATE")
        ended = self.counts()["ended"]
        self.hold()
        wait_for("it is ended", 10, lambda: self.counts()["ended"] == ended + 1, (self.front.log,))
        self.wait_quiet()  # after end_timeout
        self.assertEqual("", self.kept())

    def test_one_that_is_only_dialling_is_dropped(self):
        self.new.gate("greeting")
        self.session()
        wait_for("it has connected", 10, lambda: self.counts()["under_way"] == 1, (self.front.log,))
        self.flip()
        self.wait_quiet()


class Limits(RehearseCase):
    frontd_settings = {"rehearse_most": 2, "rehearse_interval": 2000}

    def test_clients_do_not_wait_and_there_are_not_more_than_the_limit(self):
        self.new.gate("greeting")
        before = len(self.new.sessions)
        began = time.monotonic()
        clients = [self.session(user=f"u{i}-{self.user}") for i in range(6)]
        self.assertLess(time.monotonic() - began, 10)
        wait_for("two are under way", 10, lambda: self.counts()["under_way"] == 2, (self.front.log,))
        self.assertTrue(all(client.is_open() for client in clients))
        self.assertEqual(2, self.counts()["under_way"])
        self.assertEqual(2, len(self.new.sessions) - before)
        self.new.gates["greeting"].set()
        self.wait_quiet()

    def test_when_the_interval_is_over_it_is_tried_again(self):
        def tried_twice():
            self.session()
            self.wait_quiet()
            return len(self.new.of(self.user)) == 2
        self.session()
        self.wait_kept("yes")
        first = self.kept()
        self.refuse("NO [AUTHENTICATIONFAILED] No")
        wait_for("the second trial", 20, tried_twice, (self.front.log,))
        self.wait_kept("no")
        self.assertLess(first.split(" ")[1], self.kept().split(" ")[1])

    def test_a_result_that_was_kept_by_another_process_counts(self):
        self.redis.cli("HSET", self.key(), "new", time.strftime("no %Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1)))
        self.session()
        self.wait_quiet()
        self.assertEqual([], self.new.of(self.user))

    def test_while_another_process_tries_nobody_else_does(self):
        self.redis.cli("HSET", self.key(), "trying:new", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        self.session()
        self.wait_quiet()
        self.assertEqual([], self.new.of(self.user))

    def test_without_leave_to_write_it_logins_go_on(self):
        self.redis.cli("ACL", "SETUSER", "default", "resetkeys", "~splitmx:*", "~splitmx.map", "~splitmx.nodes",
                       "~splitmx.beats", "~splitmx.audit", "~splitmx.confirming")
        try:
            client = self.session()
            self.wait_quiet()
            self.assertEqual([], self.new.of(self.user))
            self.assertEqual(1, self.front.log_count("rehearsals reason=.*NOPERM"))
            self.session(user=f"second-{self.user}")
            self.wait_quiet()
            self.assertEqual(1, self.front.log_count("rehearsals reason="), "said once")
            self.assertTrue(client.is_open())
        finally:
            self.redis.cli("ACL", "SETUSER", "default", "allkeys")


class Doors(RehearseCase):
    def test_behind_a_closed_door_nothing_is_tried(self):
        moved = f"moved-{self.user}"
        self.set_owner("new", moved)
        self.new.close()
        try:
            for _ in range(6):
                with self.client() as client:
                    self.assertRegex(client.login(moved, PASSWORD), rb"^a NO \[UNAVAILABLE\]")
            self.assertTrue(self.front.log_count("backend_avoided .*destination=new"))
            before = self.counts()
            self.session()
            self.assertEqual(before, self.counts())
        finally:
            self.new.open()


class Workers(RehearseCase):
    frontd_settings = {"workers": 2}

    def test_many_logins_at_once_are_one_trial(self):
        clients = [self.client() for _ in range(30)]
        for client in clients:
            client.line()
        for client in clients:
            client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
        for client in clients:
            self.assertRegex(client.line(), rb"^a OK")
        self.wait_kept("yes")
        for _ in range(5):
            self.session()
        self.assertEqual(1, len(self.new.of(self.user)))

    def test_a_worker_that_ends_cuts_it_off(self):
        self.new.gate("login")
        client = self.session()
        self.new.wait_said(self.user, "AUTHENTICATE")
        client.close()
        self.front.stop()
        self.assertFalse(self.front.log_count("ERROR: AddressSanitizer|LeakSanitizer"))
        wait_for("it has gone", 10, lambda: not self.new.open_of(self.user) or self.new.gates["login"].set())
        self.front.start()


class Numbers(RehearseCase):
    """What comes of them, for who collects it."""

    @classmethod
    def adjust(cls, settings):
        super().adjust(settings)
        cls.port = port_pair(cls.lab)
        settings["frontd"]["metrics"] = f"inet:127.0.0.1:{cls.port}"

    def numbers(self):
        return openmetrics.read(openmetrics.scrape(self.port)[2])

    def came(self):
        """{result: how many}"""
        return {result: openmetrics.value(self.numbers(), "splitmx_frontd_rehearsals", "_total", result=result)
                for result in ("worked", "refused", "failed", "ended")}

    def under_way(self):
        return openmetrics.value(self.numbers(), "splitmx_frontd_rehearsals_under_way")

    def wait_came(self, **counts):
        wait_for(f"{counts}, not {self.came()}", 10, lambda: self.came() == counts, (self.front.log,))

    def test_C21_each_is_counted_by_what_came_of_it(self):
        self.assertEqual({"worked": 0, "refused": 0, "failed": 0, "ended": 0}, self.came())
        self.session(f"a-{self.user}")
        self.wait_came(worked=1, refused=0, failed=0, ended=0)
        self.refuse("NO [AUTHENTICATIONFAILED] No")
        self.session(f"b-{self.user}")
        self.wait_came(worked=1, refused=1, failed=0, ended=0)
        self.refuse("NO [UNAVAILABLE] Not now")
        self.session(f"c-{self.user}")
        self.wait_came(worked=1, refused=1, failed=1, ended=0)
        self.new.hooks = {}
        self.new.gate("login")
        self.session()
        self.new.wait_said(self.user, "AUTHENTICATE")
        self.assertEqual(1, self.under_way())
        self.hold()
        self.wait_came(worked=1, refused=1, failed=1, ended=1)
        wait_for("nothing is under way", 10, lambda: self.under_way() == 0, (self.front.log,))


if __name__ == "__main__":
    unittest.main()
