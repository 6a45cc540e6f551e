// The time of the node, in ms, once a second: everything that shows an age reads it.
import { clockSkew } from "../api/call";

export const clock = $state({ now: Date.now() });

setInterval(() => {
  if (!document.hidden) clock.now = Date.now() + clockSkew();
}, 1000);
document.addEventListener("visibilitychange", () => {
  clock.now = Date.now() + clockSkew();
});
