"""A small OpenID Connect provider on loopback: discovery, authorization code with PKCE, signed ID tokens, logout.

It logs in whoever `claims` says, without asking, and refuses a code that is used twice, by another client or verifier.
"""

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET, KEY_ID = "phoenix", "s3cret-of-the-client", "key-1"


@dataclass
class Provider:
    """What the provider knows: who is logged in there, its key, and the codes that it gave."""

    claims: dict[str, Any]
    url: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    signing_key: rsa.RSAPrivateKey | None = None  # another one than it publishes: a forger's
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    logouts: list[dict[str, list[str]]] = field(default_factory=list)

    async def discovery(self, _: Request) -> Response:
        pages = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse(
            {
                "issuer": self.url,
                **{name: f"{self.url}/{page}" for name, page in pages.items()},
                "end_session_endpoint": f"{self.url}/logout",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def keys(self, _: Request) -> Response:
        published = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**published, "kid": KEY_ID, "alg": "RS256", "use": "sig"}]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    async def token(self, request: Request) -> Response:
        told = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(told.get("code", ""), None)
        client = base64.b64decode(request.headers.get("authorization", "Basic ").partition(" ")[2]).decode()
        verifier = hashlib.sha256(told.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if asked is None or client != f"{CLIENT}:{SECRET}" or challenge != asked.get("code_challenge"):
            self.refusals.append(told.get("code", ""))
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        now = int(time.time())
        standard = {"iss": self.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        signed = jwt.encode(
            {**standard, **self.claims}, self.signing_key or self.key, algorithm="RS256", headers={"kid": KEY_ID}
        )
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": signed})

    async def logout(self, request: Request) -> Response:
        self.logouts.append(parse_qs(request.url.query))
        return RedirectResponse(request.query_params["post_logout_redirect_uri"])


@contextmanager
def providing(claims: dict[str, Any]) -> Iterator[Provider]:
    """Run a provider on a free port of loopback for as long as the block runs."""
    provider = Provider(claims)
    routes = [Route(f"/{name}", getattr(provider, name)) for name in ("authorize", "keys", "logout")]
    routes += [Route("/token", provider.token, methods=["POST"])]
    routes += [Route("/.well-known/openid-configuration", provider.discovery)]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        provider.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield provider
    finally:
        server.should_exit = True
        thread.join()
