// A React page in StrictMode, as an application would write it, but for JSX. The hub
// knows its user by a cookie: with a token function the socket would come so late that a
// client which opens two could let go of the first in time.

import { createClient } from "@usercast/client";
import { createHooks } from "@usercast/client/react";
import { createElement as h, StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { note, record } from "/recorder.js";

const { HubProvider, useEvent, useLatest, useProgress, useConnectionState } = createHooks();

/** How often React has mounted something: twice as often as it seems, in StrictMode. */
let mounts = 0;

function State() {
  const { phase, stale } = useConnectionState();
  return h("p", { id: "state" }, `${phase}${stale ? ", stale" : ""}`);
}

function Orders({ id }) {
  const [numbers, setNumbers] = useState([]);
  useEffect(() => {
    mounts++;
  }, []);
  useEvent("PENDING_CREATED", ({ n }) => setNumbers((old) => [...old, n]));
  return h("p", { id }, numbers.join(" "));
}

function Job({ id }) {
  const { status, progress, stale } = useProgress(id);
  return h("p", { id: "job" }, `${status} ${progress}${stale ? ", stale" : ""}`);
}

function Latest() {
  return h("p", { id: "latest" }, `newest ${useLatest("PENDING_CREATED")?.n}`);
}

function App({ url }) {
  const [shown, show] = useState(true);
  return h(
    "div",
    null,
    h("button", { type: "button", onClick: () => show(!shown) }, shown ? "Leave" : "Return"),
    shown &&
      h(
        HubProvider,
        {
          create: () => {
            window.e2e.client = createClient({
              url,
              backoff: { minMs: 50, maxMs: 300 },
              onError: (error) => note({ kind: "error", text: String(error) }),
            });
            return window.e2e.client;
          },
        },
        h(State),
        h(Orders, { id: "orders" }),
        h(Orders, { id: "again" }),
        h(Latest),
        h(Job, { id: 1 }),
      ),
  );
}

window.e2e = {
  record,
  client: undefined,
  heard: 0,
  async start({ url }) {
    createRoot(document.getElementById("root")).render(h(StrictMode, null, h(App, { url })));
  },
  get mounts() {
    return mounts;
  },
};
