"""Policy files: what they may say, what is said about those that cannot be used, and the scan made of them."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks import payloads
from ingest import redaction_policy
from ingest.errors import BadPolicy
from ingest.redaction_key import RedactionKey
from ingest.secret_scan import SecretScan
from ingest.settings import IngestSettings
from tests.kit.otlp import T0, serialized, span, traces, with_attributes

SECRETS = [
    "password=hunter2", 'PASSWD: "x1"', "client_secret=abc", "api_key=K-1", "Authorization: Basic dXNlcjpwdw==",
    "Bearer abcdefghijklmnopqrstu", "Cookie: sid=1; b=2", "postgres://app:s3cr3t@db/x", "Server=x;Pwd=abc",
    "AKIAIOSFODNN7EXAMPLE", "ghp_" + "a1" * 18, "sk-proj-" + "Ab1" * 14, "sk-" + "a" * 48, "hf_" + "b" * 34,
    "xoxb-123456789012-abcdef", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
    '{\\"password\\": \\"x\\"}',
]  # fmt: skip
HARMLESS = [
    "gen_ai.usage.input_tokens", "max_tokens=256", "the secret of a good cup of tea", "basic authentication failed",
    "https://shop/cart?page=2", "http://host:8080/path", "a@b", "PWD=/home/app", "task-sk-learn", "token count: 7",
    "volume kube-api-access mounted", 'secret "tls" not found', "bearer of bad news", "cookies accepted",
]  # fmt: skip
KEYS = ["authorization", "http.request.header.authorization", "Cookie", "http.response.header.set-cookie", "x-api-key",
        "db.password", "client_secret", "aws.secret_access_key", "session.token", "app.privateKey"]  # fmt: skip
HARMLESS_KEYS = ["gen_ai.usage.input_tokens", "gen_ai.token.type", "k8s.secret.name", "http.cookie.count", "token.kind"]

SCAN = SecretScan(redaction_policy.load(None))


def policy(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def in_a_body(text: str) -> bytes:
    return serialized(traces(span(random.Random(1), name=f"before {text} after")))


@pytest.mark.parametrize("text", SECRETS)
def test_credentials_are_suspected_wherever_they_are(text: str) -> None:
    assert SCAN.suspects(in_a_body(text))
    assert SCAN.suspects(serialized(traces(span(random.Random(1)), k=text)))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_resembles_credentials_is_not_suspected(text: str) -> None:
    assert not SCAN.suspects(in_a_body(text))


@pytest.mark.parametrize("key", KEYS)
def test_keys_of_credentials_are_suspected(key: str) -> None:
    assert SCAN.suspects(serialized(traces(with_attributes(span(random.Random(1)), **{key: "x"}))))


@pytest.mark.parametrize("key", HARMLESS_KEYS)
def test_other_keys_are_not(key: str) -> None:
    assert not SCAN.suspects(serialized(traces(with_attributes(span(random.Random(1)), **{key: "x"}))))


def test_ordinary_telemetry_is_not_suspected() -> None:
    bodies = [
        *payloads.trace_requests(5_000, 500, T0),
        *payloads.log_requests(5_000, 500, T0),
        *payloads.metric_requests(5_000, 500, T0),
    ]
    assert [body for body in bodies if SCAN.suspects(body)] == []


def test_the_scan_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        # Every position begins something that nearly is a secret.
        body = b"eyJeyJ://a:Bearer " * size
        started = time.thread_time()
        SCAN.suspects(body)
        return time.thread_time() - started

    assert seconds(400_000) < 30 * max(seconds(40_000), 1e-3)


@given(st.sampled_from(SECRETS), st.binary(max_size=40), st.binary(max_size=40))
def test_no_bytes_around_a_secret_hide_it(secret: str, before: bytes, after: bytes) -> None:
    assert SCAN.suspects(before + secret.encode() + after)


def test_the_ready_made_rules_but_credentials_are_off_until_named(tmp_path: Path) -> None:
    email, prompt = (
        in_a_body("someone@example.com"),
        serialized(traces(with_attributes(span(random.Random(1)), **{"gen_ai.input.messages": "hi"}))),
    )
    assert not SCAN.suspects(email)
    assert not SCAN.suspects(prompt)
    on = redaction_policy.load(policy(tmp_path, 'version = 1\non = ["emails", "gen-ai-content"]\n'))
    assert SecretScan(on).suspects(email)
    assert SecretScan(on).suspects(prompt)
    off = redaction_policy.load(policy(tmp_path, 'version = 1\noff = ["credentials"]\n'))
    assert off.rules == ()
    assert not SecretScan(off).suspects(in_a_body("password=x"))


def test_patterns_find_in_bytes_what_they_find_in_texts(tmp_path: Path) -> None:
    text = r"""
