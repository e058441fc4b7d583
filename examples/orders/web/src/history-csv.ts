import Papa from "papaparse";
import type { HistoryInput } from "./api.ts";

/** As many as one import may have. */
export const maxImport = 2_000;

export interface Parsed {
  rows: HistoryInput[];
  /** What cannot be read, with the number of its line. */
  errors: string[];
}

const head = ["customer", "article", "quantity", "revenue"];

/**
 * Reads lines of customer, article, quantity and revenue in euros, parted by commas,
 * semicolons or tabs. A first line of these words is left out.
 */
export function parseCsv(text: string): Parsed {
  const { data } = Papa.parse<string[]>(text.trim(), { skipEmptyLines: "greedy" });
  const parsed: Parsed = { rows: [], errors: [] };
  data.forEach((cells, i) => {
    const [customerName = "", article = "", quantity = "", revenue = ""] = cells.map((cell) => cell.trim());
    if (
      i === 0 &&
      cells.every((cell, at) =>
        cell
          .trim()
          .toLowerCase()
          .startsWith(head[at] ?? "?"),
      )
    )
      return;
    const pieces = Number(quantity);
    const cents = Math.round(Number(revenue.replace(/[€\s]/g, "").replace(/,(\d{1,2})$/, ".$1")) * 100);
    const wrong = !customerName
      ? "no customer"
      : !article
        ? "no article"
        : !(Number.isInteger(pieces) && pieces >= 1 && pieces <= 10_000)
          ? `the quantity is no whole number from 1 to 10,000: ${quantity || "nothing"}`
          : !(revenue && Number.isFinite(cents) && cents >= 0)
            ? `the revenue is no amount: ${revenue || "nothing"}`
            : "";
    if (wrong) parsed.errors.push(`Line ${i + 1}: ${wrong}`);
    else parsed.rows.push({ customerName, article, quantity: pieces, revenueCents: cents });
  });
  if (parsed.rows.length > maxImport) parsed.errors.push(`${parsed.rows.length} records: at most ${maxImport} at once`);
  return parsed;
}

const customers = [
  "Officine Baldini",
  "Caffè Centrale",
  "Ristorante Al Ponte",
  "Hotel Miramare",
  "Studio Conti",
  "Farmacia Rossi",
];
const articles = [
  "Paper A4",
  "Toner black",
  "Espresso beans",
  "Napkins",
  "Desk lamp",
  "Envelopes C5",
  "Tea towels",
  "Glasses",
];

/** Invented records, the same ones each time: what an import of that size does, not what it says, is of interest. */
export function inventRows(n: number): HistoryInput[] {
  const pick = (words: readonly string[], i: number) => words[i % words.length] ?? "";
  return Array.from({ length: n }, (_, i) => {
    const quantity = 1 + ((i * 7) % 40);
    return {
      customerName: pick(customers, i * 5 + Math.floor(i / 6)),
      article: `${pick(articles, i * 3 + Math.floor(i / 8))} ${1 + (i % 9)}`,
      quantity,
      revenueCents: quantity * (250 + ((i * 37) % 900)),
    };
  });
}
