"""`pbtbench watch`: a report that is served to this machine alone, and made anew once a run was kept."""

import http.client
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from browser import started_browser
from fabricated import a_folder, a_run, an_outcome
from reported import pbt_outcome
from stored import write

from pbtbench import BadInput
from pbtbench.report import watching
from pbtbench.report.watching import Watched, serving
from pbtbench.store import Store


@pytest.fixture
def store(tmp_path):
    return a_folder(tmp_path / "out", (a_run(method="pbt", interval=1), pbt_outcome()))


def asked(address, path, host=None):
    """What is answered, to a path as it stands: status, type and text."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host or urlsplit(address).netloc)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.getheader("Content-Type"), answer.read().decode()
    connection.close()
    return found


def test_the_report_is_made_anew_once_a_run_was_kept_and_not_before(store):
    watched = Watched(store)
    assert watched.look()
    first = watched.served
    assert not watched.look()
    assert watched.served is first
    write(store, a_run(seed=1), pbt_outcome())
    assert watched.look()
    assert watched.served.version != first.version
    assert b"2 runs" in watched.served.files["index.html"]
    store.discard(a_run(seed=1))
    assert watched.look()
    assert b"1 run," in watched.served.files["index.html"]


def test_nothing_is_written_into_the_folder(store):
    before = {file: file.stat().st_mtime_ns for file in store.path.rglob("*")}
    Watched(store).look()
    assert {file: file.stat().st_mtime_ns for file in store.path.rglob("*")} == before


def test_a_folder_without_a_run_shows_a_page_that_says_so(tmp_path):
    watched = Watched(a_folder(tmp_path / "out"))
    watched.look()
    assert (
        b"No run is kept in this folder yet. This page shows the first one"
        in (watched.served.files["index.html"])
    )


def test_files_of_the_report_are_served_and_nothing_else(store, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    watched = Watched(store)
    watched.look()
    with serving(watched, 0) as address:
        for name, data in watched.served.files.items():
            status, kind, text = asked(address, f"/{name}")
            assert (status, text) == (200, data.decode())
            html = name.endswith(".html")
            assert kind.startswith("text/html") == html
        assert asked(address, "/")[2] == watched.served.files["index.html"].decode()
        assert asked(address, "/version")[2] == watched.served.version
        for path in (
            "/../study.toml", "/%2e%2e/study.toml", "/../../secret.txt", "//etc/passwd", "/study.toml",
            f"/{tmp_path}/secret.txt", "/figures", "/index.html/", "/figures/../index.html", "/%00",
        ):  # fmt: skip
            assert asked(address, path)[0] == 404, path


def test_no_site_that_leads_here_gets_it(store):
    watched = Watched(store)
    watched.look()
    with serving(watched, 0) as address:
        assert asked(address, "/", host="evil.example")[0] == 403
        assert urlsplit(address).hostname == "127.0.0.1"


def test_a_taken_port_is_bad_input(store):
    with serving(Watched(store), 0) as address:
        port = urlsplit(address).port
        with pytest.raises(BadInput, match=f"--port {port}: "), serving(Watched(store), port):
            pass


def test_what_cannot_be_read_meanwhile_is_said_once_and_the_page_stays(store, monkeypatch):
    watched = Watched(store)
    watched.look()
    served, said = watched.served, []
    (store.path / "study.toml").write_text("no = [toml")
    write(store, a_run(seed=1), pbt_outcome())

    class Enough(Exception):
        pass

    rounds = iter([None, None])

    def slept(seconds):
        if next(rounds, Enough) is Enough:
            raise Enough

    monkeypatch.setattr(watching.time, "sleep", slept)
    with pytest.raises(Enough):
        watched.keep(said.append)
    assert len(said) == 1
    assert "study.toml" in said[0]
    assert watched.served is served


def test_the_command_serves_until_ctrl_c(store):
    command = [sys.executable, "-m", "pbtbench", "watch", str(store.path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        line = process.stdout.readline()
        address = line.split(": ")[1].split(" ")[0]
        assert asked(address, "/")[0] == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("wrong", ["nowhere", "."])
def test_the_command_refuses_what_is_no_studys_folder(tmp_path, wrong):
    command = [sys.executable, "-m", "pbtbench", "watch", str(tmp_path / wrong)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.browser
def test_an_open_page_shows_a_new_run(store, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    watched = Watched(store)
    watched.look()
    with serving(watched, 0) as address, started_browser(tmp_path / "chrome") as chrome:
        chrome.get(address)
        assert "1 run," in chrome.find_element("css selector", ".facts").text
        write(store, a_run(seed=1), an_outcome(cause="crash", message="no luck"))
        assert watched.look()
        WebDriverWait(chrome, 20).until(
            lambda c: (
                "2 runs" in c.execute_script("return document.querySelector('.facts').textContent")
            )
        )
        assert chrome.get_log("browser") == []


def test_state_changes_with_every_run_and_is_none_without(tmp_path):
    store = a_folder(tmp_path / "out")
    assert store.state() == (0, 0)
    states = [store.state()]
    for seed in range(3):
        write(store, a_run(seed=seed), pbt_outcome())
        states.append(store.state())
    write(store, a_run(seed=0), pbt_outcome())
    states.append(store.state())
    store.discard(a_run(seed=0))
    states.append(store.state())
    assert len(set(states)) == len(states)
    assert Store(store.path).state() == states[-1]
