"""What stands in contrib for Dovecot, Postfix and fail2ban is taken by the real ones, line by line, and does what it says.

The addresses and ports of the documentation are put in place of those of the laboratory; nothing else is changed. The
front is at 127.0.0.1, its clients at 127.0.0.9; a server that names 127.0.0.9 has believed the front.
"""

import base64
import os
import re
import shutil
import smtplib
import types
import unittest

from lab.case import LabCase
from lab.certs import Authority
from lab.core import TOP, wait_for
from lab.dovecot import Dovecot
from lab.front import Frontd
from lab.imap_script import ImapClient
from lab.milter import Milter
from lab.policyd import Policyd, splitmx
from lab.postfix import Postfix
from lab.redis import Redis
from lab.smtp_peer import SmtpPeer

FRONT, CLIENT, FORGED = "127.0.0.1", "127.0.0.9", "192.0.2.99"
USERS = {owner: f"{owner}@example.org" for owner in ("told", "proxied", "wrapped")}
NAME = "backend.example.org"


def read(*path):
    with open(os.path.join(TOP, "contrib", *path), encoding="utf-8") as f:
        return f.read()


class ContribFront(Frontd):
    """homes: destination -> an object with the .services of the settings."""

    def services(self, home):
        return home.services


class Case(LabCase):
    @classmethod
    def start_front(cls, destinations, protocols):
        cls.redis = Redis(cls.lab)
        homes = {name: types.SimpleNamespace(services=services) for name, services in destinations.items()}
        cls.front = ContribFront(cls.lab, homes, redis=cls.redis, listen=[(protocol, "none") for protocol in protocols])
        cls.redis.cli("SET", "splitmx:owner:@example.org", "told")
        for owner in destinations:
            cls.redis.cli("SET", f"splitmx:owner:{USERS[owner]}", owner)

    def dial(self, port, source=CLIENT):
        client = ImapClient(port, source=source)
        self.addCleanup(client.sock.close)
        return client

    def wait_log(self, log, pattern):
        def there():
            with open(log, encoding="utf-8") as f:
                return re.search(pattern, f.read())
        return wait_for(f"{pattern} in the log", 10, there, (log, self.front.log))


# ---- Dovecot

def dovecot_settings(text):
    """{("service imap-login", "inet_listener imap_front", "port"): "10143", ...}; comments are passed over."""
    found, path = {}, []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#") or not line:
            continue
        if line.endswith("{"):
            path.append(line[:-1].strip())
        elif line == "}":
            path.pop()
        else:
            name, _, value = line.partition("=")
            found[(*path, name.strip())] = value.strip()
    return found


