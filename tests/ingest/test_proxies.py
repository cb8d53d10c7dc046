"""The choice of a proxy: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`."""

import pytest

from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.github.proxies import choose_proxy, unreadable_exceptions

API = "https://api.github.com"
PROXY = {"ALL_PROXY": "http://proxy:8080"}


def chosen(environ: dict[str, str], api_url: str = API) -> str | None:
    proxy = choose_proxy(api_url, environ)
    return str(proxy) if proxy else None


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://proxy:8080"}, "http://proxy:8080 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "proxy:8080"}, "http://proxy:8080 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "proxy"}, "http://proxy:80 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": " http://proxy/ "}, "http://proxy:80 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "https://proxy"}, "https://proxy:443 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "HTTP://Proxy:3128"}, "http://proxy:3128 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "http://[::1]:3128 (HTTPS_PROXY)"),
        ({"https_proxy": "http://proxy:1"}, "http://proxy:1 (https_proxy)"),
        ({"https_proxy": "a", "HTTPS_PROXY": "b"}, "http://a:80 (https_proxy)"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://proxy:8080"}, None),
        ({"HTTP_PROXY": "http://proxy:8080"}, None),
        ({"ALL_PROXY": "socks5://proxy"}, "socks5://proxy:1080 (ALL_PROXY)"),
        ({"ALL_PROXY": "socks5h://proxy:1"}, "socks5h://proxy:1 (ALL_PROXY)"),
        ({"all_proxy": "socks://127.0.0.1:1/"}, "socks5://127.0.0.1:1 (all_proxy)"),
        ({**PROXY, "HTTPS_PROXY": "http://other:1"}, "http://other:1 (HTTPS_PROXY)"),
        ({**PROXY, "HTTP_PROXY": "http://other:1"}, "http://proxy:8080 (ALL_PROXY)"),
    ],
)
def test_the_variable_for_the_scheme_goes_first_then_all_proxy(environ, proxy):
    assert chosen(environ) == proxy


def test_http_proxy_is_for_an_api_without_tls():
    environ = {"HTTP_PROXY": "http://one:1", "HTTPS_PROXY": "http://two:2"}

    assert chosen(environ, "http://ghes.example/api/v3") == "http://one:1 (HTTP_PROXY)"


