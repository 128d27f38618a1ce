"""What wrk sends: Lua scripts, one for each kind of load.

`constant` adds the same record again and again, which hides what random keys cost: two random index pages a row.
`random` gives each record a phone and a customer id of its own. `paced` is `constant` with pauses. `claims` fetches a
record and reports its result, in turn, `asked` fetches records of another group, which are validated, and `patient`
does so every few seconds. `mixed` is a working day: of 100 requests 60 report results or update, 20 fetch, 15 add, 5
mark do-not-call.
"""

BODY = (
    '{"GSW_PHONE":"6505550100","GSW_PHONE_TYPE":4,"GSW_FROM":0,"GSW_UNTIL":86399,"GSW_TZ_NAME":"PST",'
    '"GSW_CAMPAIGN_NAME":"Campaign1","GSW_RECORD_TYPE":2,"GSW_ATTEMPTS":0,"CustomerID":"C-123456",'
    '"Disposition":"left message","Segment":"Private","Remarks":"call again soon, ask for the new address"}'
)
TARGET = "/lists/CL_Test?req=AddRecord"

_HEAD = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
math.randomseed(%(seed)d)
local function add(phone, customer)
  return wrk.format(nil, "/lists/CL_Test?req=AddRecord", nil,
    '{"GSW_PHONE":"' .. phone .. '","GSW_PHONE_TYPE":4,"GSW_FROM":0,"GSW_UNTIL":86399,"GSW_TZ_NAME":"PST",' ..
    '"GSW_CAMPAIGN_NAME":"Campaign1","GSW_RECORD_TYPE":2,"GSW_ATTEMPTS":0,"CustomerID":"' .. customer .. '",' ..
    '"Disposition":"left message","Segment":"Private","Remarks":"call again soon, ask for the new address"}')
end
local function phone() return string.format("%%010d", math.random(2000000000, 9999999999)) end
local function customer() return string.format("C-%%08d", math.random(0, 99999999)) end
"""

_CLAIMS = """
-- Handles that may be used, first in, first out, each for one request at a time: no connection is overtaken by another.
local handles, first, last = {}, 1, 0
local function put(handle) last = last + 1; handles[last] = handle end
local function take()
  if first > last then return nil end
  local handle = handles[first]
  handles[first] = nil
  first = first + 1
  return handle
end
seen, twice, empty = {}, 0, 0
local function fetch() return wrk.format(nil, "/campaigngroups/102?req=PreviewRecordRequest", nil, "{}") end
local function processed(handle)
  return wrk.format(nil, "/records/" .. handle .. "?req=RecordProcessed", nil, '{"GSW_CALL_RESULT":33}')
end
local function update(handle)
  return wrk.format(nil, "/records/" .. handle .. "?req=UpdateCallCompletionStats", nil, '{"GSW_ATTEMPTS":1}')
end
function response(status, headers, body)
  local event = body:match('"GSW_USER_EVENT":"(%a+)"')
  if event == "PreviewRecord" then
    local handle = body:match('"GSW_RECORD_HANDLE":(%d+)')
    if seen[handle] then twice = twice + 1 end
    seen[handle] = true
    put(handle)
  elseif event == "UpdateCallCompletionStatsAcknowledge" then
    put(body:match('"GSW_RECORD_HANDLE":(%d+)'))
  elseif event == "PreviewRecordEmpty" then
    empty = empty + 1
  end
end
local threads = {}
function setup(thread) table.insert(threads, thread) end
function done()
  for _, thread in ipairs(threads) do
    io.write(string.format("Handed out twice: %d\\nEmpty: %d\\n", thread:get("twice"), thread:get("empty")))
  end
end
"""

_ASKED = 'function request() return wrk.format(nil, "/campaigngroups/103?req=PreviewRecordRequest", nil, "{}") end\n'
# Made by the first request: before that wrk has not put its headers in yet.
_CONSTANT = "local same\nfunction request() same = same or add('6505550100', 'C-123456') return same end\n"
_PAUSE_MS = 20

_REQUESTS = {
    "asked": _CLAIMS + _ASKED,
    "patient": _CLAIMS + _ASKED + "function delay() return math.random(0, 5000) end\n",
    "constant": _CONSTANT,
    "paced": f"{_CONSTANT}function delay() return {_PAUSE_MS} end\n",
    "random": "function request() return add(phone(), customer()) end\n",
    "claims": _CLAIMS
    + """
local fetching = false
function request()
  fetching = not fetching
  local handle = nil
  if not fetching then handle = take() end
  if handle then return processed(handle) end
  return fetch()
end
""",
    "mixed": _CLAIMS
    + """
function request()
  local what = math.random(1, 100)
  if what <= 60 then
    local handle = take()
    if handle == nil then return fetch() end
    -- Two of three results end the record; as many are fetched as ended.
    if what <= 20 then return processed(handle) end
    return update(handle)
  elseif what <= 80 then return fetch()
  elseif what <= 95 then return add(phone(), customer())
  end
  return wrk.format(nil, "/phones/" .. phone() .. "?req=DoNotCall", nil, "{}")
end
""",
}


def script_of(kind: str, seed: int) -> str:
    """Return the Lua script of a kind of load; `seed` decides its random numbers."""
    return _HEAD % {"seed": seed} + _REQUESTS[kind]
