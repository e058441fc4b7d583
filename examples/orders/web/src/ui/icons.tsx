const paths = {
  bell: "M6 9a6 6 0 0 1 12 0c0 6 2 7 2 8H4c0-1 2-2 2-8Zm4 11a2 2 0 0 0 4 0",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6l1-7Z",
  check: "M5 13l4 4L19 7",
  close: "M6 6l12 12M18 6 6 18",
  cancel: "M5 5l14 14M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18Z",
  chart: "M4 20V4m0 16h16M8 16v-4m4 4V8m4 8v-6",
  clock: "M12 7v5l3 2m6-2a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  copy: "M9 9h10v10H9zM5 15V5h10",
  edit: "M4 20l1-4L16 5l3 3L8 19l-4 1ZM14 7l3 3",
  inbox: "M4 13l3-8h10l3 8v6H4v-6Zm0 0h5l1 2h4l1-2h5",
  jobs: "M4 6h16M4 12h16M4 18h10",
  keyboard: "M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8",
  logout: "M15 8V5H5v14h10v-3M10 12h10m0 0-3-3m3 3-3 3",
  moon: "M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10Z",
  plus: "M12 5v14M5 12h14",
  raise: "M12 19V5m0 0-5 5m5-5 5 5",
  retry: "M4 12a8 8 0 0 1 14-5l2 2m0-5v5h-5M20 12a8 8 0 0 1-14 5l-2-2m0 5v-5h5",
  send: "M4 12l16-8-6 16-3-7-7-1Z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4",
  sync: "M5 9a7 7 0 0 1 12-3l2 2M19 15a7 7 0 0 1-12 3l-2-2M19 4v4h-4M5 20v-4h4",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5m4-5v5",
  truck: "M3 6h11v10H3zM14 10h4l3 3v3h-7zM7 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4Zm10 0a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  upload: "M12 16V4m0 0L7 9m5-5 5 5M4 20h16",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-8 9c0-4 4-6 8-6s8 2 8 6",
  users: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7 9c0-4 3-6 7-6s7 2 7 6M16 4a4 4 0 0 1 0 7m2 3c3 1 4 3 4 6",
  warn: "M12 4 2.5 20h19L12 4Zm0 6v5m0 2.5v.01",
} as const;

export type IconName = keyof typeof paths;

/** A picture beside words, or in a button that has a name: nothing for a screen reader. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
