// documents.mjs
//	The providers' own descriptions of their services, as judges: OpenAPI
//	documents in Prism, and JSON Schemas.

import { spawn } from 'node:child_process';

import { contract } from './contracts.mjs';
import { freePort } from './ports.mjs';
import { schemaJudge } from './schema.mjs';

// The path that Prism serves is what follows "base".  A request goes to all
// documents with its base, the last of which answers the adapter.
export const documents = [
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
		find: () => process.env.GOOGLE,
	},
];

const prisms = [];
process.on('exit', () => prisms.forEach((prism) => prism.kill('SIGKILL')));

export async function start(document) {
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

// A schema says yes or no; 200 and 400 are what a server would make of it.
function judgeBody(document, request) {
	const complaint = document.judge(request.url.split(':').at(-1),
		JSON.parse(request.bytes));

	return complaint === null ? { status: 200, headers: {}, body: '' } :
		{ status: 400, headers: {}, body: complaint };
}

// The document's judgement of a request {method, url, headers, bytes}: its
// answer.
export async function replay(document, request) {
	if (document.isSchema) {
		return judgeBody(document, request);
	}
	const response = await fetch(
		request.url.replace(document.base, document.origin), {
			method: request.method,
			headers: request.headers,
			body: request.bytes.length > 0 ? request.bytes : undefined,
		});

	return { status: response.status, body: await response.text() };
}
