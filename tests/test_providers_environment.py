"""What the environment says of proxies and certificates, and a price question, which needs no key."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from clika import clika, write_probes

from clika_providers.install import DISTRIBUTION, install_hint

ROOT = Path(__file__).parent.parent
CLEAN = {name: "" for name in os.environ if name.lower().endswith("_proxy")}


@pytest.mark.parametrize("model", ["openai/m", "anthropic/claude-haiku-5-5"])
@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"NO_PROXY": "localhost,127.0.0.1,::1/128"}, "no connection"),
        ({"ALL_PROXY": "socks5://127.0.0.1:9", "HTTPS_PROXY": "socks5://127.0.0.1:9"}, "SOCKS"),
        ({"SSL_CERT_FILE": "/nowhere/certs.pem"}, "SSL_CERT_FILE names /nowhere/certs.pem"),
        ({"SSL_CERT_FILE": "/"}, "SSL_CERT_FILE names /, which cannot be read as certificates"),
        ({"no_proxy": "[::1]/128,fe80::/10"}, "no connection"),
        ({"HTTPS_PROXY": "http://127.0.0.1:port"}, "HTTPS_PROXY cannot be used as a proxy"),
        ({"HTTPS_PROXY": "socks4://127.0.0.1:9"}, "HTTPS_PROXY cannot be used as a proxy"),
    ],
)
def test_an_environment_that_cannot_be_used_is_told_in_a_sentence(
    tmp_path: Path, model: str, environment: dict[str, str], says: str
) -> None:
    probes = write_probes(tmp_path / "p.jsonl", 1)
    address = "https://127.0.0.1:9" if "SSL_CERT_FILE" in environment else "http://127.0.0.1:9"
    keys = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
    done = clika(
        *("run", probes, "-m", model, "--base-url", address, "--db", tmp_path / "c.db", "--max-retries", "0"),
        check=None,
        **{**CLEAN, **keys, **environment},
    )
    assert done.returncode in (1, 2), done.stderr
    if model.startswith("openai") and says == "SOCKS":
        assert "SOCKS" in done.stderr or "no connection" in done.stderr, done.stderr
    else:
        assert says in done.stderr, done.stderr
    assert "report this" not in done.stderr


def test_a_dry_run_needs_no_key(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "p.jsonl", 2)
    keyless = {"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": ""}
    models = ("-m", "openai/gpt-6-luna", "-m", "anthropic/claude-haiku-5-5")
    done = clika("run", probes, *models, "--dry-run", "--db", tmp_path / "c.db", **keyless)
    assert "openai/gpt-6-luna: 4 requests" in done.stdout
    assert "anthropic/claude-haiku-5-5: 4 requests" in done.stdout
    assert "needs an API key" in clika("run", probes, *models, "--db", tmp_path / "c.db", check=2, **keyless).stderr


def test_the_name_of_the_distribution_stands_in_one_place_and_hints_work_from_a_checkout() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == DISTRIBUTION != "clika-client"
    assert install_hint("local").startswith("pip install '.[local]'")
    texts = [
        *ROOT.glob("docs/*.md"),
        ROOT / "README.md",
        *ROOT.glob("clika_client/**/*.py"),
        *ROOT.glob("providers/**/*.py"),
    ]
    assert not [path for path in texts if "clika-client[" in path.read_text("utf-8")]
