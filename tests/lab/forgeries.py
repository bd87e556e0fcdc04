"""What clients say to be taken for somebody else: by the front, or by the homes behind its back."""

FORGED = "192.0.2.99"  # who they say they are

# Protocol -> commands, said before the login and again behind it, and how each is answered.
FORGERIES = {
    "imap": (
        (f'ID ("name" "lab" "x-originating-ip" "{FORGED}" "x-originating-port" "99" "X-Connected-IP" "{FORGED}" '
         f'"x-session-id" "forged" "x-proxy-ttl" "5" "x-forward-addr" "{FORGED}")', r"t OK"),
        (f"XCLIENT ADDR={FORGED}", r"t BAD"),
    ),
    "pop3": ((f"XCLIENT ADDR={FORGED} PORT=99 SESSION=forged TTL=5", r"-ERR"),),
    "submission": (
        (f"XCLIENT ADDR={FORGED} PORT=99 NAME=forged.example.org LOGIN=boss@example.org", r"50\d "),
        (f"XFORWARD ADDR={FORGED} NAME=forged.example.org", r"50\d "),
    ),
    "sieve": ((f"XCLIENT ADDR={FORGED} PORT=99 SESSION=forged TTL=5", r"NO\b"),),
}

# Where one of two might take it for a command and the other for something else.
XCLIENT = f"XCLIENT ADDR={FORGED} LOGIN=boss@example.org\r\nMAIL FROM:<forged@example.org>\r\n".encode()
MAIL = b"MAIL FROM:<someone@example.org>\r\nRCPT TO:<someone@foreign.invalid>\r\n"
DOTS = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\n", b"\r\n.\r\r\n", b"\n.\r\r\n", b"\r\n.\0\r\n")
SMUGGLED = (
    *(MAIL + b"DATA\r\nSubject: more\r\n\r\nHello" + dot + XCLIENT + b"\r\n.\r\n" for dot in DOTS),
    MAIL + b"BDAT 5 LAST\r\nHello" + XCLIENT,
    b"BDAT 18446744073709551621 LAST\r\nHello" + XCLIENT,  # 2^64 + 5
    b"NOOP\n" + XCLIENT,
    b"NOOP\r" + XCLIENT,
    b"NOOP\0\r\n\0" + XCLIENT,
    b" " + XCLIENT,
    b"\t" + XCLIENT,
    XCLIENT.lower(),
    XCLIENT.replace(b"XCLIENT", b'"XCLIENT"'),
    XCLIENT.replace(b"XCLIENT", b"X\\CLIENT"),
    XCLIENT.replace(b"XCLIENT", b"<XCLIENT>"),
)


def proxy_headers(address):
    """Both versions of a PROXY header that names this client."""
    v1 = f"PROXY TCP4 {address} 127.0.0.1 99 143\r\n".encode()
    v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes((*map(int, address.split(".")), 127, 0, 0, 1, 0, 99, 0, 143))
    return v1, v2
