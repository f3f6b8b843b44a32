"""The key pair for SSH: made here, so that AWS never sees its private half."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ziggie_nb import private_files
from ziggie_nb.core import KNOWN_AFTER_APPLY, Resource, State
from ziggie_nb.errors import RunbookError
from ziggie_nb.project import ROOT
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless
from ziggie_nb.sandbox import DIRECTORY_VARIABLE

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place
    from ziggie_nb.settings import Environment

GONE = "InvalidKeyPair.NotFound"


@dataclass(frozen=True, kw_only=True)
class KeyPair(Resource):
    """An ED25519 key pair of which AWS holds the public half.

    The private half lies in a file that is never overwritten and never shown. Where AWS has the pair and
    this desk has no file, the file is on another desk: the pair is kept as it is.

    Attributes:
        file: where the private half lies, in OpenSSH's format.
    """

    file: Path = field(compare=False)  # two desks that plan the same account have the same plan

    kind: ClassVar[str] = "Key pair"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:CreateTags",
        "ec2:DeleteKeyPair",
        "ec2:DescribeKeyPairs",
        "ec2:ImportKeyPair",
    )
    reversible: ClassVar[str] = "yes; running instances keep the public half they were launched with"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (f"arn:aws:ec2:{place.region}:{place.account_id}:key-pair/{self.name}",)

    def desired(self, aws: Aws) -> State:
        """Return the fingerprint of the private half where it is here; elsewhere whatever AWS has."""
        live = self.read(aws)
        if live is None:
            return {"fingerprint": KNOWN_AFTER_APPLY}
        return {"fingerprint": own_fingerprint(self.file) or live["fingerprint"]}

    def read(self, aws: Aws) -> State | None:
        """Return the fingerprint and the tags."""

        def look() -> Any | None:
            return unless(lambda: aws.client("ec2").describe_key_pairs(KeyNames=[self.name]), GONE)

        found = aws.look(f"ec2:key-pair:{self.name}", look)
        if found is None:
            return None
        pair = found["KeyPairs"][0]
        return {
            "fingerprint": unpadded(pair["KeyFingerprint"]),
            "tags": tags_as_dict(pair.get("Tags", [])),
        }

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Import the public half, made here if need be; a pair that is not this desk's is replaced."""
        ec2 = aws.client("ec2")
        if live is not None and live["fingerprint"] == want["fingerprint"]:
            if changed := new_tags(want["tags"], live["tags"]):
                ec2.create_tags(Resources=[self._id(aws)], Tags=tags_as_pairs(changed))
            return
        if not is_here(self.file):
            make(self.file)
        material = public_half(self.file)
        if live is not None:
            ec2.delete_key_pair(KeyName=self.name)
        tags: list[Any] = [{"ResourceType": "key-pair", "Tags": tags_as_pairs(want["tags"])}]
        ec2.import_key_pair(KeyName=self.name, PublicKeyMaterial=material, TagSpecifications=tags)

    def _id(self, aws: Aws) -> str:
        return str(aws.client("ec2").describe_key_pairs(KeyNames=[self.name])["KeyPairs"][0]["KeyPairId"])

    def delete(self, aws: Aws, live: State) -> None:
        """Delete AWS's half; the private file stays where it is."""
        del live
        aws.client("ec2").delete_key_pair(KeyName=self.name)  # AWS does not mind when there is none


def own_fingerprint(file: Path) -> str | None:
    """Return the fingerprint of the key in a file; None when there is none that can be read."""
    try:
        return fingerprint(public_half(file)) if is_here(file) else None
    except RunbookError:
        return None


def is_here(file: Path) -> bool:
    """Tell whether this desk has a private half; an empty file is what a broken-off run has reserved."""
    return file.is_file() and file.stat().st_size > 0


def make(file: Path) -> None:
    """Make a key and write its private half to the file, readable by its owner alone.

    Raises:
        RunbookError: the file cannot be made.
    """
    if not file.is_file():
        private_files.reserve(file)
    text = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    private_files.write(file, text.decode())


def public_half(file: Path) -> bytes:
    """Return the public half of the key in a file, as ``~/.ssh/authorized_keys`` has it.

    Raises:
        RunbookError: the file holds no ED25519 key without a passphrase. Nothing of it is repeated.
    """
    try:
        key = serialization.load_ssh_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise RunbookError(
            f"{in_words(file)} holds no ED25519 private key that can be read without a passphrase. Move it "
            "away, or name another file in gpu_spot.private_key_file."
        )
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)


def fingerprint(public: bytes) -> str:
    """Return a public key's fingerprint as EC2 shows it for ED25519, and ``ssh-keygen -l`` too: SHA-256.

    EC2 may end it with "=", ssh-keygen does not; here it never is.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html
    """
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return unpadded(base64.b64encode(digest).decode())


def unpadded(text: str) -> str:
    """Return a fingerprint without the padding that EC2 may append."""
    return text.rstrip("=")


def private_key_file(environment: Environment) -> Path:
    """Return where the private half lies: as the parameters say, in the home folder, or in the sandbox's."""
    own = Path(os.environ.get(DIRECTORY_VARIABLE) or ROOT / ".sandbox")
    folder = own if environment.is_sandbox else Path.home() / ".ziggie"
    default = folder / f"{environment.name}-{environment.gpu_spot.key_pair}.pem"
    return environment.gpu_spot.private_key_file or default


def in_words(file: Path, *, sandboxed: bool = False) -> str:
    """Name a file so that it reads the same on every desk."""
    if sandboxed:
        return f"{file.name} in the sandbox's own folder"
    for folder, name in ((ROOT, "."), (Path.home(), "~")):
        if file.is_relative_to(folder):
            return f"{name}/{file.relative_to(folder).as_posix()}"
    return str(file)
