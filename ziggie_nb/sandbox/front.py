"""What stands between the socket and moto: who may come in, the control calls, the corrections."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.core.config import default_user_config
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Request, Response

from ziggie_nb.sandbox import (
    bedrock,
    budgets,
    cloudwatch,
    cost_explorer,
    desk,
    ec2,
    ec2_launch_templates,
    ec2_market,
    ec2_spot,
    iam,
    lambda_,
    s3,
    schedule,
    secrets_manager,
    service_quotas,
    ssm,
    sts,
)
from ziggie_nb.sandbox.cloudfront import CloudFront
from ziggie_nb.sandbox.state import ACCOUNT_ID

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Importing them puts the corrections into moto; see `corrections.corrects`.
CORRECTIONS = (
    budgets,
    cloudwatch,
    cost_explorer,
    ec2,
    ec2_launch_templates,
    ec2_market,
    ec2_spot,
    iam,
    lambda_,
    s3,
    secrets_manager,
    service_quotas,
    ssm,
    sts,
)

_SEED = 75
_SOMEBODY_ELSE = "999999999999"

# Of moto's own control pages only those that plant answers. data.json shows every secret's value to
# whoever asks, the recorder writes files, the proxy and the configuration can let calls out of here.
_ALLOWED_MOTO_API = ("/moto-api/static/", "/moto-api/state-manager/", "/moto-api/seed")


class _QuietHandler(MotoRequestHandler):
    """Writes no line per request: the log is for tracebacks, and a query string may hold a signature."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def listen(host: str, application: Front) -> BaseWSGIServer:
    """Bind a threaded server to a free port of `host`; it answers once `serve_forever` runs."""
    return make_server(host, 0, application, threaded=True, request_handler=_QuietHandler)


@dataclass
class Front:
    """The sandbox's WSGI application.

    Args:
        directory: the state directory, by which a client knows that this is its sandbox.
        taken_buckets: names of buckets that belong to somebody else.
        touch: notes a use; False when the server is already going.
        end: asks the server to end.
    """

    directory: Path
    taken_buckets: tuple[str, ...]
    touch: Callable[[], bool]
    end: Callable[[], None]
    _cloudfront: CloudFront = field(default_factory=CloudFront, init=False)
    _moto: DomainDispatcherApplication = field(init=False)
    _since: str = field(init=False)

    def __post_init__(self) -> None:
        """Begin empty; never run a function in a container.

        IAM is touched once, so that what it reads only once draws its ids before the first seed.
        """
        default_user_config["lambda"] = {"use_docker": False}
        _ = iam_backends[ACCOUNT_ID]["aws"]
        self.reset()

    def reset(self) -> None:
        """Empty everything and seed the ids: the same calls get the same ids after every reset.

        Moto's dispatcher is made anew as well, because a service's first use draws random numbers.
        """
        # Otherwise moto rebuilds IAM with all of AWS's policies only to throw it away: 0.2 s.
        iam_backends.clear()
        moto_api_backend.reset()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._cloudfront = CloudFront()
        desk.clear(self.directory)
        for name in self.taken_buckets:
            s3_backends[_SOMEBODY_ELSE]["aws"].create_bucket(name, "us-east-1")
        mock_random.seed(_SEED)
        self._since = datetime.now(UTC).replace(microsecond=0).isoformat()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        request = Request(environ)
        response = _refusal(request) or self._control(request) or self._cloudfront.answer(request)
        response = response or bedrock.answer(request)
        return (response or self._moto)(environ, start_response)

    def _control(self, request: Request) -> Response | None:
        """Answer what is addressed to the sandbox itself; None for everything that is AWS."""
        if (request.method, request.path) == ("GET", "/ziggie/status") and not _signed(request):
            facts = {"directory": str(self.directory), "pid": os.getpid(), "account": ACCOUNT_ID}
            return self._json({**facts, "since": self._since})
        if not self.touch():
            return _refuse("This sandbox is just stopping. Ask for a new one.", status=503)
        if _signed(request):
            return None
        if (request.method, request.path) == ("POST", "/moto-api/reset"):
            self.reset()
            return self._json({"status": "ok"})
        if request.path.startswith("/ziggie/"):
            return self._told(request)
        return None

    def _told(self, request: Request) -> Response:
        """Do what a control call asks for."""
        match (request.method, request.path):
            case ("POST", "/ziggie/alive"):
                pass
            case ("POST", "/ziggie/reset"):
                self.reset()
            case ("POST", "/ziggie/stop"):
                self.end()
            case ("POST", "/ziggie/tick"):
                return self._json({"called": schedule.tick(request.host_url, request.args.get("now"))})
            case _:
                return _refuse("No such control call.", status=404)
        return self._json({"status": "ok"})

    @staticmethod
    def _json(content: dict[str, Any]) -> Response:
        return Response(json.dumps(content), mimetype="application/json")


def _refusal(request: Request) -> Response | None:
    """Refuse what a web page in somebody's browser could send, and moto's indiscreet pages.

    A page can reach any port of this machine. It cannot forge the Host header (so a name that was
    rebound to 127.0.0.1 shows), cannot hide that it is a page, and cannot sign a request.
    """
    if request.environ.get("HTTP_HOST") not in {
        f"{name}:{request.environ['SERVER_PORT']}" for name in ("127.0.0.1", "localhost")
    }:
        return _refuse("The sandbox answers to 127.0.0.1 and localhost only.")
    control = request.path.lstrip("/").startswith(("moto-api", "ziggie/"))
    if _from_a_web_page(request) and (control or not _signed(request)):
        return _refuse("The sandbox takes no orders from web pages.")
    if request.path == "/moto-api/reset" or not request.path.lstrip("/").startswith("moto-api"):
        return None
    return (
        None
        if request.path.startswith(_ALLOWED_MOTO_API)
        else _refuse("The sandbox does not show this page.")
    )


def _from_a_web_page(request: Request) -> bool:
    """Tell a browser's marks: it adds them to whatever a page sends, and no page can take them off."""
    return "Origin" in request.headers or request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}


def _signed(request: Request) -> bool:
    """Tell a signed request, a presigned link, or a browser's question whether CORS allows one."""
    presigned = any(name in request.args for name in ("X-Amz-Signature", "Signature"))
    return "Authorization" in request.headers or presigned or request.method == "OPTIONS"


def _refuse(sentence: str, status: int = 403) -> Response:
    """Refuse in words."""
    return Response(sentence + "\n", status=status, mimetype="text/plain")
