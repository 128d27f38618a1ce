"""The configuration of a sandbox that gets none: two lists, a campaign with a started group, a do-not-call table."""

CONFIG = """
[application]
dbid = 134
customer_id = "cust_id"
reconnect_timeout = "200ms"

[[listener]]
id = "default"
protocol = "http"
interface = "127.0.0.1"
port = 0

[[tenant]]
dbid = 1
name = "Environment"

[[time_zone]]
dbid = 101
name = "GMT"
zone = "Etc/UTC"

[[time_zone]]
dbid = 102
name = "PST"
zone = "America/Los_Angeles"

[[calling_list]]
dbid = 201
name = "CL_Test"
table = "CL_Test"
field = [
  { name = "cust_id", type = "varchar", length = 64, send_attribute = "CustomerID" },
  { name = "disposition", type = "varchar", length = 64, send_attribute = "Disposition" },
  { name = "segment", type = "varchar", length = 32, send_attribute = "Segment" },
  { name = "remarks", type = "varchar", length = 255, send_attribute = "Remarks" },
]

[[calling_list]]
dbid = 202
name = "CL_CALLBACK"
table = "CL_CALLBACK"
field = [
  { name = "last_name", type = "varchar", length = 64, send_attribute = "CONTACT_LAST_NAME" },
]

[[campaign]]
dbid = 301
name = "Campaign1"
calling_lists = ["CL_Test", "CL_CALLBACK"]

[[campaign_group]]
dbid = 102
campaign = "Campaign1"
group = "Group1"
state = "started"
record_timeout = "10m"

[log]
level = "warning"
"""
