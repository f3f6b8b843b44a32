"""Parameters: what is accepted, where it comes from, and the sentence for everything that is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papermill.cli import _resolve_type as papermill_cast
from papermill.iorw import read_yaml_file as papermill_file
from pydantic import ValidationError
from ruamel.yaml import YAML

from ziggie_nb import project, settings
from ziggie_nb.errors import UsageError
from ziggie_nb.settings import ENVIRONMENT, SECTIONS, aws_values, loading
from ziggie_nb.settings.schema import Gate6, fields

MINIMUM = 'account_id: "123456789012"\nregion: eu-north-1\n'

# The rules, as the sentences have them.
TEXT_NOT_NUMBER = (
    "must be text. Put it in quotes (papermill: -r passes text as typed, -p turns 22e3 into 22000.0)."
)
TEXT_NOT_BOOLEAN = (
    "must be text. Put it in quotes (papermill: -r passes text as typed, "
    "-p and -y may turn on, off, yes, no, True or False into true or false)."
)
NAME = (
    "an environment's name is its file's, and names folders: "
    "it takes letters, digits, dots, hyphens and underscores only. Rename the file."
)
ACCOUNT = "must be an AWS account id, twelve digits in quotes."
ZEROS = (
    f'{ACCOUNT} Unquoted numbers lose their leading zeros: did you mean "{{}}"? '
    "With papermill, -r passes text as typed."
)
REGION = "must be a region of AWS's standard partition."
ENDPOINT = "must be the address of an endpoint such as http://127.0.0.1:5000."
BUCKET = (
    "must be an S3 bucket name: 3 to 63 lower-case letters, digits and hyphens, "
    "with a letter or digit at both ends."
)
NO_DOTS = "must have no dots, because S3's TLS certificate does not cover names with dots."
PREFIX = 'must be a prefix of object keys such as "game-assets/": no slash in front, one at the end.'
ORIGIN = 'must be an origin such as "https://ziggie.cloud" or "http://localhost:*": scheme and host, no path.'
NOT_LOCAL = "a production environment lets no page of somebody's own machine in. Take it out."
OUTSIDE = "it lies in none of the bucket's prefixes (game-assets/, generated/, backups/)."
ARCHIVED = 'the CDN serves "generated/" (cdn_prefixes) and cannot read what is archived.'
PRICE_CLASS = "must be one of PriceClass_100, PriceClass_200, PriceClass_All."
WORLD = "must not be open to the world. Name the addresses that need it, such as 82.25.112.73/32."
NETWORK = "must be a network in CIDR form such as 82.25.112.73/32."
HOST_BITS = "must be the network itself, with no bits set behind its mask."
EMAIL = "must be an e-mail address such as name@ziggie.cloud."
SCHEDULE = "must be a schedule such as rate(5 minutes), rate(1 hour) or cron(0 18 ? * MON-FRI *)."
SIX_FIELDS = "a cron schedule has six fields (minutes, hours, day of month, month, day of week, year)."
ONE_DAY = 'exactly one of day of month and day of week must be "?".'
POLICY = "must be an ARN such as arn:aws:iam::123456789012:policy/NAME"
IMAGE = (
    "must be an image id (ami- and 17 characters out of 0-9 and a-f) "
    "or the path of an SSM parameter that holds one (/aws/service/…)."
)
IAM_NAME = "must be an IAM name: 1 to 64 characters out of letters, digits and _+=,.@-."
GROUP = 'must not begin with "sg-", which is how EC2 begins its ids.'
SECRET_NAME = "must not end with a hyphen and six letters or digits. Add a seventh or take one away."
PRIVATE = "must be a path from the root or from your home (~/…), so that it never lands in this checkout."
MINUTES = "must be a whole number of minutes from 5 to 1440"
AGE = "must be a whole number of days from 0 to 36500."
RECOVERY = "must be a whole number of days from 7 to 30."
ARCHIVE = "must be a whole number of days from 90 to 730."
PRICE = "must be a number of dollars from 0.001 to 100."
BOOLEAN = "must be true or false."
LIST = "must be a list (papermill: -p with commas between the items)."


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write an environment's file, ``studio.yaml`` in the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        path = Path("studio.yaml")
        path.write_text(text, encoding="utf-8")
        return path

    return write


def value_of(parameter: str, value: object) -> object:
    """Give a value in the parameters cell of a production environment and return it as accepted."""
    section, name = parameter.split(".")
    return getattr(settings.load("prod", {section: {name: value}}).section(section), name)


def refusal_of(parameter: str, value: object) -> str:
    """Give an invalid value there and return the sentence behind the parameter's name."""
    section, name = parameter.split(".")
    with pytest.raises(UsageError) as caught:
        settings.load("prod", {section: {name: value}})
    beginning = f"parameters cell: {parameter.removeprefix('environment.')} "
    assert str(caught.value).startswith(beginning)
    return str(caught.value).removeprefix(beginning)


# Files


