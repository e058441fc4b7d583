import { expect, test } from "vitest";
import { inventRows, maxImport, parseCsv } from "../src/history-csv.ts";

test("reads commas, semicolons, tabs, quotes, and amounts as people write them", () => {
  const ada = { customerName: "Ada", article: "Paper", quantity: 3, revenueCents: 1250 };
  for (const text of [
    "Ada,Paper,3,12.50",
    "Ada;Paper;3;12,50",
    "Ada\tPaper\t3\t12.5 €",
    '"Ada","Paper",3,"12,50"\r\n\r\n',
  ])
    expect(parseCsv(text)).toEqual({ rows: [ada], errors: [] });
  expect(parseCsv('Customer;Article;Quantity;Revenue\n"Ada; sons";Paper;1;7').rows).toEqual([
    { customerName: "Ada; sons", article: "Paper", quantity: 1, revenueCents: 700 },
  ]);
  expect(parseCsv("  ")).toEqual({ rows: [], errors: [] });
});

test("says what is wrong in which line", () => {
  const { rows, errors } = parseCsv(
    ";Paper;1;7\nAda;;1;7\nAda;Paper;10001;7\nAda;Paper;1;x\nAda;Paper;1;\nAda;Paper;1;7",
  );
  expect(rows).toHaveLength(1);
  expect(errors).toEqual([
    "Line 1: no customer",
    "Line 2: no article",
    "Line 3: the quantity is no whole number from 1 to 10,000: 10001",
    "Line 4: the revenue is no amount: x",
    "Line 5: the revenue is no amount: nothing",
  ]);
  expect(parseCsv("Ada;Paper;1;7\n".repeat(maxImport + 1)).errors).toEqual(["2001 records: at most 2000 at once"]);
});

test("invented records are such that the server takes them", () => {
  const rows = inventRows(500);
  expect(rows).toHaveLength(500);
  expect(
    rows.every(
      ({ quantity, revenueCents, customerName, article }) =>
        quantity >= 1 && quantity <= 10_000 && Number.isInteger(revenueCents) && customerName && article,
    ),
  ).toBe(true);
});
