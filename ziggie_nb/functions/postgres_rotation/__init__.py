"""Rotation of a PostgreSQL login that alternates between two users, in four steps.

As a Lambda function its handler is ``postgres_rotation.handler.handler``; from a server of one's own the
same steps are run by :mod:`ziggie_nb.rotation`. It needs boto3 and pg8000 (with what that needs: scramp,
asn1crypto, python-dateutil) and nothing else of the runbook.

How it works, and where it ends:

- The application's user ``app`` gets a second, ``app_clone``. Each rotation gives a new password to the one
  that is *not* in use, tries it, and makes it the current one. So nobody is ever locked out; an old password
  stops working with the rotation *after* the one that replaced it, when its user's turn comes again. To end a
  leaked password at once, rotate twice. Open connections stay open.
- The second user is a member of the first and every session of it starts as the first (``SET role``), with
  the first's own settings (``search_path`` …). So rights, ownership of new tables and row-level security are
  the first user's, whoever logs in. ``session_user`` and ``pg_stat_activity`` show who logged in.
- What is not taken over: REPLICATION, connection limit and expiry, which PostgreSQL ties to who logs in. A
  line of ``pg_hba.conf`` that names the user must name the group ``+app`` to let both in. A client that names
  no database gets one called after its user: name it, in the secret (``dbname``) and in the client.
- The second name is six bytes longer, and PostgreSQL's names end at 63: the first may have 57.
- PostgreSQL 10 or newer: passwords reach the server only as SCRAM-SHA-256 verifiers, made here.

AWS's own function for this, whose contract and order of steps it keeps:
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotation-strategy.html#rotating-secrets-two-users
"""

PERMISSIONS = (
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
)
"""IAM actions the rotation needs on the secret it rotates."""

ADMIN_PERMISSIONS = ("secretsmanager:GetSecretValue",)
"""IAM actions it needs on the admin secret."""

KMS_PERMISSIONS = ("kms:Decrypt", "kms:GenerateDataKey")
"""IAM actions it needs on a KMS key of one's own, where the secrets are encrypted with one."""
