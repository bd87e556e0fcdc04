"""What the lints share: where the tree is, which files it has, how to say what was found.

A lint is a program: tests/lint/NAME [ROOT]. It prints "FILE:LINE: sentence" for each violation and ends with 1;
0 means that it looked and found nothing, 77 that it could not look.
"""

import os
import re
import sys

FOLDERS = ("src", "policy", "milter")  # where our C code lives
SKIP = 77


def root():
    return sys.argv[1] if len(sys.argv) > 1 else os.environ.get("srcdir", ".")


def files(top, folders, pattern):
    """Paths below top, relative to it, in order."""
    found = []
    for folder in folders:
        for where, directories, names in os.walk(os.path.join(top, folder)):
            directories[:] = sorted(d for d in directories if not d.startswith((".", "__")))
            found += [os.path.relpath(os.path.join(where, n), top) for n in sorted(names) if re.search(pattern, n)]
    return found


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read()


def finish(looked_at, violations):
    """looked_at: how many things; a lint that sees nothing must not be green."""
    for violation in violations:
        print(violation)
    if not looked_at:
        print("there was nothing to look at")
    print(f"{looked_at} looked at, {len(violations)} violations")
    sys.exit(1 if violations or not looked_at else 0)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)
