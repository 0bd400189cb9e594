"""Line charts: nothing, one point, what is not finite, very many and very large."""

import math

import pytest
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from fucina.hub.portal.charts import MAX_POINTS, MAX_ROWS, Point, line_chart, nice_range, thin


def chart_of(points, **more):
    return line_chart(chart_id="c", title="Loss", x_label="Tokens", y_label="Nats", series={"Training": points}, **more)


def drawn(chart):
    """The points of the first line as pairs of numbers."""
    return [tuple(map(float, pair.split(","))) for pair in chart.lines[0].points.split()]


@pytest.mark.parametrize("points", [[], [Point(1, math.nan)], [Point(math.inf, 2)], [Point(1, -math.inf)]])
def test_nothing_to_draw_says_so(points):
    chart = chart_of(points)
    assert chart.is_empty and chart.description == "No values yet."
    page = render_to_string("portal/parts/chart.html", {"chart": chart})
    assert "No values yet." in page and "<polyline" not in page and "nan" not in page.lower().replace("nance", "")


def test_one_point_is_a_dot():
    chart = chart_of([Point(8192, 8.2)])
    assert chart.lines[0].dot is not None and chart.lines[0].last == "8.2"
    page = render_to_string("portal/parts/chart.html", {"chart": chart})
    assert "<circle" in page and "<desc" in page and "<table>" in page


def test_a_line_goes_from_left_to_right_and_down_when_loss_falls():
    pairs = drawn(chart_of([Point(n * 1000, 10 - n) for n in range(10)]))
    assert pairs == sorted(pairs)
    assert [y for _, y in pairs] == sorted(y for _, y in pairs)
    assert pairs[-1][0] == 1000.0


def test_what_is_not_finite_is_left_out_and_the_later_of_two_stays():
    chart = chart_of([Point(1, 5), Point(2, math.nan), Point(3, 4), Point(1, 6)])
    assert len(drawn(chart)) == 2
    assert chart.rows == (("1", "6"), ("3", "4"))


def test_many_points_are_thinned_and_keep_their_extremes():
    points = [Point(n, math.sin(n / 50)) for n in range(100_000)]
    points[777] = Point(777, 9.0)
    points[54_321] = Point(54_321, -9.0)
    kept = thin(tuple(points))
    assert len(kept) <= MAX_POINTS
    assert points[777] in kept and points[54_321] in kept
    assert kept[0] == points[0] and kept[-1] == points[-1]
    chart = chart_of(points)
    assert len(chart.rows) == MAX_ROWS
    assert len(render_to_string("portal/parts/chart.html", {"chart": chart})) < 20_000


def test_the_table_prefers_rows_in_which_every_series_has_a_value():
    loss = [Point(n, 5.0) for n in range(100)]
    validation = [Point(n, 5.1) for n in range(9, 100, 10)]
    chart = line_chart(
        chart_id="c", title="Loss", x_label="", y_label="", series={"Training": loss, "Validation": validation}
    )
    assert len(chart.rows) == 10 and all("—" not in row for row in chart.rows)


def test_the_text_alternative_says_the_numbers():
    assert chart_of([Point(1, 8.25), Point(2, 3.5)]).description == (
        "Training: 2 values, first 8.25, last 3.5, lowest 3.5, highest 8.25."
    )


def test_a_chart_from_zero_has_zero_on_its_axis():
    chart = chart_of([Point(1, 20_000), Point(2, 20_400)], from_zero=True)
    assert chart.y_ticks[0].label == "0"


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (4.93, 5.23, ["4.9", "5.0", "5.1", "5.2", "5.3"]),
        (3.1412, 3.1419, ["3.1412", "3.1414", "3.1416", "3.1418", "3.1420"]),
        (0, 12_000_000, ["0", "5M", "10M", "15M"]),
        (0, 9_000, ["0", "5k", "10k"]),
        (0, 0.9, ["0", "0.5", "1.0"]),
        (1_000_000, 1_000_004, ["1,000,000", "1,000,001", "1,000,002", "1,000,003", "1,000,004"]),
        (-2, 2, ["-2", "-1", "0", "1", "2"]),
    ],
)
def test_ticks_have_the_digits_that_tell_them_apart(low, high, labels):
    chart = chart_of([Point(1, low), Point(2, high)])
    assert [tick.label for tick in chart.y_ticks] == labels


def test_names_in_a_chart_are_text():
    chart = line_chart(
        chart_id="c", title="<b>", x_label="<i>", y_label="<u>", series={"<script>": [Point(1, 1), Point(2, 2)]}
    )
    page = render_to_string("portal/parts/chart.html", {"chart": chart})
    assert "<script>" not in page and "<b><" not in page and "&lt;script&gt;" in page


FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=1e15), FINITE), min_size=1, max_size=50))
def test_whatever_was_measured_stays_inside_the_plot(pairs):
    chart = chart_of([Point(*pair) for pair in pairs])
    for x, y in drawn(chart):
        assert -0.1 <= x <= 1000.1 and -0.1 <= y <= 1000.1
    assert 1 <= len(chart.y_ticks) <= 8 and len(chart.x_ticks) <= 8


@given(FINITE, FINITE)
def test_ticks_are_round_and_cover_the_data(a, b):
    low, high = min(a, b), max(a, b)
    start, end, steps = nice_range(low, high)
    slack = 1e-6 * max(abs(low), abs(high), 1)
    assert start <= low + slack and end >= high - slack
    assert list(steps) == sorted(steps) and len(steps) >= 2
