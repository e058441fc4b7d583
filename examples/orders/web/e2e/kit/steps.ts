import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A message of the hub's that waits for its turn. */
export interface Held {
  type: string;
  timestamp: string;
  bytes: Buffer;
}

/**
 * A proxy that lets the events of a WebSocket pass one by one, when the test says so: what
 * changes on the screen then is that event's doing. All else passes at once. It is the
 * network that waits, and not the page: nothing in there knows.
 */
export class Steps {
  /** Events wait only while this is true. */
  holding = false;
  readonly #held: (Held & { to: Socket })[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(target: () => number) {
    this.#server = createServer((browser) => {
      const hub = connect(target(), "127.0.0.1");
      for (const [socket, other] of [
        [browser, hub],
        [hub, browser],
      ] as const) {
        this.#sockets.add(socket);
        socket.setNoDelay();
        socket.on("error", () => {}); // "close" follows
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroySoon();
        });
      }
      let frames: Frames | undefined;
      browser.on("data", (data) => {
        frames ??= new Frames(data.includes("Upgrade: websocket"));
        hub.write(data);
      });
      hub.on("data", (data) => {
        for (const part of frames?.push(data) ?? []) this.#pass(part, browser);
      });
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The events that wait, the next one first. */
  get held(): readonly Held[] {
    return this.#held;
  }

  /** Lets the next event pass. */
  step(): Held | undefined {
    const next = this.#held.shift();
    next?.to.write(next.bytes);
    return next;
  }

  /** Lets all pass, from now on too. */
  release() {
    this.holding = false;
    while (this.step());
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #pass({ bytes, message }: Part, to: Socket) {
    if (message !== undefined && this.holding) {
      const frame = parse(message);
      if (frame) {
        this.#held.push({ type: frame.type, timestamp: frame.timestamp ?? "", bytes, to });
        return;
      }
    }
    to.write(bytes);
  }
}

interface Part {
  bytes: Buffer;
  /** The text, of a frame that carries one. */
  message?: string;
}

/** Cuts what a hub sends into its frames, after the answer to the handshake. */
class Frames {
  readonly #upgrade: boolean;
  #head = true;
  #rest: Buffer = Buffer.alloc(0);

  constructor(upgrade: boolean) {
    this.#upgrade = upgrade;
  }

  *push(data: Buffer): Generator<Part> {
    if (!this.#upgrade) {
      yield { bytes: data };
      return;
    }
    this.#rest = Buffer.concat([this.#rest, data]);
    if (this.#head) {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.#head = false;
      yield { bytes: this.#take(end + 4) };
    }
    for (let part = this.#frame(); part; part = this.#frame()) yield part;
  }

  /** RFC 6455, section 5.2, as a server sends it: unmasked; the hub does not fragment. */
  #frame(): Part | undefined {
    const b = this.#rest;
    if (b.length < 2) return undefined;
    const short = (b[1] ?? 0) & 0x7f;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (b.length < header) return undefined;
    const length = short < 126 ? short : short === 126 ? b.readUInt16BE(2) : Number(b.readBigUInt64BE(2));
    if (b.length < header + length) return undefined;
    const text = ((b[0] ?? 0) & 0x0f) === 1;
    const bytes = this.#take(header + length);
    return text ? { bytes, message: bytes.subarray(header).toString() } : { bytes };
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }
}

/** The application's events; also the hub's heartbeats, which must not overtake them. */
function parse(message: string): { type: string; timestamp?: string } | undefined {
  if (!message.startsWith("{")) return undefined; // "pong"
  return JSON.parse(message);
}
