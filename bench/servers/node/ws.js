// The usual hand-written server on ws: a Set of sockets per user, and a buffer of the last events of each user that a
// device coming back is given from its sequence number on.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { eventType, options, serve } from './serve.js';

const { bufferSize, ttlMs } = options();
const pingMs = 30_000;
const users = new Map(); // user -> { sockets: Set, events: [{ seq, at, message }] }
let connections = 0;

function stateOf(user) {
  let state = users.get(user);
  if (!state) users.set(user, (state = { sockets: new Set(), events: [] }));
  return state;
}

function broadcast(user, payload) {
  const message = Buffer.from(
    JSON.stringify({ type: eventType, payload, timestamp: new Date().toISOString() }),
  );
  const { sockets, events } = stateOf(user);
  events.push({ seq: payload.seq, at: Date.now(), message });
  if (events.length > bufferSize) events.shift();
  for (const socket of sockets) socket.send(message, { binary: false });
}

function accept(socket, request) {
  const query = new URL(request.url, 'http://localhost').searchParams;
  const state = stateOf(query.get('user'));
  state.sockets.add(socket);
  connections++;
  socket.alive = true;
  socket.on('pong', () => (socket.alive = true));
  socket.on('error', () => {}); // a reset: close follows
  socket.on('close', () => {
    state.sockets.delete(socket);
    connections--;
  });
  if (query.has('after')) {
    const after = Number(query.get('after'));
    const oldest = Date.now() - ttlMs;
    for (const e of state.events) {
      if (e.seq > after && e.at >= oldest) socket.send(e.message, { binary: false });
    }
  }
}

/** Pings, and forgets what is too old; without this the buffers would only ever grow. */
function sweep() {
  const oldest = Date.now() - ttlMs;
  for (const [user, { sockets, events }] of users) {
    for (const socket of sockets) {
      if (!socket.alive) socket.terminate();
      socket.alive = false;
      socket.ping();
    }
    const expired = events.findIndex((e) => e.at >= oldest);
    events.splice(0, expired < 0 ? events.length : expired);
    if (events.length === 0 && sockets.size === 0) users.delete(user);
  }
}

const http = createServer();
new WebSocketServer({ server: http, perMessageDeflate: false }).on('connection', accept);
setInterval(sweep, Math.min(pingMs, ttlMs)).unref();
http.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  serve({ port: http.address().port, broadcast, connections: () => connections });
});