@pytest.mark.parametrize("name", settings.names())
def test_every_environment_of_the_project_lists_every_parameter(name: str) -> None:
    """Nobody has to read the schema to find a parameter."""
    written = YAML(typ="safe", pure=True).load(project.PARAMETERS / f"{name}.yaml")
    environment = settings.load(name)
    assert environment.name == name
    for section in SECTIONS:
        assert list(written.pop(section)) == list(fields(section))
    assert set(written) == set(fields(ENVIRONMENT))


def test_prod_holds_the_defaults_and_the_plans_account() -> None:
    """The defaults are the plan's values, so that a file that leaves something out means the same."""
    prod = settings.load("prod")
    assert (prod.account_id, prod.region, prod.production) == ("785186659442", "eu-north-1", True)
    for section in SECTIONS:
        for parameter in settings.parameters(section):
            assert getattr(prod.section(section), parameter.name) == parameter.default, parameter.name


def test_the_sandbox_differs_from_prod_only_where_it_must() -> None:
    """What is tried out on the sandbox is what will be built."""
    sandbox, prod = settings.load(), settings.load("prod")
    different = {
        f"{section}.{name}"
        for section in (ENVIRONMENT, *SECTIONS)
        for name in fields(section)
        if getattr(sandbox.section(section), name) != getattr(prod.section(section), name)
    }
    assert different == {
        "environment.account_id",
        "environment.production",
        "account.gate_6",
        "s3_assets.cors_origins",
        "secrets.env_file",
    }
    assert sandbox.is_sandbox
    assert not prod.is_sandbox


def test_an_environment_may_lie_anywhere(studio: Callable[[str], Path]) -> None:
    """A path works as well as a name; what the file leaves out has its default."""
    environment = settings.load(str(studio(MINIMUM + "iam: {user: renderer}\n")))
    assert (environment.name, environment.iam.user) == ("studio", "renderer")
    assert environment.iam.lambda_role == "ziggie-lambda"
    assert not environment.is_sandbox


def test_a_section_with_everything_commented_out_has_its_defaults(studio: Callable[[str], Path]) -> None:
    """A heading without anything below it is not a mistake."""
    assert settings.load(studio(MINIMUM + "iam:\n  # user: renderer\n")).iam.user == "ziggie"


def test_notepads_byte_order_mark_is_no_obstacle(studio: Callable[[str], Path]) -> None:
    """Windows editors put one in front."""
    assert settings.load(studio("\ufeff" + MINIMUM)).region == "eu-north-1"


