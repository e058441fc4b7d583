// A page that does nothing but what a test asks of it by window.e2e.

import { createClient, sessionCursor, Unauthorized } from "@usercast/client";
import { note, record } from "/recorder.js";

/** Counts events of a page that keeps none of them. */
let heard = 0;

/** The test holds the tokens, and hears why one is asked for. */
async function getToken({ reason }) {
  const answer = await window.askToken(reason);
  if (answer.unauthorized) throw new Unauthorized("logged out");
  if (answer.error) throw new Error(answer.error);
  return answer.token;
}

/** @param {import("../kit/record.ts").Start} o */
async function start(o) {
  record.keep = o.keep ?? true;
  const client = createClient({
    url: o.url,
    getToken: o.cookie ? undefined : getToken,
    backoff: o.backoff,
    connectTimeoutMs: o.connectTimeoutMs,
    deviceId: o.deviceId,
    cursor: o.session ? sessionCursor(o.session) : undefined,
    initialCursor: o.initialCursor,
    share: o.share ? (await import("@usercast/client/tabs")).shareTabs({ user: o.share }) : undefined,
    onError: (error) => note({ kind: "error", text: String(error) }),
    onGap: ({ reason }) => note({ kind: "gap", reason }),
  });
  client.on("*", (payload, meta) => {
    heard++;
    note({ kind: "event", payload, meta });
  });
  client.subscribeState(() => note({ kind: "state", state: client.state }));
  window.e2e.client = client;
  if (o.connect ?? true) client.connect();
}

window.e2e = {
  start,
  record,
  client: undefined,
  get heard() {
    return heard;
  },
};
