import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from "vitest";
import type { Meta } from "../src/index.ts";
import { bench, settle, ts } from "./kit.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

interface Events {
  A: { n: number };
  JOB_STARTED: { jobId: string };
  JOB_PROGRESS: { jobId: string; progress: number };
  JOB_COMPLETED: { jobId: string };
}

describe("on", () => {
  it("hears its type, its prefix, everything", async () => {
    const b = bench<Events>();
    const heard: string[] = [];
    b.client.on("JOB_STARTED", (_, meta) => heard.push(`type ${meta.type}`));
    b.client.on("JOB_*", (_, meta) => heard.push(`prefix ${meta.type}`));
    b.client.on("*", (_, meta) => heard.push(`all ${meta.type}`));
    const socket = await b.dial();
    socket.up();
    socket.event("JOB_STARTED", 1);
    socket.event("JOB_", 2);
    socket.event("JOB", 3);
    expect(heard).toEqual([
      "type JOB_STARTED",
      "prefix JOB_STARTED",
      "all JOB_STARTED",
      "prefix JOB_",
      "all JOB_",
      "all JOB",
    ]);
  });

  it("never hears the hub's own", async () => {
    const b = bench();
    const heard = vi.fn();
    b.client.on("*", heard);
    b.client.on("hub.*", heard);
    const socket = await b.dial();
    socket.up();
    socket.frame({ type: "hub.heartbeat", payload: null, timestamp: ts(1) });
    socket.frame({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: ts(2) });
    socket.frame({ type: "hub.invented_later", payload: null, timestamp: ts(3) });
    expect(heard).not.toHaveBeenCalled();
    expect(b.errors).toEqual([]);
  });

  it("ends with what it returned, also in the middle of an event", async () => {
    const b = bench();
    const heard: string[] = [];
    const offs: (() => void)[] = [];
    b.client.on("A", () => {
      heard.push("first");
      for (const off of offs) off();
      b.client.on("A", () => heard.push("added"));
    });
    offs.push(b.client.on("A", () => heard.push("second")));
    const socket = await b.dial();
    socket.up();
    socket.event("A", 1);
    expect(heard).toEqual(["first"]);
    socket.event("A", 2);
    expect(heard).toEqual(["first", "first", "added"]);
  });

  it("calls the same function as often as it was added, and ends one at a time", async () => {
    const b = bench();
    const fn = vi.fn();
    const off = b.client.on("A", fn);
    b.client.on("A", fn);
    const socket = await b.dial();
    socket.up();
    socket.event("A", 1);
    expect(fn).toHaveBeenCalledTimes(2);
    off();
    off();
    socket.event("A", 2);
    expect(fn).toHaveBeenCalledTimes(3);
  });

  it("sends a handler's error to onError and nobody else, and goes on", async () => {
    const b = bench();
    const after = vi.fn();
    b.client.on("A", () => {
      throw new Error("thrown");
    });
    b.client.on("A", async () => {
      throw new Error("rejected");
    });
    b.client.on("A", after);
    const socket = await b.dial();
    socket.up();
    socket.event("A", 1);
    await settle();
    expect(b.errors).toEqual([new Error("thrown"), new Error("rejected")]);
    expect(after).toHaveBeenCalledOnce();
    expect(b.client.cursor?.lastEventTs).toBe(ts(1));
    expect(b.client.state.phase).toBe("connected");
  });

  it("survives an onError that throws, and logs where there is none", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    for (const onError of [
      () => {
        throw new Error("onError");
      },
      undefined,
    ]) {
      const b = bench({ onError: onError as never });
      const after = vi.fn();
      b.client.on("A", () => {
        throw new Error("mine");
      });
      b.client.on("A", after);
      const socket = await b.dial();
      socket.up();
      socket.event("A", 1);
      expect(after).toHaveBeenCalledOnce();
    }
    expect(log.mock.calls).toEqual([[new Error("mine")]]);
  });

  it("has types", () => {
    const { client } = bench<Events>();
    client.on("JOB_PROGRESS", (payload, meta) => {
      expectTypeOf(payload).toEqualTypeOf<{ jobId: string; progress: number }>();
      expectTypeOf(meta).toEqualTypeOf<Meta>();
    });
    client.on("JOB_*", (payload) => expectTypeOf(payload).toEqualTypeOf<unknown>());
    // @ts-expect-error: no such event
    client.on("JOB_PROGERSS", () => {});
    expectTypeOf(client.latest("A")).toEqualTypeOf<{ n: number } | undefined>();
    expectTypeOf(client.once("A")).toEqualTypeOf<Promise<{ n: number }>>();
    bench().client.on("ANYTHING", (payload) => expectTypeOf(payload).toEqualTypeOf<unknown>());
  });
});

