// Times and amounts in few words.

const UNITS: [number, string][] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

/** A span in its one or two largest units: `3 min`, `1 h 20 min`. */
export function span(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  const whole = Math.max(0, ms);
  if (whole < 1000) return `${Math.round(whole)} ms`;
  for (const [i, [size, unit]] of UNITS.entries()) {
    if (whole < size) continue;
    const count = Math.floor(whole / size);
    const next = UNITS[i + 1];
    const rest = next ? Math.floor((whole % size) / next[0]) : 0;
    return next && rest > 0 && count < 10 ? `${count} ${unit} ${rest} ${next[1]}` : `${count} ${unit}`;
  }
  return "0 s";
}

/** An age in its largest unit; what is younger than a second is now. */
export function age(ms: number): string {
  if (ms < 1000) return "now";
  for (const [size, unit] of UNITS) {
    if (ms >= size) return `${Math.floor(ms / size)} ${unit}`;
  }
  return "now";
}

/** Date and time of day, as this browser writes them. */
export function moment(ms: number): string {
  return new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** Time of day to the millisecond, for lines of a log. */
export function stamp(ms: number): string {
  const d = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, "0")}`;
}

/** Micro-USD as money; a price that is not known is said so. */
export function cost(micro: number | null | undefined): string {
  if (micro === null || micro === undefined) return "price unknown";
  const dollars = micro / 1_000_000;
  if (micro === 0) return "$0";
  return dollars < 0.01 ? "< $0.01" : `$${dollars.toFixed(2)}`;
}

/** A count in three digits: `61.5 k`. */
export function count(n: number): string {
  if (n < 1000) return String(n);
  if (n < 1_000_000) return `${(n / 1000).toFixed(n < 10_000 ? 1 : 0)} k`;
  return `${(n / 1_000_000).toFixed(1)} M`;
}

/** Bytes: `23.5 GiB`. */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i += 1;
  }
  return `${n < 10 && i > 0 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

/** Thousandths of a processor: `1.5`. */
export const cpus = (millis: number): string => (millis / 1000).toFixed(millis % 1000 ? 1 : 0);

/** `1 task`, `2 tasks`. */
export const many = (n: number, one: string, more = `${one}s`): string => `${n.toLocaleString()} ${n === 1 ? one : more}`;
