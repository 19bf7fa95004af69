"""The envelope is what protobuf would write, and the key is the request's identity."""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from ingest.envelope import Landing, Signal, envelope, request_key


def envelope_class() -> type:
    """The envelope as google's protobuf library knows it; the request stays bytes."""
    file = descriptor_pb2.FileDescriptorProto(name="envelope.proto", syntax="proto3")
    message = file.message_type.add(name="Envelope")
    kinds = descriptor_pb2.FieldDescriptorProto
    fields = (("tenant", kinds.TYPE_STRING), ("batch", kinds.TYPE_UINT64), ("received", kinds.TYPE_FIXED64))
    for number, (name, kind) in enumerate((*fields, ("request", kinds.TYPE_BYTES)), start=1):
        message.field.add(name=name, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Envelope"))


ENVELOPE = envelope_class()


def length(data: bytes) -> tuple[int, int]:
    """A varint at the start of `data`: its value and its size."""
    value = shift = 0
    for size, byte in enumerate(data, start=1):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, size
        shift += 7
    raise AssertionError("no end of varint")


@given(st.text(max_size=200), st.integers(0, 2**64 - 1), st.integers(0, 2**63 - 1), st.binary(max_size=5000))
def test_protobuf_reads_what_was_written(tenant: str, batch: int, received: int, body: bytes) -> None:
    data = b"".join(envelope(tenant, batch, received, body))
    size, at = length(data)
    assert size == len(data) - at
    read = ENVELOPE.FromString(data[at:])  # type: ignore[attr-defined]  # made at run time
    assert (read.tenant, read.batch, read.received, read.request) == (tenant, batch, received, body)


def test_keys_differ_by_tenant_signal_and_body_and_by_nothing_else() -> None:
    keys = {
        request_key(tenant, signal, body) for tenant in ("a", "ab") for signal in Signal for body in (b"", b"b", b"c")
    }
    assert len(keys) == 18
    assert all(len(key) == 16 for key in keys)
    assert request_key("a", Signal.LOGS, b"b") in keys


def test_every_landing_has_its_check() -> None:
    assert {Landing(signal, nested).check for signal in Signal for nested in (False, True)} == {
        f"check_{signal}{nested}" for signal in Signal for nested in ("", "_nested")
    }
