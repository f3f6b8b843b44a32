"""The files of a run, written and searched for secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb import leaks

if TYPE_CHECKING:
    from ziggie_nb.records import RunFolder, RunRecord
    from ziggie_nb.runbook import Runbook


def write(record: RunRecord, folder: RunFolder, runbook: Runbook) -> None:
    """Write ``run.json``, ``junit.xml`` and ``report.html``; a secret in any file of the run fails it.

    What was found is blotted out, in the record too, which commands print and which the files are then made
    of again; the record says where it stood.
    """
    _write(record, folder)
    values = leaks.known(runbook.environment, runbook.aws.session)
    found = leaks.clean(folder.path, values)
    if found:
        leaks.blotted(record, values)
        record.fail_by_leaks(
            f"{leak.kind[0].upper()}{leak.kind[1:]} stood in {leak.file} of the run's folder. It has been "
            "removed there; rotate it if anybody else could read that file."
            for leak in found
        )
        _write(record, folder)


def _write(record: RunRecord, folder: RunFolder) -> None:
    from ziggie_nb import reports  # noqa: PLC0415 - pandas is needed now, and not before

    folder.write(record)
    reports.write_junit(record, folder.path / "junit.xml")
    reports.write_html(record, folder.path / "report.html")