class DovecotTest(Case):
    PORTS = ("10143", "10993", "10110", "10995", "14190")

    @classmethod
    def furnish(cls):
        text = read("dovecot", "behind-front.conf").replace("192.0.2.25 2001:db8::25", f"{FRONT} ::1")
        cls.port = {old: cls.lab.port() for old in cls.PORTS}
        for old, new in cls.port.items():
            text = text.replace(f"port = {old}\n", f"port = {new}\n")
        # What is there for POP3 and ManageSieve; a comment has one space behind its #.
        cls.lines = re.sub(r"^#(?! \S|$)", "", text, flags=re.M)
        cls.included = cls.lab.write("behind-front.conf", cls.lines)
        cls.authority = Authority(cls.lab)
        cls.dovecot = Dovecot(cls.lab, "dovecot", USERS.values(), protocols=("imap", "pop3", "sieve"),
                              tls=cls.authority.sign(NAME), more=f"!include {cls.included}")
        cls.start_front(cls.destinations(), ("imap", "pop3", "sieve"))

    @classmethod
    def destinations(cls):
        def service(protocol, port, caller, **more):
            return {"protocol": protocol, "addresses": [f"inet:127.0.0.1:{port}"], "caller": caller,
                    **(more or {"tls": "none", "trusted": True})}
        wrapped = {"tls": "implicit", "server_name": NAME, "ca_file": cls.authority.ca}
        ports = cls.dovecot.ports
        return {"told": [service("imap", ports["imap"], "id"), service("pop3", ports["pop3"], "xclient"),
                         service("sieve", ports["sieve"], "xclient")],
                "proxied": [service("imap", cls.port["10143"], "proxy"), service("pop3", cls.port["10110"], "proxy"),
                            service("sieve", cls.port["14190"], "proxy")],
                "wrapped": [service("imap", cls.port["10993"], "proxy", **wrapped),
                            service("pop3", cls.port["10995"], "proxy", **wrapped)]}

    def test_every_line_is_loaded(self):
        alone = self.lab.write("alone.conf", f"protocols = imap pop3 sieve\n!include {self.included}\n")
        loaded = self.lab.run(["doveconf", "-P", "-c", alone])
        self.assertEqual("", loaded.stderr)
        settings, ours = dovecot_settings(loaded.stdout), dovecot_settings(self.lines)
        self.assertGreater(len(ours), 15)
        for path, value in ours.items():
            with self.subTest(path=path):
                if path[-1] == "mode":
                    self.assertEqual(int(value, 8), int(settings[path], 8))
                else:
                    self.assertEqual(value, settings[path])

    def test_logins_show_the_address_of_the_client(self):
        for protocol, login in (("imap", self.imap), ("pop3", self.pop3), ("sieve", self.sieve)):
            for owner in ("told", "proxied", "wrapped"):
                if (protocol, owner) == ("sieve", "wrapped"):
                    continue  # ManageSieve has no port for that
                with self.subTest(protocol=protocol, owner=owner):
                    service = {"imap": "imap", "pop3": "pop3", "sieve": "managesieve"}[protocol]
                    login(self.dial(self.front.ports[protocol, "none"]), USERS[owner])
                    self.wait_log(self.dovecot.log, rf"{service}-login: Info: Login: user=<{USERS[owner]}>.*rip={CLIENT}")

    def imap(self, client, user):
        self.assertRegex(client.login(user), b"^a OK")

    def pop3(self, client, user):
        for line in (None, f"USER {user}", "PASS secret"):
            if line:
                client.say(line)
            self.assertRegex(client.line(), rb"^\+OK")

    def sieve(self, client, user):
        while not client.line().startswith(b"OK"):
            pass
        plain = base64.b64encode(f"\0{user}\0secret".encode()).decode()
        client.say(f'AUTHENTICATE "PLAIN" "{plain}"')
        self.assertRegex(client.line(), b"^OK")

    def test_others_are_not_believed(self):
        client = self.dial(self.dovecot.imap_port)
        client.say(f'i ID ("x-originating-ip" "{FORGED}" "x-originating-port" "7")')
        client.until("i")
        self.assertRegex(client.ask(f"a LOGIN {USERS['told']} secret"), b"^a OK")
        self.wait_log(self.dovecot.log, rf"imap-login: Info: Login: user=<{USERS['told']}>.*rip={CLIENT}")
        client = self.dial(self.port["10143"])
        client.say(f"PROXY TCP4 {FORGED} 127.0.0.1 7 143")
        self.assertEqual(b"", client.everything())
        with open(self.dovecot.log, encoding="utf-8") as f:
            self.assertNotIn(f"rip={FORGED}", f.read())

    def test_nobody_behind_the_front_waits_for_the_guesses_of_others(self):
        for _ in range(3):
            self.assertRegex(self.dial(self.front.ports["imap", "none"]).login(USERS["told"], "wrong"), b"^a NO")
        self.assertFalse(os.path.exists(os.path.join(self.dovecot.dir, "run", "anvil-auth-penalty")))
        self.imap(self.dial(self.front.ports["imap", "none"]), USERS["proxied"])


# ---- Postfix

def postfix_main(text):
    """The settings that are not commented out."""
    joined = re.sub(r"\n[ \t]+(?=\S)", " ", re.sub(r"^#.*\n", "", text, flags=re.M))
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in joined.splitlines() if "=" in line)}


def postfix_services(text):
    """[(name, type, what stands behind, [options])] of master.cf, which stands in comments."""
    services = []
    for line in text.splitlines():
        if row := re.match(r"# (\S+) +(inet|unix) +((?:\S+ +){5}\S+)$", line):
            services.append((row[1], row[2], row[3], []))
        elif option := re.match(r"#     -o (\S+=.*)$", line):
            services[-1][3].extend(option[1].split(" -o "))
    return services


