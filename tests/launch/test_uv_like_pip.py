"""uv is given what pip is configured with: an index, its certificate, a proxy."""

import functools
import http.server
import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch import uv_like_pip

CHECKOUT = Path(__file__).resolve().parents[2]
needs_pip = pytest.mark.skipif(
    importlib.util.find_spec("pip") is None, reason="this environment has no pip"
)
PIP_CONF = """\
[global]
index-url = https://name:pass%40word@packages.example/simple
cert = {folder}/ca.pem
client-cert = ~/own.pem
proxy = http://proxy.example:3128
trusted-host = packages.example:8443 other.example
timeout = 90
[install]
extra-index-url =
    https://more.example/simple
    https://most.example/simple
find-links = ~/wheels {folder}/wheels
no-index = true
keyring-provider = subprocess
[download]
index-url = https://elsewhere.example/simple
"""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable says where packages are; HOME is known."""
    for name in [*os.environ]:
        if name.startswith(("PIP_", "UV_", "SSL_")) or name.endswith(("_BUNDLE", "_PROXY")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/home/someone")
    return monkeypatch


@pytest.fixture
def fake_uv(tmp_path: Path) -> Path:
    """A command that appends its arguments and its variables to a file, and fails at `fail`."""
    script = f"""#!/bin/sh
echo "$@" >> {tmp_path}/calls
env >> {tmp_path}/variables
[ "$1" != unknown ] || [ -n "$UV_SYSTEM_CERTS" ] || {{ echo 'UnknownIssuer' >&2; exit 2; }}
[ "$1" != fail ] || {{ echo 'no such package' >&2; exit 5; }}
"""
    return write_script(tmp_path / "uv", script)


def write_script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def variables(folder: Path) -> dict[str, str]:
    lines = (folder / "variables").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


@needs_pip
def test_uv_runs_with_what_a_pip_conf_says(bare, fake_uv, tmp_path):
    (tmp_path / "pip.conf").write_text(PIP_CONF.format(folder=tmp_path))
    bare.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    bare.setenv("PIP_DEFAULT_TIMEOUT", "120")
    bare.setenv("NO_PROXY", "example")
    assert uv_like_pip.run([str(fake_uv), "pip", "install", "one"]) == 0
    assert (tmp_path / "calls").read_text() == "pip install one --no-index\n"
    expected = {
        "UV_DEFAULT_INDEX": "https://name:pass%40word@packages.example/simple",
        "UV_INDEX": "https://more.example/simple https://most.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": f"/home/someone/wheels,{tmp_path}/wheels",
        "UV_INSECURE_HOST": "packages.example:8443 other.example",
        "UV_HTTP_TIMEOUT": "120",
        "UV_KEYRING_PROVIDER": "subprocess",
        "SSL_CERT_FILE": f"{tmp_path}/ca.pem",
        "SSL_CLIENT_CERT": "/home/someone/own.pem",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "http_proxy": "http://proxy.example:3128",
        "NO_PROXY": "",
    }
    given = variables(tmp_path)
    assert {name: given.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("listed", "environment", "expected"),
    [
        ("", {"UV_DEFAULT_INDEX": "https://own"}, {"UV_DEFAULT_INDEX": "https://own"}),
        ("global.index-url='https://pip'", {}, {"UV_DEFAULT_INDEX": "https://pip"}),
        (
            "global.index-url='https://pip'",
            {"UV_DEFAULT_INDEX": "https://own"},
            {"UV_DEFAULT_INDEX": "https://own"},
        ),
        (
            "global.index-url='https://pip'",
            {"UV_INDEX_URL": "https://own"},
            {"UV_INDEX_URL": "https://own"},
        ),
        (
            "global.extra-index-url='https://more'",
            {"UV_INDEX": "", "UV_FIND_LINKS": ""},
            {"UV_INDEX": "", "UV_FIND_LINKS": "", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        (
            ":env:.index-url='https://c'\nglobal.index-url='https://a'\ninstall.index-url='https://b'",
            {},
            {"UV_DEFAULT_INDEX": "https://c"},
        ),
        (
            ":env:.index-url=''\nglobal.index-url='https://a'\ninstall.index-url='https://b'",
            {},
            {"UV_DEFAULT_INDEX": "https://b"},
        ),
        ("global.cert='/a.pem'", {"SSL_CERT_FILE": "/b.pem"}, {"SSL_CERT_FILE": "/a.pem"}),
        ("global.cert='/'", {}, {"SSL_CERT_DIR": "/"}),
        (
            "global.keyring-provider='import'\nglobal.constraint='/c.txt'",
            {"CURL_CA_BUNDLE": "/c.pem", "REQUESTS_CA_BUNDLE": "/r.pem"},
            {
                "CURL_CA_BUNDLE": "/c.pem",
                "REQUESTS_CA_BUNDLE": "/r.pem",
                "SSL_CERT_FILE": "/r.pem",
            },
        ),
    ],
)
def test_which_setting_counts(listed, environment, expected):
    settings = uv_like_pip.pip_settings(listed)
    assert uv_like_pip.uv_environment(settings, environment) == expected


def test_an_unknown_certificate_is_looked_for_in_the_system_and_failures_are_told(
    bare, fake_uv, tmp_path, capsys
):
    bare.setattr(sys, "executable", shutil.which("false"))  # a Python without pip
    assert uv_like_pip.run([str(fake_uv), "unknown"]) == 0
    assert (tmp_path / "calls").read_text() == "unknown\n" * 2
    assert variables(tmp_path)["UV_SYSTEM_CERTS"] == "1"
    assert uv_like_pip.run([str(fake_uv), "fail"]) == 5
    bare.setenv("UV_SYSTEM_CERTS", "")
    assert uv_like_pip.run([str(fake_uv), "unknown"]) == 2
    assert (tmp_path / "calls").read_text() == "unknown\n" * 2 + "fail\nunknown\n"
    assert capsys.readouterr().err == "no such package\nUnknownIssuer\n"


def write_wheel(folder: Path, name: str, files: dict[str, str], version: str = "1.0") -> None:
    """A wheel, with its page of an index."""
    folder.mkdir(parents=True)
    wheel, about = f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    files |= {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    with zipfile.ZipFile(folder / wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    (folder / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of an index with one package, signed by an authority that nobody knows."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    new = ("req", "-newkey", "rsa:2048", "-nodes")
    openssl(tmp_path, *new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Own")
    openssl(tmp_path, *new, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost")
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    signed = ("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key")
    openssl(tmp_path, *signed, "-CAcreateserial", "-extfile", "names", "-out", "server.pem")
    write_wheel(tmp_path / "site" / "simple" / "onething", "onething", {"onething.py": ""})
    handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
    server = http.server.ThreadingHTTPServer(("localhost", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_address[1]}/simple"
    server.shutdown()
    server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@needs_pip
@pytest.mark.slow
def test_an_index_that_pip_reaches_uv_reaches(bare, index, tmp_path, capfd):
    uv = shutil.which("uv", path=Path(sys.executable).parent)
    if uv is None:
        pytest.skip("uv is not installed beside this Python")
    (tmp_path / "pip.conf").write_text(
        f"[global]\nindex-url = {index}\ncert = {tmp_path}/ca.pem\n[install]\nno-index = false\n"
    )
    bare.setenv("UV_NO_CACHE", "1")
    what = ["pip", "install", "--quiet", "--dry-run", "--python", sys.executable, "onething"]
    alone = [uv, *what, "--default-index", index]
    assert "UnknownIssuer" in subprocess.run(alone, capture_output=True, text=True).stderr
    bare.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert uv_like_pip.run([uv, *what]) == 0, capfd.readouterr().err
    assert uv_like_pip.run([uv, *what[:-1], "another"]) == 1
    assert "another was not found" in capfd.readouterr().err


FAKE_UV = """\
import os, sys

