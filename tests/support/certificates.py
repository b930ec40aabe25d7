"""Certificates made within a test."""

from __future__ import annotations

from pathlib import Path

import trustme

from learndock.tls import TlsFiles


class Authority:
    """A certificate authority that writes PEM files into a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.ca_file = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    def issue(self, name: str, *, host: str = "localhost") -> TlsFiles:
        """A certificate for a host and 127.0.0.1, in files named `name`; those that exist are replaced at once."""
        issued = self._authority.issue_cert(host, "127.0.0.1")
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
        for path, data in ((key, issued.private_key_pem.bytes()), (certificate, chain)):
            draft = path.with_suffix(".new")
            draft.write_bytes(data)
            draft.replace(path)
        return TlsFiles(self.ca_file, certificate, key)
