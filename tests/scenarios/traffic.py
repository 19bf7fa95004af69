"""Sampled requests of a scenario as traces, access lines and judged answers, and the lines that are always there."""

from __future__ import annotations

from typing import Any

from tests.scenarios.load import Load, edge_failures
from tests.scenarios.platform import Pod, hex_id
from tests.scenarios.records import Call, Floats, Line
from tests.scenarios.world import LENGTH_S, STEP_S, World

_EVERY_S = 12.0
_QUIET = (
    "IPv6: ADDRCONF(NETDEV_CHANGE): veth12ab34: link becomes ready",
    "perf: interrupt took too long (2512 > 2500), lowering kernel.perf_event_max_sample_rate to 79500",
    "TCP: request_sock_TCP: Possible SYN flooding on port 8000. Sending cookies.",
    'audit: type=1400 apparmor="STATUS" operation="profile_replace" profile="unconfined"',
    "systemd[1]: Started Session 4211 of user ops.",
)
_SAYS = {
    "gateway": ("active connections: 40", "config unchanged"),
    "rag": ("answered session", "context assembled from 6 passages"),
    "retriever": ("search ok k=8 took=41ms",),
    "vectors": ("segment flushed", "optimizer finished"),
    "guardrail": ("policy bundle in sync",),
    "evaluator": ("queue drained",),
    "batch": ("batch committed rows=642", "nothing to do"),
}


