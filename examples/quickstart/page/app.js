// The page: a session, and two panes that each play one device of the user. What
// connects them is usercast.js: the package @usercast/client, built, for pages without a
// bundler (scripts/quickstart-bundle.sh copies it).

import { createClient } from "./usercast.js";

const $ = (selector, root = document) => root.querySelector(selector);
const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));
const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

/** A Session is who is logged in; both devices share its token. */
class Session {
  #token = "";
  #goodUntil = 0; // on performance.now()'s clock: the server's may differ
  #pending = null; // a login under way, so that two devices make one

  constructor(user) {
    this.user = user;
  }

  async token({ fresh = false } = {}) {
    if (fresh || performance.now() > this.#goodUntil) {
      await (this.#pending ??= this.#login().finally(() => (this.#pending = null)));
    }
    return this.#token;
  }

  async #login() {
    const { user, token, expiresIn } = await request("POST", "/login", { body: { user: this.user } });
    this.user = user;
    this.#token = token;
    this.#goodUntil = performance.now() + (expiresIn - 30) * 1000;
  }

  /** Calls the API in the name of a device, whose own changes then are not echoed to it. */
  async call(device, method, path, body) {
    for (let fresh = false; ; fresh = true) {
      const headers = { Authorization: `Bearer ${await this.token({ fresh })}`, "X-Device": device };
      try {
        return await request(method, path, { headers, body });
      } catch (error) {
        if (error.status !== 401 || fresh) throw error;
      }
    }
  }
}

async function request(method, path, { headers = {}, body } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body ? { ...headers, "Content-Type": "application/json" } : headers,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
  } catch {
    throw new Error("the server does not answer");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw Object.assign(new Error(answer.error ?? `HTTP ${response.status}`), { status: response.status, field: answer.field });
}

/** A Pane shows one device. */
class Pane {
  offline = false; // cut by its button
  #client = null; // made with the cursor that came with the first state
  #verdict = ""; // of the last connect: resumed, or gap and why
  #replayed = 0; // events that it brought
  #stale = true; // what is shown may not be all that is there
  #refreshing = null;
  #gone = false;
  #orders = new Map(); // id → {order, row}
  #jobs = new Map(); // id → {job, row}
  #entries = new Map(); // key of a job → its last line in the log

  constructor(session, number) {
    this.session = session;
    this.id = deviceID(number);
    this.root = clone("device");
    this.root.setAttribute("aria-label", `Device ${number}`);
    $("h2", this.root).textContent = `Device ${number}`;
    this.#listen();
    this.#showState();
    this.#ticker = setInterval(() => this.#showDetail(), 500);
  }
  #ticker;

