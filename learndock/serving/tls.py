"""TLS for servers: certificates that are read again as their files change, without a restart."""

from __future__ import annotations

from pathlib import Path
import threading

import grpc

from learndock.tls import stamp_of


def server_credentials(certificate_file: Path, key_file: Path, callers_ca_file: Path | None) -> grpc.ServerCredentials:
    """Credentials that each new connection sees as the files are then.

    Parameters
    ----------
    certificate_file, key_file
        The server's certificate with its chain, and its key.
    callers_ca_file
        Authorities of which callers must show a certificate; None asks for none.
    """
    files = _Certificates(certificate_file, key_file, callers_ca_file)
    return grpc.dynamic_ssl_server_credentials(
        files.configuration(),
        files.changed,  # type: ignore[arg-type]  # None means "as before"; the type stubs forget it
        require_client_authentication=callers_ca_file is not None,
    )


class _Certificates:
    def __init__(self, certificate_file: Path, key_file: Path, callers_ca_file: Path | None) -> None:
        self._certificate_file = certificate_file
        self._key_file = key_file
        self._callers_ca_file = callers_ca_file
        self._lock = threading.Lock()
        self._seen = self._stamp()

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """What the files hold."""
        pair = (self._key_file.read_bytes(), self._certificate_file.read_bytes())
        roots = self._callers_ca_file.read_bytes() if self._callers_ca_file is not None else None
        return grpc.ssl_server_certificate_configuration([pair], roots)

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """What the files hold if they changed; gRPC asks at every connection."""
        with self._lock:
            stamp = self._stamp()
            if stamp == self._seen:
                return None
            try:
                fresh = self.configuration()
            except OSError:  # in the middle of being replaced; the next connection asks again
                return None
            self._seen = stamp
            return fresh

    def _stamp(self) -> tuple[object, ...]:
        return tuple(map(stamp_of, (self._certificate_file, self._key_file, self._callers_ca_file)))
