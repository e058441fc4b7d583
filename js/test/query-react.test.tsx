// @vitest-environment jsdom
// biome-ignore-all lint/correctness/noComponentHookFactories: types of event are written like components
import { QueryClient, QueryClientProvider, useQuery, useQueryClient } from "@tanstack/react-query";
import { act, render } from "@testing-library/react";
import { StrictMode, useEffect } from "react";
import { expect, test, vi } from "vitest";
import { type BindOptions, bindQueryClient, update } from "../src/query/index.ts";
import { cursor, pass, settle } from "./kit.ts";
import { type Events, Run, stage, tidy, useClient } from "./react-kit.tsx";

tidy();

const rules: BindOptions<Events> = {
  events: {
    COUNT: (n) => update(["n"], (old: number[]) => [...old, n]),
    PENDING_CREATED: { queryKey: ["n"] },
  },
};

function page(s: ReturnType<typeof stage>, queryFn: () => Promise<number[]>) {
  const queryClient = new QueryClient({ defaultOptions: { queries: { gcTime: Infinity } } });
  const binding = () => {
    const [client, queries] = [useClient(), useQueryClient()];
    useEffect(() => bindQueryClient(client, queries, rules), [client, queries]);
    return useQuery({ queryKey: ["n"], queryFn }).data?.join(" ") ?? "none";
  };
  return render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <s.around>
          <Run run={binding} />
        </s.around>
      </QueryClientProvider>
    </StrictMode>,
  );
}

test("in StrictMode: an event is one change, a burst of them all, an invalidation one fetch", async () => {
  const s = stage({ initialCursor: cursor(0) });
  const queryFn = vi.fn(async () => [0]);
  const { container, unmount } = page(s, queryFn);
  await s.up(0, { heartbeatMs: 3_600_000 });
  expect(container.textContent).toBe("0");
  expect(queryFn).toHaveBeenCalledTimes(1);
  await act(async () => {
    for (let i = 1; i <= 100; i++) s.socket.event("COUNT", i, i);
  });
  await act(() => pass(10)); // TanStack tells its observers in a task of their own
  expect(container.textContent).toBe(Array.from({ length: 101 }, (_, i) => i).join(" "));
  await act(async () => {
    for (let i = 101; i <= 200; i++) s.socket.event("PENDING_CREATED", i, { orderIds: [], count: 0 });
  });
  await act(() => pass(1_000));
  expect(queryFn).toHaveBeenCalledTimes(2);
  unmount();
  await settle();
});

test("an unmount in the middle of a burst", async () => {
  const s = stage();
  const { unmount } = page(s, async () => [0]);
  await s.up();
  await act(async () => {
    for (let i = 1; i <= 50; i++) s.socket.event("COUNT", i, i);
    unmount();
    for (let i = 51; i <= 100; i++) s.socket.event("COUNT", i, i);
  });
  await pass(1_000);
});
