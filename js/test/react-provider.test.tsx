// @vitest-environment jsdom
import { act, render, renderHook } from "@testing-library/react";
import { StrictMode } from "react";
import { describe, expect, test, vi } from "vitest";
import { createHooks } from "../src/react/index.ts";
import { bench, settle } from "./kit.ts";
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
