// prism.mjs
//	Replays what the adapters ask for against Prism, which judges it by the
//	providers' OpenAPI documents, and hands Prism's answers to the adapters.
//	What goes to Google is judged by its protos besides.
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
import { schemaJudge } from './schema.mjs';
import { done, ok } from './tap.mjs';

const [, , requests, google] = process.argv;

// The path that Prism serves is what follows "base".  A request goes to all
// documents with its base, the last of which answers the adapter.
const documents = [
	{
		name: 'openai',
		base: /^https:\/\/api\.openai\.com\/v1/,
		find: () => contract('openai-images.openapi.json'),
	},
	{
		name: 'openai amended',
		base: /^https:\/\/api\.openai\.com\/v1/,
		find: () => contract('openai-images.amended.openapi.json'),
	},
	{
		name: 'xai',
		base: /^https:\/\/api\.x\.ai/,
		find: () => contract('xai-images.openapi.json'),
	},
	{
		name: 'gemini protos',
		base: /^https:\/\/generativelanguage\.googleapis\.com/,
		isSchema: true,
		find: () => contract('google-generativelanguage-v1beta.schema.json'),
	},
	{
		name: 'vertex protos',
		base: /^https:\/\/([a-z0-9-]+-)?aiplatform\.googleapis\.com/,
		isSchema: true,
		find: () => contract('google-aiplatform-v1.schema.json'),
	},
	{
		name: 'google',
		base: /^https:\/\/([a-z0-9-]+\.)+googleapis\.com/,
		find: () => google,
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

async function start(document) {
	if (document.isSchema) {
		document.judge = schemaJudge(document.find(), {
			generateContent: 'GenerateContentRequest',
			predict: 'PredictRequest',
		});
	} else {
		await startPrism(document);
	}
}

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

// A schema says yes or no; 200 and 400 are what a server would make of it.
function judgeBody(document, request) {
	const complaint = document.judge(request.url.split(':').at(-1),
		request.body);

	return complaint === null ? { status: 200, headers: {}, body: '' } :
		{ status: 400, headers: {}, body: complaint };
}

// The document's judgement of a request: its answer.
async function replay(document, request) {
	if (document.isSchema) {
		return judgeBody(document, request);
	}

	const headers = { ...request.headers };
	let body;

	if (request.form !== undefined) {
		body = formOf(request.form);
	} else {
		body = request.text ??
			(request.body && JSON.stringify(request.body));
	}
	const response = await fetch(
		request.url.replace(document.base, document.origin),
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

async function breakAll(document, request, ways) {
	for (const [how, change] of ways) {
		await breakRequest(document, request, how, change);
	}
	if (document.isSchema) {
		return;
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
	const key = `${request.provider}: ${name}`;
	const ways = request.is_paid ? breakages[key] : undefined;
	let answer;

	for (const document of documents) {
		const isTooOld = newest.has(name) && document.name === 'openai';

		if (!document.base.test(url) || isTooOld) {
			continue;
		}
		answer = await replay(document, request);
		ok(answer.status === 200, `${document.name}: ${name}, ${where} is allowed`,
			`${answer.status} ${answer.body}\n${JSON.stringify(request)}`);
		if (ways !== undefined) {
			await breakAll(document, request, ways);
		}
	}
	if (ways !== undefined) {
		delete breakages[key];
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
		await start(document).catch((error) => {
			areThere = ok(false, `${document.name}: the document is there`,
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
	ok(Object.keys(breakages).length === 0, 'and all were broken that can be',
		Object.keys(breakages));
}

await main().catch((error) => ok(false, 'the requests can be judged',
	error.stack));
done();
