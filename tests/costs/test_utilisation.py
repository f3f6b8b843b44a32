"""How GPU instances were used: judged on made-up datapoints, read from recorded answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from tests.costs.examples import (
    BOX,
    CPU,
    GPU,
    NOON,
    NOW,
    PERIOD,
    REGION,
    ZONE,
    datapoints,
    machine,
    together,
    use_report,
    window,
)
from ziggie_nb.aws import ReadOnlyError
from ziggie_nb.costs import measured, utilisation, words
from ziggie_nb.costs.measured import HOUR, OF_THE_FUNCTION, Datapoints, Machine, Query, Window
from ziggie_nb.costs.price_list import PriceList
from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

FLAT = {(BOX, ZONE): [(NOON - timedelta(days=30), 0.2)]}
GET_METRIC_DATA = "cloudwatch:GetMetricData"


def judge(
    one: Machine,
    points: Datapoints,
    history: utilisation.History = FLAT,
    *,
    settings: Settings | None = None,
    days: int = 7,
) -> dict[str, Any]:
    """Judge one machine; return its row."""
    found = utilisation.judged(
        [one], points, history, PriceList(REGION), settings or Settings(), window(days)
    )
    row: dict[str, Any] = found["instances"][0]
    return row


def hours(row: dict[str, Any]) -> tuple[float, ...]:
    """Return hours on, busy, idle and not judged."""
    names = ("hours_on", "hours_busy", "hours_idle", "hours_unjudged")
    return tuple(round(row[name], 6) for name in names)


# --- Judging -----------------------------------------------------------------------------------------


def test_hours_on_are_those_with_a_datapoint_of_the_cpu() -> None:
    """Twelve periods of five minutes are an hour: here two busy ones, one idle, and a quarter not judged."""
    row = judge(machine(), datapoints(machine(), *[90.0] * 24, *[1.0] * 12, *[None] * 3))
    assert hours(row) == (3.25, 2.0, 1.0, 0.25)
    assert row["hours_from"] == "datapoints of CPUUtilization"


@pytest.mark.parametrize(("load", "kind"), [(4.99, "hours_idle"), (5.0, "hours_busy")])
def test_the_thresholds_are_the_functions_own(load: float, kind: str) -> None:
    """From the threshold on it is work."""
    assert judge(machine(), datapoints(machine(), *[load] * 12))[kind] == pytest.approx(1.0)


def test_one_signal_over_its_threshold_is_work() -> None:
    """A GPU that renders keeps the box busy, however quiet its CPU."""
    points = datapoints(machine(), *[1.0] * 12)
    points.series[Query(GPU, machine().id)] = dict.fromkeys(points.series[Query(CPU, machine().id)], 97.0)
    assert hours(judge(machine(), points)) == (1.0, 1.0, 0.0, 0.0)


def test_a_signal_that_was_seen_before_is_missed_later() -> None:
    """A period without it is not judged: the missing half may be the busy one."""
    points = datapoints(machine(), *[1.0] * 12)
    gpu = points.series[Query(GPU, machine().id)]
    for moment in list(gpu)[6:]:
        del gpu[moment]
    assert hours(judge(machine(), points)) == (1.0, 0.0, 0.5, 0.5)


def test_a_signal_that_never_came_is_only_missed_where_it_is_required() -> None:
    """As the function has it."""
    points = datapoints(machine(), *[1.0] * 12, gpu=False)
    assert hours(judge(machine(), points)) == (1.0, 0.0, 1.0, 0.0)
    strict = Settings(required=("cpu", "network", "gpu"))
    assert hours(judge(machine(), points, settings=strict)) == (1.0, 0.0, 0.0, 1.0)


def test_means_and_highest_are_over_what_was_reported() -> None:
    """Unknown where nothing was."""
    row = judge(machine(), datapoints(machine(), 10.0, 30.0))
    assert (row["cpu_average"], row["gpu_average"], row["gpu_maximum"]) == (20.0, 10.0, 30.0)
    row = judge(machine(), datapoints(machine(), 10.0, gpu=False))
    assert (row["gpu_average"], row["gpu_maximum"]) == (None, None)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"launched": NOON - timedelta(hours=3)}, 3.0),
        ({"launched": NOON - timedelta(days=30)}, 7 * 24.0),
        (
            {"launched": NOON - timedelta(hours=5), "state": "stopped", "ended": NOON - timedelta(hours=4)},
            1.0,
        ),
        (
            {
                "launched": NOON - timedelta(hours=5, minutes=3),
                "state": "stopped",
                "ended": NOON - timedelta(hours=4),
            },
            1.0,
        ),
        ({"launched": NOON - timedelta(days=9), "state": "stopped", "ended": NOON - timedelta(days=8)}, 0.0),
        ({"launched": NOON + timedelta(minutes=1)}, 0.0),
    ],
    ids=["runs", "since before", "stopped", "on the grid", "before the window", "just now"],
)
def test_without_datapoints_the_times_of_launch_and_stop_count(
    facts: dict[str, Any], expected: float
) -> None:
    """Within the window, in whole periods; and none of it can be judged."""
    row = judge(machine(**facts), datapoints(machine()))
    assert hours(row) == (expected, 0.0, 0.0, expected)
    assert row["hours_from"] == "times of launch and stop"


def test_hours_that_nobody_knows_are_unknown() -> None:
    """An ended instance without datapoints, of which EC2 does not say when it ended."""
    row = judge(machine(state="terminated"), datapoints(machine()))
    assert [row[name] for name in ("hours_on", "hours_idle", "usd_on", "usd_idle", "spot_saved_usd")] == [
        None
    ] * 5


def test_metrics_that_were_refused_leave_nothing_judged() -> None:
    """Hours are counted from the times then."""
    row = judge(machine(launched=NOON - timedelta(hours=2)), Datapoints({}, note="refused"))
    assert hours(row) == (2.0, 0.0, 0.0, 2.0)


# --- Dollars -----------------------------------------------------------------------------------------


def test_spot_costs_what_was_in_force_and_never_the_bid() -> None:
    """An hour at $0.10, then one at $0.30; on demand both would have cost $0.558."""
    history = {(BOX, ZONE): [(NOON - timedelta(days=9), 0.1), (NOON - timedelta(hours=1), 0.3)]}
    row = judge(machine(), datapoints(machine(), *[1.0] * 24), history)
    assert row["usd_per_hour"] == pytest.approx(0.2)
    assert row["usd_on"] == row["usd_idle"] == pytest.approx(0.4)
    assert row["spot_saved_usd"] == pytest.approx((0.558 - 0.2) * 2)


def test_idle_dollars_are_idle_hours_at_the_mean_price() -> None:
    """Here one of two hours."""
    row = judge(machine(), datapoints(machine(), *[50.0] * 12, *[1.0] * 12))
    assert (row["usd_on"], row["usd_idle"]) == (pytest.approx(0.4), pytest.approx(0.2))


def test_on_demand_is_at_the_lists_price_and_saves_nothing_by_spot() -> None:
    """Its saving is not zero but no question."""
    row = judge(machine(spot=False), datapoints(machine(), *[1.0] * 12))
    assert (row["bought"], row["usd_on"], row["spot_saved_usd"]) == ("on-demand", pytest.approx(0.558), None)


@pytest.mark.parametrize(
    ("one", "history"),
    [
        (machine(), {}),
        (machine(), {(BOX, "eu-north-1b"): [(NOON - timedelta(days=30), 0.2)]}),
        (machine(), {(BOX, ZONE): [(NOON - timedelta(minutes=30), 0.2)]}),
        (machine(spot=False, type="g5.xlarge"), FLAT),
    ],
    ids=["no history", "another zone", "history begins later", "type not on the list"],
)
def test_an_unknown_price_makes_dollars_unknown(one: Machine, history: utilisation.History) -> None:
    """Never zero; the hours stay known."""
    row = judge(one, datapoints(one, *[1.0] * 12), history)
    assert row["hours_idle"] == pytest.approx(1.0)
    assert (row["usd_per_hour"], row["usd_on"], row["usd_idle"]) == (None, None, None)


def test_no_hours_cost_nothing_whatever_the_price() -> None:
    """That is known."""
    row = judge(machine(launched=NOON), datapoints(machine()), {})
    assert (row["hours_on"], row["usd_on"]) == (0.0, 0.0)


# --- Sums --------------------------------------------------------------------------------------------


def test_totals_are_a_least_where_one_row_is_unknown() -> None:
    """And the report says so."""
    report = use_report()
    rows = report["instances"]
    known = [row["usd_on"] for row in rows if row["usd_on"] is not None]
    assert report["totals"]["usd_on"] == pytest.approx(sum(known))
    assert "usd_on" in report["totals"]["incomplete"]
    assert words.about_use(report).startswith("3 GPU instances in the last 7 days: at least 19.6 hours on")


def test_the_days_add_up_to_the_hours() -> None:
    """Each period is in the day that it began in (UTC); days without any are there as well."""
    report = use_report()
    for kind in utilisation.KINDS:
        of_days = sum(day[f"hours_{kind}"] for day in report["by_day"])
        assert of_days == pytest.approx(report["totals"][f"hours_{kind}"])
    assert [day["day"] for day in report["by_day"]][:2] == ["2026-11-16", "2026-11-17"]
    assert len(report["by_day"]) == 8


def test_the_shutdowns_savings_are_dollars_an_hour_and_no_sum() -> None:
    """Nobody knows how long what it ended would have gone on."""
    report = use_report()
    assert report["shutdown"] == {
        "stopped": 2.0,
        "terminated": 0.0,
        "ended_usd_per_hour": 0.38,
        "ended_without_price": 0.0,
        "saved_usd": None,
    }
    assert "$0.380 for each hour" in words.about_shutdown(report["shutdown"])


def test_a_function_that_reported_nothing_has_unknown_savings() -> None:
    """Which is not the same as having ended nothing."""
    silent = utilisation.judged([], datapoints(machine()), {}, PriceList(REGION), Settings(), window())[
        "shutdown"
    ]
    assert silent["stopped"] is None
    assert "unknown" in words.about_shutdown(silent)
    assert "ended nothing" in words.about_shutdown(dict.fromkeys(silent, 0.0))


# --- Reading -----------------------------------------------------------------------------------------


def described(**changes: Any) -> dict[str, Any]:
    """Make DescribeInstances' entry of one instance."""
    tags = [{"Key": "Name", "Value": "Ziggie-ComfyUI-Spot"}]
    facts = {
        "InstanceId": "i-1",
        "InstanceType": BOX,
        "InstanceLifecycle": "spot",
        "State": {"Name": "running"},
        "Placement": {"AvailabilityZone": ZONE},
        "LaunchTime": NOON,
        "Tags": tags,
    }
    return {**facts, **changes}


