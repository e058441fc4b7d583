import { expect, test } from "vitest";
import { extent, maxShown, search, sorted } from "../src/customers.ts";
import { customer } from "./kit.ts";

test("customers are found by every word, in name, city or e-mail address", () => {
  const ada = customer("a", 1, { name: "Ada Lovelace", city: "London", email: "ada@example.com" });
  const bea = customer("b", 1, { name: "Béa", city: "Wien" });
  const found = (words: string) => search([ada, bea], words).shown.map(({ id }) => id);
  expect(found("")).toEqual(["a", "b"]);
  expect(found("  lond LACE ")).toEqual(["a"]);
  expect(found("ada wien")).toEqual([]);
  expect(found("WIEN")).toEqual(["b"]);
  expect(found("@example")).toEqual(["a"]);
});

test("they come by name whatever the case, those of one name by their IDs, and the list that was given stays", () => {
  const given = ["2 zoe", "3 Ähre", "1 zoe", "4 Bea", "5 ada"].map((both) => {
    const [id = "", name = ""] = both.split(" ");
    return customer(id, 1, { name });
  });
  const before = [...given];
  expect(sorted(given).map(({ id }) => id)).toEqual(["5", "3", "4", "1", "2"]);
  expect(given).toEqual(before);
});

test("of thousands the first two hundred are shown, and all are searched", () => {
  const all = Array.from({ length: 2_025 }, (_, i) => customer(`c${i}`, 1, { name: `Customer ${i}` }));
  expect(search(all, "")).toEqual({ count: 2_025, shown: all.slice(0, 200) });
  expect(search(all, "customer 2024")).toEqual({ count: 1, shown: [all[2_024]] });
});

test("it is said how many of them are not shown", () => {
  expect(maxShown).toBe(200);
  expect(extent(1, 1)).toBe("1 customer");
  expect(extent(200, 200)).toBe("200 customers");
  expect(extent(25, 2_025)).toBe("25 of 2,025 customers");
  expect(extent(200, 2_025)).toBe("200 of 2,025 customers");
  expect(extent(201, 2_025)).toBe("200 of 201, search for more");
  expect(extent(2_025, 2_025)).toBe("200 of 2,025, search for more");
});
