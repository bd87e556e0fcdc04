"""A destination of the front with everything people log in to: a Dovecot and a Postfix that asks it for passwords."""

from .dovecot import Dovecot
from .postfix import Postfix

SUBMISSION = {
    "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "smtpd_sasl_security_options": "noanonymous",
    "smtpd_authorized_xclient_hosts": "127.0.0.1", "mynetworks": "192.0.2.0/24",
    "smtpd_relay_restrictions": "permit_sasl_authenticated, reject", "default_transport": "discard",
    "message_size_limit": "0", "default_process_limit": "100",
}


def mail_home(lab, name, users, more="", postfix=None):
    """The Dovecot, with .postfix and .submission, the port of it. postfix: further settings of main.cf."""
    home = Dovecot(lab, name, users, more="login_trusted_networks = 127.0.0.0/8\n" + more,
                   protocols=("imap", "pop3", "sieve"), auth=True)
    home.postfix = Postfix(lab, "postfix-" + name, smtpd={"submission": ""}, main={
        **SUBMISSION, "myhostname": f"{name}.example.org", "smtpd_sasl_path": f"inet:127.0.0.1:{home.ports['auth']}",
        **(postfix or {})})
    home.submission = home.postfix.ports["submission"]
    return home
