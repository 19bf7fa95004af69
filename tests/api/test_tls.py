"""TLS on both OTLP ports: who trusts whom, and sentences about files that will not do."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from api.errors import BadCertificate
from api.process.listener import Listener, bind
from api.tls import TlsSettings, grpc_credentials, http_context
from ingest.access import anyone
from ingest.grpc_server import Exports
from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.settings import IngestSettings
from store import Store
from tests.kit.running import Up, causeline
from tests.kit.serving import serving_grpc

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@dataclass
class Certificates:
    """Files of a CA, of a server for 127.0.0.1, and of a client."""

    ca: Path
    server: tuple[Path, Path]
    client: tuple[Path, Path]

    def settings(self, *, mutual: bool = False) -> TlsSettings:
        return TlsSettings(cert=self.server[0], key=self.server[1], client_ca=self.ca if mutual else None)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    return issued(folder, trustme.CA())


def issued(folder: Path, ca: trustme.CA) -> Certificates:
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    pairs = []
    for name, owner in (("server", "127.0.0.1"), ("client", "exporter@shop.example")):
        issue = ca.issue_cert(owner)
        pairs.append((folder / f"{name}.pem", folder / f"{name}.key"))
        issue.private_key_pem.write_to_path(str(pairs[-1][1]))
        for blob in issue.cert_chain_pems:
            blob.write_to_path(str(pairs[-1][0]), append=True)
    return Certificates(folder / "ca.pem", pairs[0], pairs[1])


@pytest.fixture
def pipeline(store: Store) -> Iterator[Pipeline]:
    running = Pipeline(store, IngestSettings())
    running.start()
    yield running
    running.stop()


@contextmanager
def https(pipeline: Pipeline, settings: TlsSettings) -> Iterator[str]:
    context = http_context(settings)
    listener = Listener(bind("127.0.0.1", 0, "tests", ""), "test", lambda: create_app(pipeline, anyone), tls=context)
    listener.start()
    yield listener.url
    listener.stop()


def client_context(certificates: Certificates, *, identified: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates.ca)
    if identified:
        context.load_cert_chain(*certificates.client)
    return context


def post(url: str, context: ssl.SSLContext) -> int:
    return httpx.post(f"{url}/v1/traces", headers=PROTOBUF, verify=context, timeout=10).status_code


def test_http_over_tls(pipeline: Pipeline, certificates: Certificates) -> None:
    with https(pipeline, certificates.settings()) as url:
        assert url.startswith("https://")
        assert post(url, client_context(certificates)) == 200
        with pytest.raises(httpx.ConnectError):
            post(url, ssl.create_default_context())
        with pytest.raises(httpx.TransportError):
            httpx.post(url.replace("https", "http") + "/v1/traces", headers=PROTOBUF, timeout=10)


def test_http_refuses_clients_without_a_certificate(pipeline: Pipeline, certificates: Certificates) -> None:
    stranger = trustme.CA()
    with https(pipeline, certificates.settings(mutual=True)) as url:
        assert post(url, client_context(certificates, identified=True)) == 200
        with pytest.raises(httpx.TransportError):
            post(url, client_context(certificates))
        foreign = client_context(certificates)
        stranger.issue_cert("exporter@shop.example").configure_cert(foreign)
        with pytest.raises(httpx.TransportError):
            post(url, foreign)


def test_versions_before_1_2_are_refused(pipeline: Pipeline, certificates: Certificates) -> None:
    with https(pipeline, certificates.settings()) as url:
        old = client_context(certificates)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.ConnectError):
            post(url, old)


def test_a_handshake_that_never_comes_is_cut_off(pipeline: Pipeline, certificates: Certificates) -> None:
    with https(pipeline, certificates.settings()) as url:
        host, port = url.removeprefix("https://").split(":")
        started = time.monotonic()
        with socket.create_connection((host, int(port)), timeout=15) as silent:
            assert silent.recv(4096) == b""
        assert time.monotonic() - started < 10


def called(address: str, credentials: Any) -> bytes | grpc.StatusCode:
    """The answer to an empty call, or the code it ends with."""
    with grpc.secure_channel(address, credentials) as channel:
        try:
            return bytes(channel.unary_unary(TRACES)(b"", timeout=5))
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code


def test_grpc_over_tls(pipeline: Pipeline, certificates: Certificates) -> None:
    credentials = grpc_credentials(certificates.settings())
    with serving_grpc(lambda: Exports(pipeline), credentials=credentials) as address:
        ca = certificates.ca.read_bytes()
        assert called(address, grpc.ssl_channel_credentials(ca)) == b""
        assert called(address, grpc.ssl_channel_credentials()) is grpc.StatusCode.UNAVAILABLE
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError):
            channel.unary_unary(TRACES)(b"", timeout=5)


def test_grpc_refuses_clients_without_a_certificate(pipeline: Pipeline, certificates: Certificates) -> None:
    credentials = grpc_credentials(certificates.settings(mutual=True))
    with serving_grpc(lambda: Exports(pipeline), credentials=credentials) as address:
        ca = certificates.ca.read_bytes()
        cert, key = (path.read_bytes() for path in certificates.client)
        assert called(address, grpc.ssl_channel_credentials(ca, key, cert)) == b""
        assert called(address, grpc.ssl_channel_credentials(ca)) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("missing", ["cert", "key", "client_ca"])
def test_a_file_that_is_not_there_is_named(certificates: Certificates, missing: str) -> None:
    absent = Path("/nowhere/at/all.pem")
    settings = certificates.settings(mutual=True).model_copy(update={missing: absent})
    with pytest.raises(BadCertificate, match=r"^/nowhere/at/all\.pem cannot be read: No such file or directory$"):
        http_context(settings)


def test_files_that_do_not_belong_together_are_named(certificates: Certificates, tmp_path: Path) -> None:
    def complaint(**changes: Path) -> str:
        with pytest.raises(BadCertificate) as raised:
            http_context(certificates.settings(mutual=True).model_copy(update=changes))
        return str(raised.value)

    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate", encoding="utf-8")
    encrypted = tmp_path / "encrypted.key"
    key = serialization.load_pem_private_key(certificates.server[1].read_bytes(), None)
    scheme = serialization.BestAvailableEncryption(b"password")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    encrypted.write_bytes(key.private_bytes(*form, scheme))
    assert complaint(key=certificates.client[1]) == (
        f"the key in {certificates.client[1]} is not that of the certificate in {certificates.server[0]}"
    )
    assert str(nonsense) in complaint(cert=nonsense)
    assert str(nonsense) in complaint(key=nonsense)
    assert str(nonsense) in complaint(client_ca=nonsense)
    assert str(encrypted) in complaint(key=encrypted)


def test_up_serves_tls_on_both_ports_and_says_what_is_wrong(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, path in (
        ("CERT", certificates.server[0]),
        ("KEY", certificates.server[1]),
        ("CLIENT_CA", certificates.ca),
    ):
        monkeypatch.setenv(f"CAUSELINE_OTLP_TLS__{name}", str(path))
        monkeypatch.setenv(f"CAUSELINE_API_TLS__{name}", str(path))
    with Up(tmp_path / "data") as system:
        status = f"{system.api}/api/v1/status"
        assert httpx.get(status, verify=client_context(certificates, identified=True), timeout=60).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(status, verify=client_context(certificates, identified=False), timeout=60)
        assert post(system.otlp, client_context(certificates, identified=True)) == 200
        cert, key = (path.read_bytes() for path in certificates.client)
        assert called(system.grpc, grpc.ssl_channel_credentials(certificates.ca.read_bytes(), key, cert)) == b""
    monkeypatch.setenv("CAUSELINE_OTLP_TLS__KEY", str(certificates.client[1]))
    free = ("--otlp-http-port=0", "--otlp-grpc-port=0", "--api-port=0")
    done = causeline("up", "--data", tmp_path / "other", *free)
    assert done.returncode == 1
    assert "is not that of the certificate" in done.stderr
    assert done.stderr.count("\n") == 1
