// Which page is shown: the address is the state, so that each page has a link and going back goes back.

export const route = $state({ path: location.pathname, query: new URLSearchParams(location.search) });

function read(): void {
  route.path = location.pathname;
  route.query = new URLSearchParams(location.search);
}

window.addEventListener("popstate", read);

/** Goes to `to`, a path of this site. */
export function go(to: string): void {
  const same = to === location.pathname + location.search;
  if (!same) history.pushState(null, "", to);
  read();
  window.scrollTo(0, 0);
}

/** Changes one word of the query without a new step to go back to. */
export function setQuery(name: string, value: string): void {
  const query = new URLSearchParams(location.search);
  if (value) query.set(name, value);
  else query.delete(name);
  const text = query.toString();
  history.replaceState(null, "", location.pathname + (text ? `?${text}` : ""));
  read();
}

/** Follows links of this site without loading it again. */
export function followLinks(event: MouseEvent): void {
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  const link = (event.target as Element | null)?.closest?.("a");
  if (!plain || event.defaultPrevented || !link || link.target || link.origin !== location.origin) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

/** The parts of the path: `/task/x` is `["task", "x"]`. */
export function parts(path: string): string[] {
  return path.split("/").filter(Boolean).map(decode);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The page of a task. */
export const taskPath = (id: string): string => `/task/${encodeURIComponent(id)}`;
/** Its review. */
export const reviewPath = (id: string): string => `/review/${encodeURIComponent(id)}`;
/** The graph of a feature. */
export const featurePath = (project: string, feature: string): string =>
  `/feature/${encodeURIComponent(feature || "-")}?project=${encodeURIComponent(project)}`;
