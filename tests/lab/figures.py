"""What the kernel knows of a process: its CPU time, its memory, its descriptors, its children."""

import glob
import os
import time

from .core import wait_for


def tree(pid):
    """This process and all below it."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [pid] + [p for child in f.read().split() for p in tree(int(child))]


def cpu_s(pids):
    """Seconds of CPU that these processes have used, all their threads, system calls included.

    schedstat has what utime + stime of stat has, in nanoseconds instead of ticks.
    """
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
    return total / 1e9


def pss_kib(pids):
    """Their own memory, what they share with each other counted in parts (proc(5), smaps_rollup).

    Without the pages of files: how much of a library is theirs depends on who else on this machine uses it just now.
    """
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
    return total


def settled_pss_kib(what, pids):
    """When two looks, a second apart, see the same."""
    last = [0, 0.0]

    def is_settled():
        time.sleep(1)
        last.append(pss_kib(pids))
        return abs(last[-1] - last[-2]) <= 8
    wait_for(f"{what}'s memory settles", 30, is_settled)
    return last[-1]


def files(pid):
    """What its descriptors lead to, one name for each; threads that write files have tables of their own."""
    found = []
    for descriptor in glob.glob(f"/proc/{pid}/task/*/fd/*"):
        try:
            found.append(os.readlink(descriptor))
        except FileNotFoundError:
            pass  # closed meanwhile
    return found
