import type { ConnectionState, Cursor, Frame, Membership, Share, ShareHost } from "../types.ts";

/** How many events the leading tab keeps for tabs that come later. More missed, and the socket resumes for them. */
const kept = 100;

export interface ShareOptions {
  /** The user's ID. Tabs of different users share nothing. */
  user: string;
  /** Tells several hubs of one origin apart. */
  name?: string;
}

/** What tabs tell each other. Only the tab that leads sends the first three. */
type Message =
  | { kind: "lead"; state: ConnectionState }
  | { kind: "hear"; frames: Frame[]; state: ConnectionState }
  | { kind: "pong" }
  | { kind: "join"; cursor: Cursor | null }
  | { kind: "send"; arg: string }
  | { kind: "probe"; arg: boolean }
  | { kind: "ping" | "reconnect" };

/** to: one tab; absent: all of them. */
type Envelope = Message & { from: number; to?: number | undefined };

/**
 * One socket for all tabs of a user in one browser:
 *
 *     createClient({ url, getToken, share: shareTabs({ user: "u1" }) })
 *
 * The tab that holds a Web Lock leads: it has the socket and passes every frame on. When
 * it goes, the next tab gets the lock and resumes; a tab that is behind it says so, and
 * the socket resumes from there. Where there are no Web Locks (pages without HTTPS), each
 * tab has a socket of its own.
 */
export function shareTabs({ user, name = "" }: ShareOptions): Share {
  // The 1 stands for the messages above: an old tab must not talk to one of another version.
  return (host) => createMembership(host, `usercast/1 ${JSON.stringify([name, user])}`);
}

