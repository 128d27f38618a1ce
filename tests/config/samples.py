"""Configurations for tests that go through all keys."""

SPARSE = """
[application]
dbid = 1
customer_id = "f"
[[listener]]
id = "a"
protocol = "http"
port = 8080
[listener.tls]
certificate = "server.pem"
certificate_key = "server.key"
[[listener]]
id = "b"
protocol = "ocs"
port = 8081
interface = "0.0.0.0"
[[api_key]]
name = "k"
key_file = "secret"
listeners = ["b"]
tenants = ["T"]
[[tenant]]
dbid = 1
name = "T"
default_time_zone = "Z"
[[time_zone]]
dbid = 1
name = "Z"
zone = "Etc/UTC"
[[calling_list]]
dbid = 1
name = "L"
table = "t"
[[calling_list.field]]
name = "f"
type = "int"
[[campaign]]
dbid = 1
name = "C"
calling_lists = ["L"]
[[campaign_group]]
dbid = 1
campaign = "C"
group = "G"
[[treatment]]
dbid = 1
name = "t"
call_result = 6
calling_lists = ["L"]
action = "finish"
"""
"""Every object, with little more than what is required."""

EVERYTHING = """
[application]
name = "A"
dbid = 1
reconnect_timeout = 1
encoding = "KOI8-R"
encoding_detect = false
http_custom_headers = ["X-A: 1"]
error_codes = true
customer_id = "f"
state_dir = "/run/ocsgw"
[application.chain_attr]
records = "RecordOnly"
phones = "AllChain"
customer_ids = "RecordOnly"
[aliases]
AddRecord = ["x-AddRecord"]
RecordProcessed = ["x-RecordProcessed"]
UpdateCallCompletionStats = ["x-UpdateCallCompletionStats"]
RecordReschedule = ["x-RecordReschedule"]
ScheduledRecordReschedule = ["x-ScheduledRecordReschedule"]
RecordReject = ["x-RecordReject"]
RequestRecordCancel = ["x-RequestRecordCancel"]
DoNotCall = ["x-DoNotCall"]
ChainedRecordRequest = ["x-ChainedRecordRequest"]
PreviewRecordRequest = ["x-PreviewRecordRequest"]
CampaignStatusRequest = ["x-CampaignStatusRequest"]
records = ["x-records"]
phones = ["x-phones"]
customer_ids = ["x-customer_ids"]
lists = ["x-lists"]
campaigngroups = ["x-campaigngroups"]
[[listener]]
id = "a"
protocol = "http"
interface = "10.0.0.1"
port = 8080
public_host = "h"
public_scheme = "http"
public_port = 80
backlog = 5
workers = 2
allow_anonymous = true
cors_origins = ["https://crm.example:8443"]
[listener.tls]
certificate = "server.pem"
certificate_key = "server.key"
trusted_ca = "ca.pem"
tls_mutual = "optional"
sec_protocol = "TLSv12"
cipher_list = "HIGH"
tls_crl = "ca.pem"
tls_target_name_check = "host"
client_names = ["n"]
verify_depth = 1
[[listener.sni_certificate]]
certificate = "server.pem"
certificate_key = "server.key"
[[api_key]]
name = "k"
key_file = "secret"
expires = 2027-01-31
listeners = ["a"]
actions = ["AddRecord"]
tenants = ["T"]
calling_lists = ["L"]
campaign_groups = ["N"]
[[client_certificate]]
name = "c"
subject = "s"
listeners = ["a"]
actions = ["AddRecord"]
tenants = ["T"]
calling_lists = ["L"]
campaign_groups = ["N"]
[http]
strict = true
[store]
url = "postgresql://u@h/d"
password_file = "secret"
journal_retention = "1d"
create = false
create_indexes = false
connect_timeout = 1
prepared_statements = true
writers = 4
batches = "by_list"
wait = 1
busy_timeout = 1
[ha]
enabled = true
mode = "pair"
name = "B"
lease_time = 3
renew_interval = 1
[[tenant]]
dbid = 1
name = "T"
ccid = "c"
country = "us"
customer_name = "c"
default_time_zone = "Z"
[[time_zone]]
dbid = 1
name = "Z"
zone = "Etc/UTC"
[[calling_list]]
dbid = 1
name = "L"
table = "t"
tenant = "T"
enabled = false
personal_callback_limit = 1
pre_dial_validation = true
validation_uri = "http://h"
validation_timeout_call_result = 1
[[calling_list.field]]
name = "f"
type = "char"
length = 5
default = "d"
send_attribute = "F"
[[campaign]]
dbid = 1
name = "C"
description = "d"
template = "t"
tenant = "T"
calling_lists = ["L"]
pre_dial_validation = false
validation_uri = "http://h"
validation_timeout_call_result = 1
[campaign.priority]
general = 1
campaign_rescheduled = 1
campaign_callback = 1
[[campaign_group]]
dbid = 1
campaign = "C"
group = "G"
name = "N"
dial_mode = "PushPreview"
state = "loaded"
record_timeout = 60
campaigngroup_auto_complete = true
pre_dial_validation = false
validation_uri = "http://h"
validation_timeout_call_result = 1
[campaign_group.priority]
general = 1
campaign_rescheduled = 1
campaign_callback = 1
[desktop]
agent_preview_mode_start = true
agent_logout_preview_call_result = "Busy"
[do_not_call]
table = "s.dnc"
scope = "list"
reread = 5
[priority]
general = 1
campaign_rescheduled = 1
campaign_callback = 1
[pre_dial_validation]
pre_dial_validation = true
validation_uri = "https://h"
validation_timeout_call_result = "Busy"
http_response_timeout = 1
http_connection_pool_size = 1
max_tries = 1
failure_retry = 0
store_answer_fields = true
trusted_ca = "ca.pem"
certificate = "server.pem"
certificate_key = "server.key"
tls_minimum = "TLSv13"
headers_file = "secret"
[notifications]
send_campaigngroup_states = true
campaigngroup_states_uri = "http://h"
campaigngroup_states_interval = 1
campaigngroup_states_per_list = true
send_history = true
history_uri = "http://h"
history_wait_condition_threshold = 5
history_wait_recovery_timeout = 5
history_retention = 5
validation_race_condition_call_result = 5
contact_processed_notification = true
contact_processed_notification_uri = "http://h"
http_response_timeout = 1
http_connection_pool_size = 1
http_retry_max_attempts = 5
http_retry_applies_to = ["history"]
http_proxy = "http://p:1"
signing_key_file = "signing"
trusted_ca = "ca.pem"
certificate = "server.pem"
certificate_key = "server.key"
tls_minimum = "TLSv13"
headers_file = "secret"
[treatments]
on_processed = true
apply_late_results = true
personal_callback_limit = 5
[[treatment]]
dbid = 1
name = "t"
call_result = 6
calling_lists = ["L"]
sequence = 5
action = "retry_in"
interval = 5
increment = 5
at = 2030-01-01 00:00:00
cycle_attempt = 5
max_attempts = 5
[limits]
body = 5
request_line = 5
header_block = 5
headers = 5
json_depth = 5
json_members = 5
header_timeout = 5
body_timeout = 5
idle_timeout = 5
write_timeout = 5
request_timeout = 5
connections = 5
in_flight = 5
pipeline = 5
event_streams = 5
drain = 0
buffered = "300MiB"
drain_timeout = 0
idempotency_ttl = 60
idempotency_by_address = true
duplicate_window = 5
do_not_call_grace = 0
frame = 10
frame_timeout = 5
send_buffer = 5
start_timeout = 5
stop_timeout = 0
address_rate = 1
address_burst = 1
address_connections = 1
principal_rate = 1
principal_burst = 1
principal_connections = 1
remembered_addresses = 1
heartbeat = 0.001
[audit]
enabled = true
file = "a.jsonl"
[log]
target = "ocs.log"
level = "trace"
format = "classic"
contacts = "clear"
http_trace = true
access = "access.log"
access_format = "json"
"""
"""Every key of the grammar."""
