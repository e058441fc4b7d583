// Breaks the hooks and the query binding in ways that matter; their tests must see
// each. Works on a copy. `node test/react-mutants.js [part of a name]`

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const [hooks, progress, listen] = ["react/hooks.ts", "react/progress.ts", "react/listen.ts"];
const [monitor, bind] = ["react/monitor.ts", "query/bind.ts"];

/** name: [file, what stands there, what is put in its place] */
const mutants = {
  "provider: never releases": [hooks, "() => value.retain(), [value]", "() => void value.retain(), [value]"],
  "provider: retains at each render": [hooks, "() => value.retain(), [value]", "() => value.retain()"],
  "provider: a client for each render": [hooks, "const [made] = useState(create);", "const made = create?.();"],
  "provider: another client is ignored": [
    hooks,
    "const value = client ?? (made as Client<M>);",
    "const [value] = useState(client ?? (made as Client<M>));",
  ],
  "event: the first handler for ever": [hooks, "newest.current(p as never, meta)", "handler(p as never, meta)"],
  "event: subscribes at each render": [hooks, "[client, type, newest]", "[client, type, newest, handler]"],
  "event: another type is ignored": [hooks, "[client, type, newest]", "[client, newest]"],
  "event: the handler is late": [hooks, "useLayoutEffect(() => {\n    ref", "useEffect(() => {\n    ref"],
  "event: deaf while suspended": [hooks, "useEffect(() => client.on(", "useLayoutEffect(() => client.on("],
  "hydration: the client's state": [hooks, "() => onServer,", "() => get(client),"],
  "hydration: the client's progress": [hooks, "() => unknown) as", "snapshot) as"],
  "progress: another key is ignored": [hooks, "[client, key, newest]", "[client, newest]"],
  "progress: no ID is an ID": [hooks, 'id == null ? "" : ', ""],
  "listen: not to events": [listen, 'client.on("*", fn), ', ""],
  "listen: not to gaps": [listen, "client.onGap(fn as (gap: Gap) => void), ", ""],
  "listen: not to the state": [listen, ", client.subscribeState(fn)", ""],
  "listen: for ever": [listen, "for (const u of undo) u();", ""],
  "progress: an event does not answer the question": [
    progress,
    "    asked?.abort();\n    doubt = false;",
    "    doubt = false;",
  ],
  "progress: an event leaves the doubt": [progress, "    asked?.abort();\n    doubt = false;", "    asked?.abort();"],
  "progress: the end forgets how far it was": [progress, "...(ended(status) && now), ", ""],
  "progress: another run remembers the last": [progress, "...(ended(status) && now), ", "...now, "],
  "progress: the end is stale": [progress, " && !ended(next.status)", ""],
  "progress: a lost connection is not stale": [progress, "(doubt || client.state.stale)", "doubt"],
  "progress: a gap is not stale": [progress, "(doubt || client.state.stale)", "client.state.stale"],
  "progress: a gap makes no doubt": [progress, "if (payload) doubt = true; // a gap", ""],
  "progress: a gap does not ask again": [progress, "if (payload || stale) asked", "if (stale) asked"],
  "progress: a lost connection does not ask again": [progress, "if (payload || stale) asked", "if (payload) asked"],
  "progress: StrictMode asks twice": [progress, "      await null;\n", ""],
  "progress: every end is final": [progress, " && !options.current.repeats", ""],
  "progress: no end is final": [progress, "if (ended(now.status) && !options.current.repeats) return;", ""],
  "progress: of all jobs": [progress, "if (meta.key === key) take", "take"],
  "progress: does not know that it was hidden": [progress, "      doubt = true; //", "      //"],
  "progress: each state asks": [progress, " && !stale && !asked", " && !stale"],
  "progress: asks while disconnected": [progress, " && !stale && !asked", " && !asked"],
  "progress: asks for no ID": [progress, "if (key && doubt", "if (doubt"],
  "progress: the first render knows nothing": [progress, "  look();\n  return [", "  return ["],
  "progress: a void answer counts": [progress, "if (!answer || signal.aborted) return;", "if (!answer) return;"],
  "progress: a void error counts": [progress, "if (!signal.aborted) set({ ...now", "set({ ...now"],
  "progress: an error is kept quiet": [
    progress,
    "if (!signal.aborted) set({ ...now, refetchError } as Job);",
    "void refetchError;",
  ],
  "progress: an unmount does not abort": [
    progress,
    "        asked = void asked?.abort();\n        stop",
    "        stop",
  ],
  "progress: of one type only": [progress, "client.latest(type as never", 'client.latest("JOB_PROGRESS" as never'],
  "progress: the state is not shown": [progress, "    else set(now);\n", ""],
  "progress: old values come back": [progress, "const value = doubt && client", "const value = client"],
  "progress: its own words for the end": [progress, "options.current.ends ?? ", ""],
  "progress: an answer leaves the doubt": [progress, "      doubt = false;\n      set(answer)", "      set(answer)"],
  "monitor: the first connection is a reconnect": [monitor, "= connections++", "= ++connections"],
  "monitor: a young connection is idle": [monitor, "      active = time;\n", ""],
  "monitor: a new connection is not measured": [monitor, "      probed = 0;\n", ""],
  "monitor: the latency outlives the connection": [monitor, "now.latencyMs = null;\n    else", ";\n    else"],
  "monitor: measures each second": [monitor, "time - probed >= probeMs", "true"],
  "monitor: draws each second": [monitor, "if (text === shown) return;", ""],
  "monitor: the timer stays": [monitor, "() => clearInterval(timer),", ""],
  "monitor: events do not count as life": [monitor, "      active = Date.now();\n", ""],
  "monitor: a lost probe is an error": [monitor, "() => {}, //", "() => { throw new Error(); }, //"],
  "monitor: late": [monitor, "client.subscribeState(look),", ""],
  "query: no fetch is cancelled": [bind, "await queryClient.cancelQueries(known);", "await null;"],
  "query: writes before the cancellation is over": [bind, "await queryClient.cancel", "queryClient.cancel"],
  "query: the first fetch is cancelled": [bind, "cancelQueries(known)", "cancelQueries(some)"],
  "query: a cancelled fetch is lost": [bind, "    doubt(old);\n", ""],
  "query: a paused fetch is lost": [bind, 'state.fetchStatus !== "idle")', 'state.fetchStatus === "fetching")'],
  "query: an invalidation is lost": [bind, "state.isInvalidated || ", ""],
  "query: the first fetch is trusted by an update": [bind, "cache.findAll(some).filter", "cache.findAll(known).filter"],
  "query: the first fetch is trusted by an invalidation": [bind, " && first(query)) continue;", " && false) continue;"],
  "query: waits for what was removed": [bind, "cache.get(query.queryHash) === query && ", ""],
  "query: updates what was never fetched": [bind, "setQueriesData(known", "setQueriesData(some"],
  "query: a storm is never answered": [
    bind,
    "flushing ??= setTimeout",
    "clearTimeout(flushing), (flushing = undefined), flushing ??= setTimeout",
  ],
  "query: once and never again": [bind, "    flushing = undefined;\n", ""],
  "query: updates overtake each other": [bind, "const done = updates.then", "const done = Promise.resolve().then"],
  "query: an error ends updates": [bind, "updates = done.then(noop, noop);", "updates = done.then(noop);"],
  "query: an error is kept quiet": [bind, "return done; // the", "return done.then(noop, noop); // the"],
  "query: the hole before the connection": [bind, "if (blind) invalidate(gap);", ""],
  "query: each reconnect is a hole": [bind, "if (blind) invalidate(gap);", "invalidate(gap);"],
  "query: once blind, always": [bind, "      blind = false;\n", ""],
  "query: a cursor is not trusted": [bind, "blind ||= !client.cursor", "blind = true"],
  "query: a late binding is not blind": [bind, '!["idle", "connecting"].includes(client.state.phase)', "false"],
  "query: a replaced page does not poll": [bind, " || code === 4409", ""],
  "query: polls after a logout": [bind, " || code === 4409", ' || phase !== "connected"'],
  "query: polls only after the first connection": [bind, 'phase === "connecting" || ', ""],
  "query: polls unseen": [bind, "globalThis.document?.hidden || ", ""],
  "query: polls for ever": [bind, "      clearInterval(polling);\n", ""],
  "query: polls once": [bind, "      polling = undefined;\n", ""],
  "query: unbind leaves the poll": [bind, "    clearInterval(polling);\n    clearTimeout", "    clearTimeout"],
  "query: unbind leaves the timer": [bind, "    clearTimeout(flushing);\n", ""],
  "query: unbind forgets what waits": [bind, "updates.then(flush);", ""],
  "query: unbind does not wait for updates": [bind, "updates.then(flush);", "flush();"],
  "query: unbind waits for more": [bind, "    bound = false;\n", ""],
  "query: unbind hears on": [bind, "for (const u of undo) u();", ""],
  "query: deaf to gaps": [bind, "client.onGap(() => invalidate(gap)),", ""],
  "query: deaf to the state": [bind, "client.subscribeState(watch),", ""],
  "query: a gap means nothing by default": [bind, "gap = [{}]", "gap = []"],
  "query: nothing is polled by default": [bind, "poll = gap", "poll = []"],
  "query: update takes a prefix": [bind, "exact: true, ", ""],
  "query: a poll for each attempt": [bind, "polling ??= setInterval", "polling = setInterval"],
  "query: what is up is not looked at": [bind, "  watch();\n  return", "  return"],
};

