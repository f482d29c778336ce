"""A certificate authority of one's own, made at first start, for clients that speak HTTPS only.

New Relic's agents cannot be told to use plain HTTP. A directory holds what they need:

    ca.pem        what clients trust
    ca.key        signs; wanted again only when other names are asked for or time is up
    server.pem    the server's certificate, for `localhost`, `127.0.0.1`, `::1` and the given names
    server.key    its key

What is there is kept: certificates of one's own may be put there instead.
"""

from __future__ import annotations

import datetime as dt
import ssl
from ipaddress import ip_address
from pathlib import Path  # noqa: TC003 - beside the types of named tuples
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
CA_LIFETIME = dt.timedelta(days=3650)
SERVER_LIFETIME = dt.timedelta(days=397)
"""Clients refuse certificates of servers that are valid for longer."""
RENEW_BEFORE = dt.timedelta(days=30)
_BACKDATED = dt.timedelta(days=1)
"""Clocks of clients may be slow."""
_LONGEST_NAME = 253


class TlsFiles(NamedTuple):
    """Where the certificates are."""

    directory: Path

    @property
    def ca(self) -> Path:
        """What clients trust."""
        return self.directory / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """Signs certificates of servers."""
        return self.directory / "ca.key"

    @property
    def server(self) -> Path:
        """The server's certificate."""
        return self.directory / "server.pem"

    @property
    def server_key(self) -> Path:
        """The server's key."""
        return self.directory / "server.key"


def ensure_certificates(directory: Path, names: Sequence[str] = (), *, now: float) -> TlsFiles:
    """Return the files of a directory, having made what is missing.

    Args:
        directory: made when it is absent.
        names: host names and addresses that the server is reached by, besides its local ones.
        now: Unix seconds of the real clock, by which clients judge them.

    Raises:
        InvalidInput: a name is none, or what is there cannot be used or cannot be written.
    """
    files = TlsFiles(directory)
    instant = dt.datetime.fromtimestamp(now, dt.UTC)
    wanted = list(dict.fromkeys((*LOCAL_NAMES, *(_checked(name) for name in names))))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not _serves(files, wanted, instant):
            ca, key = _authority(files, instant)
            _issue(files, ca, key, wanted, instant)
    except OSError as error:
        raise InvalidInput(
            f"the TLS files in {directory} cannot be used: {error.strerror or error}",
            code="bad_tls_files",
            hint="--tls-dir names a directory that can be written",
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _unusable(files, "one of them holds no certificate or key in PEM") from None
    return files


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the server's side of TLS, version 1.2 or later.

    Raises:
        InvalidInput: certificate and key do not belong together, or are none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.server, files.server_key)
    except (ssl.SSLError, OSError):
        raise _unusable(files, "server.pem and server.key do not belong together") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _serves(files: TlsFiles, wanted: list[str], now: dt.datetime) -> bool:
    """Whether the server's certificate is there, and good for all names for a while."""
    if not (files.server.exists() and files.server_key.exists() and files.ca.exists()):
        return False
    certificate = x509.load_pem_x509_certificate(files.server.read_bytes())
    missing = [name for name in wanted[len(LOCAL_NAMES) :] if name not in _names_of(certificate)]
    ends = certificate.not_valid_after_utc
    if not missing and now < ends - RENEW_BEFORE:
        return True
    if files.ca_key.exists():
        return False
    if missing:
        raise _unusable(files, f"server.pem is not for {missing[0]}")
    if now >= ends:
        raise _unusable(files, f"server.pem ended on {ends:%Y-%m-%d}")
    return True


def _authority(
    files: TlsFiles, now: dt.datetime
) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    """Return the authority of the directory, a new one when there is none or its time is up."""
    if files.ca.exists() != files.ca_key.exists():
        raise _unusable(files, "ca.pem and ca.key are not both there")
    if files.ca.exists():
        ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
        known = serialization.load_pem_private_key(files.ca_key.read_bytes(), password=None)
        if not isinstance(known, ec.EllipticCurvePrivateKey):
            raise _unusable(files, "ca.key is not one that this service made")
        if now < ca.not_valid_after_utc - SERVER_LIFETIME:
            return ca, known
    key = ec.generate_private_key(ec.SECP256R1())
    name = _subject("mock-newrelic CA")
    ca = (
        _builder(name, name, key, now, CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_key(files.ca_key, key)
    files.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    return ca, key


def _issue(
    files: TlsFiles,
    ca: x509.Certificate,
    ca_key: EllipticCurvePrivateKey,
    names: list[str],
    now: dt.datetime,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        _builder(_subject("mock-newrelic"), ca.subject, key, now, SERVER_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    _write_key(files.server_key, key)
    pem = serialization.Encoding.PEM
    files.server.write_bytes(certificate.public_bytes(pem) + ca.public_bytes(pem))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePrivateKey,
    now: dt.datetime,
    lifetime: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _names_of(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in names}


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _checked(name: str) -> str:
    """Return a host name or an address as certificates have it."""
    try:
        return str(ip_address(name.strip("[]")))
    except ValueError:
        pass
    plain = name.removeprefix("*.").removesuffix(".").lower()
    parts = plain.split(".")
    if len(plain) > _LONGEST_NAME or not all(_is_label(part) for part in parts):
        raise InvalidInput(
            "--tls-host is neither a host name nor an address",
            code="bad_tls_host",
            hint="such as mock-newrelic.apm.svc, *.apm.svc or 192.0.2.7; without scheme and port",
        )
    return name.removesuffix(".").lower()


def _is_label(part: str) -> bool:
    plain = part.replace("-", "").replace("_", "")
    return 0 < len(part) <= 63 and plain.isascii() and plain.isalnum() and part[0] != "-"


def _write_key(path: Path, key: EllipticCurvePrivateKey) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _unusable(files: TlsFiles, why: str) -> InvalidInput:
    return InvalidInput(
        f"the TLS files in {files.directory} cannot be used: {why}",
        code="bad_tls_files",
        hint="remove the directory to have new ones made; clients then need the new ca.pem",
    )
