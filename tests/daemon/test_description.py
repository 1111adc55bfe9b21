"""What the daemon says of itself: the OpenAPI description, metrics, and the fuzzer's view of both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aion_trio.client import open_client
from aion_trio.daemon.openapi import description
from aion_trio.daemon.operations import OPERATIONS, STREAMS
from tests.daemon import fuzz, services
from tests.daemon.harness import ROOT, daemon_in, http_to


async def test_the_served_description_covers_every_route(tmp_path: Path) -> None:
    async with daemon_in(tmp_path) as daemon, http_to(daemon) as http:
        served = (await http.get("/api/v1/openapi.json")).json()
    assert served == json.loads(json.dumps(description())) and served["openapi"] == "3.1.0"
    operations = {operation["operationId"] for path in served["paths"].values() for operation in path.values()}
    assert operations == {each.name for each in (*OPERATIONS, *STREAMS)} | {"live", "ready"}
    text = json.dumps(served)
    for reference in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in served["components"]["schemas"]


def test_every_operation_and_model_is_explained() -> None:
    described = description()
    for path in described["paths"].values():
        for operation in path.values():
            assert operation["summary"].endswith((".", ";")) or operation["summary"], operation
    for name, schema in described["components"]["schemas"].items():
        assert schema.get("description"), name


def test_the_file_in_the_docs_is_what_is_served() -> None:
    file = ROOT / "docs" / "openapi.json"
    if not file.exists():
        pytest.skip("the docs are not beside the tests")
    assert json.loads(file.read_text()) == json.loads(json.dumps(description())), "write it anew: python -m tests.daemon.write_docs"


async def test_metrics_count_requests_and_show_the_engine(tmp_path: Path) -> None:
    async with daemon_in(tmp_path) as daemon, http_to(daemon) as http:
        async with open_client(daemon.url) as client:
            await client.execute(services.double, 1)
            await client.start(services.waits, 1)
        await http.get("/api/v1/workflows/nobody")
        answer = await http.get("/metrics")
        lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
        assert answer.headers["content-type"].startswith("text/plain")
        assert lines['aion_trio_http_requests_total{operation="start",status="200"}'] == "2.0"
        assert lines['aion_trio_http_requests_total{operation="describe",status="404"}'] == "1.0"
        assert lines['aion_trio_workflows{status="completed"}'] == "1.0" and lines['aion_trio_workflows{status="running"}'] == "1.0"
        assert float(lines["aion_trio_journal_appends_total"]) >= 2 and lines["aion_trio_quarantined"] == "0.0"


@pytest.mark.skipif(not fuzz.available(), reason="schemathesis is not installed")
def test_a_thousand_requests_of_the_description_find_no_fault(tmp_path: Path) -> None:
    worst, made, _ = fuzz.campaign(tmp_path, 1000)
    assert worst == 0 and made >= 1000
