"""The shell on services in memory: what is read, in how few calls, what is done, and what is told."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.functions.cases import DAY, HOUR, MINUTE, NOW
from tests.functions.fake_aws import refusal
from tests.functions.fleets import BUSY, GPU, IDLE, QUEUE, TOPIC, Fleet, decision_of
from ziggie_nb.functions.gpu_auto_shutdown import HANDLER, PERMISSIONS, TAG_KEYS, handler, metrics
from ziggie_nb.functions.gpu_auto_shutdown.settings import ConfigurationError, Settings

PATIENT = settings(deadline=None)  # two cores, and whatever else runs on them
DENIED = refusal("UnauthorizedOperation", "You are not authorized to perform this operation.")


@pytest.fixture
def fleet() -> Fleet:
    """An empty fleet."""
    return Fleet()


def test_an_idle_instance_is_announced_and_stopped_one_run_later(fleet: Fleet) -> None:
    """Tag and notice first; then the stop, its notice, and the tag is gone."""
    fleet.add("i-1")
    first = fleet.run()
    assert (first["announced"], fleet.ec2.state("i-1")) == (["i-1"], "running")
    assert fleet.ec2.tags("i-1")["idle-since"] == "2026-01-05T12:00:00Z"
    second = fleet.run()
    assert (second["stopped"], fleet.ec2.state("i-1")) == (["i-1"], "stopped")
    assert "idle-since" not in fleet.ec2.tags("i-1")
    assert len(fleet.sns.published) == 2


def test_work_after_the_announcement_takes_the_tag_away(fleet: Fleet) -> None:
    """And the next idleness is announced anew."""
    fleet.add("i-1")
    fleet.run()
    fleet.loads["i-1"] = BUSY
    assert fleet.run()["stopped"] == []
    assert "idle-since" not in fleet.ec2.tags("i-1")


def test_a_second_look_at_the_same_time_changes_nothing(fleet: Fleet) -> None:
    """A run that is repeated by Lambda's own retries neither stops nor tells again."""
    fleet.add("i-1")
    fleet.run()
    fleet.now = NOW
    assert fleet.run()["announced"] == []
    assert (len(fleet.sns.published), fleet.ec2.calls["CreateTags"]) == (1, 1)


def test_the_notice_says_what_when_how_much_and_how_to_prevent_it(fleet: Fleet) -> None:
    """In a few lines, with a command that works in bash and in PowerShell."""
    fleet.add("i-1", tags={"Name": "Ziggie-ComfyUI-Spot"})
    fleet.run()
    (mail,) = fleet.sns.published
    assert mail["TopicArn"] == TOPIC
    assert mail["Subject"] == "Ziggie GPU auto-shutdown: 1 will be ended"
    assert mail["Message"] == (
        "GPU instances of Ziggie in eu-north-1, checked at 2026-01-05T12:00:00Z.\n\n"
        "== Will be ended ==\n\n"
        "i-1 (Ziggie-ComfyUI-Spot): idle from 11:15 UTC to 12:00 UTC, 9 datapoints of each signal.\n"
        "  cpu at most 1 % (busy from 5 %)\n"
        "  network at most 200 B (busy from 100,000 B)\n"
        "At about 12:05 UTC it will be stopped, unless it has work again. That saves $0.500 an hour.\n"
        "To keep it on (until the time you write):\n"
        "aws ec2 create-tags --region eu-north-1 --resources i-1 "
        '--tags "Key=KeepUntil,Value=2026-01-05T16:00:00Z"'
    )


def test_an_unknown_price_stays_unknown(fleet: Fleet) -> None:
    """Never zero dollars, in the notice as in the result."""
    fleet.add("i-1")
    fleet.run(prices={})
    assert "What that saves is not known (no price for g4dn.xlarge)." in fleet.mail
    assert fleet.run(prices={})["saved_usd_per_hour"] is None


def test_nothing_new_is_no_notice(fleet: Fleet) -> None:
    """A busy fleet sends no mail every five minutes."""
    fleet.add("i-1", BUSY)
    assert fleet.run()["notice"] == {"sent": False, "error": None}
    assert fleet.sns.published == []