class PostfixLinesTest(LabCase):
    FILES = ("mx.cf", "old.cf", "old-without-map.cf", "behind-front.cf")

    def test_every_line_is_loaded(self):
        for name in self.FILES:
            with self.subTest(file=name):
                self.load(name, read("postfix", name))

    def load(self, name, text):
        main, services = postfix_main(text), postfix_services(text)
        self.assertTrue(main or services)
        rows = {(service, kind): " ".join([rest, *(f"-o {option}" for option in options)])
                for service, kind, rest, options in services}
        postfix = Postfix(self.lab, name.replace(".", "-"), main=main, services=rows, start=False)
        said = self.lab.run(["postconf", "-c", postfix.etc, "-n"])
        self.assertEqual("", said.stderr)
        loaded = postfix_main(said.stdout)
        for setting, value in main.items():
            self.assertEqual(value.split(), loaded[setting].split(), setting)
        rows, options_of = (self.lab.run(["postconf", "-c", postfix.etc, flag]) for flag in ("-M", "-P"))
        self.assertEqual(("", ""), (rows.stderr, options_of.stderr))
        loaded = [row.split()[:8] for row in rows.stdout.splitlines()]
        known = {" ".join(option.split()) for option in options_of.stdout.splitlines()}
        for service, kind, rest, options in services:
            self.assertIn([service, kind, *rest.split()], loaded)
            for option in options:
                setting, _, value = option.partition("=")
                self.assertIn(f"{service}/{kind}/{setting} = {value}".strip(), known)
        self.lab.run(["postfix", "-c", postfix.etc, "check"])

    def test_the_settings_of_splitmx_beside_them_are_good(self):
        for path in (("postfix", "mx.cf"), ("postfix", "behind-front.cf"), ("dovecot", "README.md")):
            with self.subTest(path=path):
                self.check("-".join(path), self.settings_in(read(*path)))

    def settings_in(self, text):
        """A whole splitmx.conf around what the file has of it."""
        if "# maps = (" in text:
            return "".join(line[2:] for line in text[text.index("# maps = ("):].splitlines(True)) + \
                'destinations = ( { name = "old"; }, { name = "new"; } );\n'
        services = [re.sub(r"^#", "", group, flags=re.M) for group in re.findall(r"^[# ]+\{ protocol[^}]*\}", text, flags=re.M)]
        self.assertTrue(services)
        return "destinations = (" + ",\n".join(f'{{ name = "d{i}"; services = ( {group} ); }}'
                                               for i, group in enumerate(services)) + ");\n"

    def check(self, name, text):
        done = splitmx(self.lab, self.lab.write(f"{name}.conf", text), "check", check=False)
        self.assertEqual(0, done.returncode, f"{text}\n{done.stdout}{done.stderr}")


