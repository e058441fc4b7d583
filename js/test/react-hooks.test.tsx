// @vitest-environment jsdom
import { act, render, renderHook } from "@testing-library/react";
import { StrictMode, Suspense, use, useLayoutEffect, useState } from "react";
import { describe, expect, test, vi } from "vitest";
import { createHooks } from "../src/react/index.ts";
import { bench, settle, ts } from "./kit.ts";
import {
  type Events,
  HubProvider,
  Run,
  stage,
  tidy,
  useClient,
  useConnectionState,
  useEvent,
  useLatest,
} from "./react-kit.tsx";

tidy();

describe("HubProvider", () => {
  test("opens one socket in StrictMode, for any number of hooks, and closes it when it goes", async () => {
    const s = stage();
    const run = () => {
      useEvent("COUNT", () => {});
      useEvent("*", () => {});
      useLatest("COUNT");
      return useConnectionState().phase;
    };
    const page = render(
      <>
        <Run run={run} />
        <Run run={run} />
      </>,
      { wrapper: s.around },
    );
    await act(settle);
    expect(s.sockets).toHaveLength(1);
    await s.up();
    expect(page.container.textContent).toBe("connectedconnected");
    const retain = vi.spyOn(s.client, "retain");
    page.rerender(<Run run={run} />);
    expect(page.container.textContent).toBe("connected");
    expect(retain).not.toHaveBeenCalled();
    page.unmount();
    await settle();
    expect(s.sockets).toHaveLength(1);
    expect(s.socket.closedWith).toBe(1000);
    expect(s.client.state.phase).toBe("idle");
  });

  test("no hook connects without it", async () => {
    const s = stage();
    renderHook(() => useEvent("COUNT", () => {}), {
      wrapper: ({ children }) => {
        s.client.retain = () => () => {}; // a provider that does not connect
        return <s.around>{children}</s.around>;
      },
    });
    await act(settle);
    expect(s.sockets).toHaveLength(0);
  });

  test("makes a client when it is given none, one per mount", async () => {
    const made: ReturnType<typeof bench<Events>>[] = [];
    const create = () => {
      const b = bench<Events>();
      made.push(b);
      return b.client;
    };
    const seen = new Set<unknown>();
    const run = () => {
      seen.add(useClient());
      return useConnectionState().phase;
    };
    const tree = () => (
      <StrictMode>
        <HubProvider create={create}>
          <Run run={run} />
        </HubProvider>
      </StrictMode>
    );
    const page = render(tree());
    await act(settle);
    page.rerender(tree());
    await act(settle);
    expect(seen.size).toBe(1);
    expect(made.flatMap((b) => b.sockets)).toHaveLength(1);
    page.unmount();
    await settle();
    expect(made.flatMap((b) => b.sockets).map((socket) => socket.closedWith)).toEqual([1000]);
  });

  test("another client takes the place: the old one's socket is closed, hooks hear the new one", async () => {
    const [a, b] = [stage(), stage()];
    const heard: number[] = [];
    const run = () => {
      useEvent("COUNT", (n) => heard.push(n));
      return useLatest("COUNT") ?? "none";
    };
    const tree = (client: typeof a.client) => (
      <StrictMode>
        <HubProvider client={client}>
          <Run run={run} />
        </HubProvider>
      </StrictMode>
    );
    const page = render(tree(a.client));
    await a.up();
    await act(async () => a.socket.event("COUNT", 1, 1));
    expect(page.container.textContent).toBe("1");
    page.rerender(tree(b.client));
    expect(page.container.textContent).toBe("none"); // at once: it is another user's
    await b.up();
    expect(a.socket.closedWith).toBe(1000);
    await act(async () => b.socket.event("COUNT", 2, 2));
    expect(page.container.textContent).toBe("2");
    expect(heard).toEqual([1, 2]);
  });

  test("does not end an explicit connect", async () => {
    const s = stage();
    await s.dial();
    const page = render(<i />, { wrapper: s.around });
    await act(settle);
    page.unmount();
    await settle();
    expect(s.sockets).toHaveLength(1);
    expect(s.socket.closedWith).toBeUndefined();
  });

  test("hooks say that it is missing", () => {
    vi.mocked(console.error).mockImplementation(() => {}); // React tells of the error, too
    expect(() => renderHook(() => useConnectionState())).toThrow("usercast: no HubProvider above");
    vi.mocked(console.error).mockClear();
  });

  test("each createHooks has a context of its own", async () => {
    const [a, b] = [stage(), stage()];
    const others = createHooks<Events>();
    const page = renderHook(() => [useClient(), others.useClient()], {
      wrapper: ({ children }) => (
        <others.HubProvider client={b.client}>
          <a.around>{children}</a.around>
        </others.HubProvider>
      ),
    });
    expect(page.result.current).toEqual([a.client, b.client]);
    await act(settle);
  });
});

