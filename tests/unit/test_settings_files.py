"""Where settings come from: YAML as text, directories, the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from forwarder.settings import Settings, SettingsProblems, load, yaml_tree

PIXEL = (
    "{destination: tiktok, advertisers: [acme], event_source: web, event_source_id: C4,"
    " access_token: {env: FORWARDER_TIKTOK_TOKEN}}"
)


def problems(path: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsProblems) as caught:
        load(path, environ or {})
    directory = path if path.is_dir() else path.parent
    return [str(p).replace(f"{directory}/", "") for p in caught.value.problems]


def file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_aliases_that_multiply_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_tree, "_MOST_NODES", 1000)
    levels = ["a: &a0 [x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    found = problems(file(tmp_path, "\n".join(levels)))
    rule = "its aliases make far too much of it (write it out)"
    assert [one for one in found if one.endswith(rule)] == [found[0]]


def from_environment(tmp_path: Path, text: str, **environ: str) -> Settings:
    return load(file(tmp_path, text), environ)


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert problems(path) == ["none.yaml: no such file or directory (check --config)"]


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    assert problems(tmp_path) == ["a.yaml: cannot be read: Is a directory"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"kafka: \xff\xfe", "settings.yaml: is not UTF-8 text (save it as plain UTF-8 YAML)"),
        (b"kafka: \x00", "settings.yaml:1: holds the character U+0000 (remove it)"),
        (b"kafka:\n  \x01", "settings.yaml:2: holds the character U+0001 (remove it)"),
        (
            "kafka:\n\tgroup_id: x",
            (
                "settings.yaml:2: is not valid YAML: found character '\\t' that cannot start any "
                "token "
                "(indent with spaces, not tabs)"
            ),
        ),
        (
            "kafka: {group_id: x\nops: y",
            (
                "settings.yaml:2: is not valid YAML: expected ',' or '}', but got ':' "
                "(check the indentation and quotes there)"
            ),
        ),
        (
            "kafka: {}\n---\nops: {}",
            (
                "settings.yaml:2: is not valid YAML: but found another document "
                "(keep one document a file, without further --- lines)"
            ),
        ),
        ("- a", "settings.yaml:1: must be a block of `key: value` lines (start with `kafka:`)"),
        (
            "just words",
            "settings.yaml:1: must be a block of `key: value` lines (start with `kafka:`)",
        ),
        (
            "kafka: {group_id: a}\nops: {}\nkafka: {}",
            (
                "settings.yaml:3 kafka: the same key twice, first at settings.yaml:1 "
                "(keep one of them)"
            ),
        ),
        (
            "kafka:\n  group_id: a\n  group_id: a",
            (
                "settings.yaml:3 kafka.group_id: the same key twice, first at settings.yaml:2 "
                "(keep one of them)"
            ),
        ),
        (
            "kafka: &k\n  group_id: *k",
            (
                "settings.yaml:1 kafka.group_id: an anchor cannot hold an alias to itself "
                "(write it out)"
            ),
        ),
        (
            "kafka:\n  group_id: !secret x",
            "settings.yaml:2 kafka.group_id: the tag !secret means nothing here (remove the tag)",
        ),
        (
            "kafka: &k {}\nops:\n  <<: *k",
            (
                "settings.yaml:3 ops.<<: merge keys are not supported "
                "(defaults for all accounts of a destination go under destinations.<name>)"
            ),
        ),
        ("[" * 5000, "settings.yaml: is nested far too deeply for settings"),
        ("kafka:\n  [a]: b", "settings.yaml:2 kafka: a key must be plain text (quote it)"),
    ],
)
def test_what_is_no_settings_file(tmp_path: Path, text: str | bytes, problem: str) -> None:
    assert problems(file(tmp_path, text)) == [problem]


def test_an_alias_stands_for_its_anchor(tmp_path: Path) -> None:
    text = "budgets:\n  one: &b {requests: 60, per: 10s}\n  two: *b"
    assert load(file(tmp_path, text), {}).budgets["two"].per == 10


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load(file(tmp_path, b"\xef\xbb\xbfunrouted: skip"), {}).unrouted == "skip"


def test_quoted_words_are_text(tmp_path: Path) -> None:
    assert load(file(tmp_path, "kafka: {group_id: 'true'}"), {}).kafka.group_id == "true"
    assert load(file(tmp_path, 'kafka: {group_id: "null"}'), {}).kafka.group_id == "null"
    assert load(file(tmp_path, "kafka: {group_id: !!str true}"), {}).kafka.group_id == "true"


def test_a_directory_is_merged(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"kafka: {{group_id: g}}\naccounts: {{one: {PIXEL}}}")
    (tmp_path / "b.yaml").write_text(
        f"kafka: {{events_topic: e}}\nops:\naccounts: {{two: {PIXEL}}}"
    )
    (tmp_path / "c.yaml").write_text("ops: {listen: 127.0.0.1:1}")
    (tmp_path / ".hidden.yaml").write_text("nonsense: 1")
    (tmp_path / "notes.txt").write_text("nonsense: 1")
    settings = load(tmp_path, {})
    assert (settings.kafka.group_id, settings.kafka.events_topic) == ("g", "e")
    assert list(settings.accounts) == ["one", "two"]
    assert settings.ops.address == ("127.0.0.1", 1)


def test_the_same_key_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"unrouted: skip\naccounts: {{one: {PIXEL}}}")
    (tmp_path / "b.yaml").write_text(f"\naccounts: {{one: {PIXEL}}}\nunrouted: skip")
    assert problems(tmp_path) == [
        "b.yaml:2 accounts.one: the same key twice, first at a.yaml:2 (keep one of them)",
        "b.yaml:3 unrouted: the same key twice, first at a.yaml:1 (keep one of them)",
    ]


def test_problems_of_several_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kafka: {group_ip: x}")
    (tmp_path / "b.yaml").write_text("ops: [")
    (tmp_path / "c.yaml").write_text("unruoted: x")
    assert [p.split(":")[0] for p in problems(tmp_path)] == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_directory_without_settings(tmp_path: Path) -> None:
    assert "the directory holds no *.yaml file (put the settings into one there)" in str(
        problems(tmp_path)
    )
    (tmp_path / "settings.yml").write_text("")
    assert "(rename settings.yml to end in .yaml)" in str(problems(tmp_path))


def test_single_values_come_from_the_environment(tmp_path: Path) -> None:
    settings = from_environment(
        tmp_path,
        "kafka: {group_id: a}\nbudgets: {tiktok-app: {requests: 60, per: 10s}}\n"
        f"advertisers: {{acme: {{currency: EUR}}}}\naccounts: {{one: {PIXEL}}}",
        FORWARDER_KAFKA__GROUP_ID="b",
        FORWARDER_KAFKA__START_FROM="latest",
        FORWARDER_KAFKA__SECURITY_PROTOCOL="SASL_PLAINTEXT",
        FORWARDER_KAFKA__SASL_MECHANISM="PLAIN",
        FORWARDER_KAFKA__SASL_USERNAME="me",
        FORWARDER_KAFKA__SASL_PASSWORD="hush",
        FORWARDER_DELIVERY__GIVE_UP__AFTER="1h",
        FORWARDER_DESTINATIONS__TIKTOK__BASE_URL="http://localhost:1/tiktok",
        FORWARDER_BUDGETS__TIKTOK_APP__REQUESTS="100",
        FORWARDER_ADVERTISERS__ACME__CURRENCY="usd",
        FORWARDER_CONSENT__PERSONALIZATION_DENIED="skip",
        FORWARDER_UNROUTED="skip",
        FORWARDER_OPS__LOG_LEVEL="debug",
        FORWARDER_CONFIG="ignored",
        OTHER_KAFKA__GROUP_ID="ignored",
    )
    assert (settings.kafka.group_id, settings.kafka.start_from) == ("b", "latest")
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.value is not None
    assert settings.kafka.sasl_password.value.get_secret_value() == "hush"
    assert settings.delivery.give_up.after == 3600
    assert settings.accounts["one"].base_url == "http://localhost:1/tiktok"
    assert settings.budgets["tiktok-app"].requests == 100
    assert settings.advertisers["acme"].currency == "USD"
    assert settings.consent.personalization_denied == "skip"
    assert (settings.unrouted, settings.ops.log_level) == ("skip", "debug")


def test_a_secret_of_kafka_may_be_a_file_named_in_the_environment(tmp_path: Path) -> None:
    settings = from_environment(
        tmp_path,
        "kafka: {security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: me}",
        FORWARDER_KAFKA__SASL_PASSWORD__FILE="secrets/kafka",
    )
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.file == tmp_path / "secrets/kafka"


@pytest.mark.parametrize("secret", ["literal", "{file: other}", "{env: OTHER}"])
def test_it_takes_the_place_of_whatever_the_file_says_of_the_secret(
    tmp_path: Path, secret: str
) -> None:
    settings = from_environment(
        tmp_path,
        "kafka: {security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: me, "
        f"sasl_password: {secret}}}",
        FORWARDER_KAFKA__SASL_PASSWORD__FILE="secrets/kafka",
    )
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.file == tmp_path / "secrets/kafka"
    assert settings.kafka.sasl_password.env is None


def test_what_kubernetes_injects_is_ignored(tmp_path: Path) -> None:
    from_environment(
        tmp_path,
        "",
        FORWARDER_PORT="tcp://10.0.0.1:8080",
        FORWARDER_PORT_8080_TCP_ADDR="10.0.0.1",
        FORWARDER_SERVICE_HOST="10.0.0.1",
        FORWARDER_OPS_SERVICE_PORT_HTTP="8080",
    )


def test_a_variable_that_a_secret_names_is_known(tmp_path: Path) -> None:
    from_environment(tmp_path, f"accounts: {{one: {PIXEL}}}", FORWARDER_TIKTOK_TOKEN="hush")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "FORWARDER_KAFKA__GRUOP_ID",
            "no setting has this name (did you mean FORWARDER_KAFKA__GROUP_ID?)",
        ),
        (
            "FORWARDER_KAFKA_GROUP_ID",
            "no setting has this name (did you mean FORWARDER_KAFKA__GROUP_ID?)",
        ),
        ("FORWARDER_ZZZZZZ", "no setting has this name (unset it, or give it another prefix)"),
        (
            "FORWARDER_ACCOUNTS__ONE__STATE",
            (
                "accounts cannot be set from the environment "
                "(settings of accounts stand in the file; a secret there may be {env: NAME})"
            ),
        ),
        (
            "FORWARDER_CONSENT__REQUIRE",
            "only a single value can come from the environment (use the file)",
        ),
    ],
)
def test_an_unknown_variable(tmp_path: Path, name: str, problem: str) -> None:
    assert problems(file(tmp_path, ""), {name: "hush"}) == [f"environment {name}: {problem}"]


def test_a_wrong_value_from_the_environment_is_placed_there(tmp_path: Path) -> None:
    environ = {"FORWARDER_DELIVERY__MEMORY": "lots", "FORWARDER_OPS__LOG_LEVEL": "trace"}
    assert problems(file(tmp_path, "delivery: {memory: 1MiB}"), environ) == [
        (
            "environment FORWARDER_DELIVERY__MEMORY delivery.memory: "
            "a size is a whole number and a unit: 256KiB 1MiB"
        ),
        "environment FORWARDER_OPS__LOG_LEVEL ops.log_level: must be debug, info, warning or error",
    ]