version = 1
[[rule]]
name = "edge"
text = '^user-[0-9]+$|\bid:[a-z$^]{3}\b'
action = "mask"
"""
    scan = SecretScan(redaction_policy.load(policy(tmp_path, text)))
    # The length byte before a text may be a letter, and the tag behind it, too.
    for size in range(60):
        padded = "x" * size + " id:a$c"
        assert scan.suspects(serialized(traces(span(random.Random(1), name=padded))))
    assert scan.suspects(serialized(traces(span(random.Random(1), name="user-17"))))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version = 2", "version: Input should be 1"),
        ("on = []", "version: Field required"),
        ("version = 1\nof = []", "of: Extra inputs are not permitted"),
        ("version = 1\non = ['e-mails']", "there is no ready-made rule or set 'e-mails'"),
        ("version = 1\n[[rule]]\nname = 'a'", "rule 'a': a rule has one of text, keys and events"),
        ("version = 1\n[[rule]]\nname = 'a'\ntext = '('", "rule 'a': text: not an RE2 pattern: missing )"),
        ("version = 1\n[[rule]]\nname = 'a'\ntext = '(?=x)'", "rule 'a': text: not an RE2 pattern"),
        ("version = 1\n[[rule]]\nname = 'a'\ntext = '(x)'", "rule 'a': text: groups must be (?:...)"),
        ("version = 1\n[[rule]]\nname = 'a'\ntext = 'x*'", "rule 'a': text must not match nothing at all"),
        ("version = 1\n[[rule]]\nname = 'a'\ntext = 'ä'", "rule 'a': text: a pattern is printable ASCII"),
        ("version = 1\n[[rule]]\nname = 'a'\ntext = 'x'\naction = 'drop'", "rule 'a': drop is for attributes"),
        ("version = 1\n[[rule]]\nname = 'a'\nkeys = 'x'\nbefore = 'y'", "rule 'a': before and after belong to text"),
        ("version = 1\n[[rule]]\nname = 'A b'\nkeys = 'x'", "rule 'A b', name: String should match pattern"),
        ("version = 1\n[[rule]]\nname = 'jwt'\nkeys = 'x'", "two rules are named 'jwt'"),
        ("version = 1\n[[rule]]\nname = 'a'\nkeys = 'x'\naction = 'burn'", "rule 'a', action: Input should be"),
        ("version = 1\nrule = 3", "rule: Input should be a valid list"),
        ("version = ", "is not TOML"),
        ("version = 1\n" + "".join(f"[[rule]]\nname = 'r{n}'\nkeys = 'x'\n" for n in range(9)), "there is room for"),
    ],
)  # fmt: skip
def test_a_bad_policy_is_refused_with_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = policy(tmp_path, text)
    with pytest.raises(BadPolicy, match=re.escape(sentence)) as caught:
        redaction_policy.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_policy_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="cannot be read: No such file"):
        IngestSettings(redaction_policy=tmp_path / "none.toml")
    hashing = policy(tmp_path, "version = 1\n[[rule]]\nname = 'a'\nkeys = 'x'\naction = 'hash'\n")
    with pytest.raises(ValidationError, match="rule 'a' hashes, which needs a redaction_key_file"):
        IngestSettings(redaction_policy=hashing)
    key = tmp_path / "key"
    key.write_text("too short\n", encoding="utf-8")
    with pytest.raises(ValidationError, match="must hold 16 to 4096 bytes") as caught:
        IngestSettings(redaction_policy=hashing, redaction_key_file=key)
    assert "too short" not in str(caught.value)
    key.write_text("long enough to be one\n", encoding="utf-8")
    IngestSettings(redaction_policy=hashing, redaction_key_file=key)


def test_a_key_does_not_show_itself() -> None:
    assert "secret" not in repr(RedactionKey.of(b"secret" * 4))


def test_the_patterns_for_json_stay_within_their_keys(tmp_path: Path) -> None:
    text = "version = 1\noff = ['credentials']\n[[rule]]\nname = 'a'\nkeys = '(?:.*[.])?pw[^x]?\\S*'\n"
    (rule,) = redaction_policy.load(policy(tmp_path, text)).rules
    pattern = re2.compile(rule.in_json)
    masked = pattern.sub(r"\1*", '{"a.pw":"1","b":[1],"x.pwd":{"pw":7},"pw2":["u"],"c":"\\"pw\\":"}')
    assert masked == '{"a.pw":*,"b":[1],"x.pwd":{"pw":*},"pw2":*,"c":"\\"pw\\":"}'