def test_an_empty_account_is_one_call(fleet: Fleet) -> None:
    """And an EMF line of zeros, so that the alarm on missing runs sees it."""
    result = fleet.run()
    assert (result["checked"], result["decisions"], dict(fleet.ec2.calls)) == (
        0,
        [],
        {"DescribeInstances": 1},
    )
    assert fleet.cloudwatch.calls == {}
    assert json.loads(fleet.log[-1])["Checked"] == 0


def test_only_tagged_instances_that_run_or_are_stopped_are_looked_at(fleet: Fleet) -> None:
    """Somebody else's GPU, the studio's web server and what is being terminated are none of ours."""
    fleet.add("i-theirs", tags={"Project": "Other"})
    fleet.add("i-web", tags={"Type": "Web"})
    fleet.add("i-going", state="shutting-down")
    fleet.add("i-ours")
    assert [one["instance"] for one in fleet.run()["decisions"]] == ["i-ours"]


def test_all_pages_of_instances_are_read(fleet: Fleet) -> None:
    """Five instances on pages of two are three calls and five decisions."""
    fleet.ec2.page = 2
    for number in range(5):
        fleet.add(f"i-{number}")
    assert fleet.run()["checked"] == 5
    assert fleet.ec2.calls["DescribeInstances"] == 3


def test_metrics_of_a_hundred_instances_are_one_call_of_500_queries(fleet: Fleet) -> None:
    """And of two hundred and one, three: never more than CloudWatch takes, never fewer than it could."""
    for number in range(201):
        fleet.add(f"i-{number}", BUSY)
    fleet.run()
    assert fleet.cloudwatch.queries == [500, 500, 5]


def test_all_pages_of_metrics_are_read(fleet: Fleet) -> None:
    """An answer that goes on by NextToken is not taken for silence."""
    fleet.cloudwatch.results_per_page = 2
    fleet.add("i-1", IDLE | {GPU: 90.0})
    fleet.add("i-2", IDLE | {QUEUE: 2.0})
    result = fleet.run()
    assert {one["cause"] for one in result["decisions"]} == {"busy"}
    assert fleet.cloudwatch.calls["GetMetricData"] == 5


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
def test_what_cloudwatch_did_not_answer_whole_is_no_idleness(fleet: Fleet, status: str) -> None:
    """The half that is missing may be the busy one."""
    fleet.add("i-1")
    fleet.cloudwatch.status["i-1", "CPUUtilization"] = status
    assert decision_of(fleet.run(), "i-1")["reason"] == f"cpu could not be read: CloudWatch says {status}"


def test_a_metric_left_out_of_the_answer_is_no_idleness(fleet: Fleet) -> None:
    """Not to be mentioned is not the same as to have no datapoints."""
    fleet.add("i-1")
    fleet.cloudwatch.left_out.add(GPU)
    assert decision_of(fleet.run(), "i-1")["cause"] == "incomplete"


def test_metrics_that_cannot_be_read_end_nobody(fleet: Fleet) -> None:
    """Throttled, denied, broken: every instance is left alone, and its reason says why."""
    fleet.add("i-1")
    fleet.cloudwatch.refuse["GetMetricData"] = refusal("Throttling", "Rate exceeded")
    assert "Throttling: Rate exceeded" in decision_of(fleet.run(), "i-1")["reason"]


def test_a_gpu_that_reported_hours_ago_keeps_a_quiet_instance_on(fleet: Fleet) -> None:
    """Its agent has died; CPU and network alone are no proof of idleness for such a box."""
    fleet.add("i-1")
    plain = fleet.cloudwatch.points
    fleet.cloudwatch.points = lambda metric, id_: (
        {NOW - 3 * HOUR: 50.0} if metric == GPU else plain(metric, id_)
    )
    assert decision_of(fleet.run(), "i-1")["reason"] == "gpu was reported earlier, but not lately"


def test_a_look_back_that_fails_ends_nobody(fleet: Fleet) -> None:
    """What is not known is not taken for the best."""
    fleet.add("i-1")
    asked = fleet.cloudwatch.get_metric_data

    def refuse_the_second(**arguments: object) -> dict[str, object]:
        if fleet.cloudwatch.calls["GetMetricData"]:
            raise DENIED
        return asked(**arguments)  # type: ignore[arg-type]

    fleet.cloudwatch.get_metric_data = refuse_the_second  # type: ignore[method-assign]
    assert decision_of(fleet.run(), "i-1")["reason"] == "what it reported earlier could not be read"