  /** Fetches the state and connects with the cursor that came with it. */
  async start() {
    if (this.#stale) await this.refresh();
    if (!this.offline && !this.#gone) this.#client.connect();
  }

  destroy() {
    this.#gone = true;
    clearInterval(this.#ticker);
    this.#client?.destroy();
    this.root.remove();
  }

  /** The client does the rest: it reconnects, resumes where it stopped, and says so when something is missing. */
  #open(cursor) {
    const client = createClient({
      url: "/events",
      deviceId: this.id,
      initialCursor: cursor,
      getToken: ({ reason }) => this.session.token({ fresh: reason !== "connect" }),
      onGap: ({ reason }) => this.#gap(reason),
    });
    client.on("*", (payload, meta) => this.#event(payload, meta));
    let { stale } = client.state;
    client.subscribeState(() => {
      const now = client.state;
      if (now.phase !== "connected") this.#replayed = 0;
      if (stale && !now.stale) this.#verdict = "resumed"; // all has come, unless onGap follows
      stale = now.stale;
      this.#showState();
    });
    return client;
  }

  /**
   * Fetches the state. Asked again meanwhile, it fetches once more, so the last
   * answer is never older than the last event, and a burst costs two requests at
   * most. It does not give up: after a gap nothing else brings back what is missing.
   */
  refresh() {
    this.#stale = true;
    return (this.#refreshing ??= this.#fetch().finally(() => (this.#refreshing = null)));
  }

  async #fetch() {
    for (let failures = 0; this.#stale && !this.offline && !this.#gone; ) {
      await sleep(failures ? Math.random() * Math.min(30_000, 1000 * 2 ** failures) : 20);
      this.#stale = false;
      try {
        const state = await this.session.call(this.id, "GET", "/state");
        if (this.offline || this.#gone) this.#stale = true; // a device that is cut hears nothing
        else this.#show(state);
        failures = 0;
      } catch (error) {
        this.#stale = true;
        failures++;
        this.#complain(`State not fetched: ${error.message}. Trying again.`);
      }
    }
  }

  #show({ cursor, orders, jobs }) {
    this.#client ??= this.#open(cursor);
    this.#complain("");
    this.#sync(this.#orders, orders, (o) => o.id, (o) => this.#showOrder(o), $(".orders", this.root));
    this.#sync(this.#jobs, jobs.toReversed(), (j) => j.jobId, (j) => this.#showJob(j), $(".jobs", this.root));
    const notice = $(".notice", this.root);
    if (!notice.hidden && !notice.dataset.done) {
      notice.dataset.done = "yes";
      $("span", notice).textContent += " Refetched.";
    }
  }

  /** Makes the rows of a list those of the state, and touches only what differs. */
  #sync(known, items, idOf, show, list) {
    const ids = new Set(items.map(idOf));
    for (const [id, { row }] of known) {
      if (ids.has(id)) continue;
      known.delete(id);
      row.remove();
    }
    items.forEach((item, i) => {
      const row = show(item);
      if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
    });
    this.#showCounts();
  }

  // --- orders

  #showOrder(order) {
    let entry = this.#orders.get(order.id);
    if (!entry) {
      entry = { order: null, row: clone("order") };
      this.#orders.set(order.id, entry);
      $(".edit", entry.row).onclick = () => this.#edit(entry);
      $(".delete", entry.row).onclick = () => this.#delete(entry);
    }
    const { row } = entry;
    if (JSON.stringify(order) !== JSON.stringify(entry.order)) {
      entry.order = order;
      $(".quantity", row).textContent = `${order.quantity} ×`;
      $(".item", row).textContent = order.item; // never innerHTML: people wrote this
      $(".edit", row).setAttribute("aria-label", `Edit ${order.item}`);
      $(".delete", row).setAttribute("aria-label", `Delete ${order.item}`);
      flash(row);
    }
    return row;
  }

  #edit({ order, row }) {
    const form = clone("edit");
    const done = () => {
      form.remove();
      row.classList.remove("editing");
      $(".edit", row).focus();
    };
    form.item.value = order.item;
    form.quantity.value = order.quantity;
    form.onsubmit = async (event) => {
      event.preventDefault();
      if (await this.#change("PUT", `/orders/${encodeURIComponent(order.id)}`, input(form))) done();
    };
    form.onkeydown = (event) => {
      if (event.key === "Escape") done();
    };
    $(".cancel", form).onclick = done;
    row.classList.add("editing");
    row.append(form);
    form.item.select();
  }

  async #delete({ order, row }) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    if (!(await this.#change("DELETE", `/orders/${encodeURIComponent(order.id)}`))) return;
    if (document.activeElement === document.body || row.contains(document.activeElement)) {
      (next ? $(".delete", next) : $(".add input", this.root)).focus();
    }
  }

