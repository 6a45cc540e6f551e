// Where a machine says it is, for a person: `192.168.1.7:7421` in place of a multiaddress.

/** The ways straight to it, each once, and how many lead through other machines. */
export function placesOf(addresses: string[]): { direct: string[]; relayed: number } {
  const direct = addresses.filter((a) => !a.includes("/p2p-circuit")).map(short);
  const relays = addresses.filter((a) => a.includes("/p2p-circuit")).map((a) => a.split("/p2p-circuit")[0]?.split("/p2p/").at(-1));
  return { direct: [...new Set(direct)], relayed: new Set(relays).size };
}

function short(address: string): string {
  const found = /^\/(ip4|ip6|dns[46]?)\/([^/]+)\/(tcp|udp)\/(\d+)/.exec(address);
  if (!found) return address;
  const [, kind, host, , port] = found;
  return kind === "ip6" ? `[${host}]:${port}` : `${host}:${port}`;
}
