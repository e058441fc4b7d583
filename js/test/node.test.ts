import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type Client, createClient } from "../src/index.ts";
import { cursor, ts } from "./kit.ts";

// Real sockets and real time: the ws package stands for Node, which has no WebSocket
// before version 22.

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function serve() {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "usercast.v1" });
  await once(server, "listening");
  ends.push(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/ws?tenant=7` };
}

function make(url: string) {
  const client = createClient({
    url,
    getToken: () => "tök.en",
    WebSocket,
    backoff: { minMs: 1, maxMs: 5 },
    onError: (error) => {
      throw error;
    },
  });
  ends.push(client.destroy);
  return client;
}

const phase = (client: Client, wanted: string) =>
  new Promise<void>((resolve) => {
    const look = () => client.state.phase === wanted && resolve();
    client.subscribeState(look);
    look();
  });

const hello = (at: number, verdict: string) =>
  JSON.stringify({
    type: "hub.hello",
    payload: { epoch: "e1", verdict, reason: "", globalTimestamp: ts(0), heartbeatMs: 25_000 },
    timestamp: ts(at),
  });

it("talks to a real server, resumes after a cut, renews its token, and stops when told to", async () => {
  const { server, url } = await serve();
  const client = make(url);
  client.connect();
  const [first, request] = await once(server, "connection");
  expect(request.headers["sec-websocket-protocol"]).toBe(
    `usercast.v1,usercast.bearer.${Buffer.from("tök.en").toString("base64url")}`,
  );
  expect(new URL(request.url, url).searchParams.get("tenant")).toBe("7");
  first.send(hello(5, "fresh"));
  const event = client.once("A");
  first.send(JSON.stringify({ type: "A", payload: { n: 1 }, timestamp: ts(6) }));
  expect(await event).toEqual({ n: 1 });
  expect(client.cursor).toEqual(cursor(6));

  const ponged = client.ping();
  const [message] = await once(first, "message");
  expect(message.toString()).toBe("ping");
  first.send("pong");
  expect(await ponged).toBeLessThan(10_000);

  const again = once(server, "connection");
  first.terminate();
  const [second, resumed] = await again;
  expect(Object.fromEntries(new URL(resumed.url, url).searchParams)).toMatchObject(cursor(6));
  second.send(hello(6, "resumed"));
  await phase(client, "connected");
  second.close(4403, "logged out elsewhere");
  await phase(client, "closed");
  expect(client.state).toMatchObject({ code: 4403, reason: "logged out elsewhere" });
});

it("may be closed while it dials: ws reports that as an error, which must not be thrown", async () => {
  const { url } = await serve();
  const client = make(url);
  client.connect();
  await new Promise((resolve) => setTimeout(resolve));
  client.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(client.state.phase).toBe("idle");
});

it("backs off where nobody listens", async () => {
  const { server, url } = await serve();
  server.close();
  const client = make(url);
  client.connect();
  await phase(client, "reconnecting");
  expect(client.state).toMatchObject({ code: 1006, reason: "lost" });
});
