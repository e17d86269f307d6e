// prism.mjs
//	What the adapters ask for, as the courier's engine sends it, is judged by
//	the providers' own documents; the adapters get the documents' answers.
//
// Usage: prism.mjs REQUESTS, the program "requests" of this folder.
//
// A judge that accepts everything proves nothing, so requests that are broken
// on purpose are judged too.

import { spawn } from 'node:child_process';
import http from 'node:http';
import readline from 'node:readline';

import { documents, replay, start } from './documents.mjs';
import { done, ok } from './tap.mjs';

const [, , requests] = process.argv;

// What must not pass, of which cases.
const breakages = {
	'openai: every field': [
		['without a prompt', (body) => delete body.prompt],
		['for 99 pictures', (body) => { body.n = 99; }],
		['of a quality that there is not', (body) => { body.quality = 'ultra'; }],
		['with a prompt that is a number', (body) => { body.prompt = 7; }],
	],
	'openai: edit': [
		['without a picture', (form) => drop(form, 'image')],
		['without a prompt', (form) => drop(form, 'prompt')],
	],
	'openai: edit as JSON': [
		['without a prompt', (body) => delete body.prompt],
		['without pictures', (body) => { body.images = []; }],
		['with a picture that is a number', (body) => { body.images = [7]; }],
	],
	'xai: every field': [
		['for 99 pictures', (body) => { body.n = 99; }],
		['of a quality that there is not', (body) => { body.quality = 'ultra'; }],
		['of a shape that there is not', (body) => { body.aspect_ratio = '7:5'; }],
		['with a prompt that is a number', (body) => { body.prompt = 7; }],
	],
	'google: every field': [
		['without contents', (body) => delete body.contents],
		['of a size that there is not',
			(body) => { body.generationConfig.imageConfig.imageSize = '9K'; }],
		['for something else than pictures', (body) => {
			body.generationConfig.responseModalities = ['SMELL'];
		}],
		['with a seed in words', (body) => { body.generationConfig.seed = 'x'; }],
	],
	'vertex: every field': [
		['without contents', (body) => delete body.contents],
		['for people that there are not', (body) => {
			body.generationConfig.imageConfig.personGeneration = 'ALLOW_CATS';
		}],
		['with a label that is a number', (body) => { body.labels.team = 7; }],
	],
	'vertex: Imagen': [
		['without instances', (body) => delete body.instances],
	],
	'xai: edit of five': [
		['without a prompt', (body) => delete body.prompt],
		['with six pictures', (body) => body.images.push(body.images[0])],
		['with a list as its picture', (body) => { body.image = body.images; }],
	],
};

const drop = (form, name) => form.delete(name);

// Cases that are younger than OpenAI's published document.
const newest = new Set(['newest fields']);

// ---- requests

// Those of the connection, and ours.
const ownHeaders = /^(x-case|x-provider|x-url|x-paid|host|connection|expect|content-length|accept-encoding)$/;

async function receive(incoming) {
	const chunks = [];

	for await (const chunk of incoming) {
		chunks.push(chunk);
	}
	return {
		case: incoming.headers['x-case'],
		provider: incoming.headers['x-provider'],
		isPaid: incoming.headers['x-paid'] !== undefined,
		method: incoming.method,
		url: incoming.headers['x-url'],
		headers: Object.fromEntries(Object.entries(incoming.headers)
			.filter(([name]) => !ownHeaders.test(name))),
		bytes: Buffer.concat(chunks),
	};
}

const isForm = (request) =>
	/^multipart\//.test(request.headers['content-type']);

const isJson = (request) =>
	request.headers['content-type'] === 'application/json';

const printable = (bytes) =>
	bytes.toString('latin1', 0, 2000).replace(/[^\n -~]/g, '?');

// The same request with its form, or its document, changed.
async function changed(request, change) {
	const { 'content-type': type, ...headers } = request.headers;
	let response = new Response(request.bytes, { headers: { 'content-type': type } });

	if (isForm(request)) {
		const form = await response.formData();

		change(form);
		response = new Response(form);
	} else {
		const body = await response.json();

		change(body);
		response = Response.json(body);
	}
	headers['content-type'] = response.headers.get('content-type');
	return { ...request, headers, bytes: Buffer.from(await response.arrayBuffer()) };
}

function withoutKey(request) {
	return {
		...request,
		headers: Object.fromEntries(Object.entries(request.headers).filter(
			([name]) => name !== 'authorization' && name !== 'x-goog-api-key')),
	};
}

// ---- judgement

async function breakAll(document, request, ways) {
	const what = `${document.name}: ${request.case}`;

	for (const [how, change] of ways) {
		const { status, body } = await replay(document,
			await changed(request, change));

		ok(status === 400 || status === 422, `${what}, but ${how}, is refused`,
			`${status} ${body}`);
	}
	if (!document.isSchema) {
		const { status } = await replay(document, withoutKey(request));

		ok(status === 401, `${what}, but without a key, is refused`, status);
	}
}

// What the adapter is told: the last document's answer.
async function judge(request) {
	const { case: name, method, url } = request;
	const where = `${method} ${new URL(url).pathname}`;
	const key = `${request.provider}: ${name}`;
	const ways = request.isPaid ? breakages[key] : undefined;
	let answer;

	for (const document of documents) {
		const isTooOld = newest.has(name) && document.name === 'openai';

		if (!document.base.test(url) || isTooOld) {
			continue;
		}
		answer = await replay(document, request);
		ok(answer.status === 200, `${document.name}: ${name}, ${where} is allowed`,
			`${answer.status} ${answer.body}\n${printable(request.bytes)}`);
		if (ways !== undefined) {
			await breakAll(document, request, ways);
		}
	}
	if (ways !== undefined) {
		delete breakages[key];
	}
	if (answer === undefined) {
		ok(false, `${request.provider}: a document covers ${name}, ${where}`);
		answer = { status: 404, body: '' };
	}
	// the document knows only whole answers to what may be deferred
	if (isJson(request) && JSON.parse(request.bytes).deferred === true) {
		answer.body = '{"request_id":"r1"}';
	}
	return answer;
}

// The origin of a server that answers as the documents do.
function startJudge() {
	const server = http.createServer(async (incoming, response) => {
		try {
			const { status, body } = await judge(await receive(incoming));

			response.writeHead(status, { 'content-type': 'application/json' });
			response.end(body);
		} catch (error) {
			ok(false, 'the request can be judged', error.stack);
			response.destroy();
		}
	});

	return new Promise((resolve) => {
		server.listen(0, '127.0.0.1',
			() => resolve(`http://127.0.0.1:${server.address().port}`));
	});
}

async function main() {
	let areThere = true;

	for (const document of documents) {
		await start(document).catch((error) => {
			areThere = ok(false, `${document.name}: the document is there`,
				error.message);
		});
	}
	if (!areThere) {
		return;
	}

	const child = spawn(requests, [await startJudge()],
		{ stdio: ['ignore', 'pipe', 'inherit'] });
	const ended = new Promise((resolve) => child.on('close', resolve));
	let ends = 0;

	for await (const line of readline.createInterface({ input: child.stdout })) {
		const said = JSON.parse(line);

		ends++;
		ok(said.end === 'done' && said.pictures > 0,
			`${said.provider}: ${said.case}, the answer is read`, line);
	}
	ok(await ended === 0 && ends > 0, 'all cases were asked for');
	ok(Object.keys(breakages).length === 0, 'and all were broken that can be',
		Object.keys(breakages));
}

await main().catch((error) => ok(false, 'the requests can be judged',
	error.stack));
done();
