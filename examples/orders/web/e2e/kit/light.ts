import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { seeded } from "../../../../../js/e2e/kit/random.ts";
import { until } from "../../../../../js/e2e/kit/until.ts";
import type { Frame } from "./device.ts";
import { marker } from "./paint.ts";
import type { Server } from "./server.ts";
import { Truth } from "./truth.ts";

/**
 * A user with three devices that are no browsers: they do by HTTP what clicks would, and
 * listen on WebSockets. A small machine bears many of them beside a few pages.
 */
export class LightUser {
  /** From the hub's timestamp to the arrival of each change on the two that listen only, in milliseconds. */
  readonly delays: number[] = [];
  readonly marks: string[] = [];
  readonly #number: number;
  readonly #truth: Truth;
  readonly #sockets: WebSocket[] = [];

  private constructor(number: number, truth: Truth) {
    this.#number = number;
    this.#truth = truth;
  }

  static async open(server: Server, number: number): Promise<LightUser> {
    const user = new LightUser(number, await new Truth(server, `light-${number}`).login());
    for (let i = 0; i < 3; i++) await user.#connect(server, i);
    return user;
  }

  async #connect(server: Server, i: number) {
    const address = `ws://127.0.0.1:${server.port}/ws?token=${this.#truth.token}&device=${i ? `light${i}` : "truth"}`;
    const socket = new WebSocket(address);
    this.#sockets.push(socket);
    const live = new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("message", (data) => {
        const now = Date.now();
        const frame: Frame = JSON.parse(String(data));
        if (frame.type === "hub.live") resolve();
        if (i && JSON.stringify(frame.payload ?? null).includes("mark-")) this.#heard(frame, now);
      });
    });
    await live;
  }

  #heard({ type, timestamp }: Frame, now: number) {
    if (/^PENDING_(CREATED|UPDATED)$/.test(type)) this.delays.push(now - Date.parse(timestamp));
  }

  /** Does this and that until the time is over, at the pace of somebody who clicks. */
  async click(goesOn: () => boolean): Promise<void> {
    const random = seeded(1_000 + this.#number);
    while (goesOn()) {
      const dice = random.int(0, 9);
      const orders = (await this.#truth.orders()).filter(
        ({ status, note }) => status === "pending" && !note.includes("mark-"),
      );
      const [order] = orders;
      if (dice < 6 && order) await this.#edit(order);
      else if (dice < 8) await this.#truth.order(this.#mark());
      else if (dice < 9 && order) await this.#truth.post(`/api/orders/${order.id}/submit`);
      else await this.#truth.request("POST", "/api/syncs/products", {}); // 409 while one goes on
      await sleep(random.int(1_000, 3_000));
    }
  }

  /** Waits until both that listen have heard every change once. */
  async heardAll(): Promise<void> {
    await until(
      () => this.delays.length,
      (heard) => heard === 2 * this.marks.length,
      `${2 * this.marks.length} changes on two devices of user ${this.#number}`,
    );
  }

  close() {
    for (const socket of this.#sockets) socket.close();
  }

  async #edit({ id, customerId, lines }: { id: string; customerId: string; lines: unknown }) {
    await this.#truth.ask("PUT", `/api/orders/${id}`, { customerId, lines, note: this.#mark() });
    // And back, so that there is always one to edit: this is not counted.
    await this.#truth.ask("PUT", `/api/orders/${id}`, { customerId, lines, note: "" });
  }

  #mark(): string {
    const text = marker(this.#number, this.marks.length);
    this.marks.push(text);
    return text;
  }
}