class Traffic:
    """Draws requests along the scenario's drivers."""

    def __init__(self, world: World, load: Load) -> None:
        self.world = world
        self.load = load
        self.rng = world.rng
        self.failures = edge_failures(world)

    def run(self) -> None:
        """Append traces, log lines and judged answers to the world."""
        at = 3.0
        while at < LENGTH_S - 40:
            self._request(at)
            rate = max(float(self.load.demand[int(at // STEP_S)]), 0.15)
            at += self.rng.expovariate(rate / _EVERY_S)
        self._background()

    def _at(self, values: Floats, at: float) -> float:
        return float(values[min(int(at // STEP_S), len(values) - 1)])

    def _pick(self, pods: list[Pod], at: float) -> Pod:
        alive = [pod for pod in pods if self._at(self.world.up[pod.name], at - 45) > 0]
        return self.rng.choice(alive or pods)

    def _call(self, pod: Pod, trace: bytes, parent: bytes, name: str, kind: int, start: float, end: float,
              attributes: dict[str, Any], failed: str = "") -> bytes:  # fmt: skip
        span = self.rng.randbytes(8)
        shift = self.world.skew[pod.node]
        more = {**attributes, **({"error.type": failed} if failed else {})}
        self.world.calls.append(
            Call(self.world.sdk(pod), trace, span, parent, name, kind, start + shift, end + shift, more, failed)
        )
        return span

    def _request(self, at: float) -> None:
        world, rng = self.world, self.rng
        gate = self._pick(world.part("gateway"), at)
        trace = rng.randbytes(16)
        model = rng.choice(list(world.platform.models))
        through_rag = rng.random() < 0.45
        route = "/v1/rag/query" if through_rag else "/v1/chat/completions"
        root = rng.randbytes(8)
        begin = at + 0.01
        blocked = rng.random() < self._at(world.blocked, at)
        shield = world.part("guardrail")[0]
        check = self._call(gate, trace, root, "POST /check", 3, begin, begin + 0.02, {"server.address": shield.service})
        self._call(shield, trace, check, "guardrail check", 2, begin + 0.002, begin + 0.018,
                   {"guardrail.decision": "block" if blocked else "allow", "gen_ai.operation.name": "guardrail"})  # fmt: skip
        begin += 0.025
        failed, end = "", begin
        if not blocked:
            if through_rag:
                failed, end = self._rag(gate, trace, root, model, begin)
            else:
                failed, end = self._chat(gate, trace, root, model, begin)
        status = 403 if blocked else 503 if failed else 200
        labels = {"http.request.method": "POST", "http.route": route, "http.response.status_code": status}
        shift = world.skew[gate.node]
        world.calls.append(Call(world.sdk(gate), trace, root, b"", f"POST {route}", 2, at + shift, end + 0.005 + shift,
                                {**labels, **({"error.type": str(status)} if failed else {})}, failed))  # fmt: skip
        took = int((end - at) * 1000)
        if failed:
            world.app_log(
                gate, end, "ERROR", f"{status} on {route} after {took / 1000:.1f}s ({model}): {failed}", trace, root
            )
        else:
            world.app_log(gate, end, "INFO", f"POST {route} {status} {took}ms model={model}", trace, root)

    def _edge(self, caller: Pod, target: Pod, owner: str, trace: bytes, parent: bytes, name: str, start: float,
              took: float, attributes: dict[str, Any]) -> tuple[bytes | None, str, float]:  # fmt: skip
        """A client span, and whether the callee was reached: (its span, failure, end)."""
        world = self.world
        address = f"{target.service}.{target.namespace}.svc.cluster.local"
        labels = {**attributes, "server.address": address}
        if self.rng.random() > self._at(world.reached[owner], start):
            failed = world.errors.get(owner, "connection refused")
            self._call(caller, trace, parent, name, 3, start, start + 5.0, labels, failed)
            world.app_log(caller, start + 5.0, "ERROR", f"call to {address} failed: {failed}", trace)
            return None, failed, start + 5.0
        if self._at(world.up[target.name], start) == 0 or self._at(world.exists[target.name], start) == 0:
            failed = "upstream connect error or disconnect/reset before headers"
            self._call(caller, trace, parent, name, 3, start, start + 0.4, labels, failed)
            return None, failed, start + 0.4
        if self.rng.random() < self._at(world.fail[target.name], start):
            failed = world.errors.get(target.name, world.errors.get(owner, "500 internal error"))
            span = self._call(caller, trace, parent, name, 3, start, start + took, labels, failed)
            self._call(target, trace, span, name, 2, start + 0.002, start + took - 0.002, attributes, failed)
            world.app_log(target, start + took, "ERROR", failed, trace)
            return None, failed, start + took
        return self._call(caller, trace, parent, name, 3, start, start + took, labels), "", start + took

    def _chat(
        self, caller: Pod, trace: bytes, parent: bytes, model: str, start: float, tokens_in: int = 0
    ) -> tuple[str, float]:
        world, rng = self.world, self.rng
        pod = self._pick(world.platform.of(f"{model}-predictor"), start)
        tokens = int(rng.gauss(110, 20)) if self._at(world.quality[pod.name], start) > 0.9 else int(rng.gauss(190, 30))
        first = self._at(self.load.first[pod.name], start) * rng.lognormvariate(0, 0.2)
        took = min(
            max(first + max(tokens, 20) * self._at(self.load.token[pod.name], start) * rng.lognormvariate(0, 0.1), 0.2),
            60.0,
        )
        prompt = int(rng.gauss(420, 90) * self._at(world.prompt, start)) + tokens_in
        served = world.platform.models[model]
        for since, name in world.response_model.get(model, ()):
            served = name if start >= since else served
        answer = f"chatcmpl-{hex_id(rng, 16)}"
        shared = {
            "gen_ai.operation.name": "chat", "gen_ai.request.model": model, "gen_ai.response.model": served,
            "gen_ai.provider.name": world.platform.vocabulary.serving, "gen_ai.response.id": answer,
            "gen_ai.usage.input_tokens": max(prompt, 10), "gen_ai.usage.output_tokens": max(tokens, 20),
        }  # fmt: skip
        span, failed, end = self._edge(caller, pod, pod.owner, trace, parent, f"chat {model}", start, took, shared)
        if span is None:
            return failed, end
        server = self._call(pod, trace, span, "llm_request", 2, start + 0.002, end - 0.002,
                            {**shared, "gen_ai.latency.time_to_first_token": round(first, 4)})  # fmt: skip
        if rng.random() < 0.6:
            self._judged(trace, server, model, pod, answer, start, end)
        return "", end

    def _judged(self, trace: bytes, span: bytes, model: str, pod: Pod, answer: str, start: float, end: float) -> None:
        world, rng = self.world, self.rng
        judge = world.part("evaluator")[0]
        good = self._at(world.quality[pod.name], start) * self._at(world.answer, start)
        at = end + rng.uniform(15, 70)
        for name, base, factor in (("Correctness", 0.87, 1.0), ("Faithfulness", 0.88, self._at(world.faithful, start))):
            score = min(max(rng.gauss(base * good * factor, 0.06), 0.0), 1.0)
            attributes = {
                "gen_ai.evaluation.name": name, "gen_ai.evaluation.score.value": round(score, 3),
                "gen_ai.evaluation.score.label": "pass" if score > 0.6 else "fail", "gen_ai.response.id": answer,
                "gen_ai.request.model": model,
            }  # fmt: skip
            world.lines.append(Line(at, world.sdk(judge), "judge", "", attributes, 9, "INFO", at + 0.2,
                                    "gen_ai.evaluation.result", trace, span))  # fmt: skip

    def _rag(self, gate: Pod, trace: bytes, root: bytes, model: str, start: float) -> tuple[str, float]:
        world, rng = self.world, self.rng
        rag = self._pick(world.part("rag"), start)
        client = rng.randbytes(8)
        inner = rng.randbytes(8)
        finder = self._pick(world.part("retriever"), start)
        store = world.part("vectors")[0]
        search = 0.04 * self._at(world.slow[finder.name], start) * rng.lognormvariate(0, 0.2)
        lookup = 0.02 * self._at(world.slow[store.name], start) * rng.lognormvariate(0, 0.2)
        span, failed, end = self._edge(rag, finder, finder.owner, trace, inner, "POST /search", start + 0.01,
                                       search + lookup, {"http.request.method": "POST", "http.route": "/search"})  # fmt: skip
        if span is not None:
            server = self._call(
                finder, trace, span, "POST /search", 2, start + 0.012, end - 0.002, {"http.route": "/search"}
            )
            db, failed, _ = self._edge(finder, store, store.owner, trace, server, "search collection", start + 0.015,
                                       lookup, {"db.system.name": "vector", "db.operation.name": "search"})  # fmt: skip
            if db is not None:
                self._call(store, trace, db, "search collection", 2, start + 0.016, start + 0.014 + lookup, {})
        end = self._outside(rag, trace, inner, end + 0.005)
        lost, end2 = self._chat(rag, trace, inner, model, end + 0.01, 0 if failed else 600)
        self._call(rag, trace, client, "POST /answer", 2, start + 0.003, end2 + 0.01, {"http.route": "/answer"}, lost)
        world.calls.append(Call(world.sdk(rag), trace, inner, client, "answer", 1, start + 0.004 + world.skew[rag.node],
                                end2 + 0.009 + world.skew[rag.node], {}, lost))  # fmt: skip
        address = f"{rag.service}.{rag.namespace}.svc.cluster.local"
        world.calls.append(Call(world.sdk(gate), trace, client, root, "POST /answer", 3, start + world.skew[gate.node],
                                end2 + 0.012 + world.skew[gate.node], {"server.address": address}, lost))  # fmt: skip
        return lost, end2 + 0.012

    def _outside(self, caller: Pod, trace: bytes, parent: bytes, start: float) -> float:
        """A question put to a model provider outside, where the platform has one; returns when it was answered."""
        if self.world.outside is None:
            return start
        provider, address, model, begin, end = self.world.outside
        failing = begin <= start < end and self.rng.random() < 0.7
        took = self.rng.uniform(8, 20) if failing else self.rng.lognormvariate(-0.7, 0.3)
        answers = [name for since, name in self.world.response_model.get(model, ()) if since <= start]
        labels = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": model,
            "server.address": address, "gen_ai.response.model": "" if failing or not answers else answers[-1],
        }  # fmt: skip
        failed = self.rng.choice(("503", "529", "timeout")) if failing else ""
        done = start + took
        self._call(caller, trace, parent, f"chat {model}", 3, start, done, labels, failed)
        if failing:
            text = f"HTTPStatusError: Server error '{failed} Service Unavailable' for url 'https://{address}/v1/chat/completions'"
            self.world.app_log(caller, done, "ERROR", text, trace)
        return done

    def _background(self) -> None:
        world, rng = self.world, self.rng
        for node in world.platform.nodes:
            for _ in range(int(LENGTH_S / 400)):
                at = rng.uniform(0, LENGTH_S)
                if self._at(world.dark[node], at) == 0:
                    world.kernel(node, at, rng.choice(_QUIET))
        for part, lines in _SAYS.items():
            for pod in world.part(part):
                for _ in range(int(LENGTH_S / 240)):
                    at = rng.uniform(0, LENGTH_S)
                    if self._at(world.up[pod.name], at) > 0:
                        world.app_log(pod, at, "INFO", rng.choice(lines))
        first = world.workers[0]
        for place in range(int(LENGTH_S / 60)):
            at = place * 60 + 7.0
            if self._at(world.training, at) > 0 and self._at(world.up[first.name], at) > 0:
                took = 5200 * self._at(world.step, at)
                text = (f" iteration {40_000 + place * 11:8d}/  500000 | elapsed time per iteration (ms): {took:.1f} | "
                        f"lm loss: {rng.gauss(2.3, 0.05):.6E} | grad norm: {rng.gauss(0.42, 0.03):.3f} |")  # fmt: skip
                world.say(first, at, text, "stdout")
        self._cron()

    def _cron(self) -> None:
        """A cron job's pods, every quarter of an hour."""
        world, rng = self.world, self.rng
        node = world.platform.cpu_nodes[-1]
        for at in range(310, LENGTH_S, 900):
            name = f"token-refresh-{29540000 + at // 60}-{hex_id(rng, 5)}"
            world.event("Pod", name, "apps", at, "Scheduled", f"Successfully assigned apps/{name} to {node}")
            world.event(
                "Pod",
                name,
                "apps",
                at + 1,
                "Pulled",
                'Container image "registry.local/cron:1.4" already present on machine',
                node=node,
            )
            world.event("Pod", name, "apps", at + 2, "Created", "Created container: main", node=node)
            world.event("Pod", name, "apps", at + 3, "Started", "Started container main", node=node)
