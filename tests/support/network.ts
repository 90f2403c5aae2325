import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A stretch of network between a client and a port of this machine. */
export interface Network {
  url: string;
  /** How many connections have been made through it. */
  readonly made: number;
  /** What the clients have been sent. */
  readonly carried: string;
  /** Breaks all connections there are; new ones can be made. */
  cut(): void;
  close(): void;
}

/** Makes a stretch of network that leads to a port. */
export async function startNetwork(port: number): Promise<Network> {
  const sockets = new Set<Socket>();
  let [made, carried] = [0, ""];
  const server = createServer((near) => {
    made++;
    const far = connect(port, "127.0.0.1");
    far.on("data", (bytes) => carried += bytes);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => sockets.forEach((socket) => socket.destroy());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get made() {
      return made;
    },
    get carried() {
      return carried;
    },
    cut,
    close() {
      cut();
      server.close();
    },
  };
}
