"""A GitHub of many repositories, in memory, whose clock and events the test sets, met over HTTP.

`objects` are what GitHub holds, `state` what happens there, `truth` what our tables must hold of it, `payloads` the
shapes in which GitHub tells of it, `routes` and `graphql` its answers, `server` the wire with its budgets and faults.
"""

from tests.world.objects import Repository, Run, iso
from tests.world.payloads import Delivery
from tests.world.server import Chaos, Fault, Limit, Request, WorldServer, serving
from tests.world.state import World
from tests.world.truth import JobTruth, RunTruth, Truth

__all__ = [
    "Chaos",
    "Delivery",
    "Fault",
    "JobTruth",
    "Limit",
    "Repository",
    "Request",
    "Run",
    "RunTruth",
    "Truth",
    "World",
    "WorldServer",
    "iso",
    "serving",
]