def test_instances_of_every_state_are_read_page_by_page(aws: Aws) -> None:
    """Ours by their tags; when one was stopped is read from EC2's own sentence."""
    stopped = described(
        InstanceId="i-2",
        State={"Name": "stopped"},
        StateTransitionReason="User initiated (2026-11-22 10:11:12 GMT)",
    )
    odd = described(
        InstanceId="i-3", State={"Name": "terminated"}, StateTransitionReason="Server.SpotInstance…"
    )
    ec2 = aws.client("ec2")
    asked = [{"Name": "tag:Project", "Values": ["Ziggie"]}, {"Name": "tag:Type", "Values": ["GPU"]}]
    with Stubber(ec2) as stub:
        first = {"Reservations": [{"Instances": [described(), stopped]}], "NextToken": "more"}
        stub.add_response("describe_instances", first, {"Filters": asked})
        stub.add_response(
            "describe_instances",
            {"Reservations": [{"Instances": [odd]}]},
            {"Filters": asked, "NextToken": "more"},
        )
        found = measured.machines(aws)
    assert [(each.id, each.state, each.ended) for each in found] == [
        ("i-1", "running", None),
        ("i-2", "stopped", datetime(2026, 11, 22, 10, 11, 12, tzinfo=UTC)),
        ("i-3", "terminated", None),
    ]


