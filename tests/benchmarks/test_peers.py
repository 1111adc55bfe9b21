"""Peers: what is started for them is stopped, what cannot be started says why, and targets name rows that a peer has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import replay, throughput
from benchmarks.__main__ import measure
from benchmarks.peers import environments, restate_server, rows
from benchmarks.row import Target
from benchmarks.settings import Settings

_LISTENS = """#!{python}
import os, pathlib, socket, time
pathlib.Path("pid").write_text(str(os.getpid()))
names = ["RESTATE_INGRESS__BIND_ADDRESS", "RESTATE_ADMIN__BIND_ADDRESS"]
open_sockets = [socket.create_server((host, int(port))) for host, port in (os.environ[name].split(":") for name in names)]
time.sleep(60)
"""


def server_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a program in the cache as if npm had installed it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = environments.home() / "restate-server"
    program = place / "node_modules" / "@restatedev" / "restate-server-here" / "bin" / "restate-server"
    program.parent.mkdir(parents=True)
    program.write_text(text)
    program.chmod(0o755)
    (place / "holds").write_text(restate_server.SERVER)


def test_a_server_of_restate_is_gone_after_its_block_also_when_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server_is(tmp_path, monkeypatch, _LISTENS.format(python=sys.executable))
    with pytest.raises(KeyError), restate_server.server(tmp_path) as urls:
        assert {url.rpartition(":")[0] for url in urls.values()} == {"http://127.0.0.1"}
        raise KeyError
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_server_of_restate_that_ends_at_once_is_an_error_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server_is(tmp_path, monkeypatch, "#!/bin/sh\necho no room\nexit 3\n")
    with pytest.raises(OSError, match=r"exit status 3\nno room"), restate_server.server(tmp_path):
        pass


def test_a_process_that_does_not_end_when_asked_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restate_server, "_STOPS_WITHIN_S", 0.05)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); import time; time.sleep(60)"
    running = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    with running:
        assert running.stdout is not None
        running.stdout.readline()
        restate_server.stop(running)
        assert running.returncode == -9


def test_without_npm_restate_is_left_out_and_why_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert measure(Settings(tmp_path), ["peer.restate"]) == {}
    assert "peer.restate could not be measured: npm" in capsys.readouterr().out


def test_free_ports_are_not_the_same() -> None:
    assert len(set(restate_server.free_ports(20))) == 20


def test_every_target_that_names_a_peer_names_one_that_is_measured() -> None:
    targets: list[Target] = [target for each in replay.TARGETS.values() for target in each]
    named = {target.against.rpartition(".")[0] for target in targets} | {f"peer.{peer}" for peer in throughput.FASTEST_PEERS}
    peers = {name for name in named if name.startswith("peer.")}
    assert "peer.restate" in peers
    assert peers <= {name for name, _ in rows.BY_PEER}