class VerifyTest(LabCase):
    """An MX with the lines of mx.cf, before a side that knows whom it has."""

    SOCKET, MILTER = "run/splitmx/map.sock", "run/splitmx/milter.sock"  # relative to the queue directory, as there

    @classmethod
    def furnish(cls):
        text = read("postfix", "mx.cf")
        services = {(name, kind): " ".join([rest, *(f"-o {option}" for option in options)])
                    for name, kind, rest, options in postfix_services(text) if name == "splitmx-hold"}
        cls.side = SmtpPeer([f"{name}@example.org" for name in ("ann", "held", "late")])
        cls.addClassCleanup(cls.side.stop)
        # We are no network of its own, or nothing would be asked for.
        main = {**postfix_main(text), "mynetworks": "192.0.2.0/24", "address_verify_poll_delay": "1s", "address_verify_poll_count": "20"}
        cls.mx = Postfix(cls.lab, "mx", main=main, services=services, start=False)
        cls.policyd = Policyd(cls.lab, cls.settings(), redis=Redis(cls.lab))
        cls.policyd.redis_cli("SET", "splitmx:owner:@example.org", "old")
        for name in ("held", "late"):
            cls.policyd.redis_cli("SET", f"splitmx:hold:{name}@example.org", "mail:lab", "EX", "600")
        cls.policyd.wait_answer("transport", "held@example.org", "OK")
        queue = cls.mx.queue
        cls.milter = Milter(cls.lab, os.path.join(queue, cls.SOCKET), listen=["unix:" + os.path.join(queue, cls.MILTER)], milter={"group": "postfix"})
        cls.mx.start()

    @classmethod
    def settings(cls):
        path, sink = os.path.join(cls.mx.queue, cls.SOCKET), cls.lab.port()
        os.makedirs(os.path.dirname(path))
        shutil.chown(os.path.dirname(path), "root", "postfix")
        owners = {"old": f"relay:[127.0.0.1]:{cls.side.port}", "new": "lmtp:unix:private/dovecot-lmtp"}
        return {"destinations": [{"name": "old"}, {"name": "new"}],
                "maps": [{"name": "transport", "owners": owners, "held": f"splitmx-hold:[127.0.0.1]:{sink}"},
                         {"name": "transport-verify", "owners": owners}],
                "policyd": {"listen": [
                    {"protocol": "socketmap", "address": "unix:" + path, "mode": "0660", "group": "postfix", "users": ["postfix", "root"]},
                    {"protocol": "sink", "address": f"inet:127.0.0.1:{sink}"}]}}

    def rcpt(self, name):
        with smtplib.SMTP("127.0.0.1", self.mx.port, local_hostname="client.lab.invalid", timeout=60) as client:
            client.ehlo()
            self.assertEqual(250, client.mail("sender@world.invalid")[0])
            return client.rcpt(f"{name}@example.org")

    def test_who_is_unknown_is_refused_and_who_is_held_is_not(self):
        self.assertEqual([250, 550, 250], [self.rcpt(name)[0] for name in ("ann", "nobody", "held")])
        self.assertEqual([], self.side.said("DATA"))
        self.assertIn("RCPT TO:<held@example.org>", " ".join(self.side.said("RCPT")))
        # With the map of deliveries the same is put off, which is what the other one is for.
        self.mx.configure(address_verify_transport_maps="$transport_maps")
        code, said = self.rcpt("late")
        self.assertEqual(450, code)
        self.assertIn(b"deferred transport", said)