def test_one_bad_id_among_good_ones_holds_up_no_other(fleet: Fleet) -> None:
    """AWS refuses the whole batch for it; alone, the others are stopped, and the bad one is told."""
    for number in range(4):
        fleet.add(f"i-{number}")
    fleet.run()
    fleet.ec2.vanished = {"i-2"}
    result = fleet.run()
    assert result["stopped"] == ["i-0", "i-1", "i-3"]
    assert [one["instance"] for one in result["failed"]] == ["i-2"]
    assert "InvalidInstanceID.NotFound: The instance ID 'i-2' do not exist" in fleet.mail


def test_stops_that_fail_are_told_once_and_tried_at_every_run(fleet: Fleet) -> None:
    """With AWS's own words; not every five minutes, but again after a day."""
    fleet.add("i-1")
    fleet.run()
    fleet.ec2.refuse["StopInstances"] = DENIED
    assert fleet.run()["failed"] == [
        {
            "instance": "i-1",
            "action": "stop",
            "why": "UnauthorizedOperation: " + DENIED.response["Error"]["Message"],
        }
    ]
    assert "i-1 could not be stopped: UnauthorizedOperation" in fleet.mail
    tried = fleet.ec2.calls["StopInstances"]
    for _ in range(12):
        fleet.run()
    assert fleet.ec2.calls["StopInstances"] > tried
    assert len(fleet.sns.published) == 2
    fleet.now += DAY
    for _ in range(2):
        fleet.run()
    assert len(fleet.sns.published) > 2


def test_a_notice_that_fails_does_not_hide_the_stop(fleet: Fleet) -> None:
    """Both stand in the result, and the metric counts the notice as failed."""
    fleet.add("i-1")
    fleet.run()
    fleet.sns.refuse = refusal("NotFound", "Topic does not exist")
    result = fleet.run()
    assert (result["stopped"], fleet.ec2.state("i-1")) == (["i-1"], "stopped")
    assert result["notice"] == {"sent": False, "error": "NotFound: Topic does not exist"}
    assert json.loads(fleet.log[-1])["NoticeFailed"] == 1


def test_a_function_without_a_topic_says_so(fleet: Fleet) -> None:
    """It stops all the same."""
    fleet.add("i-1")
    assert fleet.run(topic="")["notice"]["error"] == "no topic to send it to: TOPIC_ARN is not set"
    assert fleet.run(topic="")["stopped"] == ["i-1"]


def test_an_announcement_without_its_tag_has_failed(fleet: Fleet) -> None:
    """Nobody would remember it, so the instance would never be stopped: that must be told."""
    fleet.add("i-1")
    fleet.ec2.refuse["CreateTags"] = DENIED
    result = fleet.run()
    assert (result["announced"], result["failed"][0]["action"]) == ([], "announce")
    assert "i-1 could not be marked: UnauthorizedOperation" in fleet.mail


def test_a_tag_that_cannot_be_removed_is_a_warning(fleet: Fleet) -> None:
    """The stop counts: a mark of an earlier life never makes anything happen sooner."""
    fleet.add("i-1")
    fleet.run()
    fleet.ec2.refuse["DeleteTags"] = DENIED
    result = fleet.run()
    assert (result["stopped"], len(result["warnings"])) == (["i-1"], 1)


def test_a_dry_run_changes_and_sends_nothing(fleet: Fleet) -> None:
    """It says what would be, and counts nothing as stopped or saved."""
    fleet.add("i-1")
    result = fleet.run(dry_run=True, delay_cycles=0)
    assert (result["dry_run"], result["stopped"]) == (True, ["i-1"])
    assert set(fleet.ec2.calls) == {"DescribeInstances"}
    assert fleet.sns.calls == {}
    line = json.loads(fleet.log[-1])
    assert (line["Stopped"], line["SavedUsdPerHour"]) == (0, 0)