function createMembership(host: ShareHost, place: string): Membership {
  const me = Math.random();
  let channel: BroadcastChannel | undefined;
  /** From join to leave. */
  let stay: AbortController | undefined;
  /** Gives the lock back. */
  let give: (() => void) | undefined;

  // Of a tab that follows.
  let leader: number | undefined;
  /** Another that spoke as a leader does, and was asked to say so. */
  let asked: number | undefined;
  /** Has all that the leader passed on: what comes next is next. */
  let synced = false;
  /** Who waits for a pong. */
  let pings: (() => void)[] = [];

  // Of the tab that leads.
  let leading = false;
  let ring: Frame[] = [];
  /** From here on ring is complete. undefined: empty, and from wherever the leader is. */
  let floor: Start | undefined;
  /** Tabs that came while the socket was not live. */
  const guests = new Map<number, Cursor | null>();
  /** Cursors of tabs that the ring could not help. */
  let claims: Cursor[] = [];

  const post = (message: Message, to?: number) => channel?.postMessage({ ...message, from: me, to });
  const tell = (frames: Frame[], to?: number) => post({ kind: "hear", frames, state: host.state.now }, to);

  // Claims are of the epoch of the own cursor, for a hub.hello forgets them.
  const claim = () => claims.reduce<Cursor | null>(earliest, host.cursor());

  function lead() {
    leading = true;
    post({ kind: "lead", state: host.state.now });
    if (host.state.now.phase !== "closed") host.lead(claim); // what the hub has closed waits for the user, whoever leads
  }

  function reconnect() {
    if (leading) host.lead(claim);
    else post({ kind: "reconnect" });
  }

  function join() {
    if (stay) return reconnect();
    const mine = new AbortController();
    stay = mine;
    const locks = globalThis.navigator?.locks as LockManager | undefined;
    if (!locks) return lead(); // which every browser without BroadcastChannel lacks, too
    channel = new BroadcastChannel(place);
    channel.onmessage = ({ data }) => receive(data);
    post({ kind: "join", cursor: host.cursor() });
    const locked = () =>
      new Promise<void>((resolve) => {
        give = resolve;
        if (stay === mine) lead();
        else resolve();
      });
    // Without the right to lock (a sandboxed frame) it must do alone.
    locks.request(place, mine, locked).catch(() => stay === mine && lead());
  }

  function leave() {
    stay?.abort();
    give?.();
    channel?.close();
    stay = give = channel = leader = floor = undefined;
    leading = synced = false;
    ring = [];
    claims = [];
    guests.clear();
    host.drop();
  }

  function receive(m: Envelope) {
    if (m.to && m.to !== me) return;
    if (leading) serve(m);
    else if (m.kind === "lead") {
      leader = m.from;
      synced = false;
      follow(m.state);
    } else if (m.kind === "pong") {
      for (const answer of pings) answer();
      pings = [];
    } else if (m.kind === "hear") {
      if (m.from !== leader) {
        // The last words of one that led before, or the leader's, overtaken by those.
        if (leader && m.from !== asked) post({ kind: "join", cursor: host.cursor() }, m.from);
        asked = m.from;
        return;
      }
      if (m.to && synced) return; // a hello was faster than the welcome
      // Before what brings the new state, but after what ends the wait for it.
      if (!m.to) follow(m.state);
      for (const frame of m.frames) take(frame);
      follow(m.state);
    }
  }

  /** What the leader does for others. */
  function serve(m: Envelope) {
    switch (m.kind) {
      case "join":
        post({ kind: "lead", state: host.state.now }, m.from);
        guests.set(m.from, m.cursor);
        return welcome();
      case "send":
      case "probe":
        return void host[m.kind](m.arg as never);
      case "reconnect":
        return reconnect();
      case "ping":
        host.ping().then(
          () => post({ kind: "pong" }, m.from),
          () => {},
        );
    }
  }

  /** Brings those who came to where the leader is, once that is somewhere. */
  function welcome() {
    const here = host.cursor();
    if (host.state.now.stale || !here) return;
    floor ??= { ...here } as Start;
    for (const [guest, cursor] of guests) {
      const { epoch } = here;
      const same = cursor?.epoch === epoch;
      if (same && isBehind(cursor, floor)) {
        claims.push(cursor);
        continue;
      }
      // As the hub would say it. A tab with a cursor of another epoch knows what "fresh" means to it.
      const [verdict, start, past] = same
        ? ["resumed", cursor, ring]
        : ["fresh", { lastEventTs: "", lastGlobalTs: "" }, host.values.latest()];
      const hello = { epoch, verdict, globalTimestamp: start.lastGlobalTs ?? floor.lastGlobalTs };
      tell(
        [
          { type: "hub.hello", payload: hello, timestamp: start.lastEventTs },
          ...past,
          { type: "hub.live", timestamp: here.lastEventTs },
          { type: "hub.heartbeat", timestamp: here.lastGlobalTs as string, scope: "all" },
        ],
        guest,
      );
    }
    guests.clear();
    if (claims.length) host.lead(claim);
  }

  /** The leader's state, but a tab that waits to be brought up to date is not. */
  function follow(state: ConnectionState) {
    host.state.set({ ...state, stale: state.stale || !synced });
  }

  function take(frame: Frame) {
    if (frame.type === "hub.hello") {
      // Does this connection begin where this tab is? If not, the leader must help.
      const { verdict } = frame.payload as Hello;
      const start = startOf(frame);
      const mine = host.cursor();
      const same = mine?.epoch === start.epoch;
      synced = verdict === "gap" ? !!mine : verdict === "fresh" ? !same : same && !isBehind(mine, start);
      if (!synced) post({ kind: "join", cursor: mine });
    }
    if (synced) host.receive(frame);
  }

  return {
    join,
    leave,
    reconnect,
    pass(frame) {
      const { type, payload } = frame;
      if (type === "hub.hello" || type === "hub.gap") {
        // Unless it resumes, what is missing ends where the hub alone knows.
        floor = (payload as Hello).verdict === "resumed" ? startOf(frame) : undefined;
        ring = [];
        claims = [];
      } else if (floor && !type.startsWith("hub.") && frame.class !== "transient") {
        ring.push(frame);
        const old = ring.length > kept && ring.shift();
        if (old) floor[scopeOf(old)] = old.timestamp as string;
      }
      tell([frame]);
      // Not yet: the own handlers have not seen this frame.
      if (type === "hub.live") queueMicrotask(welcome);
    },
    tell() {
      if (leading) tell([]);
    },
    send(data) {
      if (leading) return host.send(data);
      post({ kind: "send", arg: data });
      return host.state.now.phase === "connected";
    },
    probe: (dial) => (leading ? host.probe(dial) : post({ kind: "probe", arg: dial })),
    ping() {
      if (leading) return host.ping();
      const at = Date.now();
      return new Promise((resolve, reject) => {
        pings.push(() => resolve(Date.now() - at));
        // As long as a probe may take. The leader may be gone, and cannot say no then.
        setTimeout(reject, 3_000, new Error("usercast: not connected"));
        post({ kind: "ping" });
      });
    },
  };
}

interface Hello {
  epoch: string;
  verdict: string;
  globalTimestamp: string;
}

type Start = { epoch: string; lastEventTs: string; lastGlobalTs: string };

/** Where the connection of a hub.hello begins. */
function startOf({ timestamp = "", payload }: Frame): Start {
  const { epoch, globalTimestamp } = payload as Hello;
  return { epoch, lastEventTs: timestamp, lastGlobalTs: globalTimestamp };
}

const scopeOf = (frame: Frame) => (frame.scope === "all" ? "lastGlobalTs" : "lastEventTs");

/** Whether a is behind b in one of the two scopes. */
const isBehind = (a: Cursor, b: Start) => a.lastEventTs < b.lastEventTs || (a.lastGlobalTs ?? "~") < b.lastGlobalTs;

const first = (a = "", b = "") => (a < b ? a : b);

/** A cursor from which neither a nor b misses anything. */
const earliest = (a: Cursor | null, b: Cursor): Cursor => ({
  ...b,
  lastEventTs: first(a?.lastEventTs, b.lastEventTs),
  lastGlobalTs: first(a?.lastGlobalTs, b.lastGlobalTs),
});
