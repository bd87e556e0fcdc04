"""Asks for numbers, reads the text format of OpenMetrics 1.0, and insists on its rules."""

import http.client
import re

SECONDS = 20

TYPES = {"counter": ("_total",), "gauge": ("",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count")}
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"'
CANONICAL = re.compile(r"\+Inf|(0|[1-9]\d*)\.(0|\d*[1-9])")


def scrape(port, path="/metrics", method="GET"):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        client.request(method, path)
        response = client.getresponse()
        return response.status, response.headers.get("Content-Type"), response.read().decode()
    finally:
        client.close()


class Family:
    def __init__(self, name, kind):
        self.name, self.kind, self.unit, self.help = name, kind, None, None
        self.samples = {}  # (suffix, sorted labels) -> value, in their order


def sample(line):
    """(name, labels, value) of a line without timestamp and exemplar, which we never write."""
    match = re.fullmatch(rf"({NAME})(?:\{{((?:{LABEL})(?:,(?:{LABEL}))*)\}})? (\S+)", line)
    assert match, f"no sample: {line!r}"
    labels = re.findall(LABEL, match[2] or "")
    assert len(labels) == len({name for name, _ in labels}), f"a label twice: {line!r}"
    return match[1], labels, float(match[match.lastindex])


def check_histogram(family):
    series = {}
    for (suffix, labels), value in family.samples.items():
        rest = tuple(label for label in labels if label[0] != "le")
        one = series.setdefault(rest, {"le": [], "_sum": None, "_count": None})
        if suffix == "_bucket":
            bound = dict(labels)["le"]
            assert CANONICAL.fullmatch(bound), f"{family.name}: le={bound!r}"
            one["le"].append((float(bound.replace("+Inf", "inf")), value))
        else:
            one[suffix] = value
    for rest, one in series.items():
        bounds, counts = zip(*one["le"])
        assert list(bounds) == sorted(set(bounds)) and bounds[-1] == float("inf"), f"{family.name}{rest}: {bounds}"
        assert list(counts) == sorted(counts), f"{family.name}{rest}: {counts}"
        assert one["_count"] == counts[-1] and one["_sum"] is not None, f"{family.name}{rest}"
        assert (one["_sum"] == 0) or one["_count"] > 0, f"{family.name}{rest}"


def read(text):
    """name -> Family; AssertionError with what is wrong."""
    assert text.endswith("\n# EOF\n"), text[-80:]
    families, now = {}, None
    for line in text[:-len("# EOF\n")].splitlines():
        meta = re.fullmatch(rf"# (TYPE|UNIT|HELP) ({NAME}) (.*)", line)
        if meta and meta[1] == "TYPE":
            assert meta[2] not in families, f"{meta[2]} comes twice"
            now = families[meta[2]] = Family(meta[2], meta[3])
            assert meta[3] in TYPES, line
        elif meta:
            assert now and now.name == meta[2] and not now.samples, f"not where it belongs: {line!r}"
            assert getattr(now, meta[1].lower()) is None, line
            setattr(now, meta[1].lower(), meta[3])
            assert meta[1] != "UNIT" or now.name.endswith("_" + meta[3]), line
        else:
            name, labels, value = sample(line)
            assert now and name.startswith(now.name) and name[len(now.name):] in TYPES[now.kind], line
            key = (name[len(now.name):], tuple(sorted(labels)))
            assert key not in now.samples, f"twice: {line!r}"
            assert value >= 0 and (now.kind != "info" or value == 1), line
            now.samples[key] = value
    names = set()
    for family in families.values():
        assert family.help, f"{family.name} has no help"
        produced = {family.name + suffix for suffix in TYPES[family.kind]} | {family.name}
        assert not produced & names, f"{family.name} clashes"
        names |= produced
        if family.kind == "histogram":
            check_histogram(family)
    return families


def value(families, name, suffix="", **labels):
    """The sum of all samples that have these labels."""
    return sum(v for (s, have), v in families[name].samples.items()
               if s == suffix and set(labels.items()) <= set(have))


def labels(families):
    """Every (name, value) of a label anywhere."""
    return {label for family in families.values() for _, have in family.samples for label in have}
