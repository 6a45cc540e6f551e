// Who is in the mesh and which invitations there are. No event tells of either, so both are read every few seconds
// while their page is shown.
import { get, once, post, remove } from "../api/call";
import type { Invitation, List, Member, Mesh } from "../api/types";
import { changing, poll } from "./polled";
import { session } from "./session.svelte";

class Access {
  mesh = $state.raw<Mesh | null>(null);
  invitations = $state.raw<Invitation[]>([]);
  /** Why neither can be read. */
  problem = $state.raw<unknown>(null);
  /** The invitation that was just made: its token is told once and kept nowhere. */
  made = $state.raw<Invitation | null>(null);
}

export const access = new Access();

/** Reads both now, and again until what it answers is called. */
export const watch = (): (() => void) => poll(read, () => (access.made = null));

async function read(): Promise<void> {
  try {
    const [mesh, list] = await Promise.all([get<Mesh>("/v1/mesh"), session.may.includes("enrol") ? get<List<Invitation>>("/v1/invitations") : { items: [] }]);
    [access.mesh, access.invitations, access.problem] = [mesh, list.items, null];
  } catch (error) {
    access.problem = error;
  }
}

const doing = changing(read);

/** Makes an invitation that is good for `seconds`; `address` is where the other machine finds this one. */
export const invite = (seconds: number, address: string): Promise<void> =>
  doing(async () => {
    access.made = await post<Invitation>("/v1/invitations", { ttlSeconds: seconds, addresses: address ? [address] : [] }, once());
    return "";
  });

export const revoke = (invitation: Invitation): Promise<void> =>
  doing(async () => {
    await remove(`/v1/invitations/${encodeURIComponent(invitation.id)}`);
    if (access.made?.id === invitation.id) access.made = null;
    return "the invitation is revoked";
  });

export const takeOut = (member: Member): Promise<void> =>
  doing(async () => {
    await remove(`/v1/nodes/${encodeURIComponent(member.id)}`);
    return `${member.name} is out of the mesh`;
  });
