"""The runbook without a person: papermill over the phases, a gate after each, and the run's files.

The starting process loads the parameters, passes the guard, makes the plan of all phases, and refuses
what must be refused before the first write. The notebooks then do the work, each in a kernel of its
own, side by side where phases do not need each other, and say in an event file how far they are.

``run`` is the run from its beginning to its files; ``scheduling`` says what may start when, ``executing``
carries out one notebook, ``saving`` keeps it on disk, ``resuming`` passes over what is in place, ``settling``
waits for AWS at the end.
"""

from __future__ import annotations

from ziggie_nb.runner.run import Options, Run, check_folder, run

__all__ = ["Options", "Run", "check_folder", "run"]
