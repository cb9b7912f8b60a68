"""Whoever runs Bonpunkt finds every setting in docs/settings.md, and none that does not exist."""

import ast

import pytest

from tests.architecture import settings


def test_every_setting_is_documented() -> None:
    assert settings.read_by_services() - set(settings.documented()) == set()


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(settings.documented()) - settings.read_by_services() == set()


def test_no_setting_is_documented_twice() -> None:
    documented = settings.documented()

    assert sorted(documented) == sorted(set(documented))


def test_there_are_settings_to_look_at() -> None:
    """If the services read them in a way that this test does not see, it would prove nothing."""
    expected = {"LOYALTY_LISTEN", "GATEWAY_LISTEN", "NOTIFIER_LISTEN", "ADMIN_LISTEN"}

    assert expected <= settings.read_by_services()


@pytest.mark.parametrize(
    "source",
    [
        "env.str('GATEWAY_LISTEN', 'x')",
        "env('GATEWAY_LISTEN')",
        "os.environ['GATEWAY_LISTEN']",
        "os.environ.get('GATEWAY_LISTEN')",
        "os.getenv('GATEWAY_LISTEN')",
        "with env.prefixed('GATEWAY_'):\n    env.str('LISTEN')",
        "click.option('--listen', envvar='GATEWAY_LISTEN')",
        "Settings(listen=env.str('GATEWAY_LISTEN'))",
    ],
)
def test_a_setting_is_found_however_it_is_read(source: str) -> None:
    assert list(settings.read_in(ast.parse(source), "")) == ["GATEWAY_LISTEN"]


@pytest.mark.parametrize(
    "source", ["os.environ['GATEWAY_LISTEN'] = 'x'", "os.environ.setdefault('GATEWAY_LISTEN', 'x')"]
)
def test_what_is_only_told_to_others_is_no_setting(source: str) -> None:
    assert list(settings.read_in(ast.parse(source), "")) == []