  /** Changes something on the server, then shows it. The hub sends this device no echo. */
  async #change(method, path, body) {
    this.#complain("");
    try {
      await this.session.call(this.id, method, path, body);
    } catch (error) {
      this.#complain(error.message);
      if (error.status === 404) this.refresh(); // another device was faster
      return false;
    }
    await this.refresh();
    return true;
  }

  // --- jobs

  #showJob(job) {
    let entry = this.#jobs.get(job.jobId);
    if (!entry) {
      entry = { job, row: clone("job") };
      this.#jobs.set(job.jobId, entry);
      $("progress", entry.row).setAttribute("aria-label", `Progress of ${job.type}`);
    }
    // The answer to a fetch may be older than an event that came meanwhile, and
    // jobs only go forward.
    if (entry.job.status !== "running" && job.status === "running") return entry.row;
    const progress = Math.max(job.progress, entry.job.progress);
    const label = job.progress < progress ? entry.job.label : job.label;
    entry.job = { ...job, progress, label };
    entry.row.dataset.status = job.status;
    $(".label", entry.row).textContent = job.status === "running" ? [job.type, label].filter(Boolean).join(": ") : `${job.type}: ${job.status}`;
    $(".percent", entry.row).textContent = `${progress} %`;
    $("progress", entry.row).value = progress;
    return entry.row;
  }

  // --- what the hub says

  #event(payload, meta) {
    const { type, replayed, latest, transient } = meta;
    this.#log(replayed ? (latest ? "latest" : "replayed") : "live", payload, meta);
    if (replayed && !latest && !transient) this.#replayed++;
    const status = jobStatus[type];
    if (status) {
      // The event says all there is to know: the bar is right without a fetch.
      const least = status === "completed" ? 100 : 0;
      const row = this.#showJob({ progress: least, label: "", ...payload, status });
      if (!row.isConnected) $(".jobs", this.root).prepend(row);
      this.#showCounts();
    }
    // The others say what has changed; what it is now, the server knows best.
    if (type !== "JOB_PROGRESS") this.refresh();
  }

  #gap(reason) {
    this.#verdict = `gap: ${reason}`;
    this.#showState();
    const notice = $(".notice", this.root);
    $("span", notice).textContent = `Gap (${reason}): events may be missing, so the state is fetched anew.`;
    delete notice.dataset.done;
    notice.hidden = false;
    this.#log("gap", { reason }, { type: "hub.gap" });
    this.refresh();
  }

  #showState() {
    const { phase, stale } = this.#state;
    this.offline ||= phase === "closed";
    const badge = $(".badge", this.root);
    const text = phase === "idle" ? (this.offline ? "cut" : "starting") : phase;
    if (badge.textContent !== text) badge.textContent = text; // read aloud when it changes, and only then
    badge.dataset.phase = phase;

    const chip = $(".verdict", this.root);
    chip.dataset.verdict = this.#verdict.split(":")[0];
    if (!this.#verdict) chip.textContent = "none yet";
    else if (!stale) chip.textContent = `${this.#verdict}, ${this.#replayed} replayed`;

    const cut = $(".cut", this.root);
    cut.textContent = this.offline ? "Come back" : "Cut";
    cut.classList.toggle("primary", this.offline);
    $("fieldset", this.root).disabled = this.offline;
    this.root.classList.toggle("offline", this.offline);
    this.#showDetail();
  }

  get #state() {
    return this.#client?.state ?? { phase: "idle", stale: true };
  }

  #showDetail() {
    const { phase, code, reason, retryAt } = this.#state;
    const wait = Math.ceil(((retryAt ?? 0) - Date.now()) / 1000);
    const next = wait > 0 ? `next try in ${wait} s` : "";
    const idle = this.offline ? "this device is offline" : "fetching the state";
    const text = phase === "idle" ? idle : [code, reason].filter(Boolean).join(" ");
    $(".detail", this.root).textContent = [text, next].filter(Boolean).join("; ") || (phase === "connected" ? "up" : "connecting");
  }

  #showCounts() {
    const n = this.#orders.size;
    $(".count", this.root).textContent = n || "";
    $(".orders + .empty", this.root).hidden = n > 0;
    $(".clear", this.root).hidden = n === 0;
    $(".nojobs", this.root).hidden = this.#jobs.size > 0;
  }

  /** Writes a line into the event log. The progress of one job shares a line. */
  #log(mark, payload, { type, key, timestamp }) {
    const log = $(".log", this.root);
    let line = type === "JOB_PROGRESS" && mark === "live" ? this.#entries.get(key) : null;
    if (!line?.isConnected) {
      line = document.createElement("li");
      for (const name of ["time", "mark", "type", "what"]) {
        line.append(Object.assign(document.createElement("span"), { className: name }), " ");
      }
      log.prepend(line);
      while (log.children.length > 100) log.lastElementChild.remove();
    }
    if (type === "JOB_PROGRESS" && mark === "live") this.#entries.set(key, line);
    else if (key) this.#entries.delete(key);
    const at = timestamp ? new Date(timestamp) : new Date();
    line.dataset.mark = mark;
    $(".time", line).textContent = `${at.toLocaleTimeString("en-GB")}.${String(at.getMilliseconds()).padStart(3, "0")}`;
    $(".time", line).title = timestamp ?? "";
    $(".mark", line).textContent = mark;
    $(".type", line).textContent = type;
    $(".what", line).textContent = describe(payload);
  }

  #complain(text) {
    const error = $(".error", this.root);
    error.textContent = text;
    error.hidden = !text;
  }

  // --- what the person does

  #listen() {
    const add = $(".add", this.root);
    add.onsubmit = async (event) => {
      event.preventDefault();
      if (!(await this.#change("POST", "/orders", input(add)))) return;
      add.reset();
      add.item.focus();
    };
    $(".clear", this.root).onclick = async () => (await this.#change("DELETE", "/orders")) && add.item.focus();
    $(".job", this.root).onclick = () => this.#change("POST", "/jobs");
    $(".notice button", this.root).onclick = () => {
      $(".notice", this.root).hidden = true;
      $(".cut", this.root).focus();
    };
    $(".cut", this.root).onclick = () => (this.offline ? this.#comeBack() : this.#cut());
  }

  #cut() {
    this.offline = true;
    if (this.#client) this.#client.close();
    else this.#showState();
  }

  #comeBack() {
    this.offline = false;
    if (!this.#client) { // it was cut before it had begun
      this.#showState();
      return this.start();
    }
    this.#client.connect();
    if (this.#stale) this.refresh(); // a fetch was cut off
  }
}

/** What a job's status is after an event. */
const jobStatus = {
  JOB_STARTED: "running",
  JOB_PROGRESS: "running",
  JOB_COMPLETED: "completed",
  JOB_FAILED: "failed",
  JOB_CANCELLED: "cancelled",
};

/** The device's ID outlives a reload, for the hub to know it again. */
function deviceID(number) {
  const name = `usercast.device.${number}`;
  let id = sessionStorage.getItem(name);
  if (!id) {
    id = `pane${number}-${Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("")}`;
    sessionStorage.setItem(name, id);
  }
  return id;
}

const input = (form) => ({ item: form.item.value, quantity: form.quantity.valueAsNumber || 0 });

/** A payload in a few words. */
function describe(payload) {
  if (payload?.orderIds) return `${payload.count} ${payload.count === 1 ? "order" : "orders"}`;
  if (payload?.label) return `${payload.progress} %, ${payload.label}`;
  return payload?.result ?? payload?.error ?? payload?.reason ?? payload?.entityName ?? "";
}

function flash(row) {
  row.classList.remove("flash");
  void row.offsetWidth; // restarts the animation
  row.classList.add("flash");
}

// --- login

const remembered = "usercast.user";
let panes = [];

async function begin(user) {
  const session = new Session(user);
  await session.token();
  sessionStorage.setItem(remembered, session.user);
  $("#name").textContent = session.user;
  panes = [1, 2].map((number) => new Pane(session, number));
  $("#devices").replaceChildren(...panes.map((pane) => pane.root));
  show(true);
  for (const pane of panes) pane.start();
}

function show(loggedIn) {
  $("#login").hidden = loggedIn;
  $("#who").hidden = $("#devices").hidden = !loggedIn;
}

$("#login").onsubmit = async (event) => {
  event.preventDefault();
  const error = $("#login .error");
  error.hidden = true;
  try {
    await begin($("#user").value);
  } catch (problem) {
    error.textContent = problem.message;
    error.hidden = false;
  }
};

$("#logout").onclick = () => {
  for (const pane of panes) pane.destroy();
  panes = [];
  sessionStorage.clear();
  show(false);
  $("#user").focus();
};

const user = sessionStorage.getItem(remembered);
if (user) {
  begin(user).catch(() => show(false));
} else {
  show(false);
}