def test_an_idle_one_time_spot_instance_is_reported_once(fleet: Fleet) -> None:
    """It cannot be stopped, and nobody agreed to terminate it; a mail every five minutes helps nobody."""
    fleet.add("i-1", spot="one-time")
    assert fleet.run()["reported"] == ["i-1"]
    assert "aws ec2 terminate-instances --region eu-north-1 --instance-ids i-1" in fleet.mail
    for _ in range(6):
        assert fleet.run()["reported"] == []
    assert (len(fleet.sns.published), fleet.ec2.calls["StopInstances"]) == (1, 0)


def test_a_one_time_spot_instance_is_terminated_where_that_is_agreed_to(fleet: Fleet) -> None:
    """Its request needs no cancelling: it ends with the instance."""
    fleet.add("i-1", spot="one-time")
    fleet.run(terminate_one_time_spot=True)
    assert fleet.run(terminate_one_time_spot=True)["terminated"] == ["i-1"]
    assert fleet.ec2.calls["CancelSpotInstanceRequests"] == 0


def test_a_persistent_spot_instance_is_stopped(fleet: Fleet) -> None:
    """As an on-demand one is."""
    fleet.add("i-1", spot="persistent")
    fleet.run()
    assert fleet.run()["stopped"] == ["i-1"]


def test_requests_of_spot_instances_are_read_only_for_what_may_be_ended(fleet: Fleet) -> None:
    """A busy fleet costs no call more for being Spot."""
    fleet.add("i-1", BUSY, spot="persistent")
    fleet.run()
    assert fleet.ec2.calls["DescribeSpotInstanceRequests"] == 0


def test_spot_requests_that_cannot_be_read_are_a_warning(fleet: Fleet) -> None:
    """The others are stopped, and what is not known is tried: AWS refuses it without harm."""
    fleet.add("i-1", spot="one-time")
    fleet.add("i-2")
    fleet.ec2.refuse["DescribeSpotInstanceRequests"] = DENIED
    assert "could not be read: UnauthorizedOperation" in fleet.run()["warnings"][0]
    result = fleet.run()
    assert (result["stopped"], [one["instance"] for one in result["failed"]]) == (["i-2"], ["i-1"])


def test_a_persistent_request_is_cancelled_before_its_instance_is_terminated(fleet: Fleet) -> None:
    """Or it would launch another one."""
    transition = "User initiated (2025-12-01 10:00:00 GMT)"
    fleet.add("i-1", spot="persistent", state="stopped", transition=transition, launched=NOW - 40 * DAY)
    fleet.run(terminate_stopped=True)
    assert fleet.run(terminate_stopped=True)["terminated"] == ["i-1"]
    done = [operation for operation, _ in fleet.ec2.sent if operation.startswith(("Cancel", "Terminate"))]
    assert done == ["CancelSpotInstanceRequests", "TerminateInstances"]


def test_an_instance_whose_request_stays_is_not_terminated(fleet: Fleet) -> None:
    """It would come back at once, on a fresh disk."""
    transition = "User initiated (2025-12-01 10:00:00 GMT)"
    fleet.add("i-1", spot="persistent", state="stopped", transition=transition, launched=NOW - 40 * DAY)
    fleet.run(terminate_stopped=True)
    fleet.ec2.refuse["CancelSpotInstanceRequests"] = DENIED
    result = fleet.run(terminate_stopped=True)
    assert result["failed"][0]["why"].startswith("its Spot request stays: UnauthorizedOperation")
    assert fleet.ec2.calls["TerminateInstances"] == 0


def test_what_is_stopped_costs_no_metrics(fleet: Fleet) -> None:
    """Nor does what is paused, or has just started."""
    fleet.add("i-1", state="stopped", transition="User initiated (2026-01-04 10:00:00 GMT)")
    fleet.add("i-2", tags={"KeepUntil": "2027-01-01"})
    fleet.add("i-3", launched=NOW - 5 * MINUTE)
    fleet.run()
    assert fleet.cloudwatch.calls == {}


