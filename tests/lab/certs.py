"""An authority of the lab's own, and certificates that it has signed."""

import os


class Authority:
    """ca: the file with its certificate. Keys are of elliptic curves: quick to make."""

    def __init__(self, lab, name="authority"):
        self.lab = lab
        self.dir = os.path.dirname(lab.path(name, "x"))
        self.ca, self.key = self._file("ca.pem"), self._file("ca.key")
        self._openssl("req", "-x509", *self._new_key(self.key), "-subj", "/CN=The lab", "-days", "2", "-out", self.ca)

    def _file(self, name):
        return os.path.join(self.dir, name)

    def _openssl(self, *words):
        self.lab.run(["openssl", *words])

    def _new_key(self, path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path

    def sign(self, *names):
        """(certificate, key) for these host names or addresses."""
        stem = self._file(names[0].replace("*", "any"))
        kinds = ",".join(("IP:" if name.replace(".", "").isdigit() or ":" in name else "DNS:") + name for name in names)
        self._openssl("req", *self._new_key(stem + ".key"), "-subj", f"/CN={names[0]}", "-out", stem + ".csr")
        with open(stem + ".ext", "w", encoding="utf-8") as f:
            f.write(f"subjectAltName={kinds}\n")
        self._openssl("x509", "-req", "-in", stem + ".csr", "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial",
                      "-days", "2", "-extfile", stem + ".ext", "-out", stem + ".pem")
        return stem + ".pem", stem + ".key"
