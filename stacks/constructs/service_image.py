"""The services' image, as an asset that is built and pushed by `cdk deploy`.

Its hash follows `runtime/` and the base alone: a commit that changes neither deploys no new image. The
revision that it was built from is a label, and no part of the hash.
"""

import subprocess
from pathlib import Path

from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs

from stacks.values import Environment

RUNTIME = Path(__file__).resolve().parents[2] / "runtime"


def service_image(environment: Environment, directory: Path = RUNTIME) -> ecs.ContainerImage:
    """The image for the environment's architecture, on its base when it names one."""
    arm = environment.architecture == "arm64"
    base = environment.base_image
    return ecs.ContainerImage.from_asset(
        str(directory),
        build_args={"REVISION": revision(), **({"BASE_IMAGE": base} if base else {})},
        extra_hash=base,
        invalidation=ecr_assets.DockerImageAssetInvalidationOptions(build_args=False),
        platform=ecr_assets.Platform.LINUX_ARM64 if arm else ecr_assets.Platform.LINUX_AMD64,
    )


def revision() -> str:
    """The commit that is synthesized; `unknown` outside a repository."""
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 -- git is found as the shell finds it
            cwd=RUNTIME,
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return asked.stdout.strip()
