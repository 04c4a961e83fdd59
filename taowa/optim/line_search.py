"""A line search for the strong Wolfe conditions: far enough down, and nearly flat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SUFFICIENT_DECREASE, FLATNESS = 1e-4, 0.9


class Point(NamedTuple):
    """What is known at one distance along the search direction.

    Attributes:
        distance: How many directions from the start.
        loss: The loss there.
        slope: Its derivative along the direction.
        grad: The whole gradient.
    """

    distance: float
    loss: float
    slope: float
    grad: Any


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    distance: float,
    direction_size: float,
    max_evaluations: int,
    tolerance: float = 1e-9,
) -> tuple[Point, int]:
    """Return a point that meets the strong Wolfe conditions and the number of evaluations.

    Args:
        evaluate: Gives the point at a distance.
        start: The point at distance 0.
        distance: The first one to try.
        direction_size: The direction's largest element.
        max_evaluations: How many more evaluations than one there may be.
        tolerance: The change of a parameter below which the search ends.

    References:
        Nocedal & Wright 2006, Numerical Optimization, algorithms 3.5 and 3.6
    """
    bracket, num_tried, is_done = _bracket(evaluate, start, distance, max_evaluations)
    insufficient = False
    low = 0 if bracket[0].loss <= bracket[-1].loss else 1
    while not is_done and num_tried < max_evaluations:
        width = abs(bracket[1].distance - bracket[0].distance)
        if width * direction_size < tolerance:
            break
        trial = interpolate(bracket[0], bracket[1])
        trial, insufficient = _away_from_ends(trial, bracket, insufficient)
        point = evaluate(trial)
        num_tried += 1
        is_done = _narrow(bracket, low, start, point)
        low = 0 if is_done or bracket[0].loss <= bracket[1].loss else 1
    return bracket[low if len(bracket) > 1 else 0], num_tried + 1


def _bracket(
    evaluate: Callable, start: Point, distance: float, max_evaluations: int
) -> tuple[list[Point], int, bool]:
    """Return two points with a good one between them, or a good point itself."""
    previous, point = start, evaluate(distance)
    for num_tried in range(max_evaluations):
        if _is_too_high(start, point) or (num_tried > 1 and point.loss >= previous.loss):
            return [previous, point], num_tried, False
        if _is_flat(start, point):
            return [point], num_tried, True
        if point.slope >= 0:
            return [previous, point], num_tried, False
        at = point.distance
        bounds = (at + 0.01 * (at - previous.distance), at * 10)
        previous, point = point, evaluate(interpolate(previous, point, bounds))
    return [start, point], max_evaluations, False


def _is_too_high(start: Point, point: Point) -> bool:
    return point.loss > start.loss + SUFFICIENT_DECREASE * point.distance * start.slope


def _is_flat(start: Point, point: Point) -> bool:
    return abs(point.slope) <= -FLATNESS * start.slope


def _narrow(bracket: list[Point], low: int, start: Point, point: Point) -> bool:
    """Replace an end of the bracket by a point within; return whether the point is good.

    A good point comes first.
    """
    high = 1 - low
    if _is_too_high(start, point) or point.loss >= bracket[low].loss:
        bracket[high] = point
        return False
    if _is_flat(start, point):
        bracket[:] = [point, bracket[high]]
        return True
    if point.slope * (bracket[high].distance - bracket[low].distance) >= 0:
        bracket[high] = bracket[low]
    bracket[low] = point
    return False


def _away_from_ends(
    trial: float, bracket: list[Point], was_insufficient: bool
) -> tuple[float, bool]:
    """Move a trial off the bracket's ends if it came close to one twice, or is beyond one."""
    least, most = sorted(point.distance for point in bracket)
    margin = 0.1 * (most - least)
    if min(most - trial, trial - least) >= margin:
        return trial, False
    if not (was_insufficient or trial >= most or trial <= least):
        return trial, True
    is_near_most = abs(trial - most) < abs(trial - least)
    return (most - margin if is_near_most else least + margin), False


def interpolate(first: Point, second: Point, bounds: tuple[float, float] | None = None) -> float:
    """Return where the cubic through two points with their slopes is least, within bounds.

    Example:
        >>> interpolate(Point(0.0, 1.0, -2.0, None), Point(2.0, 1.0, 2.0, None))
        1.0
    """
    left, right = sorted((first, second), key=lambda point: point.distance)
    least, most = bounds or (left.distance, right.distance)
    span = np.float64(right.distance - left.distance)
    with np.errstate(all="ignore"):
        bend = left.slope + right.slope - 3 * (right.loss - left.loss) / span
        square = bend * bend - left.slope * right.slope
        if not square >= 0:
            return (least + most) / 2
        root = np.sqrt(square)
        ratio = (right.slope + root - bend) / (right.slope - left.slope + 2 * root)
    return float(min(max(right.distance - span * ratio, least), most))
