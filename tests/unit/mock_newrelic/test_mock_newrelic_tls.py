"""Certificates: made when absent, kept when they serve, never silently wrong."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from mock_newrelic.adapters.tls import TlsFiles, ensure_certificates, server_context
from svckit.clock import SystemClock
from svckit.errors import InvalidInput

NOW = 1_770_000_000.0
DAY = 86_400


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _names(files: TlsFiles) -> set[str]:
    names = _certificate(files.server).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return {str(name.value) for name in names.value}


def _contents(files: TlsFiles) -> list[bytes]:
    return [path.read_bytes() for path in (files.ca, files.ca_key, files.server, files.server_key)]


def test_a_new_directory_has_an_authority_and_a_certificate_for_this_machine(
    tmp_path: Path,
) -> None:
    """Signed by the authority, for a server, with keys that nobody else may read."""
    files = ensure_certificates(tmp_path / "deep" / "tls", ["apm.test", "192.0.2.7"], now=NOW)
    assert _names(files) == {"localhost", "127.0.0.1", "::1", "apm.test", "192.0.2.7"}
    ca, server = _certificate(files.ca), _certificate(files.server)
    server.verify_directly_issued_by(ca)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert (server.not_valid_after_utc - server.not_valid_before_utc).days <= 398
    for key in (files.ca_key, files.server_key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_strict_client_trusts_it(tmp_path: Path) -> None:
    """OpenSSL with every strictness of RFC 5280, in memory: handshake and host name."""
    files = ensure_certificates(tmp_path, now=SystemClock().now())
    client = ssl.create_default_context(cafile=str(files.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server_context(files).wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    done: set[ssl.SSLObject] = set()
    for _ in range(6):
        for side in (theirs, ours):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
    assert done == {ours, theirs}
    assert theirs.version() == "TLSv1.3"


def test_what_serves_is_kept(tmp_path: Path) -> None:
    """A second start changes no byte: clients go on trusting what they trust."""
    first = _contents(ensure_certificates(tmp_path, ["apm.test"], now=NOW))
    assert _contents(ensure_certificates(tmp_path, ["APM.test"], now=NOW + DAY)) == first


@pytest.mark.parametrize(("names", "later"), [(["other.test"], 0), ([], 380 * DAY)])
def test_new_names_and_old_age_renew_the_certificate_alone(
    tmp_path: Path, names: list[str], later: float
) -> None:
    """The authority stays, so that clients need nothing new."""
    before = _contents(ensure_certificates(tmp_path, now=NOW))
    files = ensure_certificates(tmp_path, names, now=NOW + later)
    after = _contents(files)
    assert after[:2] == before[:2]
    assert after[2] != before[2]
    assert set(names) <= _names(files)
    _certificate(files.server).verify_directly_issued_by(_certificate(files.ca))


def test_certificates_of_ones_own_are_used_as_they_are(tmp_path: Path) -> None:
    """Without the authority's key nothing is made, and what does not fit is an error."""
    files = ensure_certificates(tmp_path, now=NOW)
    files.ca_key.unlink()
    before = files.server.read_bytes()
    assert ensure_certificates(tmp_path, now=NOW).server.read_bytes() == before
    with pytest.raises(InvalidInput, match=r"not for apm\.test"):
        ensure_certificates(tmp_path, ["apm.test"], now=NOW)
    with pytest.raises(InvalidInput, match="ended on"):
        ensure_certificates(tmp_path, now=NOW + 400 * DAY)


@pytest.mark.parametrize(
    "name", ["http://apm.test", "apm.test:443", "a b", "", "-x", "a..b", "x" * 64, "ü.test"]
)
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything is written."""
    with pytest.raises(InvalidInput, match="--tls-host"):
        ensure_certificates(tmp_path / "tls", [name], now=NOW)
    assert not (tmp_path / "tls").exists()


@pytest.mark.parametrize("broken", ["ca.pem", "server.pem"])
def test_files_that_are_no_certificates_are_an_error(tmp_path: Path, broken: str) -> None:
    """And are left as they are."""
    ensure_certificates(tmp_path, now=NOW)
    (tmp_path / broken).write_text("no certificate")
    with pytest.raises(InvalidInput) as caught:
        ensure_certificates(tmp_path, ["apm.test"], now=NOW)
    assert caught.value.code == "bad_tls_files"
    assert (tmp_path / broken).read_text() == "no certificate"


def test_a_key_of_another_certificate_is_an_error(tmp_path: Path) -> None:
    """Instead of a service that nobody can connect to."""
    files = ensure_certificates(tmp_path / "one", now=NOW)
    other = ensure_certificates(tmp_path / "two", now=NOW)
    files.server_key.write_bytes(other.server_key.read_bytes())
    with pytest.raises(InvalidInput, match="do not belong together"):
        server_context(files)
