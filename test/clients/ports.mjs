// ports.mjs
//	Ports that can be given up and taken again: below those from which the
//	system takes the source of a connection, as free_port of cluster.sh has it.

import net from 'node:net';

const LOWEST = 10_200;
const COUNT = 22_000;

// Has the server listen on loopback, on a port or on some free one; resolves
// to the port.
export function listen(server, port) {
	return new Promise((resolve, reject) => {
		const wanted = port ?? LOWEST + Math.floor(Math.random() * COUNT);
		const fail = (error) => {
			if (port === undefined && error.code === 'EADDRINUSE') {
				resolve(listen(server));
			} else {
				reject(error);
			}
		};

		server.once('error', fail);
		server.listen(wanted, '127.0.0.1', () => {
			server.off('error', fail);
			resolve(wanted);
		});
	});
}

// For a program that is told where to listen.
export async function freePort() {
	const server = net.createServer();
	const port = await listen(server);

	await new Promise((resolve) => server.close(resolve));
	return port;
}
