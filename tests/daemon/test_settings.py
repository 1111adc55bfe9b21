"""Settings from a file, the environment and flags; and how they are told."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from aion_trio.daemon import SETTINGS, DaemonConfig, load_config
from aion_trio.daemon.__main__ import parse
from aion_trio.daemon.logs import JsonLines, WithoutSecrets
from aion_trio.protocol import ConfigurationError
from tests.daemon.harness import ROOT


def test_a_later_source_wins(tmp_path: Path) -> None:
    file = tmp_path / "aion.toml"
    file.write_text('listen = "127.0.0.1:1"\ngrace = 7\nmodules = ["a", "b"]\nstrict = true\nnamespace = "file"\n')
    environment = {"AION_TRIO_DAEMON_LISTEN": "127.0.0.1:2", "AION_TRIO_DAEMON_NAMESPACE": "environment", "AION_TRIO_TOKEN": "not ours"}
    config = load_config(file, environment, {"namespace": "flag", "thread_limit": "3"})
    assert (config.listen, config.grace, config.modules, config.strict) == ("127.0.0.1:2", 7.0, ("a", "b"), True)
    assert (config.namespace, config.thread_limit, config.journal) == ("flag", 3, "aion-journal")


def test_text_from_the_environment_is_read_by_kind() -> None:
    environment = {"MODULES": "a, b,", "STRICT": "yes", "GRACE": "1.5", "TASK_LIMIT": "9", "OPERATOR_TOKEN": "0123456789abcdef"}
    config = load_config(None, {f"AION_TRIO_DAEMON_{name}": text for name, text in environment.items()}, {})
    assert config == DaemonConfig(modules=("a", "b"), strict=True, grace=1.5, task_limit=9, operator_token="0123456789abcdef")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("listn = 'x'", "did you mean 'listen'"),
        ("zzz = 1", "no setting$"),
        ("grace = 'soon'", "expected a number"),
        ("task_limit = 1.5", "expected a integer"),
        ("task_limit = true", "expected a integer"),
        ("modules = 'a'", "expected a list"),
        ("operator_token = 'x'", "AION_TRIO_DAEMON_OPERATOR_TOKEN"),
        ("grace = ", "no TOML"),
        ("grace = 0", "must be positive"),
        ("log_format = 'xml'", "'json' or 'text'"),
    ],
)
def test_a_wrong_file_is_refused_with_its_key(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "aion.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        load_config(file, {}, {})


def test_a_wrong_variable_or_flag_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="AION_TRIO_DAEMON_GRACES is no setting; did you mean 'grace'"):
        load_config(None, {"AION_TRIO_DAEMON_GRACES": "1"}, {})
    with pytest.raises(ConfigurationError, match="expected a yes/no"):
        load_config(None, {"AION_TRIO_DAEMON_STRICT": "perhaps"}, {})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_config(Path("/nowhere.toml"), {}, {})


def test_flags_are_made_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    config = parse(["my.flows", "--listen", "unix:/tmp/x", "--host", "a", "--host", "b", "--body-limit-bytes", "10"])
    assert config == DaemonConfig(modules=("my.flows",), listen="unix:/tmp/x", hosts=("a", "b"), body_limit_bytes=10)
    with pytest.raises(SystemExit):
        parse(["--operator-token", "secret"])
    monkeypatch.setenv("AION_TRIO_DAEMON_GRACE", "3")
    assert parse([]).grace == 3.0


def test_the_docs_have_the_table() -> None:
    """One table, one truth: each setting with its default and what it says."""
    file = ROOT / "docs" / "daemon.md"
    if not file.exists():
        pytest.skip("the docs are not beside the tests")
    chapter = file.read_text()
    for each in SETTINGS.values():
        assert f"| `{each.name}` | {each.kind} | {shown(each.default)} | {each.doc} |" in chapter, each.name


def shown(default: object) -> str:
    """A default as the table shows it."""
    return "" if default in ("", ()) else f"`{json.dumps(default)}`"


def test_a_log_line_is_json_without_secrets() -> None:
    record = logging.LogRecord("aion_trio", logging.INFO, "f", 1, "token %s, ü", ("0123456789abcdef",), None)
    assert WithoutSecrets(["0123456789abcdef"]).filter(record)
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "token …, ü" and line["level"] == "info" and line["at"].endswith("+00:00")
    try:
        raise ValueError("no")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    assert "ValueError: no" in json.loads(JsonLines().format(record))["error"]
