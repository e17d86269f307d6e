// stripe_server.mjs
//	bambi as Stripe finds it: behind PostgREST, whose transactions are made
//	here as PostgREST makes them; and as its operator does.

import { writeFileSync } from 'node:fs';
import pg from 'pg';

import { sql } from './psql.mjs';
import { generations, now, stripe } from './stripe_events.mjs';

export const secrets = {
	old: 'whsec_0123456789abcdefghijklmnopqrstuv',
	new: 'whsec_vutsrqponmlkjihgfedcba9876543210',
	third: 'whsec_third0third0third0third0third0th',
};

// Read anew for every event; the file stays the server's.
export const keep = (...kept) =>
	writeFileSync(process.env.SECRETS, kept.map((s) => `${s}\n`).join(''));

export const sign = (payload, more = {}) =>
	stripe.webhooks.generateTestHeaderString(
		{ payload, secret: secrets.old, ...more });

// Status of HTTP that PostgREST makes of a code.
const status = (code) => {
	switch (code) {
	case 'PGRST': return 503;
	case '55000': return 500;
	case '42501': return 401;
	default: return /^22/.test(code) ? 400 : 500;
	}
};

const settings = `SELECT set_config('search_path', '"public", "public"', true),
	set_config('role', $1, true),
	set_config('request.jwt.claims', $2, true),
	set_config('request.method', 'POST', true),
	set_config('request.path', '/rpc/bambi_stripe_webhook', true),
	set_config('request.headers', $3, true),
	set_config('request.cookies', '{}', true)`;

// The body as it came, for the one parameter that has no name.
const unnamed = { name: 'unnamed', text: `WITH pgrst_source AS (
	SELECT "public"."bambi_stripe_webhook"($1::json) AS pgrst_scalar)
	SELECT pgrst_scalar FROM pgrst_source` };

// A body whose members are the names of parameters.
const named = { name: 'named', text: `WITH pgrst_source AS (SELECT pgrst_call.pgrst_scalar
	FROM (SELECT $1::json AS json_data) pgrst_payload,
	LATERAL (SELECT * FROM json_to_record(pgrst_payload.json_data)
		AS _("payload" text, "signature" text) LIMIT 1) pgrst_body,
	LATERAL (SELECT "public"."bambi_stripe_webhook"(
		"payload" := pgrst_body."payload",
		"signature" := pgrst_body."signature") pgrst_scalar) pgrst_call)
	SELECT pgrst_scalar FROM pgrst_source` };

// One of PostgREST's connections.
export class Connection {
	static async open() {
		const connection = new Connection();

		connection.client = new pg.Client({
			host: process.env.PGHOST, port: Number(process.env.PGPORT),
			database: process.env.PGDATABASE, user: 'authenticator',
		});
		await connection.client.connect();
		return connection;
	}

	async request(role, headers, statement, content) {
		try {
			await this.client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
			await this.client.query({
				name: 'settings', text: settings,
				values: [role, JSON.stringify({ role }),
					JSON.stringify(headers)],
			});
			const { rows } = await this.client.query(
				{ ...statement, values: [content] });

			await this.client.query('COMMIT');
			return { status: 200, answer: rows[0].pgrst_scalar };
		} catch (error) {
			await this.client.query('ROLLBACK');
			return {
				status: status(error.code), code: error.code,
				message: error.message, detail: error.detail,
			};
		}
	}

	// As Stripe posts it; what is not signed has no such header.
	post(content, signature = sign(content)) {
		return this.request('anon', {
			'host': 'api.example.com',
			'content-type': 'application/json; charset=utf-8',
			...signature === null ? {} : { 'stripe-signature': signature },
			'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
		}, unnamed, content);
	}

	// As an Edge Function passes it on.
	pass(payload, signature = sign(payload), role = 'service_role') {
		return this.request(role, {}, named,
			JSON.stringify({ payload, signature }));
	}

	end() {
		return this.client.end();
	}
}

export async function setUp() {
	keep(secrets.old);
	await sql(`CREATE EXTENSION bambi CASCADE;
		CREATE ROLE authenticator LOGIN NOINHERIT;
		CREATE ROLE anon; CREATE ROLE authenticated;
		CREATE ROLE service_role BYPASSRLS;
		GRANT anon, authenticated, service_role TO authenticator;
		SELECT bambi_setup();
		INSERT INTO bambi.plans (plan_type, name, rank)
		VALUES ('basic', 'Basic', 5);
		INSERT INTO bambi.stripe_prices (price, plan_type)
		VALUES ('price_premium', 'premium'), ('price_basic', 'basic'),
			('premium_monthly', 'premium')`);
}

// What users have, by id: {plan in force, and what Stripe's events amount to}.
export async function states(users) {
	const text = await sql(`SELECT jsonb_object_agg(u.id, jsonb_build_object(
		'holds', a.plan_type, 'plan', s.plan_type, 'status', s.status,
		'next', s.next_plan_type, 'customer', s.stripe_customer_id,
		'subscription', s.stripe_subscription_id, 'price', s.stripe_price_id,
		'from', round(extract(epoch FROM s.current_period_start)) - ${now},
		'until', round(extract(epoch FROM s.current_period_end)) - ${now},
		'ends', s.cancel_at_period_end,
		'cancel_at', round(extract(epoch FROM s.cancel_at)) - ${now},
		'past_due', round(extract(epoch FROM s.past_due_since)) - ${now},
		'payment', s.payment_status))
		FROM bambi.users u LEFT JOIN bambi_account a ON a.user_id = u.id
		LEFT JOIN bambi.subscriptions s ON s.user_id = u.id
		WHERE u.id = ANY ('{${users.join(',')}}')`);

	return text === '' ? {} : JSON.parse(text);
}

export { generations, sql };
