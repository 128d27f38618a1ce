// An agent page for ocsgw: fetch the next record, call it, report what came of it. Static files, no build step; the
// listener has to name the origin of this page in cors_origins. docs/tutorial.md explains it.
"use strict";

const el = (id) => document.getElementById(id);
const RESULTS = ["Answer", "Busy", "No Answer", "Answering Machine", "Wrong Number", "Wrong Party"];
// Shown of a record; everything else that has no GSW_ in its name is a field of the calling list.
const FACTS = { GSW_CALLING_LIST: "List", GSW_CAMPAIGN_NAME: "Campaign", GSW_ATTEMPTS: "Attempts", GSW_TZ_NAME: "Time zone" };

// What ends a hand-out without this page, and what is said then.
const GONE = { RequestRecordCancel: "cancelled", RecordTimeout: "taken back: nothing was heard for too long",
  GroupUnloaded: "taken back: the group was unloaded", RecordProcessed: "finished elsewhere", RecordReject: "given back elsewhere",
  DoNotCall: "marked: do not call" };
const GROUP = ["CampaignLoaded", "CampaignStarted", "CampaignStopped", "CampaignUnloaded", "CampaignModeChanged"];

let connection = null;
let record = null;
// Whether a request of this page is under way, the last event, and what ends the stream of events.
let busy = false;
let last = null;
let stream = null;

function say(text) {
  el("state").textContent = text;
}

// A request, repeated once if its answer was lost: the key lets the server answer again instead of doing it again.
async function ask(target, members) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
  if (connection.key) headers.Authorization = "Bearer " + connection.key;
  const options = { method: "POST", headers, body: JSON.stringify(members || {}) };
  let answer;
  try {
    answer = await fetch(connection.server + target, options);
  } catch (error) {
    answer = await fetch(connection.server + target, options);
  }
  const event = await answer.json();
  if (!answer.ok) {
    const text = event.GSW_ERROR + (event.GSW_ERROR_HINT ? ". " + event.GSW_ERROR_HINT : "");
    throw Object.assign(new Error(text), { status: answer.status });
  }
  return event;
}

function show(found) {
  record = found;
  el("record").hidden = found === null;
  el("next").disabled = found !== null;
  if (found === null) return;
  el("finish").reset();
  el("later").reset();
  el("dial").textContent = found.GSW_PHONE;
  el("dial").href = "tel:" + found.GSW_PHONE.replace(/[^+0-9]/g, "");
  el("facts").replaceChildren();
  for (const [key, value] of Object.entries(found)) {
    const name = FACTS[key] || (key.startsWith("GSW_") ? null : key);
    if (name === null || value === "" || value === null) continue;
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    el("facts").append(term, text);
  }
  el("dial").focus();
}

// Carries out one step; what goes wrong is said, and the record stays.
async function step(action) {
  busy = true;
  const buttons = document.querySelectorAll("#work button");
  const before = new Map([...buttons].map((button) => [button, button.disabled]));
  buttons.forEach((button) => { button.disabled = true; });
  try {
    await action();
  } catch (error) {
    say(error.message);
  }
  busy = false;
  buttons.forEach((button) => { button.disabled = before.get(button); });
  el("next").disabled = record !== null;
}

const of = (request) => "/records/" + record.GSW_RECORD_HANDLE + "?req=" + request;

// Events, live.

function showGroup(name) {
  el("group-state").textContent = "Group: " + name.replace("Campaign", "").toLowerCase();
}

// One event. Requests of this page are answered by themselves, so what happens meanwhile is left to them.
async function happened(type, event) {
  if (GROUP.includes(type)) {
    if (type !== "CampaignModeChanged") showGroup(type);
    return;
  }
  if (type === "EventsMissed") return lookAgain();
  if (record === null || busy || !(type in GONE)) return;
  const chain = event.GSW_CHAIN_ID === record.GSW_CHAIN_ID && event.GSW_CALLING_LIST_DBID === record.GSW_CALLING_LIST_DBID;
  if (!chain) return;
  const handle = record.GSW_RECORD_HANDLE;
  // Of a chain perhaps another record is meant: the server knows whether this one is still ours.
  if (await isOurs() || record === null || record.GSW_RECORD_HANDLE !== handle) {
    if (type === "DoNotCall" && record !== null) el("dial").removeAttribute("href");
    if (type === "DoNotCall") say("Somebody has marked this customer: do not call");
    return;
  }
  show(null);
  say("The record was " + GONE[type]);
}

