"""The role that EC2 Spot itself works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import WaiterError
from botocore.waiter import WaiterModel, create_waiter_with_client

from ziggie_nb.core import Resource, State, ownership_tags
from ziggie_nb.errors import RunbookError
from ziggie_nb.resources.answers import tags_as_dict, tags_as_pairs, unless
from ziggie_nb.resources.iam.settling import GONE, settled

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place

# IAM only takes the request; what came of it must be asked, and botocore has no waiter for that.
DELETED = "ServiceLinkedRoleDeleted"
WAITERS = WaiterModel(
    {
        "version": 2,
        "waiters": {
            DELETED: {
                "operation": "GetServiceLinkedRoleDeletionStatus",
                "delay": 2,
                "maxAttempts": 30,
                "acceptors": [
                    {"matcher": "path", "argument": "Status", "expected": "SUCCEEDED", "state": "success"},
                    {"matcher": "path", "argument": "Status", "expected": "FAILED", "state": "failure"},
                ],
            }
        },
    }
)


@dataclass(frozen=True, kw_only=True)
class SpotServiceRole(Resource):
    """The service-linked role that EC2 Spot needs; the console makes it by itself, the API does not.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/service-linked-roles-spot-instance-requests.html
    """

    kind: ClassVar[str] = "Service-linked role"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:CreateServiceLinkedRole",
        "iam:DeleteServiceLinkedRole",
        "iam:GetRole",
        "iam:GetServiceLinkedRoleDeletionStatus",
        "iam:TagRole",
    )
    SERVICE: ClassVar[str] = "spot.amazonaws.com"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN, which AWS fixes."""
        return (f"arn:aws:iam::{place.account_id}:role/aws-service-role/{self.SERVICE}/{self.name}",)

    def desired(self, aws: Aws) -> State:
        """Return that it exists; AWS writes its documents, and whose it is does not matter."""
        del aws
        return {"service": self.SERVICE}

    def read(self, aws: Aws) -> State | None:
        """Return the service and the tags, which tell whether destroy may take it away."""
        found = unless(lambda: aws.client("iam").get_role(RoleName=self.name), GONE)
        if found is None:
            return None
        return {"service": self.SERVICE, "tags": tags_as_dict(found["Role"].get("Tags", []))}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, and tag it as ours; one that was there already is left as it is."""
        del want
        if live is not None:
            return
        iam = aws.client("iam")
        iam.create_service_linked_role(AWSServiceName=self.SERVICE)
        tags = tags_as_pairs(ownership_tags(None))
        settled(lambda: iam.tag_role(RoleName=self.name, Tags=tags))

    def delete(self, aws: Aws, live: State) -> None:
        """Ask AWS to delete it, and wait for what comes of that.

        Raises:
            RunbookError: AWS keeps it, because Spot instances need it still.
        """
        del live
        iam = aws.client("iam")
        asked = unless(lambda: iam.delete_service_linked_role(RoleName=self.name), GONE)
        if asked is None:
            return
        waiter = create_waiter_with_client(DELETED, WAITERS, iam)
        try:
            waiter.wait(DeletionTaskId=asked["DeletionTaskId"])
        except WaiterError as error:
            raise self._kept(error.last_response) from error

    def _kept(self, answer: Any) -> RunbookError:
        reason = answer.get("Reason", {}).get("Reason", "it is still busy with that")
        return RunbookError(
            f"AWS has not deleted the role {self.name}: {reason}. End the Spot instances and requests that "
            "use it, then start destroy again."
        )
