"""OCS put together: read from top to bottom, this is what runs in the parent process, and in which order."""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from ocsgw.clock import WallClock
from ocsgw.config import Config
from ocsgw.control.commands import commands_of
from ocsgw.execution.worker import ThreadWorker, Worker
from ocsgw.logs import LogFile
from ocsgw.ocs.admin_listeners import AdminListeners
from ocsgw.ocs.applications import Applications
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.control_socket import ControlSocket
from ocsgw.ocs.controlled import ControlledOCS
from ocsgw.ocs.duty import Duty
from ocsgw.ocs.expiry import Expiry
from ocsgw.ocs.gateway import Gateway
from ocsgw.ocs.group_notifications import GroupNotifications
from ocsgw.ocs.housekeeping import Housekeeping
from ocsgw.ocs.http_listeners import HttpListeners
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.log_rotation import LogRotation
from ocsgw.ocs.news_reader import NewsReader
from ocsgw.ocs.notifications import Notifications
from ocsgw.ocs.ocs_listeners import OcsListeners
from ocsgw.ocs.ordered import WhileActive
from ocsgw.ocs.pair import Pair
from ocsgw.ocs.reactor_lag import ReactorLag
from ocsgw.ocs.reload import Reload, in_thread
from ocsgw.ocs.role import SingleServer
from ocsgw.ocs.service import OCSService
from ocsgw.ocs.service_notifier import ServiceNotifier
from ocsgw.ocs.store_service import StoreService
from ocsgw.ocs.validation import Validation
from ocsgw.systemd import ServiceManager


def make_service(
    config: Config,
    reactor: Any,
    log_file: LogFile,
    end: Callable[[int], None],
    *,
    manager: ServiceManager | None = None,
    say_example: Callable[[str], None] | None = None,
    make_worker: Callable[[Any], Worker] = lambda reactor: ThreadWorker(reactor, "store"),
    call_in_thread: Callable[[Callable[[], Any]], "Deferred[Any]"] | None = None,
    wall_clock: WallClock = time.time,
) -> OCSService:
    """Return OCS, ready to be started.

    `end` is called with an exit status when it cannot go on, `manager` is the service manager, `say_example` gets a
    command that tries the server out. `make_worker` makes the thread of the store, `call_in_thread` calls a function
    away from the reactor, `wall_clock` is the clock of the rules; a given one is followed whatever a store says.
    """
    context = OCSContext(config, reactor, log_file, wall_clock, follows_store=wall_clock is time.time)
    life_cycle = LifeCycle()
    ocs = OCSService(context, life_cycle, end)

    # Parts.
    store = StoreService(context, life_cycle, end, make_worker)
    rotation = LogRotation(context, store)
    notifier = ServiceNotifier(life_cycle, manager or ServiceManager({}, os.getpid()), reactor)
    expiry = Expiry(context)
    lease = store.lease
    duty = Duty(lease if store.origin else None)
    housekeeping = Housekeeping(context, life_cycle, store, duty)
    http = HttpListeners(context, store, notifier.look, say_example)
    notifier.watch(http, store)
    validation = Validation(http, reactor, lambda: context.config.limits.in_flight)
    store.ask, store.question_room = validation.ask, validation.room
    notifications = Notifications(context, store, http, duty)
    group_notifications = GroupNotifications(context, store, http, duty)
    admin = AdminListeners(context)
    applications = Applications(context, life_cycle, store, http.base_uri)
    ocs_listeners = OcsListeners(context, applications)
    while_active = WhileActive(life_cycle, ocs.failed)
    role: SingleServer | Pair | Gateway = SingleServer(life_cycle)
    news = []
    if lease is not None and store.origin:
        role = Gateway(context, life_cycle, store, lease)
        news = [NewsReader(context, store, applications, http.bell.ring)]
    elif lease is not None:
        role = Pair(context, life_cycle, store, lease, while_active.settled)
    reload = Reload(
        context,
        life_cycle,
        store,
        (
            rotation,
            store,
            http,
            housekeeping,
            expiry,
            admin,
            group_notifications,
            applications,
            ocs_listeners,
            role,
        ),
        notifier,
        call_in_thread or partial(in_thread, reactor),
    )
    controlled = ControlledOCS(ocs, store, housekeeping, http, role, reload)
    commands = commands_of(controlled)
    admin.view = controlled
    control = ControlSocket(context, commands)

    # What runs only while OCS is active: started in this order, stopped in the opposite one.
    for part in (housekeeping, http, notifications, group_notifications, applications, *news):
        part.setServiceParent(while_active.parts)

    # What always runs: started in this order, stopped in the opposite one. The store brings OCS from opening to
    # standby, the role from there to active, which lets run what runs only then. So the lease of a pair is given up
    # when nothing serves any more.
    lag = ReactorLag(reactor)
    for each in (rotation, lag, notifier, control, admin, expiry, store, role, while_active, ocs_listeners):
        each.setServiceParent(ocs)
    ocs.store, ocs.http, ocs.rotation, ocs.notifier = store, http, rotation, notifier
    ocs.reload, ocs.commands = reload, commands
    ocs.housekeeping = housekeeping
    return ocs