describe("meta", () => {
  it("says type, timestamp, class, key, scope and whether it is a replay", async () => {
    const b = bench();
    const metas: Meta[] = [];
    b.client.on("*", (_, meta) => metas.push(meta));
    const socket = await b.dial();
    socket.hello(0);
    socket.event("A", 1);
    socket.live(1);
    socket.event("A", 2, null, { scope: "all" });
    socket.event("A_PROGRESS", 3, null, { class: "transient" });
    socket.event("A_PROGRESS", 4, null, { class: "latest", key: "job:1" });
    expect(metas).toEqual([
      { type: "A", timestamp: ts(1), replayed: true, transient: false, latest: false, key: undefined, scope: "user" },
      { type: "A", timestamp: ts(2), replayed: false, transient: false, latest: false, key: undefined, scope: "all" },
      {
        type: "A_PROGRESS",
        timestamp: ts(3),
        replayed: false,
        transient: true,
        latest: false,
        key: undefined,
        scope: "user",
      },
      {
        type: "A_PROGRESS",
        timestamp: ts(4),
        replayed: false,
        transient: false,
        latest: true,
        key: "job:1",
        scope: "user",
      },
    ]);
  });
});

describe("once", () => {
  it("resolves with the next one, once", async () => {
    const b = bench<Events>();
    const socket = await b.dial();
    socket.up();
    socket.event("A", 1, { n: 1 });
    const next = b.client.once("A");
    socket.event("A", 2, { n: 2 });
    socket.event("A", 3, { n: 3 });
    expect(await next).toEqual({ n: 2 });
  });

  it("rejects with the signal's reason, before and after", async () => {
    const b = bench();
    const gone = AbortSignal.abort(new Error("before"));
    await expect(b.client.once("A", { signal: gone })).rejects.toThrow("before");
    const abort = new AbortController();
    const waiting = expect(b.client.once("A", { signal: abort.signal })).rejects.toThrow("after");
    abort.abort(new Error("after"));
    await waiting;
  });

  it("leaves no listener on a signal that lives on", async () => {
    const b = bench();
    const socket = await b.dial();
    socket.up();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const next = b.client.once("A", { signal });
    const options = added.mock.calls[0]?.[2] as AddEventListenerOptions;
    expect(options.signal?.aborted).toBe(false);
    socket.event("A", 1);
    await next;
    expect(options.signal?.aborted).toBe(true); // which takes the listener off
  });
});

describe("frames that make no sense", () => {
  it("are reported and cost nothing but themselves", async () => {
    const b = bench();
    const got: unknown[] = [];
    b.client.on("A", (payload) => got.push(payload));
    const socket = await b.dial();
    socket.up();
    for (const rubbish of ["{", "null", "7", "[]", '{"type":7}', new ArrayBuffer(2)]) socket.text(rubbish);
    expect(b.errors.length).toBeGreaterThanOrEqual(5);
    socket.event("A", 1);
    expect(got).toEqual([1]);
    expect(b.client.state.phase).toBe("connected");
  });

  it("before hub.hello are ignored", async () => {
    const b = bench();
    const got: unknown[] = [];
    b.client.on("A", (payload) => got.push(payload));
    const socket = await b.dial();
    socket.event("A", 1);
    socket.live(1);
    expect(got).toEqual([]);
    expect(b.client.cursor).toBeNull();
  });
});
