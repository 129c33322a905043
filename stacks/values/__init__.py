"""The shape of an environment: every choice that may differ between dev, staging and prod, typed and checked.

A value that can be judged by itself is judged here, when the module of environments is imported. What has to
hold between resources is judged on the synthesized templates (`stacks.validation`).
"""

from stacks.values.alarms import Alarms
from stacks.values.base import SYSTEM, Values
from stacks.values.environment import Environment
from stacks.values.export_api import ExportApi
from stacks.values.load import Load
from stacks.values.messaging import Messaging, Priorities
from stacks.values.network import ExistingVpc, Network
from stacks.values.notifications import Notifications
from stacks.values.producers import Producers
from stacks.values.service import Service
from stacks.values.storage import Storage
from stacks.values.together import Conflict, refuse_conflicts

__all__ = [
    "SYSTEM",
    "Alarms",
    "Conflict",
    "Environment",
    "ExistingVpc",
    "ExportApi",
    "Load",
    "Messaging",
    "Network",
    "Notifications",
    "Priorities",
    "Producers",
    "Service",
    "Storage",
    "Values",
    "refuse_conflicts",
]
