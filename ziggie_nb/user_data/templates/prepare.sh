#!/usr/bin/env bash
# Root's part of the installation, at every boot: does what is not done yet.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

packages=(ca-certificates curl git gnupg python3-venv)
if ! dpkg-query --show "${packages[@]}" >/dev/null 2>&1; then
    apt-get -o DPkg::Lock::Timeout=600 update
    apt-get -o DPkg::Lock::Timeout=600 install --yes --no-install-recommends "${packages[@]}"
fi

# AWS's deep-learning images have the AWS CLI; other images get it in a folder of its own.
if ! command -v aws >/dev/null; then
    python3 -m venv --clear /opt/ziggie/aws-cli
    /opt/ziggie/aws-cli/bin/pip install --quiet awscli==1.46.3
    ln -sf /opt/ziggie/aws-cli/bin/aws /usr/local/bin/aws
fi

mkdir -p "$COMFYUI_HOME"
chown comfyui: "$COMFYUI_HOME"