@pytest.mark.parametrize(
    ("text", "auth"),
    [
        ("http://ada:hunter2@proxy:1", ("ada", "hunter2")),
        ("ada:hunter2@proxy:1", ("ada", "hunter2")),
        ("socks5://ada:hunter2@proxy:1", ("ada", "hunter2")),
        ("http://ada%40corp:hunter2%3A%2F%40@proxy:1", ("ada@corp", "hunter2:/@")),
        ("http://ada:hunter2@@proxy:1", ("ada", "hunter2@")),
        ("http://ada@proxy:1", ("ada", "")),
    ],
)
def test_user_and_password_are_read_and_never_shown(text, auth):
    proxy = choose_proxy(API, {"ALL_PROXY": text})
    config = Config().with_network({"ALL_PROXY": text})

    assert proxy is not None
    assert proxy.auth == auth
    for shown in (str(proxy), repr(proxy), repr(config), proxy.url):
        assert "hunter2" not in shown
        assert "ada" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "http://proxy:port",
        "http://proxy:0",
        "http://proxy:65536",
        "http://:8080",
        "http://",
        "http:/proxy:8080",
        "http//proxy:8080",
        "http://proxy:8080/proxy.pac",
        "http://proxy:8080?x=1",
        "http://pro xy:8080",
        "http://proxy\n:8080x",
        "http://[::1:8080",
        "http://[fe80::1%25eth0]:8080",
        "http://prox\udcff:8080",
        "ftp://proxy:21",
        "socks4://proxy:1080",
        "socks4a://proxy:1080",
        "pac+https://proxy/x.pac",
        "://proxy:8080",
        "http://ada:hunter2#1@proxy:8080",
        "http://ada:hunter2/1@proxy:8080",
        "http://ada/hunter2@proxy:8080",
        "http://ada:hunter2@",
        "http://ada:hunter2@proxy:hunter2",
        "ftp://ada:hunter2@proxy",
        f"socks5://ada:{'hunter2' * 40}@proxy",
        '"http://ada:hunter2@proxy:8080"',
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_wrong_address_is_refused_by_name_without_its_text(name, text):
    """Also in a variable that does not count for the API."""
    with pytest.raises(ConfigError) as caught:
        choose_proxy(API, {name: text})

    assert str(caught.value).startswith(f"{name}: not the address of a proxy: ")
    assert "Write http://HOST:PORT" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("*", "api.github.com"),
        ("a.example, *", "api.github.com"),
        ("api.github.com", "api.github.com"),
        ("API.GitHub.com", "api.github.com"),
        ("api.github.com.", "api.github.com"),
        ("github.com", "api.github.com"),
        (".github.com", "api.github.com"),
        ("*.github.com", "api.github.com"),
        (".github.com", "github.com"),
        ("api.github.*", "api.github.com"),
        ("api.github.com:443", "api.github.com"),
        (".github.com:443", "api.github.com"),
        ("https://api.github.com", "api.github.com"),
        ("https://api.github.com/", "api.github.com"),
        (" , ,, github.com,", "api.github.com"),
        ("localhost github.com", "api.github.com"),
        ("fe80::/10,[::1],github.com", "api.github.com"),
        ("10.0.0.0/8", "10.1.2.3"),
        ("10.1.2.3/8", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3:8443"),
        ("10.1.2.3:8443", "10.1.2.3:8443"),
        ("10.1.*", "10.1.2.3"),
        ("10.0.0.0/8", "[::ffff:10.1.2.3]"),
        ("fe80::/10", "[fe80::1]"),
        ("[fe80::]/10", "[fe80::1]"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
        ("[::1]:8443", "[::1]:8443"),
        ("0:0:0:0:0:0:0:1", "[::1]"),
        ("::/0", "[2001:db8::1]"),
        ("münchen.example", "xn--mnchen-3ya.example"),
    ],
)
def test_no_proxy_takes_in_names_addresses_and_networks(no_proxy, host):
    assert chosen({**PROXY, "NO_PROXY": no_proxy}, f"https://{host}") is None


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("", "api.github.com"),
        ("hub.com", "api.github.com"),
        ("www.github.com", "api.github.com"),
        ("*.api.github.com", "api.github.com"),
        ("api.github.com:80", "api.github.com"),
        ("http://api.github.com", "api.github.com"),
        ("11.0.0.0/8", "10.1.2.3"),
        ("10.1.2.3:80", "10.1.2.3:8443"),
        ("2.3", "10.1.2.3"),
        ("10.0.0.0/99", "10.1.2.3"),
        ("fe80::/10", "[::1]"),
        ("fe80::/10", "10.1.2.3"),
        ("10.0.0.0/8", "ten.example"),
        ("[::1]:80", "[::1]:8443"),
        ("localhost", "127.0.0.1"),
    ],
)
def test_no_proxy_leaves_other_hosts_to_the_proxy(no_proxy, host):
    environ = {**PROXY, "NO_PROXY": no_proxy}

    assert chosen(environ, f"https://{host}") == "http://proxy:8080 (ALL_PROXY)"


def test_in_lower_case_no_proxy_goes_first():
    environ = {**PROXY, "NO_PROXY": "api.github.com", "no_proxy": "localhost"}

    assert chosen(environ) is not None


def test_entries_of_no_proxy_that_mean_nothing_give_a_warning():
    readable = "*,localhost,.local,a_b.example,10.0.0.0/8,fe80::/10,[::1]:80,10.*"
    entries = ["<local>", "10.0.0.0/99", "a/b", "...", "fe80::1::2", "a:b:c"]
    environ = {"no_proxy": ",".join([readable, *entries])}

    warnings = list(unreadable_exceptions(environ))

    assert [text.split("'")[1] for text in warnings] == entries
    assert all(text.startswith("no_proxy: ") for text in warnings)
    assert Config().with_network(environ).warnings == tuple(warnings)
