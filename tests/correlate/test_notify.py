"""Telling others: signed, once for each state, tried again, and never into a network that was not meant."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from correlate.errors import NotDelivered, NotifyError
from correlate.notify.config import Target, Targets, read
from correlate.notify.messages import message
from correlate.notify.outbox import Outbox
from correlate.notify.transport import post, public
from store import Store
from tests.kit.rows import insert

CAUSE = {
    "rank": 1, "score": 0.9, "entity": {"type": "gpu", "name": "GPU-1"}, "kind": "xid.79",
    "explanation": "<!channel> & gone",
}  # fmt: skip
ROW = {
    "id": "inc-1", "title": "Xid 79 <b>: gpu GPU-1", "state": "open", "severity": "critical", "score": 0.9,
    "signal_count": 3, "started": 1_772_438_400_000_000_000, "ended": None, "root_causes": json.dumps([CAUSE]),
    "blast_radius": '[{"type":"pod","name":"p"}]',
}  # fmt: skip


class Receiver:
    """An HTTP server that takes what is posted and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                status = outer.answers.pop(0) if outer.answers else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def target(url: str = "https://example.com/x", **more: Any) -> Target:
    return Target.model_validate({"name": "ops", "type": "webhook", "url": url} | more)


def incident(version: int, state: str = "open", severity: str = "critical", ended: str | None = None) -> dict[str, Any]:
    return {
        "IncidentId": "inc-1", "Title": "t", "State": state, "Severity": severity, "StartedAt": "2030-03-02 08:00:00",
        "EndedAt": ended, "UpdatedAt": "2030-03-02 08:05:00", "Score": 0.9, "RootCauses": json.dumps([CAUSE]),
        "BlastRadius": "[]", "Graph": "", "Entities": ["GPU-1"], "SignalCount": 1, "Version": version,
    }  # fmt: skip


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "255.255.255.255",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_addresses_that_are_public(address: str) -> None:
    assert public(address)


def test_a_private_address_is_refused_unless_the_target_allows_it(receiver: Receiver) -> None:
    for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(NotDelivered, match="private"):
            post(url, b"{}", {}, allow_private=False, wait_s=0)
    assert receiver.got == []
    post(receiver.url, b"{}", {}, allow_private=True)
    assert len(receiver.got) == 1


def test_faults_are_tried_again_and_refusals_and_redirects_are_not(receiver: Receiver) -> None:
    receiver.answers = [503, 429, 200]
    post(receiver.url, b"{}", {}, allow_private=True, wait_s=0)
    assert len(receiver.got) == 3
    for status in (302, 307, 404):
        receiver.answers = [status]
        with pytest.raises(NotDelivered, match=str(status)):
            post(receiver.url, b"{}", {}, allow_private=True, wait_s=0)
    assert len(receiver.got) == 6
    receiver.answers = [500] * 9
    with pytest.raises(NotDelivered, match="500"):
        post(receiver.url, b"{}", {}, allow_private=True, wait_s=0)


def test_a_webhook_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    body, headers = message(
        target(secret_from={"env": "HOOK_SECRET"}), ROW, "https://c.example/", 1_800_000_000 * 10**9
    )
    told = dict(part.split("=") for part in headers["X-Causeline-Signature"].split(","))
    assert told["t"] == "1800000000"
    assert told["v1"] == hmac.new(b"s3cret", b"1800000000." + body, hashlib.sha256).hexdigest()
    said = json.loads(body)
    assert (said["event"], said["incident"]["href"]) == ("incident.open", "https://c.example/api/v1/incidents/inc-1")
    assert said["incident"]["root_causes"][0]["entity"]["name"] == "GPU-1"
    again = message(target(secret_from={"env": "HOOK_SECRET"}), ROW, "https://c.example/", 1)[1]
    assert again["X-Causeline-Delivery"] == headers["X-Causeline-Delivery"]
    other = message(target(), ROW | {"state": "resolved"}, "https://c.example/", 1)[1]
    assert other["X-Causeline-Delivery"] != headers["X-Causeline-Delivery"]


