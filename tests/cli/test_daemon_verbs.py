"""The verbs that talk to a daemon, through one that `aion-trio serve` runs in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import TOKEN, serving
from tests.cli.running import at, command_of, data, refusal, text

NOBODY = "http://127.0.0.1:9"


def test_an_order_goes_from_start_to_result(daemon: dict[str, str]) -> None:
    started = data("workflow", "start", "checkout", "o-1", "4200", "--id", "o-1", "--attribute", "shop=Ulm", env=daemon)
    assert started["id"] == "o-1" and len(started["run_id"]) == 32
    assert data("workflow", "query", "o-1", "stage", env=daemon) in ("charging", "shipping", "waiting")
    assert "in checkout" in data("workflow", "stack", "o-1", env=daemon)["text"]
    assert data("workflow", "signal", "o-1", "approval", "true", "--request-id", "click", env=daemon) == {"ok": True}
    assert data("workflow", "signal", "o-1", "approval", "true", "--request-id", "click", env=daemon) == {"ok": True}
    assert data("workflow", "result", "o-1", env=daemon) == ["receipt for o-1: 4200", "parcel of o-1"]
    lines = at("workflow", "show", "o-1", env=daemon).stdout.splitlines()
    assert sum(json.loads(line)["type"] == "SignalReceived" for line in lines) == 1
    assert lines == at("workflow", "export", "o-1", env=daemon).stdout.splitlines()
    assert data("workflow", "describe", "o-1", env=daemon)["attributes"] == {"shop": "Ulm"}


def test_a_start_with_the_same_id_and_input_is_the_same_run(daemon: dict[str, str]) -> None:
    first = data("workflow", "start", "wait_for_ever", "--id", "twice", env=daemon)
    assert data("workflow", "start", "wait_for_ever", "--id", "twice", env=daemon) == first
    assert "is still open" in refusal("workflow", "start", "wait_for_ever", "--id", "twice", "--if-exists", "fail", env=daemon)


def test_execute_waits_and_prints_and_exits_1_for_a_failure(daemon: dict[str, str], tmp_path: Path) -> None:
    assert data("workflow", "execute", "ship", "parcel-7", env=daemon) == "parcel-7"
    assert text("workflow", "execute", "count_down", "2", env=daemon) == "lift off\n"
    (tmp_path / "args.json").write_text('["out of stock"]')
    assert "ValueError: out of stock" in refusal("workflow", "execute", "refuse", "--args", tmp_path / "args.json", env=daemon)


def test_cancel_and_terminate_end_what_waits(daemon: dict[str, str]) -> None:
    for verb, end in (("cancel", "cancelled"), ("terminate", "terminated")):
        data("workflow", "start", "wait_for_ever", "--id", f"to-{verb}", env=daemon)
        assert text("workflow", verb, f"to-{verb}", "--reason", "because", env=daemon).startswith(f"to-{verb} is ")
        assert "because" in refusal("workflow", "result", f"to-{verb}", env=daemon)
        assert data("workflow", "describe", f"to-{verb}", env=daemon)["status"] == end


def test_the_daemon_and_its_journal_tell_the_same(daemon: dict[str, str]) -> None:
    """Also while the daemon owns the journal (J8)."""
    data("workflow", "execute", "count_down", "1", "--id", "both", env=daemon)
    directory = Path(daemon["HOME_OF_DAEMON"], "journal")
    for verb in ("describe", "trace", "result"):
        assert data("workflow", verb, "both", env=daemon) == data("workflow", verb, "both", "--journal", directory)
    assert at("workflow", "show", "both", env=daemon).stdout == at("workflow", "show", "both", "--journal", directory).stdout
    listed = data("workflow", "list", "--type", "count_down", env=daemon)
    assert listed == data("workflow", "list", "--type", "count_down", "--journal", directory)
    assert data("workflow", "count", "--status", "completed", env=daemon)["count"] >= 1


def test_recovery_and_tree_show_the_engine(daemon: dict[str, str]) -> None:
    assert data("recovery", env=daemon)["quarantined"] == []
    assert "children started" in text("recovery", env=daemon)
    assert data("tree", env=daemon)["name"] == "engine"
    assert "├─ journal  running" in text("tree", env=daemon)


def test_release_takes_ids_that_are_there(daemon: dict[str, str]) -> None:
    data("workflow", "start", "wait_for_ever", "--id", "free", env=daemon)
    assert data("workflow", "release", "free", env=daemon) == {"ok": True}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("start", "checkot", "a", "1"), "did you mean 'checkout'"),
        (("start", "checkout", "a", "b"), "expected int"),
        (("start", "checkout", "a"), "cents"),
        (("describe", "fre"), "there is no workflow 'fre'"),
        (("signal", "nobody", "approval"), "there is no workflow 'nobody'"),
        (("query", "known", "stag"), "serves no query"),
        (("signal", "closed", "approval", "true"), "is closed"),
    ],
)
def test_what_the_daemon_refuses_is_one_line(daemon: dict[str, str], args: tuple[str, ...], said: str) -> None:
    data("workflow", "start", "wait_for_ever", "--id", "known", env=daemon)
    data("workflow", "execute", "ship", "x", "--id", "closed", env=daemon)
    assert said in refusal("workflow", *args, env=daemon)


def test_arguments_given_twice_or_badly_are_wrong_usage(daemon: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "args.json").write_text("{}")
    refusal("workflow", "start", "ship", "x", "--args", tmp_path / "args.json", status=2, env=daemon)
    assert "an array" in refusal("workflow", "start", "ship", "--args", tmp_path / "args.json", status=2, env=daemon)
    assert "no JSON" in refusal("workflow", "start", "ship", "--args", "-", status=2, env=daemon, given="nothing")


def test_without_a_token_or_with_a_wrong_one_the_hint_says_how_to_give_it(daemon: dict[str, str], tmp_path: Path) -> None:
    bare = {"AION_SOCKET": daemon["AION_SOCKET"], "AION_TOKEN": ""}
    assert "--token-file" in refusal("workflow", "list", env=bare)
    assert "--token-file" in refusal("workflow", "list", env={**bare, "AION_TOKEN": "another token of the same sort"})
    (tmp_path / "tokens").write_text(f"# for tests\noperator {TOKEN}\n")
    data("workflow", "list", "--token-file", tmp_path / "tokens", env=bare)
    (tmp_path / "tokens").write_text("\n")
    assert "no token" in refusal("workflow", "list", "--token-file", tmp_path / "tokens", status=2, env=bare)


@pytest.mark.parametrize(
    "args", [("workflow", "list"), ("workflow", "start", "ship", "x"), ("workflow", "show", "x", "--follow"), ("recovery",), ("tree",)]
)
def test_a_daemon_that_is_not_there_is_told_with_what_to_do(args: tuple[str, ...]) -> None:
    said = refusal(*args, "--url", NOBODY)
    assert NOBODY in said
    assert "aion-trio serve" in said


def test_an_address_of_another_kind_is_refused() -> None:
    assert "unix:PATH" in refusal("workflow", "list", "--url", "ftp://example.org")


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("no.such.module",), 2, "there is no module 'no.such.module'"),
        (("tests.cli.shop", "--listen", "0.0.0.0:8420"), 2, "token"),
        (("tests.cli.shop", "--grace", "soon"), 2, "number"),
        (("tests.cli.shop", "--lissten", "x"), 2, "--listen"),
    ],
)
def test_settings_that_are_wrong_or_not_safe_exit_2(tmp_path: Path, args: tuple[str, ...], status: int, said: str) -> None:
    assert said in refusal("serve", *args, "--journal", tmp_path / "j", status=status)


def test_a_second_daemon_on_the_journal_is_told_who_owns_it(daemon: dict[str, str], tmp_path: Path) -> None:
    taken = Path(daemon["HOME_OF_DAEMON"], "journal")
    assert "is in use by process" in refusal("serve", "tests.cli.shop", "--journal", taken, "--listen", f"unix:{tmp_path}/sock")


def test_follow_through_the_daemon_goes_on_until_it_is_interrupted(daemon: dict[str, str]) -> None:
    data("workflow", "start", "wait_for_ever", "--id", "followed", env=daemon)
    command = command_of("workflow", "show", "followed", "--follow")
    environment = {**os.environ, **daemon, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["type"] == "WorkflowStarted"
        data("workflow", "terminate", "followed", env=daemon)
        assert json.loads(process.stdout.readline())["type"] == "WorkflowTerminated"
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert process.stderr.read() == ""


def test_with_tls_the_daemon_is_trusted_by_its_authority_and_trusts_a_certificate(tmp_path: Path) -> None:
    certificate, key = tmp_path / "it.pem", tmp_path / "it.key"
    made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=localhost")
    subprocess.run(["openssl", *made, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    port = free_port()
    files = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with serving(tmp_path, f"127.0.0.1:{port}", ("127.0.0.1", port), *files, "--tls-client-ca", str(certificate)):
        url, trust = ("--url", f"https://localhost:{port}"), ("--tls-ca", str(certificate))
        assert data("workflow", "count", *url, *trust, *files, env={"AION_TOKEN": TOKEN}) == {"count": 0}
        assert "cannot be reached" in refusal("workflow", "count", *url, env={"AION_TOKEN": TOKEN})
        assert "cannot be reached" in refusal("workflow", "count", *url, *trust, env={"AION_TOKEN": TOKEN})
    assert "cannot be used" in refusal("workflow", "count", *url, "--tls-ca", str(key), status=2)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
