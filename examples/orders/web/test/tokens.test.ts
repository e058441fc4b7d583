import { afterEach, expect, test, vi } from "vitest";
import { createApi } from "../src/api.ts";
import { createTokens, type Grant } from "../src/tokens.ts";

afterEach(() => vi.unstubAllGlobals());

const date = new Date("2026-11-22T20:00:00Z");
const grant = (user: string, token: string, seconds = 300): Grant => ({
  user,
  token,
  expiresAt: new Date(date.getTime() + seconds * 1_000).toISOString(),
});
const answer = (status: number, body: unknown) =>
  new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { date: date.toUTCString() } });

/** A server that gives these answers, one after the other. */
function serve(...answers: (Response | Error)[]) {
  const asked: { path: string; init: RequestInit }[] = [];
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    asked.push({ path, init });
    const next = answers.shift();
    if (!next || next instanceof Error) throw next ?? new Error(`unexpected: ${path}`);
    return next;
  });
  return asked;
}

test("a good token is used; one that ends soon is renewed once for all who ask, whatever this computer's clock says", async () => {
  const asked = serve(answer(200, grant("anna", "second")));
  const tokens = createTokens(grant("anna", "first"), answer(200, null), () => {});
  expect(await tokens.token()).toBe("first");
  const short = createTokens(grant("anna", "first", 10), answer(200, null), () => {});
  expect(await Promise.all([short.token(), short.token(), short.token()])).toEqual(["second", "second", "second"]);
  expect(await short.token()).toBe("second");
  expect(asked.map(({ path }) => path)).toEqual(["/api/token"]);
});

test("without a session it is over; without a server it is not", async () => {
  const ended = vi.fn();
  serve(new TypeError("offline"), answer(401, { error: "no session" }));
  const tokens = createTokens(grant("anna", "first"), answer(200, null), ended);
  await expect(tokens.token(true)).rejects.toMatchObject({ name: "Unreachable", status: 0 });
  expect(ended).not.toHaveBeenCalled();
  await expect(tokens.token(true)).rejects.toMatchObject({ name: "Unauthorized" });
  expect(ended).toHaveBeenCalledExactlyOnceWith(null);
});

test("when the cookie has become another user's, their token is not used for the first one's page", async () => {
  const ended = vi.fn();
  const bruno = grant("bruno", "his");
  serve(answer(200, bruno));
  const tokens = createTokens(grant("anna", "hers"), answer(200, null), ended);
  await expect(tokens.token(true)).rejects.toMatchObject({ name: "Unauthorized" });
  expect(ended).toHaveBeenCalledExactlyOnceWith(bruno);
});

test("a request says who and which device, and tries once more with a new token", async () => {
  const asked = serve(answer(401, { error: "expired" }), answer(200, [1]));
  const given: boolean[] = [];
  const token = async (fresh = false) => {
    given.push(fresh);
    return fresh ? "new" : "old";
  };
  const api = createApi({ token }, "tab1");
  expect(await api.pending()).toEqual([1]);
  expect(given).toEqual([false, true]);
  expect(asked.map(({ init }) => init.headers)).toEqual([
    { Authorization: "Bearer old", "X-Device": "tab1" },
    { Authorization: "Bearer new", "X-Device": "tab1" },
  ]);
});

test("a refusal has the server's words", async () => {
  serve(
    answer(409, { error: "it is being submitted", field: "id", fix: "wait" }),
    new Response("<html>", { status: 502 }),
  );
  const api = createApi({ token: async () => "t" }, "tab1");
  await expect(api.submit("a/b")).rejects.toMatchObject({
    status: 409,
    message: "it is being submitted",
    field: "id",
    fix: "wait",
  });
  await expect(api.submit("a")).rejects.toMatchObject({ status: 502, message: "The server answered 502." });
});
