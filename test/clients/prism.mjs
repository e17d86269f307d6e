// prism.mjs
//	Replays what the adapters ask for against Prism, which judges it by the
//	providers' OpenAPI documents, and hands Prism's answers to the adapters.
//
// Usage: prism.mjs REQUESTS GOOGLE
//	the program "requests" of this folder, and the OpenAPI document of Google,
//	which is written here.
//
// A judge that accepts everything proves nothing, so requests that are broken
// on purpose are replayed too.

import { spawn } from 'node:child_process';
import net from 'node:net';
import readline from 'node:readline';

import { contract } from './contracts.mjs';
import { done, ok } from './tap.mjs';

const [, , requests, google] = process.argv;

// The path that Prism serves is what follows "base".  Requests go to all
// documents of a provider; "newer" ones are unknown to the others.
const documents = [
	{
		name: 'openai',
		provider: 'openai',
		base: 'https://api.openai.com/v1',
		find: () => contract('openai-images.openapi.json'),
	},
	{
		name: 'openai amended',
		provider: 'openai',
		base: 'https://api.openai.com/v1',
		isNewer: true,
		find: () => contract('openai-images.amended.openapi.json'),
	},
	{
		name: 'xai',
		provider: 'xai',
		base: 'https://api.x.ai',
		find: () => contract('xai-images.openapi.json'),
	},
];

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
	'xai: edit of five': [
		['without a prompt', (body) => delete body.prompt],
		['with six pictures', (body) => body.images.push(body.images[0])],
		['with a list as its picture', (body) => { body.image = body.images; }],
	],
};

const drop = (form, name) =>
	form.splice(form.findIndex((part) => part.name === name), 1);

// Cases that are younger than OpenAI's published document.
const newest = new Set(['newest fields']);

// ---- Prism

function freePort() {
	return new Promise((resolve) => {
		const server = net.createServer();

		server.listen(0, '127.0.0.1', () => {
			const { port } = server.address();

			server.close(() => resolve(port));
		});
	});
}

const prisms = [];
process.on('exit', () => prisms.forEach((prism) => prism.kill('SIGKILL')));

// Starts one, and resolves when it listens.
async function startPrism(document) {
	const port = await freePort();
	const prism = spawn(process.execPath, [
		'node_modules/@stoplight/prism-cli/dist/index.js', 'mock',
		'-h', '127.0.0.1', '-p', port, document.find()]);
	let said = '';

	prisms.push(prism);
	document.origin = `http://127.0.0.1:${port}`;
	return new Promise((resolve, reject) => {
		const listen = (chunk) => {
			said += chunk;
			if (said.includes('Prism is listening')) {
				resolve();
			}
		};

		prism.stdout.on('data', listen);
		prism.stderr.on('data', listen);
		prism.on('exit', () => reject(new Error(`Prism has ended: ${said}`)));
	});
}

function formOf(parts) {
	const form = new FormData();

	for (const part of parts) {
		const bytes = Buffer.from(part.base64, 'base64');

		if (part.file_name === null) {
			form.append(part.name, bytes.toString());
		} else {
			form.append(part.name, new Blob([bytes], { type: part.media_type }),
				part.file_name);
		}
	}
	return form;
}

// The document's judgement of a request: its answer.
async function replay(document, request) {
	const headers = { ...request.headers };
	let body;

	if (request.form !== undefined) {
		body = formOf(request.form);
	} else {
		body = request.text ??
			(request.body && JSON.stringify(request.body));
	}
	const response = await fetch(
		document.origin + request.url.slice(document.base.length),
		{ method: request.method, headers, body });

	return {
		status: response.status,
		headers: Object.fromEntries(response.headers),
		body: await response.text(),
	};
}

// ---- the cases

async function breakRequest(document, request, how, change) {
	const broken = structuredClone(request);

	change(broken.body ?? broken.form);
	const { status, body } = await replay(document, broken);

	ok(status === 400 || status === 422,
		`${document.name}: ${request.case}, but ${how}, is refused`,
		`${status} ${body}`);
}

async function breakAll(document, request) {
	const ways = breakages[`${request.provider}: ${request.case}`];

	if (ways === undefined) {
		return;
	}
	for (const [how, change] of ways) {
		await breakRequest(document, request, how, change);
	}
	const anonymous = structuredClone(request);

	for (const name of Object.keys(anonymous.headers)) {
		if (/^(authorization|x-goog-api-key)$/i.test(name)) {
			delete anonymous.headers[name];
		}
	}
	const { status } = await replay(document, anonymous);

	ok(status === 401,
		`${document.name}: ${request.case}, but without a key, is refused`, status);
}

// What the adapter is told: the last document's answer.
async function judge(request) {
	const { case: name, method, url } = request;
	const where = `${method} ${new URL(url).pathname}`;
	let answer;

	for (const document of documents) {
		if (!url.startsWith(document.base) ||
			(newest.has(name) && !document.isNewer)) {
			continue;
		}
		answer = await replay(document, request);
		ok(answer.status === 200, `${document.name}: ${name}, ${where} is allowed`,
			`${answer.status} ${answer.body}\n${JSON.stringify(request)}`);
		await breakAll(document, request);
	}
	if (answer === undefined) {
		ok(false, `${request.provider}: a document covers ${name}, ${where}`);
		answer = { status: 404, headers: {}, body: '' };
	}
	// the document knows only whole answers to what may be deferred
	if (request.body?.deferred === true) {
		answer.body = '{"request_id":"r1"}';
	}
	return answer;
}

async function main() {
	let areThere = true;

	for (const document of documents) {
		await startPrism(document).catch((error) => {
			areThere = ok(false, `${document.name}: Prism has its document`,
				error.message);
		});
	}
	if (!areThere) {
		return;
	}

	const child = spawn(requests, { stdio: ['pipe', 'pipe', 'inherit'] });
	const ended = new Promise((resolve) => child.on('close', resolve));
	let ends = 0;

	for await (const line of readline.createInterface({ input: child.stdout })) {
		const said = JSON.parse(line);

		if (said.end === undefined) {
			child.stdin.write(JSON.stringify(await judge(said)) + '\n');
		} else {
			ends++;
			ok(said.end === 'done' && said.pictures > 0,
				`${said.provider}: ${said.case}, the answer is read`, line);
		}
	}
	ok(await ended === 0 && ends > 0, 'all cases were asked for');
}

await main().catch((error) => ok(false, 'the requests can be judged',
	error.stack));
done();