async function isOurs() {
  try {
    await ask(of("UpdateCallCompletionStats"), {});
    return true;
  } catch (error) {
    return error.status !== 404;
  }
}

// What the page shows, asked for anew: at the beginning, and when events were missed.
async function lookAgain() {
  const state = await ask("/campaigngroups/" + encodeURIComponent(connection.group) + "?req=CampaignStatusRequest");
  showGroup(state.GSW_USER_EVENT);
  if (record !== null && !busy && !(await isOurs())) {
    show(null);
    say("The record was taken back");
  }
}

// The stream of events. EventSource would come again by itself, but sends no key.
async function follow(mine) {
  const target = connection.server + "/events?campaigngroup=" + encodeURIComponent(connection.group);
  while (!mine.signal.aborted) {
    try {
      const headers = { Accept: "text/event-stream, application/json" };
      if (connection.key) headers.Authorization = "Bearer " + connection.key;
      if (last !== null) headers["Last-Event-ID"] = last;
      const answer = await fetch(target, { headers, signal: mine.signal });
      if (answer.status >= 400 && answer.status < 500) {
        el("group-state").textContent = "Not live: " + (await answer.json()).GSW_ERROR;
        return;
      }
      if (answer.ok) {
        await lookAgain();
        await read(answer.body.pipeThrough(new TextDecoderStream()).getReader());
      }
    } catch (error) {
      if (mine.signal.aborted) return;
    }
    el("group-state").textContent = "Group: not known, connecting again";
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

async function read(reader) {
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => {
        const at = line.indexOf(": ");
        return [line.slice(0, at), line.slice(at + 2)];
      }));
      if (fields.event) await happened(fields.event, JSON.parse(fields.data));
      if (fields.id) last = fields.id;
    }
  }
}

function connect() {
  connection = {
    server: el("server").value.replace(/\/+$/, ""), group: el("group").value, agent: el("agent").value, key: el("key").value,
  };
  sessionStorage.setItem("ocsgw", JSON.stringify({ ...connection, key: "" }));
  el("work").hidden = false;
  if (stream !== null) stream.abort();
  stream = new AbortController();
  last = null;
  follow(stream);
  say("Ready");
}

el("connect").addEventListener("submit", (event) => {
  event.preventDefault();
  connect();
});

el("next").addEventListener("click", () => step(async () => {
  const members = connection.agent ? { GSW_AGENT_ID: connection.agent } : {};
  const found = await ask("/campaigngroups/" + encodeURIComponent(connection.group) + "?req=PreviewRecordRequest", members);
  const empty = found.GSW_USER_EVENT !== "PreviewRecord";
  show(empty ? null : found);
  say(empty ? "Nothing to call at the moment" : "Record " + found.GSW_RECORD_HANDLE);
}));

el("finish").addEventListener("submit", (event) => {
  event.preventDefault();
  step(async () => {
    const result = el("result").value;
    await ask(of("RecordProcessed"), { GSW_CALL_RESULT: result });
    show(null);
    say("Done: " + result);
  });
});

el("later").addEventListener("submit", (event) => {
  event.preventDefault();
  step(async () => {
    const [day, time] = el("when").value.split("T");
    const [year, month, date] = day.split("-");
    const mine = el("mine").checked;
    const members = { GSW_CALLBACK_TYPE: mine ? "Personal" : "Campaign", GSW_DATE_TIME: `${month}/${date}/${year} ${time.slice(0, 5)}` };
    if (mine && connection.agent) members.GSW_AGENT_ID = connection.agent;
    await ask(of("RecordReschedule"), members);
    await ask(of("RecordProcessed"), {});
    show(null);
    say("Scheduled for " + el("when").value.replace("T", " "));
  });
});

el("back").addEventListener("click", () => step(async () => {
  await ask(of("RecordReject"), {});
  show(null);
  say("Given back");
}));

el("never").addEventListener("click", () => step(async () => {
  await ask(of("DoNotCall"), {});
  show(null);
  say("Will not be called again");
}));

for (const name of RESULTS) el("result").append(new Option(name));

const given = { ...JSON.parse(sessionStorage.getItem("ocsgw") || "{}"), ...Object.fromEntries(new URLSearchParams(location.search)) };
for (const name of ["server", "group", "agent"]) if (given[name]) el(name).value = given[name];
if (given.server && given.group) connect();
