"""The applications' access key."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb import private_files
from ziggie_nb.core import Resource, State
from ziggie_nb.resources.iam.settling import settled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ziggie_nb.aws import Aws
    from ziggie_nb.resources.iam.principals import User


@dataclass(frozen=True, kw_only=True)
class AccessKey(Resource):
    """An access key of the user, made only on request and written to a private file only.

    Attributes:
        user: whose key it is.
        file: where the key is written, in the format of ``~/.aws/credentials``; never overwritten.
    """

    user: User
    file: Path

    kind: ClassVar[str] = "Access key"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:CreateAccessKey",
        "iam:DeleteAccessKey",
        "iam:ListAccessKeys",
    )
    reversible: ClassVar[str] = "yes; whoever uses the key is then locked out"

    @property
    def owner(self) -> User:
        """The user."""
        return self.user

    def desired(self, aws: Aws) -> State:
        """Return that there is an active one."""
        del aws
        return {"active": True}

    def read(self, aws: Aws) -> State | None:
        """Return whether one is active; None when there is none at all. Never its value."""
        found = self.user.keys(aws)
        return {"active": any(key["Status"] == "Active" for key in found)} if found else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Make a key and write it to the private file; neither is left behind without the other."""
        if live == want:
            return
        iam = aws.client("iam")
        with _reserved(self.file):  # before the key exists, so that a full disk leaves no orphan
            key = settled(lambda: iam.create_access_key(UserName=self.user.name))["AccessKey"]
            try:
                private_files.write(self.file, self._profile(key, aws.region))
            except BaseException:
                self.user.delete_key(aws, key["AccessKeyId"])
                raise

    def _profile(self, key: Any, region: str) -> str:
        return (
            f"[{self.user.name}]\naws_access_key_id = {key['AccessKeyId']}\n"
            f"aws_secret_access_key = {key['SecretAccessKey']}\nregion = {region}\n"
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Delete the user's keys; the private file stays where it is."""
        del live
        self.user.delete_keys(aws)


@contextmanager
def _reserved(file: Path) -> Iterator[None]:
    """Hold an empty private file for what follows, and take it away again when that fails."""
    private_files.reserve(file)
    try:
        yield
    except BaseException:
        file.unlink(missing_ok=True)
        raise
