"""What the locks install, as a bill of materials, and whether any of it has a known vulnerability.

    python tools/audit.py [--auditor PYTHON] [--out FILE]

writes a CycloneDX document of every locked package with its hashes, then asks pip-audit, from an environment of its
own, about each lock. A known vulnerability ends with 1. Where the service cannot be reached, or knows nothing of a
package, that is said with its reason and is no failure: what cannot be asked is not known to be bad.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = tuple(ROOT / "requirements" / f"{name}.txt" for name in ("core", "local", "build", "dev", "teach", "atlas"))
_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_TIMEOUT_S = 300


def packages(lock: Path) -> dict[tuple[str, str], list[str]]:
    """(name, version) → SHA-256 of its files, of one lock."""
    found: dict[tuple[str, str], list[str]] = {}
    current: list[str] = []
    for line in lock.read_text("utf-8").splitlines():
        if match := _PACKAGE.match(line):
            current = found.setdefault((match[1].lower(), match[2]), [])
        current += _HASH.findall(line)
    return found


def bill() -> dict[str, Any]:
    """The bill of materials of all locks, CycloneDX 1.6."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    seen: dict[tuple[str, str], tuple[list[str], set[str]]] = {}
    for lock in LOCKS:
        for package, hashes in packages(lock).items():
            seen.setdefault(package, (hashes, set()))[1].add(lock.stem)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "library", "name": project["name"], "version": project["version"]}},
        "components": [
            {
                "type": "library",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/{name}@{version}",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in sorted(hashes)],
                "properties": [{"name": "lock", "value": lock} for lock in sorted(locks)],
            }
            for (name, version), (hashes, locks) in sorted(seen.items())
        ],
    }


def audit(auditor: str, lock: Path) -> tuple[list[str], str]:
    """(known vulnerabilities, what could not be asked) of one lock."""
    command = [auditor, "-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", str(lock), "-f", "json"]
    try:
        done = subprocess.run(
            [*command, "--progress-spinner", "off"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        found = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return [], f"the service did not answer within {_TIMEOUT_S} s"
    except (ValueError, KeyError, TypeError):
        return [], f"the service could not be asked: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
    bad = [
        f"{lock.name}: {package['name']} {package['version']}: {flaw['id']}"
        + (f", mended in {', '.join(flaw['fix_versions'])}" if flaw.get("fix_versions") else "")
        for package in found
        for flaw in package.get("vulns", [])
    ]
    unknown = [package["name"] for package in found if package.get("skip_reason")]
    if not unknown:
        return bad, ""
    first = next(package["skip_reason"] for package in found if package.get("skip_reason"))
    return bad, f"{len(unknown)} of {len(found)} packages could not be asked about ({first})"


def main() -> None:
    """Write the bill, ask about each lock."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--auditor", help="Python of an environment that has pip-audit; without it only the bill")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "sbom.cdx.json", help="where the bill goes")
    given = parser.parse_args()
    made = bill()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(f"{given.out}: {len(made['components'])} packages")
    if given.auditor is None:
        return
    flaws: list[str] = []
    for lock in LOCKS:
        bad, unknown = audit(given.auditor, lock)
        flaws += bad
        print(f"{lock.name}: {len(bad)} known vulnerabilities" + (f"; skipped: {unknown}" if unknown else ""))
    print("\n".join(flaws))
    sys.exit(1 if flaws else 0)


if __name__ == "__main__":
    main()
