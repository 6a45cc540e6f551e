// Light, dark, or as the system has it.

export type Theme = "system" | "light" | "dark";
const NAME = "ikigai.theme";

function stored(): Theme {
  const value = localStorage.getItem(NAME);
  return value === "light" || value === "dark" ? value : "system";
}

export const theme = $state<{ is: Theme }>({ is: stored() });

/** Applies and keeps it. */
export function setTheme(value: Theme): void {
  theme.is = value;
  if (value === "system") localStorage.removeItem(NAME);
  else localStorage.setItem(NAME, value);
  document.documentElement.dataset["theme"] = value;
}

/** The next of the three. */
export function nextTheme(): void {
  const all: Theme[] = ["system", "light", "dark"];
  setTheme(all[(all.indexOf(theme.is) + 1) % all.length] ?? "system");
}

setTheme(theme.is);