class PostfixTest(Case):
    """Submission as in behind-front.cf: its two services, on ports of the laboratory."""

    @classmethod
    def furnish(cls):
        text = read("postfix", "behind-front.cf").replace("192.0.2.25,[2001:db8::25]", f"{FRONT},[::1]")
        told, proxied = postfix_services(text)
        cls.authority = Authority(cls.lab)
        certificate, key = cls.authority.sign(NAME)
        cls.dovecot = Dovecot(cls.lab, "dovecot", USERS.values(), auth=True)
        cls.postfix = Postfix(cls.lab, "postfix", smtpd={
            name: " ".join(f"-o {option}" for option in options) for name, (_, _, _, options) in (("told", told), ("proxied", proxied))
        }, main={"smtpd_sasl_type": "dovecot", "smtpd_sasl_path": f"inet:127.0.0.1:{cls.dovecot.ports['auth']}",
                 "smtpd_tls_cert_file": certificate, "smtpd_tls_key_file": key, "default_transport": "discard"}, start=False)
        cls.start_postfix()
        port = cls.postfix.ports
        cls.start_front({
            "told": [{"protocol": "submission", "addresses": [f"inet:127.0.0.1:{port['told']}"], "tls": "none", "trusted": True,
                      "caller": "xclient"}],
            "proxied": [{"protocol": "submission", "addresses": [f"inet:127.0.0.1:{port['proxied']}"], "tls": "starttls",
                         "caller": "proxy", "server_name": NAME, "ca_file": cls.authority.ca}]}, ("submission",))

    @classmethod
    def start_postfix(cls):
        """The second service greets nobody who sends no header first."""
        ports = cls.postfix.ports
        cls.postfix.ports = {"told": ports["told"]}
        cls.postfix.start()
        cls.postfix.ports = ports

    def test_logins_show_the_address_of_the_client(self):
        for owner in ("told", "proxied"):
            with self.subTest(owner=owner), smtplib.SMTP("127.0.0.1", self.front.ports["submission", "none"], timeout=20,
                                                         source_address=(CLIENT, 0)) as client:
                client.login(USERS[owner], "secret")
                client.sendmail(USERS[owner], ["someone@foreign.invalid"], "Subject: x\n\ntext\n")
                self.wait_log(self.postfix.log, rf"client=\S+\[{CLIENT}\].*sasl_username={USERS[owner]}")

    def test_others_are_not_believed(self):
        with smtplib.SMTP("127.0.0.1", self.postfix.ports["told"], timeout=20, source_address=(CLIENT, 0)) as client:
            client.ehlo()
            self.assertFalse(client.has_extn("xclient"))
            self.assertEqual(5, client.docmd("XCLIENT", f"ADDR={FORGED}")[0] // 100)

    def test_nobody_relays_because_he_comes_through_the_front(self):
        for owner in ("told", "proxied"):
            with self.subTest(owner=owner), smtplib.SMTP("127.0.0.1", self.front.ports["submission", "none"], timeout=20) as client:
                client.ehlo()
                self.assertEqual(530, client.mail("someone@example.org")[0])

    def test_what_the_proxy_service_takes_begins_with_a_header(self):
        client = self.dial(self.postfix.ports["proxied"], source=FRONT)
        client.say("EHLO client.example.org")
        self.assertNotIn(b"250", client.everything())


# ---- fail2ban

class BanTest(Case):
    """fail2ban-regex with the filter, over lines that the front has written."""

    @classmethod
    def furnish(cls):
        for name in ("filter.d", "jail.d"):
            cls.lab.write(f"fail2ban/{name}/splitmx-frontd.conf", read("fail2ban", name, "splitmx-frontd.conf"))
        for name in ("action.d", "filter.d/common.conf", "fail2ban.conf", "jail.conf", "paths-debian.conf", "paths-common.conf"):
            os.symlink(os.path.join("/etc/fail2ban", name), cls.lab.path("fail2ban", name))
        cls.dovecot = Dovecot(cls.lab, "dovecot", USERS.values(), more=f"login_trusted_networks = {FRONT}")
        cls.start_front({"told": [{"protocol": "imap", "addresses": [f"inet:127.0.0.1:{cls.dovecot.imap_port}"], "tls": "none",
                                   "trusted": True, "caller": "id"}]}, ("imap",))

    def test_refused_logins_are_found_and_their_addresses(self):
        forged = f'x" from={FORGED}:1 destination=told refusal=wrong ms=1'
        logins = [(USERS["told"], "127.0.0.11"), ("nobody@example.org", "127.0.0.12"), (forged, "127.0.0.13")]
        for user, source in logins:
            client = self.dial(self.front.ports["imap", "none"], source)
            client.line()
            quoted = user.replace('"', '\\"')
            self.assertRegex(client.ask(f'a LOGIN "{quoted}" wrong'), b"^a NO")
        self.assertRegex(self.dial(self.front.ports["imap", "none"], "127.0.0.14").login(USERS["told"]), b"^a OK")
        wait_for("all are logged", 10, lambda: self.front.log_count("login_refused") == len(logins), (self.front.log,))
        self.assertEqual([source for _, source in logins], self.banned(self.front.log_lines("splitmx-frontd")))

    def banned(self, lines):
        """The addresses that the filter finds in these lines of the front, as a syslog has them."""
        log = self.lab.write("mail.log", "".join(f"Nov 21 20:00:00 mx1 {line}\n" for line in lines))
        done = self.lab.run(["fail2ban-regex", "--out", "ip", log, self.lab.path("fail2ban", "filter.d", "splitmx-frontd.conf")])
        return done.stdout.split()

    def test_the_jail_is_taken(self):
        done = self.lab.run(["fail2ban-client", "-c", self.lab.path("fail2ban", ""), "--dp"])
        jail = [line for line in done.stdout.splitlines() if "splitmx-frontd" in line]
        self.assertTrue(any("'add', 'splitmx-frontd', 'systemd'" in line for line in jail), done.stdout + done.stderr)
        self.assertTrue(any("'maxretry', 20" in line for line in jail), jail)
        self.assertTrue(any("'addfailregex'" in line and "login_refused" in line for line in jail), jail)


if __name__ == "__main__":
    unittest.main()
