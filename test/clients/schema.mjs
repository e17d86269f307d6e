// schema.mjs
//	Judges requests by a JSON Schema that was made from Google's protos.
//
// Google refuses names that it does not know, so here no message has others
// than its own.

import { readFileSync } from 'node:fs';

import Ajv from 'ajv/dist/2020.js';

// What the official client sends, and the published protos do not have yet.
const younger = {
	ImageConfig: { imageSize: { enum: ['512', '1K', '2K', '4K'] } },
	ThinkingConfig: {
		thinkingLevel: { enum: ['MINIMAL', 'LOW', 'MEDIUM', 'HIGH'] },
	},
};

// A judge of the bodies of "messages": name => message of the schema.
export function schemaJudge(file, messages) {
	const schema = JSON.parse(readFileSync(file));
	const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
	const judges = {};

	for (const [name, message] of Object.entries(schema.$defs)) {
		if (message.properties !== undefined) {
			message.properties = { ...younger[name], ...message.properties };
			message.additionalProperties ??= false;
		}
	}
	for (const [name, message] of Object.entries(messages)) {
		judges[name] = ajv.compile({ ...schema, $ref: `#/$defs/${message}` });
	}
	return (name, body) => {
		const judge = judges[name];

		return judge(body) ? null : ajv.errorsText(judge.errors);
	};
}
