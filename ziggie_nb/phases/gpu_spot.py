"""Phase 06, 7.5.6: what a GPU instance is launched with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb import __version__
from ziggie_nb.gpu import daily
from ziggie_nb.phases.model import Phase
from ziggie_nb.preflight.gpu_spot import CHECKS
from ziggie_nb.resources import ec2
from ziggie_nb.user_data import user_data

if TYPE_CHECKING:
    from ziggie_nb.core import Resource
    from ziggie_nb.settings import Environment

LOOPBACK, EVERY_INTERFACE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - the security group lets nobody else in


def gpu_spot_resources(environment: Environment) -> tuple[Resource, ...]:
    """Return security group, key pair and the launch template that stands on both."""
    settings = environment.gpu_spot
    group = ec2.SecurityGroup(
        task="7.5.6.3",
        name=settings.security_group,
        description="Ziggie GPU instance security group",
        vpc_id=settings.vpc_id,
        ports={settings.ssh_port: "SSH", settings.comfyui_port: "ComfyUI"},
        source_cidrs=settings.source_cidrs,
    )
    key_pair = ec2.KeyPair(task="7.5.6.4", name=settings.key_pair, file=ec2.private_key_file(environment))
    return group, key_pair, _launch_template(environment, group, key_pair)


def _launch_template(
    environment: Environment, group: ec2.SecurityGroup, key_pair: ec2.KeyPair
) -> ec2.LaunchTemplate:
    settings = environment.gpu_spot
    return ec2.LaunchTemplate(
        task="7.5.6.1",
        name=settings.launch_template,
        group=group,
        key_pair=key_pair,
        instance_profile=environment.iam.gpu_role,
        instance_type=settings.instance_type,
        image=settings.image,
        volume_gb=settings.volume_gb,
        maximum_price=settings.maximum_price_usd_per_hour,
        spot_type=settings.spot_type,
        launch_tags=launch_tags(environment),
        user_data=user_data(
            bucket=environment.s3_assets.bucket,
            region=environment.region,
            comfyui_port=settings.comfyui_port,
            listen=EVERY_INTERFACE if settings.source_cidrs else LOOPBACK,
        ),
    )


def launch_tags(environment: Environment) -> dict[str, str]:
    """Return the tags of what a launch makes: the idle check and the policies go by them."""
    return {
        "Name": environment.gpu_spot.instance_name,
        "Project": "Ziggie",
        "Type": "GPU",
        "ZiggieOrigin": "runbook",
        "ZiggieRunbook": __version__,
    }


PHASE = Phase(
    id="06",
    task="7.5.6",
    title="EC2 Spot instances",
    notebook="06_gpu_spot",
    section="gpu_spot",
    # No GPU without what turns it off. Both proofs start instances too, which must not meet.
    needs=("05",),
    resources=gpu_spot_resources,
    checks=CHECKS,
    grants=daily.grants,
)