def test_the_metric_line_is_cloudwatchs_embedded_format(fleet: Fleet) -> None:
    """One line of JSON, in which every metric it names stands, dollars an hour included."""
    fleet.add("i-1")
    fleet.add("i-2", BUSY)
    fleet.run()
    fleet.run()
    line = json.loads(fleet.log[-1])
    head = line.pop("_aws")
    (directive,) = head["CloudWatchMetrics"]
    assert head["Timestamp"] == (NOW + 5 * MINUTE).timestamp() * 1000
    assert (directive["Namespace"], directive["Dimensions"]) == ("Ziggie/GpuAutoShutdown", [[]])
    assert {one["Name"] for one in directive["Metrics"]} == set(line)
    assert line == {
        "Checked": 2,
        "Idle": 1,
        "Stopped": 1,
        "Terminated": 0,
        "Failed": 0,
        "NoticeFailed": 0,
        "SavedUsdPerHour": 0.5,
        "EndedWithoutPrice": 0,
    }


def test_the_result_is_json(fleet: Fleet) -> None:
    """Lambda makes JSON of what a handler returns, and fails the run when it cannot."""
    fleet.add("i-1")
    fleet.add("i-2", spot="one-time")
    fleet.add("i-3", tags={"KeepUntil": "someday"})
    result = fleet.run()
    assert json.loads(json.dumps(result)) == result
    assert decision_of(result, "i-1") == {
        "instance": "i-1",
        "name": "",
        "market": "on-demand",
        "action": "announce",
        "cause": "idle",
        "reason": "idle from 11:15 UTC to 12:00 UTC, 9 datapoints of each signal",
        "planned": "stop",
        "at": "2026-01-05T12:05:00Z",
        "measured": ["cpu at most 1 % (busy from 5 %)", "network at most 200 B (busy from 100,000 B)"],
    }


def test_instances_that_cannot_be_listed_fail_the_run(fleet: Fleet) -> None:
    """Nothing was looked at, so the alarm on errors must see it."""
    fleet.ec2.refuse["DescribeInstances"] = DENIED
    with pytest.raises(type(DENIED)):
        fleet.run()


@PATIENT
@given(
    kinds=st.lists(
        st.sampled_from(["idle", "busy", "gpu", "one-time", "silent", "kept", "marked"]), max_size=8
    ),
    batch=st.integers(1, 4),
    page=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_order_and_batching_never_change_a_decision(
    kinds: list[str], batch: int, page: int, seed: int
) -> None:
    """Whatever the order, the pages and the size of the batches."""

    def decisions(order: list[int]) -> dict[str, object]:
        fleet = Fleet()
        for number in order:
            kind = kinds[number]
            load = {"busy": BUSY, "gpu": IDLE | {GPU: 50.0}, "silent": {}}.get(kind, IDLE)
            tags = {"kept": {"KeepUntil": "2027-01-01"}, "marked": {"idle-since": "2026-01-05T11:55:00Z"}}
            spot = kind if kind == "one-time" else ""
            fleet.add(f"i-{number}", load, spot=spot, tags=tags.get(kind, {}))
        fleet.ec2.page = page
        return {one["instance"]: one for one in fleet.run()["decisions"]}

    straight = list(range(len(kinds)))
    mixed = random.Random(seed).sample(straight, len(straight))  # noqa: S311 - an order, not a secret
    expected = decisions(straight)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "INSTANCES_PER_CALL", batch)
        patch.setattr(metrics, "QUERIES_PER_CALL", batch * 5)
        assert decisions(mixed) == expected


def test_the_time_of_an_event_counts_only_where_the_environment_allows_it() -> None:
    """On AWS anybody who may invoke the function could otherwise move its clock."""
    event = {"now": "2026-01-05T12:00:00Z"}
    assert handler.time_of(event, Settings()) > NOW
    assert handler.time_of(event, Settings(allow_now=True)) == NOW
    with pytest.raises(ConfigurationError, match="The event's now is 'soon'"):
        handler.time_of({"now": "soon"}, Settings(allow_now=True))


def test_the_constants_name_what_is_there() -> None:
    """The handler by its dotted name in the zip, and every operation's IAM action."""
    module, _, function = HANDLER.rpartition(".")
    assert module == "gpu_auto_shutdown.handler"
    assert callable(getattr(handler, function))
    assert {"ec2:StopInstances", "cloudwatch:GetMetricData", "sns:Publish"} <= set(PERMISSIONS)
    assert set(TAG_KEYS) == {"idle-since", "ziggie:end-announced", "ziggie:reported"}