def results(asked: list[Query], status: str = "Complete") -> dict[str, Any]:
    """Make GetMetricData's answer: one datapoint for each."""
    return {
        "MetricDataResults": [
            {"Id": f"q{number}", "Timestamps": [NOON - PERIOD], "Values": [1.0], "StatusCode": status}
            for number in range(len(asked))
        ]
    }


def test_at_most_500_metrics_are_asked_for_at_once_and_each_is_counted(aws: Aws) -> None:
    """A cent for a thousand of them."""
    asked = measured.queries([machine(str(number)) for number in range(100)])
    client = aws.allowing(GET_METRIC_DATA).client("cloudwatch")
    assert len(asked) == 4 + 100 * 6
    with Stubber(client) as stub:
        for size in (500, 104):
            stub.add_response("get_metric_data", results(asked[:size]))
        found = measured.datapoints(aws, asked, window())
        stub.assert_no_pending_responses()
    assert found.metrics_read == len(asked)
    assert set(found.series) == set(asked)


def test_a_metric_is_asked_for_as_cloudwatch_wants_it(aws: Aws) -> None:
    """The instance's by its id, the function's without a dimension and by the hour; the whole window."""
    asked = [Query(GPU, "i-1"), Query(OF_THE_FUNCTION["Stopped"], None, HOUR)]
    with Stubber(aws.allowing(GET_METRIC_DATA).client("cloudwatch")) as stub:
        gpu = {
            "Namespace": "CWAgent",
            "MetricName": "nvidia_smi_utilization_gpu",
            "Dimensions": [{"Name": "InstanceId", "Value": "i-1"}],
        }
        own = {"Namespace": "Ziggie/GpuAutoShutdown", "MetricName": "Stopped", "Dimensions": []}
        expected = {
            "MetricDataQueries": [
                {"Id": "q0", "MetricStat": {"Metric": gpu, "Period": 300, "Stat": "Maximum"}},
                {"Id": "q1", "MetricStat": {"Metric": own, "Period": 3600, "Stat": "Sum"}},
            ],
            "StartTime": NOON - timedelta(days=7),
            "EndTime": NOON,
        }
        stub.add_response("get_metric_data", results(asked), expected)
        found = measured.datapoints(aws, asked, window())
    assert found.series[asked[0]] == {NOON - PERIOD: 1.0}


