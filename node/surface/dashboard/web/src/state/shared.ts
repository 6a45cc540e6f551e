// The one request of a page for people outside: with the link's secret, and with no session.
import { send } from "../api/call";
import type { SharedTask } from "../api/types";

/** Reads the task that a share link shows. */
export async function readShared(secret: string): Promise<SharedTask> {
  const response = await send("/v1/shared", { headers: { Authorization: `Bearer ${secret}` } });
  return (await response.json()) as SharedTask;
}
