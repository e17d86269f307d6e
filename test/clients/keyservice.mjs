// keyservice.mjs
//	A courier to be asked, and what stands between it and its key service: a
//	proxy that can go wrong in many ways, and a stranger to whom nothing may
//	come.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import readline from 'node:readline';

import { listen } from './ports.mjs';
import { ok } from './tap.mjs';

// The program of the same name, one command at a time.
export class Courier {
	constructor(program) {
		this.child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
		const lines = readline.createInterface({ input: this.child.stdout });
		this.lines = lines[Symbol.asyncIterator]();
	}

	async next() {
		const { value, done } = await this.lines.next();
		if (done) {
			throw new Error('the courier has ended');
		}
		return JSON.parse(value);
	}

	command(line) {
		this.child.stdin.write(`${line}\n`);
		return this.next();
	}

	settings(settings) {
		return this.command(`settings ${JSON.stringify(settings)}`);
	}

	// What came of all generations together.
	end() {
		this.child.stdin.end();
		return this.next();
	}
}

function read(name) {
	return fs.readFileSync(`${process.env.SCRATCH}/${name}`);
}

function certificate(name) {
	return { key: read(`${name}.key`), cert: read(`${name}.crt`) };
}

// Speaks TLS with a certificate that is good; gives all that comes to the
// service behind it, unless fault(request, response, body) deals with it.
export class Proxy {
	constructor(upstream) {
		this.upstream = upstream;
		this.sockets = new Set();
		this.fault = null;
		this.watch = () => {};
		this.isMute = false;
		this.requests = 0;
		this.inner = https.createServer(certificate('good'),
			(request, response) => this.answer(request, response));
		this.inner.on('tlsClientError', () => {});
		this.outer = net.createServer((socket) => {
			this.sockets.add(socket);
			socket.on('close', () => this.sockets.delete(socket));
			socket.on('error', () => {});
			if (!this.isMute) {
				this.inner.emit('connection', socket);
			}
		});
	}

	async start() {
		this.port = await listen(this.outer, this.port);
		this.address = `https://127.0.0.1:${this.port}`;
	}

	// Nothing is kept that was connected before.
	disconnect() {
		this.sockets.forEach((socket) => socket.destroy());
	}

	async stop() {
		const closed = new Promise((resolve) => this.outer.close(resolve));
		this.disconnect();
		await closed;
	}

	show(name) {
		this.inner.setSecureContext(certificate(name));
		this.disconnect();
	}

	async answer(request, response) {
		const chunks = [];
		for await (const chunk of request) {
			chunks.push(chunk);
		}
		const body = Buffer.concat(chunks);
		this.requests++;
		this.watch(request, body);
		if (this.fault?.(request, response, body)) {
			return;
		}
		const forward = http.request({
			host: '127.0.0.1', port: this.upstream, method: request.method,
			path: request.url, headers: request.headers,
		}, (reply) => {
			response.writeHead(reply.statusCode, reply.headers);
			reply.pipe(response);
		});
		forward.on('error', () => request.socket.destroy());
		forward.end(body);
	}
}

// Another host: counts whoever connects, and what is said there.
export class Stranger {
	constructor() {
		this.connections = 0;
		this.heard = '';
		this.server = https.createServer(certificate('good'),
			(request, response) => {
				this.heard += JSON.stringify(request.rawHeaders);
				request.on('data', (chunk) => { this.heard += chunk; });
				response.end('{}');
			});
		this.server.on('connection', () => { this.connections++; });
	}

	async start() {
		this.address = `https://127.0.0.1:${await listen(this.server)}`;
	}
}

// Ways of going wrong, for the requests that concern(request).
export function answers(status, headers, text) {
	return (request, response) => {
		response.writeHead(status, headers);
		response.end(text);
		return true;
	};
}

export function says(status, json) {
	return answers(status, { 'content-type': 'application/json' },
		JSON.stringify(json));
}

export function redirects(status, address) {
	return (request, response) => {
		response.writeHead(status, { location: address + request.url });
		response.end();
		return true;
	};
}

export function silent() {
	return () => true;
}

export function resets() {
	return (request) => {
		request.socket.destroy();
		return true;
	};
}

export function breaksOff() {
	return (request, response) => {
		response.writeHead(200, { 'content-length': 1000 });
		response.write('{"data":');
		setTimeout(() => request.socket.destroy(), 50);
		return true;
	};
}

// A byte now and then, without an end.
export function drips() {
	return (request, response) => {
		response.writeHead(200, { 'content-length': 1000 });
		const timer = setInterval(() => response.write(' '), 500);
		request.socket.on('close', () => clearInterval(timer));
		return true;
	};
}

export function only(concerns, fault) {
	return (request, response, body) => concerns(request) &&
		fault(request, response, body);
}

export function times(count, fault) {
	return (...all) => count-- > 0 && fault(...all);
}

// Three generations under a fault: all wait, none fails, the operator is told
// why; afterwards all run.
export async function makesThemWait(courier, name, words, apply, repair) {
	await apply();
	const under = await courier.command('generate 3');
	under.error ||= (await courier.command('key')).error;
	ok(under.waiting === 3 && under.failed === 0 && under.succeeded === 0 &&
		under.code === 'key_service_down' && under.error.includes(words),
	`${name}: generations wait, and the operator is told`,
	JSON.stringify(under));
	await repair();
	const after = await courier.command('again 15000');
	ok(after.succeeded === 3 && after.waiting === 0 && after.failed === 0,
		`${name}: later they run`, JSON.stringify(after));
}
