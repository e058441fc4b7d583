// @vitest-environment jsdom
import { act, render, renderHook } from "@testing-library/react";
import { Suspense, use, useLayoutEffect, useState } from "react";
import { describe, expect, test, vi } from "vitest";
import { ts } from "./kit.ts";
import { Run, stage, tidy, useEvent } from "./react-kit.tsx";

tidy();

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