def test_pages_are_put_together_and_paid_for(aws: Aws) -> None:
    """What is partial on one page is complete on the last."""
    asked = [Query(CPU, "i-1")]
    first = {**results(asked, "PartialData"), "NextToken": "more"}
    second = results(asked)
    second["MetricDataResults"][0]["Timestamps"] = [NOON - 2 * PERIOD]
    with Stubber(aws.allowing(GET_METRIC_DATA).client("cloudwatch")) as stub:
        stub.add_response("get_metric_data", first)
        stub.add_response("get_metric_data", second)
        found = measured.datapoints(aws, asked, window())
    assert sorted(found.series[asked[0]]) == [NOON - 2 * PERIOD, NOON - PERIOD]
    assert found.metrics_read == 2


def test_what_stays_partial_is_unknown(aws: Aws) -> None:
    """And said."""
    asked = [Query(CPU, "i-1")]
    with Stubber(aws.allowing(GET_METRIC_DATA).client("cloudwatch")) as stub:
        stub.add_response("get_metric_data", results(asked, "InternalError"))
        found = measured.datapoints(aws, asked, window())
    assert found.series == {}
    assert "not answered everything" in found.note


def test_who_may_not_read_metrics_is_told(aws: Aws) -> None:
    """The report goes on with what EC2 says."""
    with Stubber(aws.allowing(GET_METRIC_DATA).client("cloudwatch")) as stub:
        stub.add_client_error("get_metric_data", "AccessDenied")
        assert GET_METRIC_DATA in measured.datapoints(aws, [Query(CPU, "i-1")], window()).note
        stub.add_client_error("get_metric_data", "InternalServiceFault")
        with pytest.raises(ClientError):
            measured.datapoints(aws, [Query(CPU, "i-1")], window())


def test_nobody_reads_metrics_in_bulk_by_accident(aws: Aws) -> None:
    """A read-only connection refuses what is never free."""
    with pytest.raises(ReadOnlyError, match="cloudwatch:GetMetricData was not sent"):
        aws.client("cloudwatch").get_metric_data(MetricDataQueries=[], StartTime=NOON, EndTime=NOON)


def test_spots_prices_come_in_their_order_by_type_and_zone(aws: Aws) -> None:
    """AWS gives the newest first; nothing is asked where nothing was bought on Spot."""
    assert measured.spot_history(aws, [], window()) == {}
    entries = [
        {
            "AvailabilityZone": ZONE,
            "InstanceType": BOX,
            "SpotPrice": price,
            "Timestamp": NOON - timedelta(days=days),
        }
        for price, days in (("0.21", 1), ("0.19", 9))
    ]
    with Stubber(aws.client("ec2")) as stub:
        asked = {
            "InstanceTypes": [BOX],
            "ProductDescriptions": ["Linux/UNIX"],
            "StartTime": ANY,
            "EndTime": NOON,
        }
        stub.add_response("describe_spot_price_history", {"SpotPriceHistory": entries}, asked)
        found = measured.spot_history(aws, [BOX, BOX], window())
    assert found == {(BOX, ZONE): [(NOON - timedelta(days=9), 0.19), (NOON - timedelta(days=1), 0.21)]}


def test_the_window_lies_on_the_grid_of_periods() -> None:
    """Otherwise CloudWatch would answer for periods that begin at odd minutes."""
    assert Window.of(7, NOW) == Window(NOON - timedelta(days=7), NOON)


def test_machines_together_have_their_own_rows() -> None:
    """One's datapoints say nothing about the other."""
    one, two = machine("one"), machine("two")
    points = together(datapoints(one, *[90.0] * 12), datapoints(two, *[1.0] * 12))
    found = utilisation.judged([one, two], points, FLAT, PriceList(REGION), Settings(), window())
    assert [(row["id"], row["hours_busy"], row["hours_idle"]) for row in found["instances"]] == [
        ("i-one", pytest.approx(1.0), 0.0),
        ("i-two", 0.0, pytest.approx(1.0)),
    ]
