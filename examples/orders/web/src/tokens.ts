import { Unauthorized } from "@usercast/client";
import { ApiError, request } from "./api.ts";

/** What /api/login and /api/token answer. */
export interface Grant {
  user: string;
  token: string;
  expiresAt: string;
}

/** A token that ends so soon is not used any more. */
const spareMs = 15_000;

export interface Tokens {
  readonly user: string;
  /** A token that is good for a while. fresh: the one before was refused. Throws Unauthorized when there is no session. */
  token(fresh?: boolean): Promise<string>;
}

interface Held {
  token: string;
  until: number;
}

/** How long a grant is good by this computer's clock, which may not be the server's. */
function held({ token, expiresAt }: Grant, response: Response): Held {
  const now = Date.parse(response.headers.get("date") ?? "") || Date.now();
  return { token, until: Date.now() + Date.parse(expiresAt) - now };
}

/** Asks for a token by the session's cookie. */
export async function renew(): Promise<{ grant: Grant; response: Response }> {
  const { data, response } = await request<Grant>("/api/token", { method: "POST" });
  return { grant: data, response };
}

/**
 * Keeps a user's token. ended is called when the session is over, and when the cookie is
 * another user's: somebody has logged in in another tab, and this tab must not go on with
 * the first one's data and the second one's rights.
 */
export function createTokens(first: Grant, response: Response, ended: (next: Grant | null) => void): Tokens {
  let now = held(first, response);
  let asking: Promise<string> | undefined;

  async function ask(): Promise<string> {
    try {
      const { grant, response } = await renew();
      if (grant.user !== first.user) {
        ended(grant);
        throw new Unauthorized("another user has logged in");
      }
      now = held(grant, response);
      return now.token;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      ended(null);
      throw new Unauthorized(error.message);
    } finally {
      asking = undefined;
    }
  }

  return {
    user: first.user,
    token(fresh = false) {
      if (!fresh && now.until - Date.now() > spareMs) return Promise.resolve(now.token);
      asking ??= ask();
      return asking;
    },
  };
}
