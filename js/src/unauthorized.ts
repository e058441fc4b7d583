/** Thrown by `getToken`: the user is logged out, and asking again is of no use. The client stops. */
export class Unauthorized extends Error {
  // Read by its name, not by instanceof: ESM and CJS each have a class of their own.
  override name = "Unauthorized";
}
