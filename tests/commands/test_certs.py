"""`bonpunkt certs`: what it makes is what the services take."""

import ssl
import stat
from pathlib import Path

from click.testing import CliRunner
from cryptography import x509

from services.commands.certs import certs
from services.runtime.tls import load_ca, load_pair


def made(folder: Path, *words: str) -> None:
    done = CliRunner().invoke(certs, ["--folder", str(folder), *words])
    assert done.exit_code == 0, done.output


def names_of(path: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    hosts = names.get_values_for_type(x509.DNSName)
    return {*hosts, *map(str, names.get_values_for_type(x509.IPAddress))}


def test_a_certificate_is_for_the_names_given_and_for_this_machine(tmp_path: Path) -> None:
    made(tmp_path, "loyalty.shop.example", "10.0.0.4")

    load_pair(tmp_path / "server.pem", tmp_path / "server-key.pem")
    assert names_of(tmp_path / "server.pem") == {
        "loyalty.shop.example",
        "10.0.0.4",
        "localhost",
        "127.0.0.1",
        "::1",
    }


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    made(tmp_path)

    for name in ("ca-key.pem", "server-key.pem"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_same_authority_signs_again_so_that_clients_go_on_trusting(tmp_path: Path) -> None:
    made(tmp_path)
    ca, first = load_ca(tmp_path / "ca.pem"), (tmp_path / "server.pem").read_bytes()

    made(tmp_path)
    made(tmp_path, "gateway.example", "--file", "gateway")

    assert load_ca(tmp_path / "ca.pem") == ca
    assert (tmp_path / "server.pem").read_bytes() != first
    authority = x509.load_pem_x509_certificate(ca)
    for name in ("server.pem", "gateway.pem"):
        signed = x509.load_pem_x509_certificate((tmp_path / name).read_bytes())
        signed.verify_directly_issued_by(authority)


def test_strict_checkers_take_it(tmp_path: Path) -> None:
    """Newer Pythons refuse certificates that leave out what RFC 5280 asks for."""
    made(tmp_path, "shop.example")
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem", tmp_path / "server-key.pem")

    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = context.wrap_bio(to_client, to_server, server_hostname="shop.example")
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (asking, answering, asking, answering):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue

    assert asking.getpeercert()
