"""Where webhooks may go. Whatever is not the open internet needs the operator's word."""

from ipaddress import ip_address

import pytest

from services.notifier.addresses import (
    URL_CHARACTERS_MAX,
    Kind,
    Policy,
    kind,
    why_not_accepted,
    why_not_dialled,
)

STRICT = Policy()
OPEN = Policy(allow_loopback=True, allow_private=True)

KINDS = {
    Kind.GLOBAL: [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "169.253.255.255",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
        "2001:4860:4860::8888",
        "64:ff9b::1.1.1.1",
        "::ffff:1.1.1.1",
    ],
    Kind.LOOPBACK: [
        "127.0.0.1",
        "127.255.255.254",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::127.0.0.1",
    ],
    Kind.PRIVATE: [
        "10.0.0.0",
        "10.255.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.168.0.1",
        "100.64.0.0",
        "100.127.255.255",
        "fc00::1",
        "fdff:ffff::1",
        "::ffff:10.0.0.1",
        "64:ff9b::192.168.1.1",
    ],
    Kind.SPECIAL: [
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",  # where clouds keep credentials
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::127.0.0.1",  # IPv4-compatible
        "::ffff:0:127.0.0.1",  # IPv4-translated
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::a00:1",
        "100::1",
        "2001::1",  # Teredo
        "2001:10::1",
        "2001:db8::1",
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "3fff::1",
        "5f00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
}


@pytest.mark.parametrize(
    ("text", "expected"), [(text, each) for each, texts in KINDS.items() for text in texts]
)
def test_every_address_has_its_kind(text: str, expected: Kind) -> None:
    assert kind(ip_address(text)) is expected


@pytest.mark.parametrize("text", [each for texts in KINDS.values() for each in texts])
def test_only_global_addresses_are_dialled_unless_settings_allow_more(text: str) -> None:
    found = kind(ip_address(text))

    def allowed(policy: Policy) -> bool:
        return not why_not_dialled(text, encrypted=True, policy=policy)

    assert allowed(STRICT) == (found is Kind.GLOBAL)
    assert allowed(Policy(allow_loopback=True)) == (found in (Kind.GLOBAL, Kind.LOOPBACK))
    assert allowed(Policy(allow_private=True)) == (found in (Kind.GLOBAL, Kind.PRIVATE))
    assert allowed(OPEN) == (found is not Kind.SPECIAL)


def test_without_encryption_only_loopback_is_dialled() -> None:
    def reason(text: str) -> str:
        return why_not_dialled(text, encrypted=False, policy=OPEN)

    assert reason("127.0.0.1") == ""
    assert "needs https" in reason("10.0.0.1")
    assert "needs https" in reason("1.1.1.1")


@pytest.mark.parametrize("text", ["", "localhost", "2130706433", "127.1", "1.2.3.4.5"])
def test_what_is_no_address_is_not_dialled(text: str) -> None:
    assert why_not_dialled(text, encrypted=True, policy=OPEN)


def test_the_scope_of_a_link_local_address_does_not_hide_it() -> None:
    assert "special" in why_not_dialled("fe80::1%eth0", encrypted=True, policy=OPEN)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/hooks?shop=1",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/",
        "https://xn--bcher-kva.example/",
        "https://b\u00fccher.example/",
    ],
)
def test_https_to_the_open_internet_is_accepted(url: str) -> None:
    assert why_not_accepted(url, policy=STRICT) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "https://",
        "https:///path",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://example.com/",
        "http://1.1.1.1/",
        "http://localhost.example.com/",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://localhost/",
        "https://localhost./",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://127\u30020\u30020\u30021/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://100.64.0.1/",
    ],
)
def test_every_other_url_is_refused_with_a_reason(url: str) -> None:
    assert why_not_accepted(url, policy=STRICT)


def test_plain_http_is_accepted_on_loopback_if_settings_allow_loopback() -> None:
    policy = Policy(allow_loopback=True)

    for url in ("http://127.0.0.1:8080/", "http://[::1]:8080/", "http://localhost:8080/"):
        assert why_not_accepted(url, policy=policy) == ""
        assert why_not_accepted(url, policy=STRICT)
    assert why_not_accepted("http://10.0.0.1/", policy=OPEN)


def test_a_url_may_have_so_many_characters_and_no_more() -> None:
    longest = "https://example.com/".ljust(URL_CHARACTERS_MAX, "x")

    assert why_not_accepted(longest, policy=STRICT) == ""
    assert why_not_accepted(longest + "x", policy=STRICT)