@pytest.mark.parametrize("path", ["somewhere/sandbox.yaml", "SANDBOX.yml", Path("sandbox.yaml")])
def test_no_file_passes_for_the_sandbox(path: str | Path) -> None:
    """What is called sandbox never leaves this machine, so nobody else may be called that."""
    with pytest.raises(UsageError) as caught:
        settings.load(path)
    assert str(caught.value) == (
        f'{path}: the name "sandbox" belongs to the embedded sandbox alone. '
        "Rename the file, or give the name sandbox without a path."
    )


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ("prd", 'There is no environment "prd". Did you mean "prod"?'),
        ("xyz", 'There is no environment "xyz". Known: prod, sandbox.'),
        ("Sandbox", 'There is no environment "Sandbox". Did you mean "sandbox"?'),
        (7, "The environment is the number 7, but must be text: a name or a path."),
        ("nowhere/x.yaml", "nowhere/x.yaml: cannot be read (No such file or directory)."),
        (
            "my studio.yaml",
            f"my studio.yaml: {NAME}",
        ),
    ],
)
def test_an_environment_that_is_not_there_is_refused(environment: str, sentence: str) -> None:
    """With the nearest one that is."""
    with pytest.raises(UsageError) as caught:
        settings.load(environment)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty. It needs at least account_id and region."),
        ("# nothing yet\n", "is empty. It needs at least account_id and region."),
        ("- region", "holds a list, but must hold names and values, such as region: eu-north-1."),
        ("region", 'holds "region", but must hold names and values, such as region: eu-north-1.'),
        (
            MINIMUM + "region: eu-west-1\n",
            "region stands twice, on line 2 and on line 3. Take one of them out.",
        ),
        (
            MINIMUM + "iam:\n  user: one\n  user: two\n",
            "user stands twice, on line 4 and on line 5. Take one of them out.",
        ),
        (MINIMUM + "1: a\n0x1: b\n", "two names are the same number. Take one of them out."),
        (
            MINIMUM + "iam: [user\n",
            "is not valid YAML: line 4, column 1: expected ',' or ']', but got '<stream end>'.",
        ),
        (
            MINIMUM + "iam:\n\tuser: one\n",
            "is not valid YAML: line 4, column 1: found character '\\t' that cannot start any token.",
        ),
        (MINIMUM + "---\n" + MINIMUM, "is not valid YAML: line 3, column 1: but found another document."),
        (MINIMUM + "iam: 2025-13-45\n", "is not valid YAML: month must be in 1..12."),
        (
            "\0",
            "is not valid YAML: unacceptable character #x0000: special characters are not allowed.",
        ),
        (MINIMUM + "iam: ziggie\n", 'iam is "ziggie", but must hold the section\'s names and values.'),
        ("region: eu-north-1\n", "account_id is missing, and has no default."),
        (MINIMUM + "regiom: x\n", 'regiom is not a parameter. Did you mean "region"?'),
        (MINIMUM + "s3_asset: {}\n", 's3_asset is not a parameter. Did you mean "s3_assets"?'),
        (
            MINIMUM + "s3_assets: {buckett: x}\n",
            's3_assets.buckett is not a parameter. Did you mean "bucket"?',
        ),
        (
            MINIMUM + "iam: {bucket: x}\n",
            "iam.bucket is not a parameter. It belongs in the section s3_assets.",
        ),
        (MINIMUM + "iam: {region: x}\n", "iam.region is not a parameter. It belongs above all sections."),
        (MINIMUM + "name: studio\n", 'name is not a parameter. Did you mean "iam"?'),
        (MINIMUM + "account: {1: x}\n", "account.the number 1 is not a parameter. Known: gate_6."),
        (
            MINIMUM + "account: {gate_6: passed}\n",
            'account.gate_6 is "passed", but must be a mapping of passed_by and passed_on, or null.',
        ),
        (
            MINIMUM + "account: {gate_6: {passed_by: me}}\n",
            "account.gate_6.passed_on is missing, and has no default.",
        ),
        (
            MINIMUM + "account: {gate_6: {passed_by: me, passed_on: 2025-12-24, passed: x}}\n",
            'account.gate_6.passed is not a parameter. Did you mean "passed_on"?',
        ),
        (
            MINIMUM + "iam: {user: }\n",
            "iam.user is empty, but must be text. Leave the name out altogether for its default.",
        ),
        (
            MINIMUM + "secrets: {rotation_days: }\n",
            "secrets.rotation_days is empty, but must be a whole number of days from 1 to 1000.",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_one_sentence(
    studio: Callable[[str], Path], text: str, sentence: str
) -> None:
    """Whatever is wrong is said with the file's name, and never by pydantic or the YAML parser."""
    with pytest.raises(UsageError) as caught:
        settings.load(studio(text))
    assert str(caught.value) == f"studio.yaml: {sentence}"


def test_a_file_in_another_encoding_is_refused(studio: Callable[[str], Path]) -> None:
    """PowerShell's redirection writes UTF-16."""
    path = studio("")
    path.write_bytes(MINIMUM.encode("utf-16"))
    with pytest.raises(UsageError, match=r"^studio\.yaml: is not UTF-8 text\. Save it as UTF-8\.$"):
        settings.load(path)


def test_several_mistakes_are_all_named_each_on_its_own_line(studio: Callable[[str], Path]) -> None:
    """Nobody corrects a file one run at a time."""
    path = studio("account_id: 12\nregion: eu-nort-1\niam: {usr: x}\n")
    with pytest.raises(UsageError) as caught:
        settings.load(path, {"bedrok": {"model": "x"}, "gpu_spot": {"ssh_port": 0}})
    port = "must be a whole number from 1 to 65535. The nearest valid value is 1."
    assert str(caught.value).splitlines() == [
        'parameters cell: "bedrok" is not a section of the parameters. Did you mean "bedrock"?',
        f"studio.yaml: account_id is the number 12, but {ZEROS.format('000000000012')}",
        f'studio.yaml: region is "eu-nort-1", but {REGION} Did you mean "eu-north-1"?',
        'studio.yaml: iam.usr is not a parameter. Did you mean "user"?',
        f"parameters cell: gpu_spot.ssh_port is the number 0, but {port}",
    ]


@given(st.text())
def test_any_text_whatever_is_an_environment_or_a_sentence(text: str) -> None:
    """No file brings anything but a UsageError about."""
    try:
        loading.parse(text, "x.yaml")
    except UsageError as error:
        sentence = str(error)
    else:
        return
    assert sentence.startswith("x.yaml: ")
    assert "\n" not in sentence


# Values


@pytest.mark.parametrize(
    ("parameter", "value", "rule"),
    [
        ("environment.account_id", "7851-8665-9442", f'{ACCOUNT} Did you mean "785186659442"?'),
        ("environment.account_id", "78518665944", ACCOUNT),
        ("environment.region", "EU-North-1a", f'{REGION} Did you mean "eu-north-1"?'),
        ("environment.region", "Stockholm", REGION),
        ("environment.endpoint_url", "localhost:5000", ENDPOINT),
        ("environment.endpoint_url", "http://x:99999", ENDPOINT),
        ("environment.endpoint_url", "http://me@x", "must hold no user name or password."),
        ("s3_assets.bucket", "Ziggie Assets", f'{BUCKET} Did you mean "ziggie-assets"?'),
        ("s3_assets.bucket", "-ziggie", f'{BUCKET} Did you mean "ziggie"?'),
        ("s3_assets.bucket", "zi", BUCKET),
        ("s3_assets.bucket", "z" * 64, f'{BUCKET} Did you mean "{"z" * 63}"?'),
        ("s3_assets.bucket", "192.168.0.1", f'{NO_DOTS} Did you mean "192-168-0-1"?'),
        (
            "s3_assets.bucket",
            "ziggie-an",
            "a name that ends with -an belongs to the account and must end with -785186659442-eu-north-1-an.",
        ),
        ("s3_assets.archive_prefix", "generated/", ARCHIVED),
        ("s3_assets.archive_prefix", "generated/old/", ARCHIVED),
        ("s3_assets.cdn_price_class", "priceclass_10", f'{PRICE_CLASS} Did you mean "PriceClass_100"?'),
        ("s3_assets.cdn_price_class", "cheap", PRICE_CLASS),
        (
            "cost_monitoring.alert_email",
            "Ops <ops@ziggie.cloud>",
            f'{EMAIL} Did you mean "ops@ziggie.cloud"?',
        ),
        ("cost_monitoring.alert_email", "ops@ziggie,cloud", f'{EMAIL} Did you mean "ops@ziggie.cloud"?'),
        ("cost_monitoring.alert_email", "ops@ziggie", EMAIL),
        ("cost_monitoring.alert_email", "o" * 65 + "@ziggie.cloud", EMAIL),
        ("gpu_auto_shutdown.schedule", "rate(5 minute)", f'{SCHEDULE} Did you mean "rate(5 minutes)"?'),
        ("gpu_auto_shutdown.schedule", "rate(1 minutes)", f'{SCHEDULE} Did you mean "rate(1 minute)"?'),
        ("gpu_auto_shutdown.schedule", "every 2 h", f'{SCHEDULE} Did you mean "rate(2 hours)"?'),
        ("gpu_auto_shutdown.schedule", "soon", SCHEDULE),
        (
            "gpu_auto_shutdown.schedule",
            "cron(*/5 * * * *)",
            f'{SIX_FIELDS} Did you mean "cron(*/5 * * * ? *)"?',
        ),
        ("gpu_auto_shutdown.schedule", "cron(0 18 * * 1)", SIX_FIELDS),
        (
            "gpu_auto_shutdown.schedule",
            "cron(0 18 * * FRI *)",
            f'{ONE_DAY} Did you mean "cron(0 18 ? * FRI *)"?',
        ),
        ("gpu_auto_shutdown.schedule", "cron(0 18 ? * ? *)", ONE_DAY),
        ("gpu_auto_shutdown.schedule", "cron(0 24 * * ? *)", '"24" cannot be the hours of a cron schedule.'),
        (
            "gpu_auto_shutdown.schedule",
            "cron(0 1 ?,1 * ? *)",
            '"?,1" cannot be the day of month of a cron schedule.',
        ),
        (
            "gpu_auto_shutdown.schedule",
            "cron(0/0 1 * * ? *)",
            '"0/0" cannot be the minutes of a cron schedule.',
        ),
        ("iam.permissions_boundary_arn", "ziggie", f"{POLICY}."),
        (
            "iam.permissions_boundary_arn",
            "arn:aws-cn:iam::785186659442:policy/x",
            f'{POLICY}, and "aws-cn" is not its partition.',
        ),
        ("iam.permissions_boundary_arn", "arn:aws:s3:::ziggie", f'{POLICY}, and "s3" is not its service.'),
        (
            "iam.permissions_boundary_arn",
            "arn:aws:iam:eu-north-1:785186659442:policy/x",
            f'{POLICY}, and "eu-north-1" is not its region.',
        ),
        (
            "iam.permissions_boundary_arn",
            "arn:aws:iam::785186659442:role/x",
            f'{POLICY}, and "role/x" is not its resource.',
        ),
        (
            "iam.permissions_boundary_arn",
            "arn:aws:iam::123456789012:policy/x",
            "must be a policy of AWS or of this environment's account, 785186659442.",
        ),
        (
            "secrets.kms_key_arn",
            "arn:aws:kms:eu-west-1:785186659442:alias/ziggie",
            "must be a key of this environment's region, eu-north-1.",
        ),
        ("iam.user", "ziggie user", f'{IAM_NAME} Did you mean "ziggie-user"?'),
        ("gpu_spot.security_group", "sg-ziggie", f'{GROUP} Did you mean "ziggie"?'),
        ("secrets.postgres", "ziggie/db-abc123", SECRET_NAME),
        ("gpu_spot.image", "AMI-0123456789ABCDEF1", f'{IMAGE} Did you mean "ami-0123456789abcdef1"?'),
        ("gpu_spot.image", "ami-comfyui", IMAGE),
        (
            "gpu_spot.instance_type",
            "G4DN.xlrage",
            'must be an EC2 instance type such as g4dn.xlarge. Did you mean "g4dn.xlarge"?',
        ),
        ("iam.access_key_file", "key.csv", PRIVATE),
        ("iam.create_access_key", "maybe", BOOLEAN),
        (
            "gpu_auto_shutdown.idle_minutes",
            "15",
            f"{MINUTES}, not text. Write 15 without quotes (papermill: -p, not -r).",
        ),
        ("gpu_auto_shutdown.idle_minutes", "a quarter", f"{MINUTES}."),
    ],
)
def test_invalid_text_is_refused_in_one_sentence(parameter: str, value: str, rule: str) -> None:
    """What it is, what it must be, and the nearest valid value where there is one."""
    assert refusal_of(parameter, value) == f'is "{value}", but {rule}'


@pytest.mark.parametrize(
    ("parameter", "value", "rule"),
    [
        ("s3_assets.prefixes", "game-assets", f'{PREFIX} Did you mean "game-assets/"?'),
        ("s3_assets.prefixes", "/a//b/", f'{PREFIX} Did you mean "a/b/"?'),
        ("s3_assets.prefixes", "../", PREFIX),
        ("s3_assets.cors_origins", "https://ziggie.cloud/", f'{ORIGIN} Did you mean "https://ziggie.cloud"?'),
        ("s3_assets.cors_origins", "ziggie.cloud", f'{ORIGIN} Did you mean "https://ziggie.cloud"?'),
        ("s3_assets.cors_origins", "*", ORIGIN),
        ("s3_assets.cors_origins", "https://*.ziggie.cloud:*", ORIGIN),
        ("gpu_spot.source_cidrs", "0.0.0.0/0", WORLD),
        ("iam.source_cidrs", "::/0", WORLD),
        (
            "gpu_spot.source_cidrs",
            "128.0.0.0/1",
            "must not be wider than /8. Name the addresses that need it.",
        ),
        ("gpu_spot.source_cidrs", "2000::/3", "must not be wider than /32. Name the addresses that need it."),
        ("gpu_spot.source_cidrs", "82.25.112.73", f'{NETWORK} Did you mean "82.25.112.73/32"?'),
        ("gpu_spot.source_cidrs", "82.25.112.73/24", f'{HOST_BITS} Did you mean "82.25.112.0/24"?'),
        ("gpu_spot.source_cidrs", "82.25.112.273/32", NETWORK),
    ],
)
def test_an_invalid_item_of_a_list_is_refused_by_its_position(parameter: str, value: str, rule: str) -> None:
    """Items count from 1, as people do."""
    assert refusal_of(parameter, [value]) == f'(item 1) is "{value}", but {rule}'
    assert refusal_of(parameter, value) == f'(item 1) is "{value}", but {rule}'


@pytest.mark.parametrize(
    ("parameter", "value", "sentence"),
    [
        ("environment.account_id", True, f"is true, but {TEXT_NOT_BOOLEAN}"),
        ("s3_assets.bucket", ["ziggie"], "is a list, but must be text."),
        (
            "s3_assets.bucket",
            date(2025, 12, 24),
            "is the date 2025-12-24, but must be text. Put it in quotes.",
        ),
        ("s3_assets.prefixes", 5, f"is the number 5, but {LIST}"),
        ("s3_assets.prefixes", ["a/", "a/"], 'has "a/" twice. Take one of them out.'),
        (
            "s3_assets.cdn_prefixes",
            ["films/"],
            f'has "films/", but {OUTSIDE}',
        ),
        ("s3_assets.cors_origins", ["http://localhost:*"], f'has "http://localhost:*", but {NOT_LOCAL}'),
        ("s3_assets.cors_origins", ["http://127.0.0.1:80"], f'has "http://127.0.0.1:80", but {NOT_LOCAL}'),
        ("gpu_auto_shutdown.idle_minutes", 15.0, f"is the number 15.0, but {MINUTES}. Write 15."),
        ("gpu_auto_shutdown.idle_minutes", 7.5, f"is the number 7.5, but {MINUTES}."),
        ("gpu_auto_shutdown.idle_minutes", True, f"is true, but {MINUTES}."),
        ("secrets.recovery_window_days", 3, f"is the number 3, but {RECOVERY} The nearest valid value is 7."),
        (
            "s3_assets.archive_after_days",
            731,
            f"is the number 731, but {ARCHIVE} The nearest valid value is 730.",
        ),
        (
            "gpu_spot.maximum_price_usd_per_hour",
            0,
            f"is the number 0, but {PRICE} The nearest valid value is 0.001.",
        ),
        ("gpu_spot.maximum_price_usd_per_hour", float("inf"), f"is the number inf, but {PRICE}"),
        ("iam.create_access_key", 0, f"is the number 0, but {BOOLEAN} Did you mean false?"),
    ],
)
def test_a_value_of_another_type_or_out_of_range_is_refused(
    parameter: str, value: object, sentence: str
) -> None:
    """Numbers for text, text for numbers, a time of day, a list: nothing is silently converted."""
    assert refusal_of(parameter, value) == sentence


@pytest.mark.parametrize("reserved", ["xn--", "sthree-", "amzn-s3-demo-"])
def test_a_bucket_name_with_a_reserved_beginning_is_refused(reserved: str) -> None:
    """S3 keeps them for itself."""
    rule = f'must not begin with "{reserved}", which S3 reserves. Did you mean "ziggie"?'
    assert refusal_of("s3_assets.bucket", f"{reserved}ziggie") == f'is "{reserved}ziggie", but {rule}'


@pytest.mark.parametrize("reserved", ["-s3alias", "--ol-s3", "--x-s3", "--table-s3"])
def test_a_bucket_name_with_a_reserved_ending_is_refused(reserved: str) -> None:
    """S3 keeps them for aliases and other kinds of buckets."""
    rule = f'must not end with "{reserved}", which S3 reserves. Did you mean "ziggie"?'
    assert refusal_of("s3_assets.bucket", f"ziggie{reserved}") == f'is "ziggie{reserved}", but {rule}'


KMS_KEY = "arn:aws:kms:eu-north-1:785186659442:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SSM_PARAMETER = "/aws/service/deeplearning/ami/x86_64/latest/ami-id"
REGIONAL_BUCKET = "ziggie-785186659442-eu-north-1-an"
GATE_6 = {"passed_by": "Ada", "passed_on": "2025-12-24"}


@pytest.mark.parametrize(
    ("parameter", "value", "accepted"),
    [
        ("environment.account_id", 123456789012, "123456789012"),
        ("environment.endpoint_url", "https://aws.studio:4566/", "https://aws.studio:4566/"),
        ("account.gate_6", GATE_6, Gate6(passed_by="Ada", passed_on=date(2025, 12, 24))),
        ("iam.create_access_key", "Yes", True),
        ("iam.access_key_file", "~/key.csv", Path.home() / "key.csv"),
        ("s3_assets.bucket", REGIONAL_BUCKET, REGIONAL_BUCKET),
        ("s3_assets.cors_origins", "https://a.b, https://*.c.d:8443", ("https://a.b", "https://*.c.d:8443")),
        ("s3_assets.archive_after_days", 90, 90),
        ("secrets.kms_key_arn", "alias/ziggie", "alias/ziggie"),
        ("secrets.kms_key_arn", KMS_KEY, KMS_KEY),
        ("gpu_auto_shutdown.schedule", "rate(1 hour)", "rate(1 hour)"),
        (
            "gpu_auto_shutdown.schedule",
            "cron(0/15 8-17 ? JAN,6 MON-FRI 2026/2)",
            "cron(0/15 8-17 ? JAN,6 MON-FRI 2026/2)",
        ),
        ("gpu_auto_shutdown.schedule", "cron(0 18 LW * ? *)", "cron(0 18 LW * ? *)"),
        ("gpu_auto_shutdown.schedule", "cron(0 18 ? * FRI#2 *)", "cron(0 18 ? * FRI#2 *)"),
        ("gpu_spot.image", SSM_PARAMETER, SSM_PARAMETER),
        ("gpu_spot.source_cidrs", "", ()),
        ("gpu_spot.source_cidrs", ["10.0.0.0/8", "2001:db8::/32"], ("10.0.0.0/8", "2001:db8::/32")),
        ("gpu_spot.instance_type", "g5.metal-24xl", "g5.metal-24xl"),
        ("gpu_spot.maximum_price_usd_per_hour", 1, 1.0),
        ("integration.mcp_file", "other/.mcp.json", Path("other/.mcp.json")),
    ],
)
def test_a_valid_value_is_accepted_in_its_proper_form(
    parameter: str, value: object, accepted: object
) -> None:
    """Numbers for account ids, comma-separated lists, words for true and false, text for dates."""
    assert value_of(parameter, value) == accepted


@pytest.mark.parametrize("secret", ["sk-ant-REDACTED", "AKIAIOSFODNN7EXAMPLE", "http://me:hunter2@x"])
def test_a_secret_given_as_a_parameter_is_refused_and_not_repeated(secret: str) -> None:
    """A notebook that papermill wrote holds each parameter twice, and messages are sent around."""
    for parameter in ("secrets.openai", "environment.endpoint_url", "iam.source_cidrs"):
        sentence = refusal_of(parameter, secret)
        assert sentence.removeprefix("(item 1) ") == (
            "is a value that looks like a secret, but parameters carry names only. "
            "Take it out of here and have its owner revoke it."
        )


def test_a_long_value_is_shortened_in_messages() -> None:
    """A pasted page does not bury the sentence."""
    assert refusal_of("s3_assets.bucket", "A" * 5000).startswith(f'is "{"A" * 80}…", but must be')


@given(st.text(alphabet=st.sampled_from("abz09-._ AX/"), max_size=70))
def test_every_accepted_bucket_name_obeys_the_rules_of_s3(name: str) -> None:
    """Checked against the rules as S3 words them, not against our own pattern; so is every name we offer."""
    try:
        accepted = str(aws_values.BUCKET_NAME.accept(name))
    except ValueError as error:
        offered = re.search(r'Did you mean "(.*)"\?$', str(error))
        if offered is None:
            return
        accepted = offered[1]
    assert 3 <= len(accepted) <= 63
    assert set(accepted) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert accepted[0].isalnum()
    assert accepted[-1].isalnum()
    assert not accepted.startswith(("xn--", "sthree-", "amzn-s3-demo-"))
    assert not accepted.endswith(("-s3alias", "--ol-s3", "--x-s3", "--table-s3"))


@given(st.ip_addresses(), st.integers(0, 128))
def test_every_accepted_network_is_one_and_not_half_the_world(address: object, mask: int) -> None:
    """Whatever address and mask: accepted means no host bits and no wider than /8 or /32."""
    text = f"{address}/{mask}"
    try:
        aws_values.CIDR.accept(text)
    except ValueError:
        return
    network = ip_network(text)
    assert network.prefixlen >= {4: 8, 6: 32}[network.version]


@given(st.integers(0, 2000), st.sampled_from(["minute", "hour", "day"]), st.booleans())
def test_a_rate_is_accepted_with_the_unit_that_its_number_takes(count: int, unit: str, plural: bool) -> None:  # noqa: FBT001
    """EventBridge wants "1 minute" and "5 minutes"; the other is offered, never accepted."""
    right = f"rate({max(count, 1)} {unit}{'' if count <= 1 else 's'})"
    given_text = f"rate({count} {unit}{'s' if plural else ''})"
    if given_text == right:
        assert aws_values.SCHEDULE.accept(given_text) == right
    else:
        with pytest.raises(ValueError, match=re.escape(f'Did you mean "{right}"?')):
            aws_values.SCHEDULE.accept(given_text)


# papermill


@pytest.mark.parametrize(
    ("parameter", "typed", "sentence"),
    [
        (
            "environment.account_id",
            "012345678901",
            f"is the number 12345678901, but {ZEROS.format('012345678901')}",
        ),
        ("environment.account_id", "nan", f"is the number nan, but {TEXT_NOT_NUMBER}"),
        ("s3_assets.bucket", "22e3", f"is the number 22000.0, but {TEXT_NOT_NUMBER}"),
        ("s3_assets.bucket", "nan", f"is the number nan, but {TEXT_NOT_NUMBER}"),
        ("s3_assets.bucket", "True", f"is true, but {TEXT_NOT_BOOLEAN}"),
        ("s3_assets.glacier_after_days", "22e3", f"is the number 22000.0, but {AGE} Write 22000."),
        ("s3_assets.glacier_after_days", "nan", f"is the number nan, but {AGE}"),
        ("s3_assets.glacier_after_days", "True", f"is true, but {AGE}"),
        ("s3_assets.glacier_after_days", "off", f'is "off", but {AGE}'),
        ("gpu_spot.maximum_price_usd_per_hour", "nan", f"is the number nan, but {PRICE}"),
        ("gpu_spot.source_cidrs", "1e3", f"is the number 1000.0, but {LIST}"),
        ("bedrock.enabled", "1", f"is the number 1, but {BOOLEAN} Did you mean true?"),
    ],
)
def test_what_papermills_p_bends_is_refused(parameter: str, typed: str, sentence: str) -> None:
    """The value goes through papermill's own cast, so that a change of it is noticed here."""
    assert refusal_of(parameter, papermill_cast(typed)) == sentence


@pytest.mark.parametrize(
    ("parameter", "typed", "accepted"),
    [
        ("environment.account_id", "123456789012", "123456789012"),
        ("bedrock.enabled", "off", False),
        ("bedrock.enabled", "False", False),
        ("bedrock.enabled", "true", True),
        ("s3_assets.bucket", "off", "off"),
        ("s3_assets.bucket", "None", "ziggie-assets-prod"),
        ("s3_assets.glacier_after_days", "30", 30),
        ("gpu_spot.maximum_price_usd_per_hour", "25e-2", 0.25),
        ("gpu_spot.source_cidrs", "10.1.0.0/16,10.2.0.0/16", ("10.1.0.0/16", "10.2.0.0/16")),
    ],
)
def test_what_papermills_p_leaves_as_it_was_is_accepted(parameter: str, typed: str, accepted: object) -> None:
    """So that the usual command lines just work."""
    assert value_of(parameter, papermill_cast(typed)) == accepted


def test_papermills_r_and_files_bring_the_text_that_p_would_bend(tmp_path: Path) -> None:
    """What the messages advise works: -r as typed, -y and -f with quotes; a bare off there is false."""
    path = tmp_path / "parameters.yaml"
    path.write_text('quoted: "off"\nbare: off\n', encoding="utf-8")
    values = papermill_file(str(path))
    assert value_of("iam.user", "22e3") == "22e3"
    assert value_of("iam.user", values["quoted"]) == "off"
    assert refusal_of("iam.user", values["bare"]) == f"is false, but {TEXT_NOT_BOOLEAN}"
    assert value_of("bedrock.enabled", values["bare"]) is False


# Environments


def test_a_cell_wins_over_the_file_and_none_means_as_the_environment_has_it() -> None:
    """A notebook's parameters cell lists everything as None, and changes nothing by that."""
    environment = settings.load("prod", {"s3_assets": {"bucket": "ziggie-trial", "glacier_after_days": None}})
    assert environment.s3_assets.bucket == "ziggie-trial"
    assert environment.s3_assets.glacier_after_days == 90


def test_every_value_tells_where_it_comes_from(studio: Callable[[str], Path]) -> None:
    """A file, the cell or the default."""
    path = studio(MINIMUM + "iam: {user: one, gpu_role: two}\n")
    environment = settings.load(path, {"iam": {"user": "three"}})
    where = settings.sources(environment)
    assert where["iam"]["user"] == environment.source_of("iam", "user") == "parameters cell"
    assert where["iam"]["gpu_role"] == "studio.yaml"
    assert where["iam"]["lambda_role"] == "default"
    assert where[ENVIRONMENT]["region"] == "studio.yaml"
    assert settings.load("prod").source_of("s3_assets", "bucket") == "parameters/prod.yaml"
    assert set(where) == {ENVIRONMENT, *SECTIONS}


def test_a_whole_section_cannot_be_given_as_one_value() -> None:
    """Its parameters are given by name."""
    with pytest.raises(UsageError) as caught:
        settings.load("prod", {ENVIRONMENT: {"iam": {"user": "x"}}})
    assert (
        str(caught.value)
        == "parameters cell: iam is a section, not a parameter. Give its parameters by name."
    )


def test_unknown_names_are_refused_wherever_they_are_asked_for() -> None:
    """With the nearest known one."""
    environment = settings.load()
    asked: list[Callable[[], object]] = [
        lambda: environment.section("s3_asset"),
        lambda: environment.placeholders(["s3_asset"]),
        lambda: settings.parameters("s3_asset"),
    ]
    for ask in asked:
        with pytest.raises(UsageError) as caught:
            ask()
        assert str(caught.value) == '"s3_asset" is not a section of the parameters. Did you mean "s3_assets"?'
    with pytest.raises(UsageError, match=r's3_assets\.buckett is not a parameter\. Did you mean "bucket"\?'):
        environment.source_of("s3_assets", "buckett")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("account_id", "785186659442", 'is "785186659442", but must be "123456789012"'),
        ("endpoint_url", "http://127.0.0.1:5000", 'is "http://127.0.0.1:5000", but must be null'),
        ("production", True, "is true, but must be false"),
    ],
)
def test_the_sandbox_stays_the_sandbox(name: str, value: object, sentence: str) -> None:
    """No parameter leads it to another account or off this machine."""
    with pytest.raises(UsageError) as caught:
        settings.load("sandbox", {ENVIRONMENT: {name: value}})
    ending = "in the sandbox, which never leaves this machine. Make another environment for this."
    assert f"parameters cell: {name} {sentence} {ending}" in str(caught.value).splitlines()


