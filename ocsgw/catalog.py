"""From the configuration to the directory that the rules look things up in."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo

from ocsgw.access.permissions import Permissions
from ocsgw.config import ApiKey, ClientCertificate, Config
from ocsgw.config.model import CampaignGroup as ConfiguredGroup
from ocsgw.contact.directory import (
    CallingList,
    Campaign,
    CampaignGroup,
    Directory,
    DoNotCallOptions,
    Field,
    HistoryWait,
    Priorities,
    ShownColumn,
    Tenant,
    TimeZone,
    Treatment,
    ValidationRule,
)
from ocsgw.iana import equal_names


def directory_of(config: Config, application_dbid: int, before: Directory | None = None) -> Directory:
    """Return what the rules look things up in.

    The DBID of the application changes with a restart only (C68). `before` is the directory that this one replaces:
    handles of lists that are gone stay valid (C67).
    """
    # Not from the cache: the data may be newer than those of the directory before.
    zones = {
        each.name: TimeZone(each.dbid, each.name, ZoneInfo.no_cache(each.zone), equal_names(each.zone))
        for each in config.time_zones
    }
    tenants = {
        each.name: Tenant(
            each.dbid, each.name, zones[each.default_time_zone], each.ccid, each.country or "", each.customer_name
        )
        for each in config.tenants
    }
    customer_id = config.application.customer_id
    lists = {
        each.name: CallingList.of(
            each.dbid,
            each.name,
            each.table,
            tenants[each.tenant],
            tuple(
                Field(field.name, field.type, field.length, field.default, field.send_attribute)
                for field in each.fields
            ),
            customer_id=customer_id,
            enabled=each.enabled,
            shown=tuple(ShownColumn(column.name, column.send_attribute) for column in each.shown_columns),
            callback_limit=math.ceil(
                config.treatment_options.personal_callback_limit
                if each.personal_callback_limit is None
                else each.personal_callback_limit
            ),
        )
        for each in config.calling_lists
    }
    campaigns = {
        each.name: Campaign(
            each.dbid,
            each.name,
            tenants[each.tenant],
            tuple(lists[name] for name in each.calling_lists),
            each.description,
            each.template,
        )
        for each in config.campaigns
    }
    groups = tuple(
        CampaignGroup(
            each.dbid,
            each.name,
            campaigns[each.campaign],
            each.group,
            each.dial_mode,
            each.state,
            each.record_timeout,
            _priorities(config, each),
            each.campaigngroup_auto_complete,
        )
        for each in config.campaign_groups
    )
    chain_attr = config.application.chain_attr
    return Directory(
        application_dbid=application_dbid,
        tenants=tuple(tenants.values()),
        zones=tuple(zones.values()),
        calling_lists=tuple(lists.values()),
        campaigns=tuple(campaigns.values()),
        groups=groups,
        do_not_call=DoNotCallOptions(config.do_not_call.table, config.do_not_call.scope),
        chain_attr=MappingProxyType(
            {
                "records": chain_attr.records,
                "phones": chain_attr.phones,
                "customer_ids": chain_attr.customer_ids,
            }
        ),
        treatments=tuple(
            Treatment(
                each.dbid,
                each.name,
                each.call_result,
                each.action,
                frozenset(lists[name].dbid for name in each.calling_lists) if each.calling_lists is not None else None,
                each.sequence,
                each.interval or 0,
                each.increment,
                each.at,
                each.cycle_attempt,
                each.max_attempts,
            )
            for each in config.treatments
        ),
        treat_on_processed=config.treatment_options.on_processed,
        apply_late_results=config.treatment_options.apply_late_results,
        do_not_call_grace=math.ceil(config.limits.do_not_call_grace),
        log_out_result=config.desktop.agent_logout_preview_call_result,
        validations=_validations(config),
        sends_history=config.notifications.send_history,
        sends_processed=config.notifications.contact_processed_notification,
        history_wait=_history_wait(config),
        validation_race_result=config.notifications.validation_race_condition_call_result,
        largest_event=config.limits.frame,
        retired=(*before.calling_lists, *before.retired) if before is not None else (),
        principals=permissions_of(config, before.principals if before is not None else {}),
    )


def _history_wait(config: Config) -> HistoryWait | None:
    options = config.notifications
    if not options.send_history or not options.history_wait_condition_threshold:
        return None
    return HistoryWait(options.history_wait_condition_threshold, options.history_wait_recovery_timeout)


def _priorities(config: Config, group: ConfiguredGroup) -> Priorities:
    """Return the priorities of a group, each number from the narrowest place that has it (H359)."""
    (campaign,) = (each for each in config.campaigns if each.name == group.campaign)
    numbers = []
    for key in ("general", "campaign_rescheduled", "campaign_callback"):
        given = (getattr(place, key) for place in (group.priority, campaign.priority, config.priority))
        numbers.append(next(number for number in given if number is not None))
    general, rescheduled, callback = numbers
    return general, rescheduled, callback, max(numbers)


def _validations(config: Config) -> dict[tuple[int, int], ValidationRule]:
    """Return how records are validated, by the DBIDs of list and group; each option from the first place with it."""
    general = config.pre_dial_validation
    lists = {each.name: each for each in config.calling_lists}
    campaigns = {each.name: each for each in config.campaigns}
    found = {}
    for group in config.campaign_groups:
        campaign = campaigns[group.campaign]
        for calling_list in (lists[name] for name in campaign.calling_lists):
            places = (calling_list, group, campaign, general)
            is_on, uri, call_result = (
                next((value for place in places if (value := getattr(place, key)) is not None), None)
                for key in ("pre_dial_validation", "validation_uri", "validation_timeout_call_result")
            )
            if is_on and uri is not None and call_result is not None:
                found[calling_list.dbid, group.dbid] = ValidationRule(
                    uri,
                    call_result,
                    general.http_response_timeout,
                    general.max_tries,
                    math.ceil(general.failure_retry),
                    general.store_answer_fields,
                )
    return found


def permissions_of(config: Config, before: Mapping[str, Permissions]) -> dict[str, Permissions]:
    """Return what each principal may do (H346).

    A principal that is no longer configured keeps the limits of `before`: its requests may be on their way.
    """
    permissions = dict(before)
    entries: tuple[ApiKey | ClientCertificate, ...] = (*config.api_keys, *config.client_certificates)
    for each in entries:
        permissions[each.name] = Permissions(
            _set(each.actions), _set(each.tenants), _set(each.calling_lists), _set(each.campaign_groups)
        )
    return permissions


def _set(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return frozenset(names) if names is not None else None