describe("useEvent", () => {
  test("hears every event of a burst, in order, once", async () => {
    const s = stage();
    const heard: number[] = [];
    renderHook(
      () => {
        const [, draw] = useState(0);
        useEvent("COUNT", (n) => {
          heard.push(n);
          draw(n);
        });
      },
      { wrapper: s.around },
    );
    await s.up();
    await act(async () => {
      for (let i = 1; i <= 100; i++) s.socket.event("COUNT", i, i);
    });
    expect(heard).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  test("calls the handler of the newest render and subscribes once", async () => {
    const s = stage();
    const on = vi.spyOn(s.client, "on");
    const heard: string[] = [];
    const page = renderHook(({ name }) => useEvent("COUNT", (n) => heard.push(name + n)), {
      wrapper: s.around,
      initialProps: { name: "a" },
    });
    const subscriptions = on.mock.calls.length;
    await s.up();
    await act(async () => s.socket.event("COUNT", 1, 1));
    page.rerender({ name: "b" });
    await act(async () => s.socket.event("COUNT", 2, 2));
    expect(heard).toEqual(["a1", "b2"]);
    expect(on).toHaveBeenCalledTimes(subscriptions);
  });

  test("the newest handler is in place when the render is committed, before effects have run", async () => {
    const s = stage();
    const heard: string[] = [];
    // Fires between the commit and the passive effects, as a message may.
    const emit = (at: number) => {
      useLayoutEffect(() => {
        if (at > 1) s.socket.event("COUNT", at, at);
      }, [at]);
      return null;
    };
    const hear = (at: number) => {
      useEvent("COUNT", (n) => heard.push(`${at}:${n}`));
      return null;
    };
    const tree = (at: number) => (
      <>
        <Run run={() => hear(at)} />
        <Run run={() => emit(at)} />
      </>
    );
    const page = render(tree(1), { wrapper: s.around });
    await s.up();
    page.rerender(tree(2));
    expect(heard).toEqual(["2:2"]);
  });

  test("another type takes the place without a hole", async () => {
    const s = stage();
    const heard: unknown[] = [];
    const page = renderHook(({ type }) => useEvent(type as "*", (p) => heard.push(p)), {
      wrapper: s.around,
      initialProps: { type: "COUNT" as "COUNT" | "JOB_*" },
    });
    await s.up();
    await act(async () => s.socket.event("COUNT", 1, 1));
    page.rerender({ type: "JOB_*" });
    await act(async () => {
      s.socket.event("COUNT", 2, 2);
      s.socket.event("JOB_STARTED", 3, { jobId: "1" });
    });
    expect(heard).toEqual([1, { jobId: "1" }]);
  });

  test("has what came besides the payload", async () => {
    const s = stage();
    const heard: unknown[] = [];
    renderHook(() => useEvent("COUNT", (_, meta) => heard.push(meta)), { wrapper: s.around });
    await s.up();
    await act(async () => s.socket.event("COUNT", 1, 1, { class: "latest", key: "k" }));
    expect(heard).toEqual([
      { type: "COUNT", timestamp: ts(1), replayed: false, transient: false, latest: true, key: "k", scope: "user" },
    ]);
  });

  test("a handler that throws disturbs nobody and is heard of", async () => {
    const s = stage();
    const heard: number[] = [];
    renderHook(
      () => {
        useEvent("COUNT", () => {
          throw new Error("mine");
        });
        useEvent("COUNT", (n) => heard.push(n));
      },
      { wrapper: s.around },
    );
    await s.up();
    await act(async () => s.socket.event("COUNT", 1, 1));
    expect(heard).toEqual([1]);
    expect(s.errors).toEqual([new Error("mine")]);
  });

  test("an unmount in the middle of a burst is the end of it", async () => {
    const s = stage();
    const heard: number[] = [];
    const page = renderHook(() => useEvent("COUNT", (n) => heard.push(n)), { wrapper: s.around });
    await s.up();
    await act(async () => {
      for (let i = 1; i <= 100; i++) {
        if (i === 50) page.unmount();
        s.socket.event("COUNT", i, i);
      }
    });
    expect(heard).toEqual(Array.from({ length: 49 }, (_, i) => i + 1));
  });

  test("hears on while the component is suspended", async () => {
    const s = stage();
    const heard: number[] = [];
    let load: (text: string) => void = () => {};
    const run = (data: Promise<string> | undefined) => {
      useEvent("COUNT", (n) => heard.push(n));
      return data ? use(data) : "first";
    };
    const tree = (data?: Promise<string>) => (
      <Suspense fallback="waits">
        <Run run={() => run(data)} />
      </Suspense>
    );
    const page = render(tree(), { wrapper: s.around });
    await s.up();
    const data = new Promise<string>((resolve) => {
      load = resolve;
    });
    await act(async () => page.rerender(tree(data)));
    expect(page.container.textContent).toContain("waits");
    await act(async () => s.socket.event("COUNT", 1, 1));
    await act(async () => load("second"));
    expect(page.container.textContent).toBe("second");
    expect(heard).toEqual([1]);
  });
});

describe("useLatest", () => {
  test("shows the newest of a burst, and nothing before the first", async () => {
    const s = stage();
    const shown: unknown[] = [];
    renderHook(() => shown.push(useLatest("COUNT")), { wrapper: s.around });
    await s.up();
    await act(async () => {
      for (let i = 1; i <= 100; i++) s.socket.event("COUNT", i, i);
    });
    expect(shown.at(0)).toBeUndefined();
    expect(shown.at(-1)).toBe(100);
    expect(shown.length).toBeLessThan(20); // 100 events, a handful of renders
  });

  test("by key; ended by the buffered event of that key", async () => {
    const s = stage();
    const page = renderHook(() => useLatest("JOB_PROGRESS", "job:1")?.progress, { wrapper: s.around });
    await s.up();
    const progress = (at: number, id: string, progress: number) =>
      s.socket.event("JOB_PROGRESS", at, { jobId: id, progress, label: "" }, { class: "latest", key: `job:${id}` });
    await act(async () => progress(1, "1", 10));
    await act(async () => progress(2, "2", 99));
    expect(page.result.current).toBe(10);
    await act(async () => s.socket.event("JOB_COMPLETED", 3, { jobId: "1" }, { key: "job:1" }));
    expect(page.result.current).toBeUndefined();
  });

  test("a gap takes away what it made doubtful", async () => {
    const s = stage();
    const page = renderHook(() => useLatest("COUNT"), { wrapper: s.around });
    await s.up();
    await act(async () => s.socket.event("COUNT", 1, 1));
    await act(async () => s.socket.frame({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: ts(5) }));
    expect(page.result.current).toBeUndefined();
  });

  test("destroy takes away everything", async () => {
    const s = stage();
    const page = renderHook(() => [useLatest("COUNT"), useConnectionState().phase], { wrapper: s.around });
    await s.up();
    await act(async () => s.socket.event("COUNT", 1, 1));
    expect(page.result.current).toEqual([1, "connected"]);
    await act(async () => s.client.destroy());
    expect(page.result.current).toEqual([undefined, "closed"]);
  });

  test("what came before the component is there in its first render", async () => {
    const s = stage();
    await s.dial();
    s.socket.up();
    s.socket.event("COUNT", 1, 7);
    const shown: unknown[] = [];
    renderHook(() => shown.push(useLatest("COUNT")), { wrapper: s.around });
    expect(shown[0]).toBe(7);
  });
});

describe("useConnectionState", () => {
  test("follows the client", async () => {
    const s = stage();
    const seen: string[] = [];
    renderHook(
      () => {
        const { phase, stale, reason } = useConnectionState();
        const now = [phase, stale ? "stale" : "", reason].filter(Boolean).join(" ");
        if (seen.at(-1) !== now) seen.push(now);
      },
      { wrapper: s.around },
    );
    await act(settle);
    await act(async () => s.socket.hello(0));
    await act(async () => s.socket.live(0));
    await s.cut();
    await act(async () => s.socket.up(0));
    await act(async () => s.socket.end(4403, "revoked"));
    expect(seen).toEqual([
      "idle stale",
      "connecting stale",
      "connected stale",
      "connected",
      "reconnecting stale lost",
      "connected",
      "closed stale revoked",
    ]);
  });

  test("the same reference until something changes", async () => {
    const s = stage();
    const page = renderHook(() => useConnectionState(), { wrapper: s.around });
    await s.up();
    const before = page.result.current;
    await act(async () => s.socket.event("COUNT", 1, 1));
    page.rerender();
    expect(page.result.current).toBe(before);
    expect(before).toBe(s.client.state);
  });
});
