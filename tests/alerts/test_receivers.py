"""Which addresses are refused, and that none of their parts is shown."""

import asyncio
import json

import pytest
from alerting import receiving

from ci_observer.ingest.alerts.deliver import (
    FAILED,
    REFUSED,
    SENT,
    Network,
    Result,
    send,
)
from ci_observer.ingest.alerts.messages import Message
from ci_observer.ingest.alerts.receivers import (
    _fault,
    github_hosts,
    names_of,
    refuse_receivers,
)
from ci_observer.ingest.alerts.sender import deliver_by_process
from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import ConfigError

SERVER = "https://ghe.example.com/api/v3"
MESSAGE = Message("m1", "Title", "Body", "warning", {"id": "m1"})
NETWORK = Network(api_url="https://api.github.com")


def refusal(url):
    with pytest.raises(ConfigError) as error:
        refuse_receivers([url], "ALERT_URLS", api_url=SERVER)
    return str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "github://s3cret@owner/repo",
        "https://github.com/owner/repo",
        "json://api.github.com/repos/o/r/dispatches",
        "jsons://API.GitHub.com./x",
        "jsons://user:s3cret@uploads.github.com/x",
        "form://api%2Egithub.com/x",
        "xmls://api%252Egithub.com/x",
        "json://api\u3002github\uff0ecom/x",
        "mqtt://api.git\u00adhub.com/s3cret",
        "json://git%E2%80%8Bhub.com/s3cret",
        "apprises://hooks.example.com/s3cret/?to=json://api.github.com",
        "mailtos://me:s3cret@example.com?to=reply+s3cret@reply.github.com",
        "mailtos://me:s3cret@example.com?smtp=smtp.github.com",
        "json://ghe.example.com/s3cret",
        "json://api.ghe.example.com/s3cret",
        "json://octo.ghe.com/s3cret",
        "jsons://raw.githubusercontent.com/s3cret",
    ],
)
def test_github_s_hosts_are_refused(url):
    text = refusal(url)

    assert "GitHub" in text
    assert text.startswith("ALERT_URLS: address 1 is refused: ")
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("api_url", "url", "is_refused"),
    [
        ("https://10.0.0.5/api/v3", "jsons://10.0.0.5/x", True),
        ("https://10.0.0.5/api/v3", "json://10.0.0.5:8080/x", True),
        ("https://[fd00::5]/api/v3", "jsons://[fd00::5]/x", True),
        ("https://10.0.0.5/api/v3", "jsons://10.0.0.50/x", False),
        ("http://127.0.0.1:8000", "json://127.0.0.1:8000/x", True),
        ("http://127.0.0.1:8000", "json://user:word@localhost:8000/x", True),
        ("http://localhost:8000", "json://[::1]:8000/x", True),
        ("http://127.0.0.1:8000", "json://127.0.0.1:80001/x", False),
        ("http://127.0.0.1:8000", "json://127.0.0.1:8080/x", False),
    ],
)
def test_the_api_s_own_address_is_refused_as_a_number_too(api_url, url, is_refused):
    hosts = github_hosts(api_url)

    assert (_fault(url, hosts) or "").startswith("it names a host") == is_refused


def test_nothing_is_sent_to_the_api_on_this_machine():
    with receiving() as receiver:
        api_url = receiver.url.replace("json", "http").replace("127.0.0.1", "localhost")
        result = send(receiver.url, MESSAGE, Network(api_url=api_url))

    assert (result.outcome, receiver.requests) == (FAILED, [])
    assert "GitHub" in result.reason


@pytest.mark.parametrize(
    "scheme",
    [
        *("dbus", "qt", "kde", "glib", "gio", "gnome", "macosx", "windows", "blink1"),
        *("syslog", "rsyslog", "file", "unknown"),
    ],
)
def test_kinds_that_stay_on_this_machine_are_refused(scheme):
    text = refusal(f"{scheme}://s3cret.example.com")

    assert "s3cret" not in text
    assert text.endswith((".", "list"))


def test_a_wrong_address_is_named_by_its_number_and_kind():
    urls = ["json://hooks.example.com/s3cret", "slack://s3cret"]

    with pytest.raises(ConfigError) as error:
        refuse_receivers(urls, "ALERT_URLS_FILE", api_url=SERVER)

    assert "ALERT_URLS_FILE: address 2" in str(error.value)
    assert "Slack" in str(error.value)
    assert "s3cret" not in str(error.value)


def test_addresses_are_shown_by_number_and_kind():
    urls = ["json://hooks.example.com/s3cret", "mailto://me:s3cret@example.com"]

    assert names_of(urls) == ["1 (JSON)", "2 (E-Mail)"]
    assert "s3cret" not in repr(Config(alert_urls=tuple(urls)))


def test_addresses_are_read_from_a_file(tmp_path):
    path = tmp_path / "urls"
    path.write_text("# Team\njson://a.example.com/x\n\n  json://b.example.com/y\n")

    config = Config.from_environ({"ALERT_URLS_FILE": str(path)})

    assert config.alert_urls == ("json://a.example.com/x", "json://b.example.com/y")
    with pytest.raises(ConfigError, match="both set"):
        Config.from_environ(
            {"ALERT_URLS_FILE": str(path), "ALERT_URLS": "json://a.example.com"}
        )


def test_no_redirect_is_followed_whatever_the_address_says(caplog):
    with receiving() as receiver, receiving() as other:
        receiver.status, receiver.location = 302, other.url.replace("json", "http")
        result = send(f"{receiver.url}?redirect=yes&retry=5", MESSAGE, NETWORK)

    assert result == Result(FAILED, "HTTP 302: redirects are not followed")
    assert other.requests == []
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(204, SENT), (400, REFUSED), (404, REFUSED), (408, FAILED), (429, FAILED)],
)
def test_a_refusal_is_told_from_a_receiver_that_is_down(status, outcome):
    with receiving() as receiver:
        receiver.status = status
        assert send(receiver.url, MESSAGE, NETWORK).outcome == outcome


def test_a_message_goes_through_the_proxy_unless_excepted():
    with receiving() as proxy:
        proxies = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.server_port}"}
        sent = send(
            "json://hooks.example/x", MESSAGE, Network("https://x", proxies=proxies)
        )
        proxies |= {"NO_PROXY": "127.0.0.0/8"}
        with receiving() as direct:
            send(direct.url, MESSAGE, Network("https://x", proxies=proxies))

    assert sent.outcome == SENT
    assert [len(proxy.requests), len(direct.requests)] == [1, 1]


def test_a_name_that_is_found_out_late_to_be_github_s_gets_nothing():
    """Settings refuse the address before; the sender refuses the request, too."""
    result = send("json://api.github.com/x", MESSAGE, NETWORK)

    assert (result.outcome, "GitHub" in result.reason) == (FAILED, True)


def test_a_process_sends_a_message_and_tells_no_secret():
    with receiving() as receiver:
        url = receiver.url.replace("/hook", "/s3cret")
        good = asyncio.run(deliver_by_process(url, MESSAGE, NETWORK))
    bad = asyncio.run(deliver_by_process(url, MESSAGE, NETWORK))

    assert good == Result(SENT)
    assert bad == Result(FAILED, "no connection")
    [request] = receiver.requests
    assert (request["id"], request["title"]) == ("m1", "Title")
    assert "s3cret" not in json.dumps([vars(good), vars(bad)])
