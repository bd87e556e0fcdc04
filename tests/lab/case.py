"""A unittest.TestCase with a lab per class.

    class SplitTest(LabCase):
        @classmethod
        def furnish(cls):
            cls.house = House(cls.lab, ["ann"], redis=Redis(cls.lab))

The logs are kept if a test of the class fails. What a sanitizer said in any of
them is a failure too, and so is a policyd that did not end well.
"""

import glob
import os
import re
import unittest

from .core import Failure, Lab

SANITIZER = re.compile(r"ERROR: (Address|Leak|Thread|Memory)Sanitizer|: runtime error: ")
FULL = os.environ.get("SPLITMX_FULL") == "1"


def sanitizer_reports(lab):
    """The lines of the lab's logs in which a sanitizer complains."""
    found = []
    for path in sorted(glob.glob(os.path.join(lab.logs, "*.log"))):
        with open(path, encoding="utf-8", errors="backslashreplace") as f:
            found += [f"{os.path.basename(path)}: {line.strip()}" for line in f if SANITIZER.search(line)]
    return found


class LabCase(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def furnish(cls):
        """Put the servers of this class into cls.lab."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        try:
            cls.furnish()
        except BaseException:
            cls.lab.close(failed=True)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.lab.stop_all()
        troubles = cls.lab.troubles + sanitizer_reports(cls.lab)
        cls.lab.close(failed=bool(troubles))
        if troubles:
            raise Failure("not seen by a test:\n" + "\n".join(troubles[:20]))

    def figures(self, text):
        """What was measured, in one line: tests/system/run shows it."""
        print(text)
        if os.environ.get("SPLITMX_DIARY"):
            with open(os.environ["SPLITMX_DIARY"], "a", encoding="utf-8") as f:
                f.write(f"figures {text}\n")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            self.lab.failed = True
        return result
