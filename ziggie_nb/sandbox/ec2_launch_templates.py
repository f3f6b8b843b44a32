"""Launch templates corrected: their tags, and versions that are deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend, LaunchTemplateVersion
from moto.ec2.responses.launch_templates import LaunchTemplates

from ziggie_nb.sandbox.corrections import corrects

_DEFAULT = "launchTemplateVersionIsDefault"
_MISSING = "launchTemplateVersionDoesNotExist"

# Moto shows for ever the tags that a template was created with.
lacking: Any = LaunchTemplate
lacking.tags = property(lambda template: template.get_tags(), lambda _template, _tags: None)


@corrects(LaunchTemplate, "create_version")
def number_and_describe_a_version(
    _former: Callable[..., Any], template: Any, data: dict[str, Any], description: str
) -> LaunchTemplateVersion:
    """Moto counts versions, so that a deleted one's number comes back.

    It also puts the template's own tags among those of what is launched.
    """
    specifications = [
        each for each in data.get("TagSpecifications", []) if each["ResourceType"] != "launch-template"
    ]
    kept = {name: value for name, value in data.items() if name != "TagSpecifications"}
    if specifications:
        kept["TagSpecifications"] = specifications
    number = max((each.number for each in template.versions), default=0) + 1
    version = LaunchTemplateVersion(template, number, kept, description)
    template.versions.append(version)
    return version


@corrects(LaunchTemplate, "get_version")
def find_a_version_by_its_number(_former: Callable[..., Any], template: Any, num: Any) -> Any:
    """Moto finds versions by their place."""
    wanted = {"$latest": template.versions[-1].number, "$default": template.default_version_number}
    number = str(wanted.get(str(num).lower(), num))
    found = next((each for each in template.versions if str(each.number) == number), None)
    if found is None:
        raise InvalidLaunchTemplateVersionNotFound(template_id=template.id, version=number)
    return found


@corrects(LaunchTemplate, "default_version")
def find_the_default_version(_former: Callable[..., Any], template: Any) -> Any:
    """Moto finds it by its place."""
    return template.get_version("$Default")


@corrects(LaunchTemplateBackend, "delete_launch_template")
def say_that_a_template_is_not_there(
    former: Callable[..., Any], backend: Any, name: str, tid: str | None
) -> Any:
    """Moto says that a name is missing when it was given, and there is no template of that name."""
    if name:
        backend.get_launch_template_by_name(name)
    return former(backend, name, tid)


def delete_launch_template_versions(response: Any) -> ActionResult:
    """Delete versions, but the default one; moto cannot."""
    backend, name = response.ec2_backend, response._get_param("LaunchTemplateName")  # noqa: SLF001 - moto's way
    template = (
        backend.get_launch_template_by_name(name)
        if name
        else backend.get_launch_template(response._get_param("LaunchTemplateId"))  # noqa: SLF001
    )
    deleted, kept = [], []
    for number in map(int, response._get_param("Versions", [])):  # noqa: SLF001
        about = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionNumber": number,
        }
        try:
            _delete(template, number)
        except EC2ClientError as error:
            refusal = {"Code": error.code, "Message": error.message}
            kept.append({**about, "ResponseError": refusal})
        else:
            deleted.append(about)
    return ActionResult(
        {
            "SuccessfullyDeletedLaunchTemplateVersions": deleted,
            "UnsuccessfullyDeletedLaunchTemplateVersions": kept,
        }
    )


def _delete(template: Any, number: int) -> None:
    if number == template.default_version_number:
        raise EC2ClientError(_DEFAULT, "Cannot delete the default version of the launch template.")
    found = [each for each in template.versions if each.number == number]
    if not found:
        raise EC2ClientError(_MISSING, "The launch template version does not exist.")
    template.versions.remove(found[0])


answers: Any = LaunchTemplates
answers.delete_launch_template_versions = delete_launch_template_versions
