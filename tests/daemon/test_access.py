"""Who may call a daemon, and that one which anybody could call does not start."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from aion_trio.client import Client, RequestRefusedError, open_client
from aion_trio.daemon import DaemonConfig
from aion_trio.daemon.access import require_safe
from aion_trio.protocol import ConfigurationError
from tests.daemon import services
from tests.daemon.harness import daemon_in, http_to

OPERATOR, READER = "operator-token-of-tests", "read-only-token-of-tests"
START = b'{"workflow": "double", "args": [1]}'
JSON = {"content-type": "application/json"}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text(f"# who may call\noperator {OPERATOR}\n\nread-only {READER}\n")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize("listen", ["0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:8420", "example.org:80"])
def test_a_daemon_that_anybody_could_call_does_not_start(listen: str) -> None:
    with pytest.raises(ConfigurationError, match="nobody would have to show anything"):
        require_safe(DaemonConfig(listen=listen))


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::1]:0", "127.9.9.9:0", "unix:/run/aion.sock"])
def test_a_daemon_that_only_this_machine_can_call_needs_no_token(listen: str) -> None:
    require_safe(DaemonConfig(listen=listen))


def test_other_machines_need_a_token_and_a_name(token_file: Path) -> None:
    with pytest.raises(ConfigurationError, match="hosts"):
        require_safe(DaemonConfig(listen="0.0.0.0:0", token_file=str(token_file)))
    require_safe(DaemonConfig(listen="0.0.0.0:0", token_file=str(token_file), hosts=("aion.example.org",)))
    require_safe(DaemonConfig(listen="192.0.2.1:0", operator_token=OPERATOR))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tls_certificate": "c.pem"}, "belong together"),
        ({"tls_client_ca": "ca.pem"}, "needs tls_certificate"),
        ({"tls_certificate": "/no.pem", "tls_key": "/no.pem"}, "cannot be used"),
        ({"operator_token": "short", "listen": "192.0.2.1:0"}, "at least 16"),
        ({"listen": "nowhere"}, "HOST:PORT"),
        ({"listen": "localhost:99999"}, "HOST:PORT"),
        ({"listen": "unix:"}, "path of a socket"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        require_safe(DaemonConfig(**settings))


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (f"operator {OPERATOR}", 0o644, "chmod"),
        ("# nothing", 0o600, "holds no token"),
        (f"admin {OPERATOR}", 0o600, "line 1: expected"),
        ("operator", 0o600, "line 1"),
    ],
)
def test_a_token_file_that_is_not_right_is_refused(tmp_path: Path, content: str, mode: int, message: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=message):
        require_safe(DaemonConfig(listen="192.0.2.1:0", token_file=str(file)))


async def test_tokens_open_what_their_scope_allows(tmp_path: Path, token_file: Path) -> None:
    async with daemon_in(tmp_path, token_file=str(token_file)) as daemon:
        async with open_client(daemon.url) as nobody, open_client(daemon.url, token=READER) as reader:
            async with open_client(daemon.url, token=OPERATOR) as operator:
                assert await operator.execute(services.double, 4, id="d") == 8
                assert await reader.handle("d").result() == 8
                assert await reader.count_workflows() == 1
                assert await _code(reader, services.double) == "forbidden"
                assert await _code(nobody, services.double) == "unauthorized"
        async with open_client(daemon.url, token=OPERATOR + "x") as other:
            assert await _code(other, services.double) == "unauthorized"
        async with http_to(daemon) as http:
            for path in ("/metrics", "/api/v1/tree", "/api/v1/openapi.json", "/api/v1/workflows/d/events", "/api/v1/workflows/d/export"):
                refused = await http.get(path)
                assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Bearer"), path
            assert (await http.get("/health/ready")).status_code == 200
            basic = await http.get("/api/v1/tree", headers={"authorization": f"Basic {OPERATOR}"})
            assert basic.status_code == 401


async def _code(client: Client, workflow: Any) -> str:
    with pytest.raises(RequestRefusedError) as refused:
        await client.start(workflow, 1)
    assert refused.value.hint
    return refused.value.code


async def test_only_names_that_are_ours_are_answered(tmp_path: Path) -> None:
    """A page that has rebound its own name to this address is told nothing."""
    async with daemon_in(tmp_path, hosts=("aion.test",)) as daemon, http_to(daemon) as http:
        for host, status in (
            ("localhost", 200),
            ("LOCALHOST:1234", 200),
            ("[::1]:80", 200),
            ("aion.test", 200),
            ("evil.test", 421),
            ("", 421),
        ):
            for path in ("/api/v1/tree", "/health/live", "/metrics"):
                assert (await http.get(path, headers={"host": host})).status_code == status, (host, path)


FROM_ELSEWHERE: list[tuple[dict[str, str], str]] = [
    ({"content-type": "text/plain"}, "unsupported_media_type"),
    ({"content-type": "application/x-www-form-urlencoded"}, "unsupported_media_type"),
    ({}, "unsupported_media_type"),
    ({**JSON, "sec-fetch-site": "cross-site"}, "cross_site"),
    ({**JSON, "sec-fetch-site": "same-site"}, "cross_site"),
    ({**JSON, "origin": "https://evil.test"}, "cross_site"),
    ({**JSON, "origin": "null"}, "cross_site"),
]


async def test_a_web_page_of_another_site_cannot_write(tmp_path: Path) -> None:
    async with daemon_in(tmp_path) as daemon, http_to(daemon) as http:
        for headers, code in FROM_ELSEWHERE:
            answer = await http.post("/api/v1/workflows", content=START, headers=headers)
            assert answer.json()["code"] == code
            assert "access-control-allow-origin" not in answer.headers and answer.headers["x-content-type-options"] == "nosniff"
        assert await daemon.engine.count_workflows() == 0
        headers = {**JSON, "origin": daemon.url, "sec-fetch-site": "same-origin"}
        assert (await http.post("/api/v1/workflows", content=START, headers=headers)).status_code == 200


def _openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def _certificates(directory: Path) -> None:
    """An authority, and certificates of a server and of a client."""
    (directory / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    _openssl(directory, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests",
             "-days", "30", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    for name in ("server", "client"):
        _openssl(directory, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "names")
        _openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)


async def test_with_mutual_tls_only_clients_with_a_certificate_are_answered(tmp_path: Path) -> None:
    _certificates(tmp_path)
    files = {"tls_certificate": "server.pem", "tls_key": "server.key", "tls_client_ca": "ca.pem"}
    async with daemon_in(tmp_path, **{name: str(tmp_path / file) for name, file in files.items()}) as daemon:
        assert daemon.url.startswith("https://localhost:")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        async with httpx2.AsyncClient(verify=trusting, trust_env=False) as stranger:
            with pytest.raises(httpx2.TransportError):
                await stranger.get(f"{daemon.url}/health/live")
        trusting.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
        async with open_client(daemon.url, tls=trusting) as client:
            assert await client.execute(services.double, 4) == 8
