"""uv with pip's settings: `python -m launch.uv_like_pip UV ARGUMENT...` runs that command.

pip installs uv, and uv the rest, but uv reads none of pip's settings: where they name the index,
its certificate or a proxy, pip reaches packages and uv does not. What `pip config list` says, of
files and of variables, is given to uv by variables of its own. A variable `UV_...` that is set
stays as it is, also where it is empty. This needs nothing but Python: nothing is installed yet.
"""

import ast
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SINGLE = {"index-url": "UV_DEFAULT_INDEX", "timeout": "UV_HTTP_TIMEOUT"}
LISTS = {
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
}
"""Settings of pip that are lists: uv's variable, and what separates its values."""

OTHER_NAMES = {"default-timeout": "timeout", "pypi-url": "index-url"}
UNKNOWN_ISSUER = "UnknownIssuer"
"""What uv says of a certificate that its own list of authorities does not lead to."""


def pip_settings(listed: str) -> dict[str, str]:
    """The settings that `pip install` has.

    Args:
        listed: what `pip config list` prints, a line `section.name='value'` for each.

    Returns:
        Values by name; variables count before the section `install`, and that before `global`.
    """
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        match = re.fullmatch(r"(global|install|:env:)\.([\w-]+)=(.*)", line)
        if match and (value := str(ast.literal_eval(match[3])).strip()):
            found[match[1]][OTHER_NAMES.get(match[2], match[2])] = value
    return found["global"] | found["install"] | found[":env:"]


def uv_environment(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which uv finds what pip finds.

    Args:
        pip: what `pip_settings` gives.
        environment: variables as they are. pip's certificate and proxy count before those that all
            programs share, as they do for pip; `UV_...` are for uv alone, and stay.
    """
    new = {variable: pip[name] for name, variable in SINGLE.items() if name in pip}
    for name, (variable, separator) in LISTS.items():
        if name in pip:
            new[variable] = separator.join(map(os.path.expanduser, pip[name].split()))
    if "UV_INDEX_URL" in environment:  # an older name, which would lose
        new.pop("UV_DEFAULT_INDEX", None)
    if "UV_INDEX" in new:
        # pip takes the best version of all indexes, uv only of the first that has the package.
        new["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if pip.get("keyring-provider") == "subprocess":  # uv refuses the others
        new["UV_KEYRING_PROVIDER"] = "subprocess"
    own = {name: value for name, value in new.items() if name not in environment}
    return {**environment, **own, **_certificates(pip, environment), **_proxies(pip)}


def _certificates(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """pip's certificates; it takes those of its library's variables where it has none itself."""
    new = {}
    if "client-cert" in pip:
        new["SSL_CLIENT_CERT"] = str(Path(pip["client-cert"]).expanduser())
    shared = (environment.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    if place := pip.get("cert") or next(filter(None, shared), None):
        path = Path(place).expanduser()
        new["SSL_CERT_DIR" if path.is_dir() else "SSL_CERT_FILE"] = str(path)
    return new


def _proxies(pip: Mapping[str, str]) -> dict[str, str]:
    names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    # pip goes through the proxy of its settings to every host, whatever NO_PROXY says.
    direct = {"NO_PROXY": "", "no_proxy": ""}
    return dict.fromkeys(names, pip["proxy"]) | direct if "proxy" in pip else {}


def run(command: Sequence[str]) -> int:
    """Run uv with the settings of this Python's pip.

    Where uv does not know who signed the index's certificate it runs once more with the system's
    certificates: newer versions of pip, and those of some systems, look there as well.

    Returns:
        uv's exit status.
    """
    listing = [sys.executable, "-m", "pip", "config", "list"]
    pip = pip_settings(subprocess.run(listing, capture_output=True, text=True).stdout)
    environment = uv_environment(pip, os.environ)
    command = [*command, *(["--no-index"] if _is_true(pip.get("no-index", "")) else [])]
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
    if UNKNOWN_ISSUER in done.stderr and "UV_SYSTEM_CERTS" not in environment:
        environment["UV_SYSTEM_CERTS"] = "1"
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
    sys.stderr.write(done.stderr)
    return done.returncode


def _is_true(value: str) -> bool:
    return value.lower() in {"1", "y", "yes", "t", "true", "on"}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends without a traceback, as uv does
    sys.exit(run(sys.argv[1:]))
