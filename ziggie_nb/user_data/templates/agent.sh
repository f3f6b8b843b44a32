#!/usr/bin/env bash
# Configures and starts the CloudWatch agent, at every boot; installs it where it is missing.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

# AWS documents the links and the key's fingerprint under "Verifying the signature of the CloudWatch agent".
install_agent() {
    local key=937616F3450B7D806CBD9725D58167303B789C72
    local regional="https://amazoncloudwatch-agent-$AWS_DEFAULT_REGION.s3.$AWS_DEFAULT_REGION.amazonaws.com"
    local package
    package="$regional/ubuntu/$(dpkg --print-architecture)/latest/amazon-cloudwatch-agent.deb"
    GNUPGHOME=$(mktemp -d)
    export GNUPGHOME
    trap 'rm -rf "$GNUPGHOME"' EXIT
    cd "$GNUPGHOME"
    curl --fail --silent --show-error --retry 5 --max-time 600 --remote-name-all "$package" "$package.sig" \
        https://amazoncloudwatch-agent.s3.amazonaws.com/assets/amazon-cloudwatch-agent.gpg
    gpg --batch --quiet --import amazon-cloudwatch-agent.gpg
    gpg --batch --status-fd 1 --verify amazon-cloudwatch-agent.deb.sig amazon-cloudwatch-agent.deb |
        grep "^\[GNUPG:\] VALIDSIG .*$key"
    apt-get -o DPkg::Lock::Timeout=600 install --yes "$GNUPGHOME/amazon-cloudwatch-agent.deb"
}

# It reads the journal since 1.300070.
installed=$(dpkg-query --show --showformat='${Version}' amazon-cloudwatch-agent 2>/dev/null || echo 0)
dpkg --compare-versions "$installed" ge 1.300070 || install_agent
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl \
    -a fetch-config -m ec2 -s -c file:/etc/ziggie/cloudwatch-agent.json