const dir = mkdtempSync(join(tmpdir(), "usercast-mutants-"));
for (const part of ["src", "test", "package.json", "tsconfig.json", "vitest.config.ts"]) {
  cpSync(part, join(dir, part), { recursive: true });
}
symlinkSync(resolve("node_modules"), join(dir, "node_modules"));

const passes = (/** @type {string} */ tests) =>
  spawnSync("npx", ["vitest", "run", "--bail=1", "--silent", "--reporter=dot", tests], { cwd: dir }).status === 0;

let [seen, missed] = [0, 0];
try {
  if (!passes("test/react") || !passes("test/query")) throw new Error("the tests fail without a mutant");
  for (const [name, [file, from, to]] of Object.entries(mutants)) {
    if (!name.includes(process.argv[2] ?? "")) continue;
    const path = join(dir, "src", file);
    const source = readFileSync(path, "utf8");
    if (source.split(from).length !== 2) throw new Error(`"${name}" must find its place once in ${file}`);
    writeFileSync(
      path,
      source.replace(from, () => to),
    );
    const lives = passes(file === bind ? "test/query" : "test/react");
    writeFileSync(path, source);
    if (lives) console.error(`NOT SEEN: ${name}`);
    lives ? missed++ : seen++;
  }
} finally {
  rmSync(dir, { recursive: true });
}
console.log(`${seen} mutants seen, ${missed} not seen`);
if (missed > 0) process.exitCode = 1;