def test_placeholders_load_and_are_listed_by_section() -> None:
    """The plan's own stand-ins are no errors; whoever applies outside the sandbox refuses them."""
    prod = settings.load("prod")
    names = [(placeholder.section, placeholder.name) for placeholder in prod.placeholders()]
    assert names == [("account", "gate_6"), ("gpu_spot", "image"), ("cost_monitoring", "alert_email")]
    assert [placeholder.name for placeholder in prod.placeholders(["gpu_spot", "iam"])] == ["image"]
    assert prod.placeholders(["iam"]) == []
    assert prod.placeholders([]) == []


def test_a_placeholder_that_was_replaced_is_none_any_more() -> None:
    """Each goes away with a value of the owner's."""
    environment = settings.load(
        "prod",
        {
            "account": {"gate_6": GATE_6},
            "gpu_spot": {"image": "ami-0fedcba9876543210"},
            "cost_monitoring": {"alert_email": "ops@ziggie.cloud"},
        },
    )
    assert environment.placeholders() == []


def test_no_environment_can_be_changed_once_it_is_loaded() -> None:
    """What was planned is what is applied."""
    environment = settings.load()
    with pytest.raises(ValidationError):
        environment.s3_assets.bucket = "another"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        environment.region = "eu-west-1"  # type: ignore[misc]


