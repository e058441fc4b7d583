// Breaks the core and the tabs in ways that matter; the tests must see each. Works on
// a copy. `node scripts/mutants.js [part of a name]`

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** name: [file, what stands there, what is put in its place] */
const mutants = {
  "an event comes twice": ["inbox.ts", "    if (!isNew(frame)) return;\n    values", "    values"],
  "the cursor moves before handlers": [
    "inbox.ts",
    "    onEvent(payload, {",
    "    move(frame);\n    onEvent(payload, {",
  ],
  "a gap is told before hub.live": ["inbox.ts", "if (live) tell();", "tell();"],
  "a gap is not told": ["inbox.ts", "    onGap(told);", ""],
  "a gap is forgotten with its connection": [
    "inbox.ts",
    "    live = false;\n    if",
    "    live = false;\n    gap = null;\n    if",
  ],
  "a gap is saved over": ["inbox.ts", "    if (gap) return;", ""],
  "another epoch passes for the same": [
    "inbox.ts",
    'before?.epoch === epoch && verdict === "resumed"',
    'verdict === "resumed" && before',
  ],
  "values survive a gap at connect": ["inbox.ts", "values.drop();\n      if", "0;\n      if"],
  "values survive a lag": ["inbox.ts", "    values.drop(frame.scope);", ""],
  "both scopes share a cursor": [
    "inbox.ts",
    '(frame.scope === "all" ? "lastGlobalTs" : "lastEventTs")',
    '"lastEventTs"',
  ],
  "a heartbeat before hub.live moves the cursor": ["inbox.ts", "if (live) move(frame);", "move(frame);"],
  "a shared socket sets a page back": ["inbox.ts", "mine > hubs ? mine : hubs", "false ? mine : hubs"],
  "a key's end leaves its value": ["values.ts", "if (!frame.class) forget", "if (false) forget"],
  "values grow for ever": ["values.ts", "frames.size > maxValues", "false"],
  "a stale socket is heard": ["link.ts", "run === mine && hear", "hear"],
  "a stale socket's close counts": ["link.ts", "run === mine && closed", "closed"],
  "a late token opens a socket": ["link.ts", "if (run !== mine) return;\n    const Socket", "const Socket"],
  "no connect timeout": ["link.ts", 'later("open", connectTimeoutMs, () => retry("timeout"));', ""],
  "the backoff starts anew at once": [
    "link.ts",
    'later("stable", stableMs, () => state.set({ attempt: 0 }));',
    "state.set({ attempt: 0 });",
  ],
  "no jitter": ["link.ts", "Math.random() *", "1 *"],
  "no upper bound of the backoff": ["link.ts", "Math.min(maxMs, minMs * 2 ** attempt)", "minMs * 2 ** attempt"],
  "the spread is not kept": ["link.ts", "told = spread > 0;", ""],
  "a spread of nothing is a tight loop": [
    "link.ts",
    "Math.max(spread, Math.min(maxMs, minMs * 2 ** attempt))",
    "(spread || 0)",
  ],
  "a refused token is asked for at once": ["link.ts", "mine.ready ? 0 : minMs", "0"],
  "getToken is not told why": ["link.ts", 'asked = /expired/.test(words) ? "expired" : "refused";', ""],
  "4409 is retried": ["link.ts", "      case 4409:", "      case 4410:"],
  "Unauthorized is retried": ["link.ts", 'if (name === "Unauthorized")', "if (false)"],
  "renewals run in a circle": ["link.ts", "Math.max(0, mine.token + renewMs - Date.now())", "0"],
  "a wake-up replaces without a probe": [
    "link.ts",
    "    const at = Date.now();\n    const wait",
    "    return open();\n    const at = Date.now();\n    const wait",
  ],
  "what was on its way answers a probe": [
    "link.ts",
    "mine.heard = Date.now();",
    'mine.heard = Date.now();\n    cancel("probe");',
  ],
  "a late timer kills": ["link.ts", "!again && (silent < 0", "false && (silent < 0"],
  "silence is not watched": ["link.ts", "probe(false);\n        wait(quiet);", "wait(quiet);"],
  "pings hang when the connection is lost": [
    "link.ts",
    "for (const ping of old.pings) ping.reject(notConnected());",
    "",
  ],
  "wake-ups are heard after close": ["client.ts", "    unwatch?.();\n    active.leave();", "    active.leave();"],
  "a hidden page counts as a wake-up": ["wake.ts", 'type !== "visibilitychange" || !document.hidden', "true"],
  "retain disconnects in the same task": [
    "client.ts",
    "setTimeout(() => {\n          if (--retained",
    "((f) => f())(() => {\n          if (--retained",
  ],
  "retain revives what the hub closed": [
    "client.ts",
    'retained++ === 0 && state.now.phase === "idle"',
    "retained++ === 0",
  ],
  "destroy keeps the cursor": ["client.ts", "      inbox.destroy();", ""],
  "destroy keeps handlers": ["client.ts", "      handlers.close();", ""],
  "a thrown handler stops the others": [
    "handlers.ts",
    "    } catch (error) {\n      report(error);",
    "    } catch (error) {\n      throw error;",
  ],
  "a handler removed in the middle is called": ["handlers.ts", "if (all.has(one)) guard", "guard"],
  "a shared socket names one tab's device": ["client.ts", "options.share ? undefined : deviceId", "deviceId"],
  "tabs: a former leader is heard": ["tabs/index.ts", "if (m.from !== leader) {", "if (false) {"],
  "tabs: a new leader is trusted blindly": ["tabs/index.ts", "      synced = false;\n      follow", "      follow"],
  "tabs: nobody is ever behind": ["tabs/index.ts", "same && !isBehind(mine, start)", "same"],
  "tabs: a fresh connection counts as resumed": [
    "tabs/index.ts",
    'verdict === "fresh" ? !same :',
    'verdict === "fresh" ? true :',
  ],
  "tabs: a gap's start counts as complete": [
    "tabs/index.ts",
    '(payload as Hello).verdict === "resumed" ? startOf(frame) : undefined',
    'type === "hub.gap" ? floor : (payload as Hello).verdict !== "fresh" ? startOf(frame) : undefined',
  ],
  "tabs: what the ring lost is forgotten": [
    "tabs/index.ts",
    "if (old) floor[scopeOf(old)] = old.timestamp as string;",
    "",
  ],
  "tabs: transients are replayed": ["tabs/index.ts", ' && frame.class !== "transient"', ""],
  "tabs: the lock is kept": ["tabs/index.ts", "    give?.();", ""],
  "tabs: a closed client waits for the lock": ["tabs/index.ts", "    stay?.abort();", ""],
  "tabs: guests are forgotten until they ask again": ["tabs/index.ts", "queueMicrotask(welcome);", ""],
  "tabs: claims are not kept": ["tabs/index.ts", "claims.push(cursor);", ""],
  "tabs: what the hub closed is dialled again": [
    "tabs/index.ts",
    'if (host.state.now.phase !== "closed") host',
    "host",
  ],
  "tabs: a tab that waits is not stale": ["tabs/index.ts", "stale: state.stale || !synced", "stale: state.stale"],
};

