"""Certificates of the ports."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import grpc
from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.errors import BadCertificate


class TlsSettings(BaseModel):
    """TLS 1.2 or newer on a port, or on both of OTLP."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cert: Path = Field(description="PEM file with the certificate, and those between it and its CA.")
    key: Path = Field(description="PEM file with the certificate's key, not encrypted.")
    client_ca: Path | None = Field(
        default=None, description="PEM file with the CAs of clients; given, a client without a certificate is refused."
    )

    @field_validator("cert", "key", "client_ca")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # The process works from the data directory once it has started.
        return path and path.absolute()


def http_context(settings: TlsSettings) -> ssl.SSLContext:
    """The settings as Python's ssl has them. Raises BadCertificate, naming the file that cannot be used."""
    for path in (settings.cert, settings.key, settings.client_ca):
        if path is not None:
            _read(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password given, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(settings.cert, settings.key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadCertificate(
                f"the key in {settings.key} is not that of the certificate in {settings.cert}"
            ) from None
        raise BadCertificate(
            f"no certificate in {settings.cert}, or no key that is not encrypted in {settings.key} (PEM is expected)"
        ) from None
    if settings.client_ca is not None:
        try:
            context.load_verify_locations(settings.client_ca)
        except ssl.SSLError:
            raise BadCertificate(f"no certificate in {settings.client_ca} (PEM is expected)") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def grpc_credentials(settings: TlsSettings) -> Any:
    """The settings as gRPC has them; it asks for TLS 1.2 itself. Raises BadCertificate.

    gRPC looks into the files at the first handshake: let `http_context` look first.
    """
    ca = None if settings.client_ca is None else _read(settings.client_ca)
    return grpc.ssl_server_credentials([(_read(settings.key), _read(settings.cert))], ca, ca is not None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadCertificate(f"{path} cannot be read: {error.strerror}") from None
