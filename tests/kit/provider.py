"""An OpenID Connect provider on a loopback port: discovery, keys that can be changed, and tokens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

Key = RSAKey | ECKey
AUDIENCE = "causeline"


class Provider:
    """What it publishes is `keys`; `asked` counts requests for them."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.keys: list[Key] = [RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})]
        self.asked = 0
        self.down = False
        self.answer: bytes | None = None

    def documents(self) -> dict[str, bytes]:
        """What is served, by path."""
        published = json.dumps(KeySet(list(self.keys)).as_dict()).encode() if self.answer is None else self.answer
        found = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        return {"/.well-known/openid-configuration": json.dumps(found).encode(), "/keys": published}

    def token(self, key: Key | None = None, alg: str = "RS256", headers: Any = None, **claims: Any) -> str:
        """A token that is good unless told otherwise; a claim of None is left out."""
        now = int(time.time())
        known = {"iss": self.issuer, "aud": AUDIENCE, "sub": "u-1", "iat": now, "nbf": now, "exp": now + 300}
        said = {name: value for name, value in {**known, **claims}.items() if value is not None}
        signer = key or self.keys[0]
        return jwt.encode({"alg": alg, "kid": signer.kid, **(headers or {})}, said, signer, algorithms=[alg])


@contextmanager
def provider() -> Iterator[Provider]:
    """One, while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = here.documents().get(self.path)
            here.asked += self.path == "/keys"
            self.send_response(503 if here.down else 404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
