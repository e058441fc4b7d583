// @vitest-environment jsdom
import { act } from "@testing-library/react";
import { hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, expect, test } from "vitest";
import { settle } from "./kit.ts";
import { Run, stage, tidy, useConnectionState, useLatest, useProgress } from "./react-kit.tsx";

let root: Root | undefined;
tidy();
// Registered after tidy's, so it runs before.
afterEach(() => act(async () => root?.unmount()));

test("a page that is hydrated late, on a connection that is up, agrees with the server first and shows the truth then", async () => {
  const s = stage();
  const tree = (
    <s.around>
      <Run run={() => `${useConnectionState().phase} ${useLatest("COUNT") ?? "none"} ${useProgress("1").status}`} />
    </s.around>
  );
  const page = document.createElement("div");
  page.innerHTML = renderToString(tree);
  expect(page.textContent).toBe("idle none unknown");
  await s.dial();
  s.socket.up();
  s.socket.event("COUNT", 1, 7);
  s.socket.event("JOB_PROGRESS", 2, { progress: 40 }, { class: "latest", key: "job:1" });
  const mismatches: unknown[] = [];
  await act(async () => {
    root = hydrateRoot(page, tree, { onRecoverableError: (error) => mismatches.push(error) });
  });
  await act(settle);
  expect(mismatches).toEqual([]);
  expect(page.textContent).toBe("connected 7 progress");
});
