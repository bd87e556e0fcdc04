"""Whatever happens to Redis: managed mail waits, foreign mail does not care, and nothing goes to the wrong side.

Each test brings one kind of trouble, looks at what policyd answers once the lease
has run out, lets mail into the queue of the MX meanwhile, ends the trouble, and
finds every message on its owner's side. The lease is short here: 2 s.
"""

import time

from lab import House, LabCase, Message, Redis, imap_list, imap_wait, smtp_send, wait_for

LEASE_MS = 2000
DEADLINE_S = 1.0
SENDER = "sender@world.invalid"
ANN, BOB = "ann@example.org", "bob@example.org"


class RedisAwayTest(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab, tcp=False, aof=True)
        cls.house = House(cls.lab, ["ann", "bob"], redis=cls.redis, with_new=False)
        cls.redis.cli("HSET", "splitmx.map", "lease_ms", LEASE_MS)
        cls.house.set_owner("@example.org", "old")
        cls.house.set_owner(ANN, "new")
        # A listener that queues without asking the map, so that mail comes in meanwhile.
        mx = cls.house.mx
        mx.ports["queue"] = cls.lab.port()
        mx.smtpd["queue"] = ("-o smtpd_reject_unlisted_recipient=no -o smtpd_recipient_restrictions= "
                             "-o smtpd_relay_restrictions=permit_mynetworks,reject")
        mx.write_config()
        mx.reload()
        cls.house.policyd.stop()  # a lease that was granted under the longer one would run on
        cls.house.policyd.start()

    def setUp(self):
        self.house.policyd.wait_answer("transport", ANN, "OK", seconds=20)

    def ask(self, key, name="transport"):
        began = time.monotonic()
        answer = self.house.policyd.ask(name, key)
        self.assertLess(time.monotonic() - began, DEADLINE_S + 0.4, f"{key} was answered late: {answer}")
        return answer

    def remembered_then_temp(self, most_s):
        """Only the owner's text until the lease is over, then TEMP for good. Says after how long."""
        began = time.monotonic()
        while True:
            word, text = self.ask(ANN)
            if word == "TEMP":
                return time.monotonic() - began
            self.assertEqual(("OK", "lmtp:unix:private/dovecot-lmtp"), (word, text))
            self.assertLess(time.monotonic() - began, most_s, "still answered from memory")
            time.sleep(0.05)

    def during_the_trouble(self):
        """Foreign keys as always, managed ones TEMP within the deadline; then mail comes in."""
        for key in ("*", "who@foreign.invalid", "foreign.invalid", "<>", SENDER):
            self.assertEqual("NOTFOUND", self.ask(key)[0], key)
        for key, name in ((ANN, "transport"), (BOB, "transport-old"), ("nobody@example.org", "transport-verify"),
                          ("ann+ext@example.org", "transport")):
            self.assertEqual("TEMP", self.ask(key, name)[0], key)
        message = Message(SENDER, [ANN, BOB])
        smtp_send(self.house.mx.ports["queue"], message)
        wait_for("both recipients are deferred on mx", 20, lambda: {
            r["address"] for q in self.house.mx.queue_list("deferred") for r in q["recipients"]} == {ANN, BOB},
            self.house.logs())
        foreign = Message(SENDER, ["who@foreign.invalid"])
        smtp_send(self.house.mx.port, foreign)
        wait_for("foreign mail is delivered as if nothing had happened", 20,
                 lambda: self.house.world.found(foreign), self.house.logs())
        return message

    def afterwards(self, message):
        house = self.house
        house.policyd.wait_answer("transport", ANN, ("OK", "lmtp:unix:private/dovecot-lmtp"), seconds=30)
        house.policyd.wait_answer("transport", BOB, ("OK", f"relay:[127.0.0.1]:{house.old.ports['peer']}"), seconds=30)
        house.mx.reload()  # trivial-rewrite's clients remember failures
        house.mx.flush()
        imap_wait(house.dovecot_new.imap_port, ANN, message, logs=house.logs())
        imap_wait(house.dovecot_old.imap_port, BOB, message, logs=house.logs())
        house.wait_quiet()
        for user in (ANN, BOB):
            for dovecot, own in ((house.dovecot_new, user == ANN), (house.dovecot_old, user == BOB)):
                found = [m for m in imap_list(dovecot.imap_port, user) if m.id == message.id]
                self.assertEqual(1 if own else 0, len(found), f"{user} on {dovecot.name}")
        self.assertEqual([], house.world.bounces_to(SENDER))

    def test_A12_redis_is_killed_and_comes_back(self):
        self.redis.kill()
        self.remembered_then_temp(LEASE_MS / 1000 + 1.5)
        message = self.during_the_trouble()
        self.redis.start()
        self.afterwards(message)

    def test_A12_redis_is_stopped_and_says_nothing(self):
        self.redis.freeze()
        try:
            self.remembered_then_temp(LEASE_MS / 1000 + 1.5)
            message = self.during_the_trouble()
        finally:
            self.redis.thaw()
        self.afterwards(message)

    def test_A12_redis_wants_another_password(self):
        self.redis.cli("CONFIG", "SET", "requirepass", "another")
        self.redis.password = "another"
        try:
            self.redis.cli("CLIENT", "KILL", "TYPE", "normal")
            self.redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
            self.remembered_then_temp(LEASE_MS / 1000 + 1.5)
            message = self.during_the_trouble()
        finally:
            self.redis.cli("CONFIG", "SET", "requirepass", "")
            self.redis.password = None
        self.afterwards(message)

    def test_A12_redis_is_loading(self):
        # A dump of 3,000 keys, read with a delay of 7 ms for each: 21 s of LOADING.
        self.redis.cli("CONFIG", "SET", "appendonly", "no")
        self.redis.cli("EVAL", "for i = 1, 3000 do redis.call('SET', 'filler:' .. i, i) end", 0)
        self.redis.cli("SAVE")
        self.redis.stop()
        with open(self.redis.config, encoding="utf-8") as f:
            usual = f.read()
        with open(self.redis.config, "w", encoding="utf-8") as f:
            f.write(usual.replace("appendonly yes", "appendonly no") + "key-load-delay 7000\nloading-process-events-interval-bytes 1024\n")
        try:
            self.redis.start(wait=False)
            self.remembered_then_temp(LEASE_MS / 1000 + 1.5)
            message = self.during_the_trouble()
            self.assertIn("LOADING", self.redis.cli("GET", "x", check=False))
            self.redis.wait_ready(40)
            wait_for("Redis has loaded", 40, lambda: "LOADING" not in self.redis.cli("GET", "x", check=False))
            self.afterwards(message)
        finally:
            with open(self.redis.config, "w", encoding="utf-8") as f:
                f.write(usual)
            self.redis.cli("CONFIG", "SET", "appendonly", "yes", check=False)
            self.redis.cli("CONFIG", "SET", "key-load-delay", "0", check=False)

    def test_A12_wrong_type_under_a_key_is_that_accounts_trouble_alone(self):
        house = self.house
        self.redis.cli("DEL", f"splitmx:owner:{ANN}")
        self.redis.cli("RPUSH", f"splitmx:owner:{ANN}", "new")
        try:
            house.policyd.wait_answer("transport", ANN, "TEMP")
            self.assertEqual("OK", self.ask(BOB)[0])
            message = Message(SENDER, [ANN, BOB])
            smtp_send(house.mx.ports["queue"], message)
            imap_wait(house.dovecot_old.imap_port, BOB, message, logs=house.logs())
            wait_for("ann's copy waits", 20, lambda: house.mx.queue_of(ANN), house.logs())
        finally:
            self.redis.cli("DEL", f"splitmx:owner:{ANN}")
            self.redis.cli("SET", f"splitmx:owner:{ANN}", "new")
        self.afterwards(message)