def test_an_environment_is_plain_json_for_digests_and_records() -> None:
    """Paths, dates and lists become text and lists; the name and the sources are not part of it."""
    dumped = settings.load("sandbox", {"iam": {"access_key_file": "/keys/ziggie"}}).model_dump(mode="json")
    assert dumped["account"]["gate_6"] == {"passed_by": "the sandbox", "passed_on": "2025-12-24"}
    assert dumped["iam"]["access_key_file"] == str(Path("/keys/ziggie"))
    assert dumped["s3_assets"]["cdn_prefixes"] == ["game-assets/", "generated/"]
    assert set(dumped) == {*fields(ENVIRONMENT), *SECTIONS}


@pytest.mark.parametrize("section", [ENVIRONMENT, *SECTIONS])
def test_every_parameter_is_described_in_plain_words(section: str) -> None:
    """``ziggie params show`` and the notebooks print these."""
    for parameter in settings.parameters(section):
        assert parameter.description
        assert parameter.type
        assert not parameter.description.endswith(".")
        assert parameter.required == (parameter.name in ("account_id", "region"))


def test_a_parameter_is_shown_with_its_type_and_default() -> None:
    """As a person reads about it."""
    shown = {parameter.name: parameter for parameter in settings.parameters("secrets")}
    assert shown["recovery_window_days"] == settings.Parameter(
        name="recovery_window_days",
        type="a whole number of days from 7 to 30",
        description="Days in which a deleted secret can be restored",
        default=30,
        required=False,
    )
    assert shown["kms_key_arn"].type == "the ARN of a KMS key, or a key's alias, or null"


@pytest.mark.parametrize("name", ["cors_origins", "cdn_prefixes"])
def test_a_list_that_needs_an_item_is_refused_when_it_is_empty(name: str) -> None:
    """CloudFront and S3 would refuse it half-way through an apply."""
    with pytest.raises(UsageError, match=f"s3_assets.{name} is .* must be a list with at least 1 item"):
        settings.load("sandbox", {"s3_assets": {name: []}})