def test_slack_and_alertmanager_have_their_own_forms() -> None:
    text = message(target(type="slack"), ROW, "https://c.example", 0)[0].decode()
    assert "<!channel>" not in text
    assert "&lt;!channel&gt; &amp; gone" in text
    assert "<b>" not in text
    now = 1_800_000_000 * 10**9
    (alert,) = json.loads(message(target(type="alertmanager"), ROW, "https://c.example", now)[0])
    assert alert["labels"] == {"alertname": "CauselineIncident", "causeline_incident": "inc-1", "severity": "critical"}
    assert alert["endsAt"] > "2027"
    ended = ROW | {"state": "resolved", "ended": ROW["started"]}
    (alert,) = json.loads(message(target(type="alertmanager"), ended, "https://c.example", now)[0])
    assert alert["endsAt"] == alert["startsAt"] == "2026-03-02T08:00:00.000Z"


def test_a_state_is_told_once_and_what_did_not_arrive_later(store: Store, receiver: Receiver) -> None:
    hook = target(receiver.url, allow_private=True, min_severity="high")
    insert(store, "incidents", incident(1), incident(1, severity="low") | {"IncidentId": "inc-2"})

    def outbox() -> Outbox:
        return Outbox(store, "default", Targets(targets=[hook]), wait_s=0)

    assert [outbox().send() for _ in range(3)] == [1, 0, 0]
    insert(store, "incidents", incident(2, "resolved", ended="2030-03-02 08:05:00"))
    receiver.answers = [400]
    assert [outbox().send() for _ in range(2)] == [0, 0]
    row = store.rows("notifications_due", {
        "tenant": "default", "target": "ops", "severities": ["critical"], "states": ["resolved"], "since": 0,
        "now": 4_000_000_000_000, "refresh": 0,
    })[0]  # fmt: skip
    assert (row["state"], row["told"], row["attempts"]) == ("resolved", "", 1)
    # The wait is over.
    store.command("ALTER TABLE notifications UPDATE At = At - 100 WHERE 1 SETTINGS mutations_sync = 2")
    assert [outbox().send() for _ in range(2)] == [1, 0]
    insert(store, "incidents", incident(3))
    assert [outbox().send() for _ in range(2)] == [1, 0]
    events = [json.loads(body)["event"] for _, body in receiver.got]
    assert events == ["incident.open", "incident.resolved", "incident.resolved", "incident.open"]


def test_a_wake_sends_and_never_waits(store: Store, receiver: Receiver) -> None:
    insert(store, "incidents", incident(1))
    outbox = Outbox(store, "default", Targets(targets=[target(receiver.url, allow_private=True)]), wait_s=0)
    outbox.start()
    outbox.wake()
    for _ in range(200):
        if receiver.got:
            break
        threading.Event().wait(0.05)
    outbox.stop(20)
    assert len(receiver.got) == 1


def test_the_file_is_checked_and_tells_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify.yaml"
    path.write_text("targets:\n- {name: a, type: slack, url_from: {env: SLACK_URL}}\n")
    found = read(path).targets[0]
    with pytest.raises(NotifyError, match="SLACK_URL"):
        found.address()
    monkeypatch.setenv("SLACK_URL", "ftp://very-secret")
    with pytest.raises(NotifyError) as error:
        found.address()
    assert "very-secret" not in str(error.value)
    for text in (
        "targets: {", "targets: 3", "targets: [{name: a}]", "other: 1",
        "targets: [{name: a, type: slack}]",
        "targets: [{name: a, type: pager, url: 'https://x.example/hidden-token'}]",
        "targets: [{name: a, type: slack, url: 'https://u:hidden-token@x.example/'}]",
        "targets: [{name: a, type: slack, url: 'file:///hidden-token'}]",
        "targets:\n- {name: a, type: slack, url: 'https://x.example'}\n- {name: a, type: slack, url: 'https://y.example'}",
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(NotifyError) as error:
            read(path)
        assert "notify.yaml" in str(error.value)
        assert "hidden-token" not in str(error.value)


def test_the_documented_file_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent.parent / "docs/investigate.md").read_text(encoding="utf-8")
    path = tmp_path / "notify.yaml"
    path.write_text(page.split("```yaml\n")[1].split("```")[0])
    assert [found.type.value for found in read(path).targets] == ["webhook", "slack", "alertmanager"]
