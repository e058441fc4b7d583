// What the Node servers have in common: the control channel on stdin and stdout and the publisher, both with the same
// rules as internal/serve has for the Go servers.
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/** Type of all measured events. */
export const eventType = 'ORDER_UPDATED';

const tickMs = 1;

const flag = (name, fallback) =>
  process.argv.find((a) => a.startsWith(`-${name}=`))?.slice(name.length + 2) ?? fallback;

/** Options that the benchmark passes to every server: `-buffer=200 -ttl=5m0s`. */
export function options() {
  return { bufferSize: Number(flag('buffer', '200')), ttlMs: parseDuration(flag('ttl', '5m0s')) };
}

// Sockets, and what the benchmark says, get their turn after each round, as events that come from many requests leave
// it to them. With -turn=window they wait until the window is full: a burst of events for each user in one turn.
const turnEachRound = flag('turn', 'round') === 'round';

/** parseDuration understands what Go's time.Duration prints: 1m30s, 10s, 1.5s, 500ms. */
function parseDuration(text) {
  const unit = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  return [...text.matchAll(/([\d.]+)(ms|h|m|s)/g)].reduce((sum, [, n, u]) => sum + n * unit[u], 0);
}

/**
 * serve answers the benchmark until stdin ends.
 * @param {{port: number, broadcast: (user: string, payload: object) => void, connections: () => number}} contender
 */
export function serve({ port, broadcast, connections }) {
  const reply = (message) => process.stdout.write(JSON.stringify(message) + '\n');
  const publisher = new Publisher(broadcast);
  const stat = () => ({ ...processStat(), conns: connections() });

  const lines = createInterface({ input: process.stdin });
  lines.on('close', () => process.exit(0));
  lines.on('line', async (line) => {
    const command = JSON.parse(line);
    const { id, op } = command;
    if (op === 'ack') publisher.ack(command.round);
    else if (op === 'publish') reply({ id, ...(await publisher.run(command)) });
    else if (op === 'stat') reply({ id, ...stat() });
    else if (op === 'settle') reply({ id, ...(await settle(stat)) });
    else reply({ id, error: `unknown command "${op}"` });
  });
  reply({ id: 0, port });
}

function processStat() {
  const cpu = process.cpuUsage(); // µs, from getrusage
  const memory = process.memoryUsage();
  return {
    cpuNanos: (cpu.user + cpu.system) * 1000,
    rssBytes: memory.rss,
    heapBytes: memory.heapUsed + memory.external,
    allocs: 0,
    goroutines: 0,
  };
}

/** settle leaves in memory only what is in use, as far as V8 gives it back, and returns the counters. */
async function settle(stat) {
  for (let i = 0; i < 3; i++) {
    global.gc?.();
    await sleep(50);
  }
  return stat();
}

/** Publisher plays the application that calls broadcast. */
class Publisher {
  round = 0;
  #acked = 0;
  #moved = () => {};
  #hotSeq = 0;
  #users = [];
  #prefix = '';
  #broadcast;

  constructor(broadcast) {
    this.#broadcast = broadcast;
  }

  ack(round) {
    this.#acked = Math.max(this.#acked, round);
    this.#moved();
  }

  async run(command) {
    const users = this.#nameUsers(command.users, command.prefix ?? '');
    const first = this.round;
    const start = now();
    await (command.rate ? this.#paced(command, users) : this.#saturate(command, users));
    const events = (this.round - first) * users.length;
    return { round: this.round, events, nanos: now() - start };
  }

  /** The names stay for the next command, so that one without rounds can have them ready before a measurement. */
  #nameUsers(count, prefix) {
    if (this.#users.length !== count || this.#prefix !== prefix) {
      this.#users = Array.from({ length: count }, (_, i) => `${prefix}u${i}`);
      this.#prefix = prefix;
    }
    return this.#users;
  }

  /** Round after round, never more than `window` rounds ahead of the slowest device. */
  async #saturate({ millis = 0, rounds = 0, window = 0 }, users) {
    const end = performance.now() + millis;
    const last = this.round + rounds;
    while ((millis > 0 && performance.now() < end) || this.round < last) {
      while (window > 0 && this.round - this.#acked >= window) {
        await new Promise((resolve) => (this.#moved = resolve));
      }
      for (const user of users) this.#publish(user, this.round + 1);
      this.round++;
      if (turnEachRound) await nextTurn();
    }
  }

  /** What is due at each tick, up to the first whole round after the time is over. */
  async #paced({ rate, millis, hot }, users) {
    const first = this.round;
    const rounds = Math.ceil((rate * millis) / 1000 / users.length);
    const total = rounds * users.length;
    const start = performance.now();
    for (let n = 0; n < total; ) {
      const due = Math.min(Math.floor(((performance.now() - start) * rate) / 1000), total);
      for (; n < due; n++) {
        this.#publish(users[n % users.length], first + Math.floor(n / users.length) + 1);
        if (hot) this.#publish(hot, ++this.#hotSeq);
      }
      await sleep(tickMs);
    }
    this.round = first + rounds;
  }

  #publish(user, seq) {
    this.#broadcast(user, {
      seq,
      at: now(),
      orderId: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
      status: 'out_for_delivery',
      totalCents: 12850,
      note: 'left the depot, two stops before yours',
    });
  }
}

/** now reads CLOCK_MONOTONIC in ns, exact for the first 104 days after boot. */
function now() {
  return Number(process.hrtime.bigint());
}
