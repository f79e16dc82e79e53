"""A stranger's relying party, Authlib from PyPI, signs people in through the standard endpoints and nothing else."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.jwk import KeySet

from city import City, LoopbackTransport, Mailbox
from people import PASSWORD, person, program

CALLBACK = "http://127.0.0.1:9/callback"
SIGNED_OUT = "http://127.0.0.1:9/signed-out"
SCOPE = "openid profile email offline_access"


@dataclass(frozen=True)
class Party:
    """What a relying party knows: its registration, and what discovery told it."""

    id: str
    secret: str | None
    metadata: dict

    def client(self) -> OAuth2Client:
        return OAuth2Client(
            self.id,
            self.secret,
            scope=SCOPE,
            redirect_uri=CALLBACK,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self.secret else "none",
            transport=LoopbackTransport(),
            trust_env=False,
        )


@pytest.fixture(scope="module", params=["confidential", "public"])
def party(city: City, request: pytest.FixtureRequest) -> Party:
    """A client that an operator has registered while the city runs, and the provider as discovery describes it."""
    name = f"authlib-{request.param}"
    command = ["client", "add", "--id", name, "--name", "Authlib", "--redirect-uri", CALLBACK]
    command += ["--post-logout-redirect-uri", SIGNED_OUT, *(["--is-public"] if request.param == "public" else [])]
    done = city.run(*command)
    assert done.returncode == 0, done.stderr
    secret = re.search(r"client_secret: (\S+)", done.stdout)
    issuer = city.url("id", "").rstrip("/")
    with httpx.Client(transport=LoopbackTransport(), trust_env=False) as program:
        metadata = program.get(f"{issuer}/.well-known/openid-configuration").raise_for_status().json()
    assert metadata["issuer"] == issuer
    return Party(name, secret and secret[1], metadata)


def submit(browser: httpx.Client, page: httpx.Response, action: str, **fields: str) -> httpx.Response:
    """Posts a form of a page as a browser would: with its hidden fields."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text)
    hidden = {name: html.unescape(value) for name, value in found}
    return browser.post(page.url.join(action), data=hidden | fields)


def walk(browser: httpx.Client, answer: httpx.Response) -> httpx.Response:
    """Follows redirects up to the client's own address, where nobody listens."""
    while answer.is_redirect and not answer.headers["Location"].startswith("http://127.0.0.1:9/"):
        answer = browser.get(answer.url.join(answer.headers["Location"]))
    return answer


def authorize(browser: httpx.Client, url: str, email: str) -> str:
    """Signs in and agrees where asked; the address that the browser is sent back to."""
    page = walk(browser, browser.get(url, headers={"Accept": "text/html"}))
    if page.status_code == 200 and 'action="/signin"' in page.text:
        page = walk(browser, submit(browser, page, "/signin", email=email, password=PASSWORD))
    if page.status_code == 200 and 'action="/consent"' in page.text:
        assert "Authlib" in page.text
        page = walk(browser, submit(browser, page, "/consent", decision="allow"))
    assert page.is_redirect, page.text
    return page.headers["Location"]


def query(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def test_authlib_signs_in_refreshes_and_signs_out(city: City, mailbox: Mailbox, api, party: Party, monkeypatch) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "true")
    someone = person("수현")
    program(api(), city, mailbox, someone)  # registers; the browser below begins as a visitor
    browser = api(headers={"Accept": "text/html"})
    metadata = party.metadata

    with party.client() as client:
        # Authorization code with PKCE, state, nonce.
        verifier, nonce = generate_token(48), generate_token(20)
        url, state = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce, extra="ignored"
        )
        answer = authorize(browser, url, someone.email)
        assert answer.startswith(CALLBACK + "?")
        assert query(answer)["iss"] == metadata["issuer"]  # RFC 9207
        token = client.fetch_token(
            metadata["token_endpoint"], authorization_response=answer, state=state, code_verifier=verifier
        )
        assert token["token_type"] == "Bearer" and set(token["scope"].split()) == set(SCOPE.split())

        # The ID token, against the published keys.
        keys = client.request("GET", metadata["jwks_uri"], withhold_token=True).raise_for_status().json()
        id_token = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"])
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": metadata["issuer"]},
            aud={"essential": True, "value": party.id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
            auth_time={"essential": True},
        ).validate(id_token.claims)
        assert id_token.header["kid"] in {key["kid"] for key in keys["keys"]}

        # Userinfo.
        info = client.get(metadata["userinfo_endpoint"]).raise_for_status().json()
        assert info["sub"] == id_token.claims["sub"]
        assert (info["name"], info["email"], info["email_verified"]) == (someone.name, someone.email, True)

        # Refresh: another access token, the same person.
        first = dict(token)
        fresh = client.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
        assert fresh["access_token"] != first["access_token"] and fresh["refresh_token"] != first["refresh_token"]
        again = jwt.decode(fresh["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"])
        assert [again.claims[name] for name in ("iss", "sub", "aud", "auth_time")] == [
            id_token.claims[name] for name in ("iss", "sub", "aud", "auth_time")
        ]
        assert client.get(metadata["userinfo_endpoint"]).status_code == 200

        # Silent sign-in works while she is signed in.
        silent, _ = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, prompt="none"
        )
        assert "code" in query(walk(browser, browser.get(silent)).headers["Location"])

        # RP-initiated logout echoes the state and ends everything.
        parameters = {"id_token_hint": fresh["id_token"], "post_logout_redirect_uri": SIGNED_OUT, "state": "bye"}
        out = browser.get(metadata["end_session_endpoint"], params=parameters)
        assert out.is_redirect and out.headers["Location"] == f"{SIGNED_OUT}?state=bye"
        assert query(walk(browser, browser.get(silent)).headers["Location"])["error"] == "login_required"
        assert client.get(metadata["userinfo_endpoint"]).status_code == 401
        with pytest.raises(OAuthError, match="invalid_grant"):
            client.refresh_token(metadata["token_endpoint"], refresh_token=fresh["refresh_token"])


def test_a_replayed_code_is_refused_and_takes_its_tokens_along(
    city: City, mailbox: Mailbox, api, party: Party, monkeypatch
) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "true")
    someone = person("지우")
    browser = program(api(), city, mailbox, someone)
    verifier = generate_token(48)
    with party.client() as client, party.client() as thief:
        url, state = client.create_authorization_url(party.metadata["authorization_endpoint"], code_verifier=verifier)
        answer = authorize(browser, url, someone.email)
        endpoint = party.metadata["token_endpoint"]
        client.fetch_token(endpoint, authorization_response=answer, state=state, code_verifier=verifier)
        assert client.get(party.metadata["userinfo_endpoint"]).status_code == 200
        with pytest.raises(OAuthError, match="invalid_grant"):
            thief.fetch_token(endpoint, authorization_response=answer, state=state, code_verifier=verifier)
        assert client.get(party.metadata["userinfo_endpoint"]).status_code == 401


def test_an_address_nobody_registered_gets_a_page_and_no_redirect(api, party: Party) -> None:
    with party.client() as client:
        url, _ = client.create_authorization_url(
            party.metadata["authorization_endpoint"], redirect_uri=CALLBACK + "/..", code_verifier=generate_token(48)
        )
    answer = api(headers={"Accept": "text/html"}).get(url)
    assert answer.status_code == 400 and "Location" not in answer.headers
