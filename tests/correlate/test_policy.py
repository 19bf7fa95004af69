"""Policy files: what they may say, what they are told when they are wrong, and what they do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from correlate.engine import metrics_read, run
from correlate.errors import PolicyError
from correlate.policy.files import Policy, read
from correlate.policy.force import PolicyKeeper, applied, rules_in_force
from correlate.policy.site_rules import compiled
from correlate.rules import RULES
from correlate.settings import CorrelateSettings
from tests.kit.telemetry import Metrics, facts, found, frames, onset_s

PAGE = (Path(__file__).parent.parent.parent / "docs/policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str, name: str = "policy.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def policy(write: Write, text: str) -> Policy:
    return read([write(text)])


def complaints(write: Write, text: str) -> list[str]:
    with pytest.raises(PolicyError) as error:
        read([write(text)])
    return [re.sub(r"^.*/policy.yaml", "policy.yaml", line) for line in error.value.complaints]


def site(write: Write, name: str) -> Any:
    (rule,) = [rule for rule in policy(write, EXAMPLES[1]).rules if rule.name == name]
    return compiled(rule)


@pytest.mark.parametrize("example", EXAMPLES, ids=["overrides", "rules"])
def test_the_pages_examples_can_be_used(write: Write, example: str) -> None:
    said = policy(write, example)
    assert said.version
    assert said.overrides or said.rules
    for rule in rules_in_force(said, RULES):
        rule.detect(frames()).collect()


def test_a_threshold_holds_for_a_time(write: Write) -> None:
    data = Metrics()
    data.add("vllm:num_requests_waiting", lambda t: 60.0 if 300 <= t < 600 else 1.0, service="slow")
    data.add("vllm:num_requests_waiting", lambda t: 60.0 if 300 <= t < 360 else 1.0, service="brief")
    data.add("vllm:num_requests_running", lambda _: 60.0, service="other")
    rule = site(write, "queue_too_long")
    seen = found(rule, data.frames())
    assert facts(seen) == {("site.queue_too_long", "service", "slow")}
    assert onset_s(seen, "site.queue_too_long") == 300
    assert re.search(rule.metrics, "vllm:num_requests_waiting")
    assert not re.search(rule.metrics, "vllm:num_requests_waiting_more")


def test_a_match_is_a_fact_once(write: Write) -> None:
    lines = [
        {"time": 100, "service": "solver", "severity": 17, "body": "Licence has expired"},
        {"time": 130, "service": "solver", "severity": 17, "body": "Licence has expired"},
        {"time": 130, "service": "talker", "severity": 9, "body": "licence expired, says the manual"},
        {"time": 130, "service": "happy", "severity": 17, "body": "licence renewed"},
    ]
    seen = found(site(write, "license_expired"), frames(logs=lines))
    assert facts(seen) == {("site.license_expired", "service", "solver")}
    assert seen["explanation"][0].endswith("(2 times)")


def test_a_rate_counts_within_its_time(write: Write) -> None:
    def tries(node: str, number: int, apart: float) -> list[dict[str, Any]]:
        body = "Failed password for root"
        return [{"time": 100 + n * apart, "node": node, "service": "sshd", "body": body} for n in range(number)]

    given = frames(logs=[*tries("many", 21, 2), *tries("few", 20, 2), *tries("slow", 40, 4)])
    assert facts(found(site(write, "login_failures"), given)) == {("site.login_failures", "node", "many")}


def test_absence_is_of_what_was_there(write: Write) -> None:
    beats = [{"time": t, "service": "scheduler", "body": "heartbeat"} for t in range(-600, 300, 30)]
    beats += [{"time": t, "service": "dispatcher", "body": "heartbeat"} for t in range(-600, 900, 30)]
    beats += [{"time": t, "service": "other", "body": "heartbeat"} for t in range(-600, 0, 30)]
    seen = found(site(write, "no_heartbeat"), frames(logs=beats))
    assert facts(seen) == {("site.no_heartbeat", "service", "scheduler")}


def test_facts_together_are_about_one_thing(write: Write) -> None:
    kernel = [{"time": 100, "node": node, "body": "NVRM: Xid (PCI:0000:9b:00): 79"} for node in ("n1", "n2", "n3")]
    drains = [{"time": 400, "node": "n1", "reason": "Drained"}, {"time": 800, "node": "n2", "reason": "Drained"}]
    seen = found(site(write, "reset_after_drain"), frames(kernel_logs=kernel, k8s_events=drains))
    assert facts(seen) == {("site.reset_after_drain", "node", "n1")}


def test_overrides_have_their_say_in_order(write: Write) -> None:
    said = policy(write, EXAMPLES[0])
    rows = [
        ("kernel_xid", "xid.31", "gpu-1", 7.0, "high"),
        ("metric_shift", "metric.shift", "batch-7", 6.0, "medium"),
        ("metric_shift", "metric.shift", "web-7", 6.0, "medium"),
        ("k8s_events", "pod.crash_loop", "canary-1", 8.0, "high"),
        ("k8s_events", "pod.crash_loop", "web-1", 8.0, "high"),
        ("trace_edge_gap", "trace.edge_gap", "cart", 4.9, "low"),
    ]
    signals = pl.DataFrame(rows, schema=["rule", "kind", "entity", "score", "severity"], orient="row")
    assert applied(said, signals).select("entity", "score", "severity").rows() == [
        ("gpu-1", 2.0, "low"), ("batch-7", 3.0, "medium"), ("web-7", 6.0, "medium"), ("web-1", 8.0, "high"),
    ]  # fmt: skip
    assert "log_new_template" not in {rule.name for rule in rules_in_force(said, RULES)}


def test_the_engine_runs_site_rules_and_names_the_policy(write: Write) -> None:
    said = policy(write, EXAMPLES[1])
    data = Metrics()
    data.add("vllm:num_requests_waiting", lambda t: 60.0 if t >= 300 else 59.0 * 0, service="slow")
    rules = rules_in_force(said, ())
    found_ = run(data.frames(), "default", CorrelateSettings(), rules, said, "policy.yaml:1: wrong")
    assert found_.signals.select("kind", "rule", "family", "severity").rows() == [
        ("site.queue_too_long", "queue_too_long", "site", "high")
    ]
    assert found_.policy == said.version
    assert [failure.rule for failure in found_.failures] == ["policy"]
    assert metrics_read(rules) == r"(?:^vllm:num_requests_waiting$)"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 2\n", "policy.yaml:1: version: Input should be 1"),
        ("version: 1\nrule: []\n",
         "policy.yaml:2: rule: there is no such key; allowed are version, disabled, overrides, rules"),
        ("version: 1\nversion: 1\n", "policy.yaml:2: `version` is given twice"),
        ("version: 1\nrules: [\n", "policy.yaml:3: not YAML: "),
        ("version: 1\ndisabled: &a [x]\noverrides: *a\n", "policy.yaml:2: anchors and aliases are not allowed"),
        ("version: 1\ndisabled: [no_such_rule]\n", "policy.yaml:2: disabled.0: there is no rule 'no_such_rule'"),
        ("version: 1\noverrides:\n  - {score: 1, because: all}\n",
         "policy.yaml:3: overrides.0: give at least one of kind, rule"),
        ("version: 1\noverrides:\n  - {kind: a, because: why}\n",
         "policy.yaml:3: overrides.0: give at least one of severity"),
        ("version: 1\noverrides:\n  - kind: a\n    severity: bad\n    because: why\n",
         "policy.yaml:4: overrides.0.severity: Input should be 'critical', 'high', 'medium', 'low' or 'info'"),
        ("version: 1\noverrides:\n  - kind: a\n    score: 11\n    because: why\n",
         "policy.yaml:4: overrides.0.score: Input should be less"),
        ("- a\n", "policy.yaml:1: the file: Input should be a valid dictionary"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_where_and_what(write: Write, text: str, told: str) -> None:
    (complaint,) = complaints(write, text)
    assert complaint.startswith(told)


RULE = "version: 1\nrules:\n  - name: a_rule\n    description: Something is wrong here.\n"


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("",
         "policy.yaml:3: rules.0: give exactly one of threshold, match, rate, absence, co_occurrence; this has none"),
        ("    match: {frame: logs, about: service, where: {bdy: x}}\n",
         "policy.yaml:5: rules.0.match: logs has no column 'bdy'; it has time"),
        ("    match: {frame: logs, about: planet}\n",
         "policy.yaml:5: rules.0.match: `about` names whose fact it is: one of service, pod"),
        ("    match: {frame: logs, about: pod, where: {body: {matches: '('}}}\n",
         "policy.yaml:5: rules.0.match.where.body.matches: not a regular"),
        ("    match: {frame: logs, about: pod, where: {body: {above: 1}}}\n",
         "policy.yaml:5: rules.0.match: column 'body' takes contains, equals"),
        ("    match: {frame: metrics, about: pod}\n", "policy.yaml:5: rules.0.match: `metric` names the metric"),
        ("    rate: {frame: logs, about: pod, more_than: 1, per: 5 minutes}\n",
         "policy.yaml:5: rules.0.rate.per: give a duration such as"),
        ("    threshold:\n      frame: spans\n      about: pod\n      abov: 1\n",
         "policy.yaml:8: rules.0.threshold.abov: there is no such key; allowed are"),
        ("    threshold: {frame: spans, about: pod}\n",
         "policy.yaml:5: rules.0.threshold: give either `above` or `below`"),
        ("    absence: {frame: logs, about: pod}\n", "policy.yaml:5: rules.0.absence.for: is missing"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_told_where_and_what(write: Write, condition: str, told: str) -> None:
    found_ = complaints(write, RULE + condition)
    assert found_[0].startswith(told)


def test_text_that_looks_like_code_is_text(write: Write) -> None:
    evil = "'; DROP TABLE signals; --"
    text = RULE + f'    match: {{frame: logs, about: service, where: {{body: "{evil}"}}}}\n'
    (rule,) = policy(write, text).rules
    given = frames(logs=[{"time": 100, "service": evil, "body": evil}, {"time": 100, "service": "b", "body": "x"}])
    assert facts(found(compiled(rule), given)) == {("site.a_rule", "service", evil)}
    with pytest.raises(PolicyError):
        read([write("version: 1\ndisabled: !!python/object/apply:os.system [ls]\n")])


def test_files_are_one_policy_and_a_name_is_taken_once(write: Write) -> None:
    match = "    match: {frame: logs, about: service}\n"
    first, second = write(RULE + match, "a.yaml"), write(RULE + match, "b.yaml")
    with pytest.raises(PolicyError, match=r"b.yaml:3: rules.0.name: 'a_rule' is the rule at .*a.yaml:3 already"):
        read([first, second])
    with pytest.raises(PolicyError, match="is a built-in rule already"):
        read([write(RULE.replace("a_rule", "kernel_xid") + match)])


def test_a_changed_file_is_read_again_and_a_broken_one_is_not(write: Write) -> None:
    keeper = PolicyKeeper()
    path = write("version: 1\ndisabled: [log_burst]\n")
    first = keeper.current(path)
    assert keeper.current(path) is first
    time.sleep(0.01)
    write("version: 1\ndisabled: [log_burst, odd_rank]\n")
    second = keeper.current(path)
    assert (second.disabled, second.version != first.version) == (frozenset({"log_burst", "odd_rank"}), True)
    write("version: nonsense\n")
    assert keeper.current(path) is second
    assert "version" in keeper.complaint
    write("version: 1\n")
    assert (keeper.current(path).disabled, keeper.complaint) == (frozenset(), "")
    with pytest.raises(PolicyError, match="no such file"):
        PolicyKeeper().current(path.with_name("missing.yaml"))
    assert keeper.current(None) == Policy()