def main():
    with open(os.environ["CALLS"], "a") as file:
        print(*sys.argv[1:], os.environ["UV_FIND_LINKS"], file=file)
    return 3 if ".[cuda]" in sys.argv else 0
"""
PYTHON = """\
#!/bin/sh
case "$2" in *sys.prefix*) echo {} ;; *) exec {} "$@" ;; esac
"""
"""A Python of an environment of its own, as conda's, whose folder has a pip.conf."""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_hands_pips_settings_on_and_says_what_to_set(bare, tmp_path):
    start = {"uv-0.99.dist-info/entry_points.txt": "[console_scripts]\nuv = fake_uv:main\n"}
    write_wheel(tmp_path / "links", "uv", {"fake_uv.py": FAKE_UV, **start}, version="0.99")
    links = f"[global]\nno-index = true\nfind-links = {tmp_path / 'links'}\n"
    (tmp_path / "prefix").mkdir()
    (tmp_path / "prefix" / "pip.conf").write_text(links)
    python = write_script(tmp_path / "python", PYTHON.format(tmp_path / "prefix", sys.executable))
    bare.setenv("CALLS", str(tmp_path / "calls"))
    make = ["make", f"VENV={tmp_path}/venv", f"PYTHON={python}"]
    done = subprocess.run([*make, "setup"], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    call = (tmp_path / "calls").read_text()
    assert call.startswith("pip install ")
    assert call.endswith(f"--editable . --no-index {tmp_path / 'links'}\n")
    refused = [*make, "setup", "EXTRAS=cuda"]
    done = subprocess.run(refused, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "set PIP_INDEX_URL, PIP_CERT or PIP_PROXY" in done.stderr.splitlines()[0]
    assert not (tmp_path / "venv" / ".installed-cuda").exists()
