import { afterEach, expect, test, vi } from "vitest";
import { request, Unreachable } from "../src/api.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** A server that never answers, and the end of patience with it. */
function hang() {
  const patience = new AbortController();
  vi.spyOn(AbortSignal, "timeout").mockReturnValue(patience.signal);
  vi.stubGlobal("fetch", (_: string, { signal }: { signal: AbortSignal }) => {
    return new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
  });
  return patience;
}

test("a request that is never answered ends after a minute as one that did not get there", async () => {
  const patience = hang();
  const answer = request("/api/orders", {});
  expect(AbortSignal.timeout).toHaveBeenCalledWith(60_000);
  patience.abort(new DOMException("too late", "TimeoutError"));
  await expect(answer).rejects.toBeInstanceOf(Unreachable);
});

test("one that is called off ends as that", async () => {
  hang();
  const caller = new AbortController();
  const answer = request("/api/orders", { signal: caller.signal });
  caller.abort(new Error("called off"));
  await expect(answer).rejects.toThrow("called off");
});
