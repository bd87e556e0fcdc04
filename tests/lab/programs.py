"""Mail programs of Debian as clients of the front, and what each of them can.

A program is run once for each attempt. It says whether it was let in, by its exit
status, and shows what it said, and what it found: a message's subject, a script's
name. Passwords are given in files, by the environment or on stdin, never as arguments.

What none of them can, the dialogues of lab.dialogs do: SCRAM in POP3 and ManageSieve,
XOAUTH2 but in submission, tokens in ManageSieve.
"""

import os
import re
import subprocess

from .core import Failure

SECONDS = 40
TLS = ("implicit", "starttls", "none")
SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-256")
TOKENS = ("OAUTHBEARER", "XOAUTH2")


class Attempt:
    """What a program is to do. dir: an empty directory of its own; source: an address to come from, if it can choose;

    authority: the file of the authority's certificate, and that of the front's own.
    """

    def __init__(self, protocol, tls, mechanism, host, port, source, user, secret, authority, dir, more=()):
        self.protocol, self.tls, self.mechanism = protocol, tls, mechanism
        self.host, self.port, self.source = host, port, source
        self.user, self.secret, self.dir = user, secret, dir
        self.ca, self.certificate = authority
        self.more = list(more)  # further arguments

    @property
    def url_host(self):
        return f"[{self.host}]" if ":" in self.host else self.host

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def run(self, argv, stdin="", env=None, refused=(), before="", **options):
        """(let in, output): status 0 is yes, one of `refused` with the text `before` is no; anything else a Failure."""
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, errors="backslashreplace", timeout=SECONDS,
                              cwd=self.dir, env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": self.dir, "LC_ALL": "C.UTF-8",
                                                 **(env or {})}, check=False, **options)
        said = done.stdout + done.stderr
        if done.returncode == 0:
            return True, said
        if done.returncode in refused and before.lower() in said.lower():
            return False, said
        raise Failure(f"{argv[0]} ended with {done.returncode}:\n{said[-3000:]}")


def curl(attempt):
    scheme = {"imap": "imap", "pop3": "pop3", "submission": "smtp"}[attempt.protocol]
    scheme += "s" if attempt.tls == "implicit" else ""
    path = {"imap": "/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)", "pop3": "/1", "submission": "/client.lab.invalid"}
    # Of two mechanisms for tokens curl takes OAUTHBEARER, whatever it is told.
    lines = [f'url = "{scheme}://{attempt.url_host}:{attempt.port}{path[attempt.protocol]}"', f'cacert = "{attempt.ca}"',
             f'login-options = "AUTH={attempt.mechanism}"', f'interface = "{attempt.source}"', f"max-time = {SECONDS - 5}",
             "silent", "show-error", "verbose", "sasl-ir"]
    if attempt.tls == "starttls":
        lines.append("ssl-reqd")
    if attempt.mechanism in TOKENS:
        lines += [f'user = "{attempt.user}:"', f'oauth2-bearer = "{attempt.secret}"']
    else:
        lines.append(f'user = "{attempt.user}:{attempt.secret}"')
    if attempt.protocol == "submission":
        message = attempt.write("message", "Subject: by curl\r\n\r\nHello.\r\n")
        lines += ['mail-from = "someone@example.org"', 'mail-rcpt = "someone@foreign.invalid"', f'upload-file = "{message}"']
    return attempt.run(["curl", "-K", "-", *attempt.more], stdin="\n".join(lines) + "\n", refused=(67,))


def mbsync(attempt):
    mode = {"implicit": "IMAPS", "starttls": "STARTTLS", "none": "None"}[attempt.tls]
    mechanism = "LOGIN" if attempt.mechanism == "login" else attempt.mechanism
    os.mkdir(os.path.join(attempt.dir, "mail"))
    config = attempt.write("mbsyncrc", f"""
IMAPAccount front
Host {attempt.host}
Port {attempt.port}
User {attempt.user}
Pass "{attempt.secret}"
SSLType {mode}
SystemCertificates no
CertificateFile {attempt.certificate}
AuthMechs {mechanism}

IMAPStore far
Account front

MaildirStore near
Inbox {attempt.dir}/mail/INBOX
Path {attempt.dir}/mail/

Channel inbox
Far :far:
Near :near:
Patterns INBOX
Create Near
SyncState *
""")
    let_in, said = attempt.run(["mbsync", "-c", config, "-V", "-Dn", "inbox"], refused=(1,), before="AUTHENTICATIONFAILED")
    for path, _, files in os.walk(os.path.join(attempt.dir, "mail")):
        for name in files if path.endswith(("/new", "/cur")) else ():
            with open(os.path.join(path, name), encoding="utf-8") as f:
                said += f.read()
    return let_in, said


