"""Gathers the image's root file system: the interpreter, what it links to, the packages and the services.

    python rootfs.py BUILD ROOTFS       (BUILD holds `packages` and `runtime`)

Runs inside the build stage, with that stage's own interpreter, and needs nothing but the standard library.
What is left out is what no service imports (`_UNUSED`) and botocore's descriptions of the services that
`SERVICES` does not name: they are half of what would be shipped. Byte code is compiled here with hashes
instead of times, because the root is read-only when it runs. Every file gets SOURCE_DATE_EPOCH as its time.
"""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

SERVICES = frozenset({"dynamodb", "ecs", "events", "s3", "secretsmanager", "sqs", "sts"})
"""The AWS services that the runtime makes boto3 clients of; a test holds them to the code."""

APP_UID = 10_001

_UNUSED = (
    "__pycache__",
    "config-*",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "sitecustomize.py",
    "test",
    "tkinter",
    "turtledemo",
    "turtle.py",
)
# Loaded by name at run time, so that no binary's list of needed libraries has them.
_LOADED_BY_NAME = ("libgcc_s.so.1", "libz.so.1")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_RESOLVED = re.compile(r"(?:=> )?(/\S+) \(0x[0-9a-f]+\)")


def main(build: Path, root: Path) -> None:
    """Raises OSError or CalledProcessError: the build ends with what is missing."""
    _copy_interpreter(root)
    packages, app = root / "app" / "packages", root / "app" / "runtime"
    shutil.copytree(build / "packages", packages, ignore=shutil.ignore_patterns("bin", "__pycache__"))
    shutil.copytree(build / "runtime", app, ignore=shutil.ignore_patterns("image", "__pycache__"))
    _drop_unused_services(packages)
    _copy_libraries(root)
    _compile(root)
    _make_surroundings(root)
    _set_times(root, int(os.environ["SOURCE_DATE_EPOCH"]))


def _copy_interpreter(root: Path) -> None:
    executable = Path(sys.executable).resolve()
    _copy(executable, root)
    link = root / "usr/local/bin/python"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(executable)
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, root / library.relative_to("/"), ignore=shutil.ignore_patterns(*_UNUSED))
    _copy(_CERTIFICATES, root)


def _drop_unused_services(packages: Path) -> None:
    for data in (packages / "botocore" / "data", packages / "boto3" / "data"):
        for service in data.iterdir():
            if service.is_dir() and service.name not in SERVICES:
                shutil.rmtree(service)


def _copy_libraries(root: Path) -> None:
    """Every shared library that a binary in the root needs, at the place where the loader looks for it."""
    needed = {path for binary in list(_binaries(root)) for path in _needed_by(binary)}
    cache = _run("/sbin/ldconfig", "-p")
    for name in _LOADED_BY_NAME:
        needed |= {
            Path(found)
            for found in re.findall(rf"^\s+{re.escape(name)} .*=> (\S+)$", cache, re.MULTILINE)[:1]
        }
    for library in sorted(needed):
        _copy(library, root)
    for configuration in (Path("/etc/ld.so.conf"), *sorted(Path("/etc/ld.so.conf.d").glob("*.conf"))):
        _copy(configuration, root)
    # Interpreters built from source link to a library outside the loader's default places.
    _run("/sbin/ldconfig", "-r", str(root))
    (root / "var/cache/ldconfig/aux-cache").unlink(missing_ok=True)


def _binaries(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def _needed_by(binary: Path) -> Iterator[Path]:
    listed = _run("ldd", str(binary))
    if "not found" in listed:
        raise FileNotFoundError(f"{binary} needs a library that this base does not have:\n{listed}")
    for found in _RESOLVED.findall(listed):
        if not Path(found).is_relative_to("/rootfs"):  # a wheel's own library, beside the binary
            yield Path(found)


def _run(*command: str) -> str:
    """The output of a tool of the build stage; `ldd` fails for a static binary, which needs nothing."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 -- our own words
    return done.stdout


def _copy(source: Path, root: Path) -> None:
    """Copy a file, not a link to it, to the same place under `root`."""
    target = root / source.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=True)


def _compile(root: Path) -> None:
    """Byte code that is never compared with its source: nothing can change under a read-only root."""
    compileall.compile_dir(
        root,
        quiet=1,
        stripdir=str(root),
        prependdir="/",
        maxlevels=64,
        workers=0,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def _make_surroundings(root: Path) -> None:
    etc = root / "etc"
    (etc / "passwd").write_text(f"app:x:{APP_UID}:{APP_UID}::/app:/nonexistent\n")
    (etc / "group").write_text(f"app:x:{APP_UID}:\n")
    # Without it glibc asks DNS before /etc/hosts.
    (etc / "nsswitch.conf").write_text("hosts: files dns\n")
    for name in ("proc", "sys", "dev", "tmp"):
        (root / name).mkdir()
    (root / "tmp").chmod(0o1777)
    # A Fargate volume takes its owner from the image's directory of the same name.
    scratch = root / "scratch"
    scratch.mkdir()
    os.chown(scratch, APP_UID, APP_UID)


def _set_times(root: Path, epoch_s: int) -> None:
    for path in (root, *root.rglob("*")):
        os.utime(path, (epoch_s, epoch_s), follow_symlinks=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
