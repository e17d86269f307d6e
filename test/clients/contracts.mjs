// contracts.mjs
//	Documents that others wrote and that are not in this tree.

import { existsSync } from 'node:fs';
import path from 'node:path';

const sources = {
	'openai-images.openapi.json':
		'the image and model paths of OpenAI\'s OpenAPI document ' +
		'(GitHub openai/openai-openapi, openapi.json, commit f85dbe22)',
	'openai-images.amended.openapi.json':
		'OpenAI\'s OpenAPI document of images, brought up to November 2026 ' +
		'from the types of npm openai 7.57.0 (places marked x-amended)',
	'xai-images.openapi.json':
		'the image paths of xAI\'s OpenAPI document ' +
		'(GitHub xai-org/xai-sdk-ts, spec/openapi.json, commit 41e766ac)',
	'google-generativelanguage-v1beta.schema.json':
		'the JSON Schema of the Gemini API, made from its protos ' +
		'(GitHub googleapis/googleapis, commit f8291d2b)',
	'google-aiplatform-v1.schema.json':
		'the JSON Schema of Vertex AI, made from its protos ' +
		'(GitHub googleapis/googleapis, commit f8291d2b)',
};

// Where it is, or an error that says what it is and where to get it.
export function contract(name) {
	const file = path.join(process.env.CONTRACTS, name);

	if (!existsSync(file)) {
		throw new Error(`"${file}" is missing.  It is ${sources[name]}.  ` +
			'Put it there, or set BAMBI_SHARED to a folder with contracts/ ' +
			'in it; contracts/README.md there says how it is made.');
	}
	return file;
}