const dir = mkdtempSync(join(tmpdir(), "usercast-mutants-"));
for (const part of ["src", "test", "conformance", "package.json", "tsconfig.json", "vitest.config.ts"]) {
  cpSync(part, join(dir, part), { recursive: true });
}
symlinkSync(resolve("node_modules"), join(dir, "node_modules"));

const tests = [
  "connect",
  "reconnect",
  "life",
  "probe",
  "events",
  "latest",
  "cursor",
  "conformance",
  "property",
  "tabs",
].map((t) => `test/${t}`);
const passes = () =>
  spawnSync("npx", ["vitest", "run", "--bail=1", "--silent", "--reporter=dot", ...tests], { cwd: dir }).status === 0;

let [seen, missed] = [0, 0];
try {
  if (!passes()) throw new Error("the tests fail without a mutant");
  for (const [name, [file, from, to]] of Object.entries(mutants)) {
    if (!name.includes(process.argv[2] ?? "")) continue;
    const path = join(dir, "src", file);
    const source = readFileSync(path, "utf8");
    if (source.split(from).length !== 2) throw new Error(`"${name}" must find its place once in ${file}`);
    writeFileSync(
      path,
      source.replace(from, () => to),
    );
    const lives = passes();
    writeFileSync(path, source);
    if (lives) console.error(`NOT SEEN: ${name}`);
    lives ? missed++ : seen++;
  }
} finally {
  rmSync(dir, { recursive: true });
}
console.log(`${seen} mutants seen, ${missed} not seen`);
if (missed > 0) process.exitCode = 1;
