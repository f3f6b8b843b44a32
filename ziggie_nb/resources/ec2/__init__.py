"""What a GPU instance is launched with (phase 7.5.6); a module for each kind of thing."""

from ziggie_nb.resources.ec2.key_pair import KeyPair, private_key_file
from ziggie_nb.resources.ec2.launch_template import LaunchTemplate
from ziggie_nb.resources.ec2.security_group import SecurityGroup

__all__ = ["KeyPair", "LaunchTemplate", "SecurityGroup", "private_key_file"]