def swaks(attempt):
    tls = {"implicit": ["--tls-on-connect"], "starttls": ["--tls"], "none": []}[attempt.tls]
    if tls:
        tls += ["--tls-verify", "--tls-ca-path", attempt.ca]
    return attempt.run(["swaks", "--server", attempt.host, "--port", str(attempt.port), "--local-interface", attempt.source,
                        "--ehlo", "client.lab.invalid", "--from", "someone@example.org", "--to", "someone@foreign.invalid",
                        "--auth", attempt.mechanism, "--auth-user", attempt.user, "--auth-hide-password", "--header",
                        "Subject: by swaks", *tls, *attempt.more], env={"SWAKS_OPT_auth_password": attempt.secret}, refused=(28,),
                       before="535 5.7.8")


def msmtp(attempt):
    tls = {"implicit": "tls on\ntls_starttls off", "starttls": "tls on\ntls_starttls on", "none": "tls off"}[attempt.tls]
    config = attempt.write("msmtprc", f"""
account default
host {attempt.host}
port {attempt.port}
domain client.lab.invalid
from someone@example.org
source_ip {attempt.source}
auth {attempt.mechanism.lower()}
user {attempt.user}
password {attempt.secret}
{tls}
""" + (f"tls_trust_file {attempt.ca}\n" if attempt.tls != "none" else ""))
    return attempt.run(["msmtp", "-d", "-C", config, "someone@foreign.invalid"], stdin="Subject: by msmtp\n\nHello.\n",
                       refused=(77,), before="535 5.7.8")


def fetchmail(attempt):
    """Takes the mail and leaves it there; what it took is in a file."""
    found = os.path.join(attempt.dir, "found")
    tls = {"implicit": "ssl", "starttls": "sslproto tls1.2+", "none": "sslproto ''"}[attempt.tls]
    verify = f"sslcertck sslcertfile {attempt.ca} sslcommonname mail.example.org" if attempt.tls != "none" else ""
    config = attempt.write("fetchmailrc", f"""
poll "{attempt.host}" service {attempt.port} protocol {attempt.protocol} auth password timeout 30
  username "{attempt.user}" password "{attempt.secret}" {tls} {verify}
  fetchall keep no rewrite mda "/bin/sh -c 'cat >>{found}'"
""")
    let_in, said = attempt.run(["fetchmail", "-v", "-v", "-f", config, "-i", os.path.join(attempt.dir, "ids"), "--nosyslog",
                                "--pidfile", os.path.join(attempt.dir, "pid")], env={"FETCHMAILHOME": attempt.dir}, refused=(3,))
    if let_in:
        with open(found, encoding="utf-8") as f:
            said += f.read()
    return let_in, said


def sieve_connect(attempt):
    tls = ["--tlscafile", attempt.ca, "--tlshostname", "mail.example.org"] if attempt.tls == "starttls" else ["--clearchan"]
    secret = attempt.write("password", attempt.secret + "\n")
    with open(secret, encoding="utf-8") as f:
        return attempt.run(["sieve-connect", "--server", attempt.host, "--port", str(attempt.port), "--user", attempt.user,
                            "--passwordfd", str(f.fileno()), "--authmech", attempt.mechanism, *tls, "--debug", "--list"],
                           pass_fds=(f.fileno(),), refused=(1, 2, 9, 13, 25, 255), before="Authentication failed")


class Program:
    """A row of PROGRAMS.

    can: protocol -> mechanisms ("login" and "user" are the protocols' own); binds: it can choose where it comes from."""

    def __init__(self, run, can, binds=True, tls=TLS):
        self.name = run.__name__.replace("_", "-")
        self.run = run
        self.can = can
        self.binds = binds
        self.tls = tls

    @staticmethod
    def has_said(said, mechanism):
        """Has it logged in in this way, and in no other? All programs show their own lines behind a ">"."""
        ways = set(re.findall(r'> (?:\w+ )?AUTH(?:ENTICATE)? "?([A-Z0-9-]+)', said))
        ways |= {way.lower() for way in re.findall(r'> (?:(?!AUTH)\w+ )?(LOGIN|USER) ', said)}
        return ways == {mechanism}


PROGRAMS = (
    Program(curl, {protocol: ("PLAIN", "LOGIN", "OAUTHBEARER") for protocol in ("imap", "pop3", "submission")}),
    Program(mbsync, {"imap": ("login", "PLAIN", *SCRAM)}, binds=False),
    Program(swaks, {"submission": ("PLAIN", "LOGIN")}),
    Program(msmtp, {"submission": ("PLAIN", "LOGIN", *TOKENS, *SCRAM)}),
    Program(fetchmail, {"imap": ("login",), "pop3": ("user",)}, binds=False),
    Program(sieve_connect, {"sieve": ("PLAIN", "LOGIN")}, binds=False, tls=("starttls", "none")),
)
