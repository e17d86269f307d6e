// mock.mjs
//	The mock provider, and all that arrives there.
//
// A recorder stands before it: it passes everything on as it is, and keeps
// what was asked and when.  The mock ends when this process does.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';

// Answers for fault=ID beside those of the tree: rows of the same form.
function writeFixtures(rows) {
	const fixtures = JSON.parse(readFileSync(process.env.FIXTURES));
	const file = path.join(process.env.SCRATCH, 'fixtures.json');

	fixtures.http.push(...rows);
	writeFileSync(file, JSON.stringify(fixtures));
	return file;
}

// Its origin, "http://127.0.0.1:PORT".
function startMock(args) {
	const mock = spawn(process.env.MOCK, ['--until-eof', ...args],
		{ stdio: ['pipe', 'pipe', 'inherit'] });

	return new Promise((resolve, reject) => {
		let said = '';

		mock.stdout.on('data', (chunk) => {
			said += chunk;
			const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);

			if (found !== null && said.includes('\n')) {
				resolve(found[0]);
			}
		});
		mock.on('exit', () => reject(new Error('the mock has ended')));
	});
}

async function read(stream) {
	const chunks = [];

	for await (const chunk of stream) {
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}

function startRecorder(target, calls) {
	const server = http.createServer(async (request, response) => {
		const at = performance.now();
		const body = await read(request);

		calls.push({
			at,
			method: request.method,
			path: request.url,
			headers: request.headers,
			body,
			get json() { return JSON.parse(body); },
			get form() { return readForm(request.headers, body); },
		});
		const passed = http.request(target + request.url,
			{ method: request.method, headers: request.headers }, (answer) => {
				response.writeHead(answer.statusCode, answer.headers);
				answer.pipe(response);
			});

		passed.on('error', () => response.destroy());
		passed.end(body);
	});

	// a client that was kept from working may use a connection of long ago
	server.keepAliveTimeout = 0;
	return new Promise((resolve) => {
		server.listen(0, '127.0.0.1',
			() => resolve(`http://127.0.0.1:${server.address().port}`));
	});
}

// The parts of a multipart body: [{name, fileName, bytes}].
async function readForm(headers, body) {
	const form = await new Response(body, {
		headers: { 'content-type': headers['content-type'] },
	}).formData();
	const parts = [];

	for (const [name, value] of form) {
		parts.push(typeof value === 'string' ? { name, value } : {
			name,
			fileName: value.name,
			type: value.type,
			bytes: Buffer.from(await value.arrayBuffer()),
		});
	}
	return parts;
}

// {origin, take, ledger}: take() gives the calls since the last take().
export async function start({ rows = [], args = [] } = {}) {
	const target = await startMock(['--fixtures', writeFixtures(rows), ...args]);
	const calls = [];
	const origin = await startRecorder(target, calls);

	return {
		origin,
		take: () => calls.splice(0),
		async ledger() {
			const text = await (await fetch(`${target}/_mock/ledger`)).text();

			return text.trim().split('\n').map((line) => JSON.parse(line));
		},
	};
}

// As the ledger names a picture.
export const fingerprint = (bytes) =>
	createHash('sha256').update(bytes).digest('hex').slice(0, 12);

// Milliseconds between one call and the next.  Bounds should tell a wait from
// the other waits there could be, and leave room for a busy machine.
export const pauses = (calls) =>
	calls.slice(1).map((call, i) => call.at - calls[i].at);

export const between = (value, least, most) => value >= least && value <= most;

// What kind of picture the bytes are, by their first ones.
export function kindOf(bytes) {
	const head = Buffer.from(bytes).subarray(0, 12).toString('latin1');

	if (head.startsWith('\x89PNG\r\n\x1a\n')) {
		return 'png';
	}
	if (head.startsWith('\xff\xd8\xff')) {
		return 'jpeg';
	}
	return head.startsWith('RIFF') && head.endsWith('WEBP') ? 'webp' : '?';
}

// A PNG of one pixel.
export const pixel = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ' +
	'AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
