// Runs inside the node's network: `gateway.ts SOCKET`. An HTTP proxy on a Unix socket, which unlike an address is reached from every
// network namespace; it knows CONNECT and nothing else.
import { createServer } from "node:http";
import { connect } from "node:net";

const [, , socketPath] = process.argv;

const server = createServer((_, response) => {
  response.writeHead(405).end();
});

server.on("connect", (request, client, head) => {
  const { hostname, port } = new URL(`tcp://${request.url}`);
  const target = connect({ host: hostname, port: Number(port), allowHalfOpen: true }, () => {
    client.write("HTTP/1.1 200 Connected\r\n\r\n");
    target.write(head);
    target.pipe(client);
    client.pipe(target);
  });
  target.on("error", () => client.destroy());
  client.on("error", () => target.destroy());
});

server.listen(socketPath, () => {
  process.stdout.write("gateway is open\n");
});
