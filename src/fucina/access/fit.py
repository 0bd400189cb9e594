"""Partitions that fit the work, best first, with reasons and with what each one costs."""

import math

from pydantic import BaseModel

from fucina.access.intake import Intake, Residency, Sensitivity
from fucina.access.needs import Need, gpus_at_once
from fucina.access.places import Partition, Places
from fucina.access.words import number, say


class PlaceAdvice(BaseModel, frozen=True):
    """A partition in the light of the answers."""

    partition: str
    name: str
    country: str
    fits: bool
    gpu_hours: float | None
    node_hours: float | None
    gpus_per_node: int
    good: tuple[str, ...]
    open: tuple[str, ...]
    """To be asked."""
    against: tuple[str, ...]
    sources: tuple[str, ...]


def rank_places(intake: Intake, need: Need, places: Places, *, offered: frozenset[str]) -> tuple[PlaceAdvice, ...]:
    """All partitions: those that fit first, then by open questions, what modes offer, own country, and node-hours."""
    advice = [_weigh(partition, intake, need, places) for partition in places.partitions]

    def order(place: PlaceAdvice) -> tuple[bool, bool, int, bool, float, int]:
        foreign = place.country != intake.country
        hours = math.inf if place.gpu_hours is None else place.gpu_hours
        largest = -places.partition(place.partition).num_gpus
        return not place.fits, place.partition not in offered, len(place.open), foreign, hours, largest

    return tuple(sorted(advice, key=order))


def _weigh(partition: Partition, intake: Intake, need: Need, places: Places) -> PlaceAdvice:
    a, language = places.assumptions, intake.language
    gpu_hours = need.gpu_hours_on(partition, a)
    good, open_points, against = _cost(partition, gpu_hours, need, places, language)
    for weigh in (_memory, _vendor_and_place, _sensitivity):
        more = weigh(partition, intake, need, places)
        good, open_points, against = good + more[0], open_points + more[1], against + more[2]
    if gpu_hours is not None:
        more = _capacity(partition, gpu_hours, intake, places)
        good, open_points, against = good + more[0], open_points + more[1], against + more[2]
    if partition.status == "deploying":
        against.append(say("place-deploying", language))
    if partition.crowded is not None:
        open_points.append(say("place-crowded", language, day=partition.crowded))
    return PlaceAdvice(
        partition=partition.id,
        name=partition.name,
        country=partition.country,
        fits=not against,
        gpu_hours=gpu_hours,
        node_hours=None if gpu_hours is None else partition.node_hours(gpu_hours),
        gpus_per_node=partition.gpus_per_node,
        good=tuple(good),
        open=tuple(open_points),
        against=tuple(against),
        sources=places.titles(partition.sources),
    )


Points = tuple[list[str], list[str], list[str]]
"""For it, to be asked, against it."""


def _cost(partition: Partition, gpu_hours: float | None, need: Need, places: Places, language: str) -> Points:
    good: list[str] = []
    open_points: list[str] = []
    if gpu_hours is not None:
        good.append(
            say(
                "place-cost",
                language,
                gpu_hours=number(gpu_hours, language),
                node_hours=number(partition.node_hours(gpu_hours), language),
                per_node=partition.gpus_per_node,
            )
        )
        reached = need.share_on(partition, places.assumptions)
        if need.flops is not None and partition.peak_flops is not None and reached is not None:
            share = f"{reached:.0%}"
            peak = number(partition.peak_flops / 1e12, language)
            good.append(say("place-speed", language, share=share, peak=peak))
    elif need.is_known:
        open_points.append(say("place-speed-unknown", language))
    if partition.devices_per_gpu > 1:
        good.append(say("place-module", language, devices=partition.devices_per_gpu))
    return good, open_points, []


def _capacity(partition: Partition, gpu_hours: float, intake: Intake, places: Places) -> Points:
    months = intake.months or places.assumptions.months
    gpus = gpus_at_once(gpu_hours, months=months)
    share = gpus / partition.num_gpus
    values = {
        "gpus": number(gpus, intake.language),
        "months": months,
        "have": number(partition.num_gpus, intake.language),
    }
    if share > 1:
        return [], [], [say("place-capacity-no", intake.language, **values)]
    if share >= places.assumptions.large_share:
        return [], [say("place-capacity-large", intake.language, share=f"{share:.0%}", **values)], []
    return [say("place-capacity", intake.language, **values)] if gpus > 1 else [], [], []


def _memory(partition: Partition, intake: Intake, need: Need, places: Places) -> Points:
    language, device = intake.language, partition.device_memory_gb
    if partition.memory_gb is None or device is None:
        wanted = need.memory_gb or intake.memory_gb
        return [], [say("place-memory-unknown", language)] if wanted else [], []
    if intake.memory_gb is not None and device < intake.memory_gb:
        values = {"have": number(device, language), "need": number(intake.memory_gb, language)}
        return [], [], [say("place-device-no", language, **values)]
    if not need.memory_gb:
        return [], [], []
    usable = partition.memory_gb * places.assumptions.usable_memory
    wanted_gb = number(need.memory_gb, language)
    if need.memory_gb > usable * partition.num_gpus:
        have = number(usable * partition.num_gpus, language)
        return [], [], [say("place-memory-no", language, need=wanted_gb, have=have)]
    gpus = number(math.ceil(need.memory_gb / usable), language)
    return [say("place-memory", language, need=wanted_gb, gpus=gpus)], [], []


def _vendor_and_place(partition: Partition, intake: Intake, need: Need, places: Places) -> Points:
    language = intake.language
    against = []
    if intake.vendor not in ("any", partition.vendor):
        against.append(say("place-vendor-no", language, vendor=partition.vendor, wanted=intake.vendor))
    if partition.country == intake.country:
        return [say("place-own", language)], [], against
    if intake.residency is Residency.COUNTRY:
        against.append(say("place-residency-no", language, country=partition.country, wanted=intake.country))
    return [], [], against


def _sensitivity(partition: Partition, intake: Intake, need: Need, places: Places) -> Points:
    if intake.sensitivity not in (Sensitivity.PERSONAL, Sensitivity.SPECIAL):
        return [], [], []
    if partition.id in places.sensitive:
        return [say("place-sensitive", intake.language, factory=places.sensitive[partition.id])], [], []
    if intake.sensitivity is Sensitivity.SPECIAL:
        return [], [say("place-sensitive-ask", intake.language)], []
    return [], [], []
