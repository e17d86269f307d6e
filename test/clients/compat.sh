#!/usr/bin/env bash
#
# compat.sh
#	From SQL to a picture and back through a server that speaks OpenAI's
#	protocol and that others wrote: LiteLLM's proxy.
#
#	psql -> worker -> courier -> LiteLLM -> mock provider
#
# Prints TAP.  SCRATCH is a folder of its own; PEERS outlives it, and there the
# proxy is installed once, as requirements.txt says.  bambi is installed for
# PG_CONFIG.

set -euo pipefail
cd "$(dirname "$0")/../.."
. test/harness/cluster.sh

venv=$PEERS/litellm
cluster=$SCRATCH/cluster
key=sk-gateway-alice-0123456789
wrong_key=sk-gateway-nobody-0123456789
upstream_key=sk-upstream-0123456789

number=0
bad=0

# The fact in words, what it should be, what it is.
is() {
	number=$((number + 1))
	if [ "$2" = "$3" ]
	then
		echo "ok $number - $1"
	else
		bad=$((bad + 1))
		echo "not ok $number - $1"
		printf 'expected: %s\ngot: %s\n' "$2" "$3" | sed 's/^/# /'
	fi
}

# The fact in words, then the command that proves it.
check() {
	local fact=$1
	shift
	if "$@"
	then
		is "$fact" true true
	else
		is "$fact" "$*" 'it failed'
	fi
}

# ---- what is started

install_bambi() {
	make -s -j"$(nproc)" all >&2
	as_root make -s install PG_CONFIG="$PG_CONFIG" >&2
}

install_proxy() {
	if ! cmp -s test/clients/requirements.txt "$venv/installed.txt"
	then
		rm -rf "$venv"
		python3 -m venv "$venv"
		# compiling all of it takes longer than what is used
		"$venv/bin/pip" install --quiet --disable-pip-version-check \
			--no-deps --no-compile -r test/clients/requirements.txt >&2
		cp test/clients/requirements.txt "$venv/installed.txt"
	fi
}

start_mock() {
	test/mock/bambi-mock --quiet --port-file "$SCRATCH/mock.port" \
		--ledger "$SCRATCH/ledger" >"$SCRATCH/mock.log" 2>&1 &
	mock_pid=$!
	wait_until 120 test -s "$SCRATCH/mock.port"
	mock=http://127.0.0.1:$(cat "$SCRATCH/mock.port")
}

# A model of the proxy: its name, what is behind it, and there whose key.
proxy_model() {
	cat <<-YAML
		- model_name: $1
		  litellm_params:
		    model: openai/$2
		    api_base: $mock/$3
		    api_key: $4
		    max_retries: 0
	YAML
}

configure_proxy() {
	{
		echo 'model_list:'
		proxy_model picture gpt-image-2 v1 "$upstream_key"
		proxy_model dall-e-3 dall-e-3 compat/v1 "$upstream_key"
		proxy_model locked gpt-image-2 v1 sk-invalid-upstream
		cat <<-YAML
			router_settings:
			  num_retries: 0
			  disable_cooldowns: true
			general_settings:
			  master_key: sk-master-0123456789
			  custom_auth: keys.check
		YAML
	} >"$SCRATCH/config.yaml"
	cat >"$SCRATCH/keys.py" <<-PYTHON
		from litellm.proxy._types import UserAPIKeyAuth


		async def check(request, api_key):
		    if api_key == "$key":
		        return UserAPIKeyAuth(api_key=api_key)
		    raise Exception("unknown key")
	PYTHON
}

proxy_answers() {
	kill -0 "$proxy_pid" && curl --silent --fail --output /dev/null \
		"http://127.0.0.1:$proxy_port/health/liveliness"
}

# Its prices are those it brings along.
start_proxy() {
	configure_proxy
	proxy_port=$(free_port)
	LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_TELEMETRY=False \
		"$venv/bin/litellm" --config "$SCRATCH/config.yaml" \
		--host 127.0.0.1 --port "$proxy_port" >"$SCRATCH/proxy.log" 2>&1 &
	proxy_pid=$!
	wait_until 600 proxy_answers
}

leave() {
	cluster_stop "$cluster" || true
	kill $proxy_pid $mock_pid 2>/dev/null || true
}
proxy_pid=
mock_pid=
trap leave EXIT

# ---- SQL

operator() {
	psql -X -At -q -v ON_ERROR_STOP=1 -d bambi -c "$1"
}

user() {
	psql -X -At -q -v ON_ERROR_STOP=1 -d bambi -U "$1" -c "$2"
}

sign_up() {
	local id
	id=$(operator "SELECT bambi_sign_up('$1@example.com', 'correct horse')")
	operator "CREATE ROLE $1 LOGIN IN ROLE bambi_user"
	operator "ALTER ROLE $1 SET bambi.user_id = '$id'"
}

add_key() {
	user "$1" "SELECT bambi_add_key('gateway', '$2', 'a key')" >/dev/null
}

key_status() {
	user "$1" "SELECT status FROM bambi_configurations"
}

key_is() {
	[ "$(key_status "$1")" = "$2" ]
}

fails_with() {
	local words=$1

	shift
	! "$@" >"$SCRATCH/said" 2>&1 && grep -qF "$words" "$SCRATCH/said"
}

has_sealing_key() {
	[ "$(operator 'SELECT count(*) FROM bambi.encryption_keys
		WHERE is_current')" = 1 ]
}

# The proxy as docs/providers.md says, under "Compatible servers".
add_provider() {
	operator "
INSERT INTO bambi.api_providers
       (slug, name, adapter, api_base_url, needs_key, allowed_networks)
VALUES ('gateway', 'Gateway', 'openai', 'http://127.0.0.1:$proxy_port/v1',
        true, '{127.0.0.1/32}');
INSERT INTO bambi.models (provider_id, name, model_id, capabilities)
SELECT p.id, m, m,
       '{\"prompt\": {\"max_length\": 4000},
         \"inputs\": {\"max\": 4, \"formats\": [\"png\"]},
         \"parameters\": {
           \"n\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 4},
           \"quality\": {\"type\": \"string\"},
           \"response_format\": {\"type\": \"string\"},
           \"size\": {\"type\": \"size\",
                      \"values\": [\"1024x1024\", \"17x17\"]}}}'
  FROM bambi.api_providers p,
       unnest('{picture,dall-e-3,locked,nowhere}'::text[]) m
 WHERE p.slug = 'gateway';
INSERT INTO bambi.model_prices (model_id, unit, price, source)
SELECT m.id, u.unit, u.price, 'this test'
  FROM bambi.models m JOIN bambi.api_providers p ON p.id = m.provider_id,
       (VALUES ('1M text input tokens', 5), ('1M image input tokens', 8),
               ('1M image output tokens', 30)) u (unit, price)
 WHERE p.slug = 'gateway'"
}

# How a user's generation ends; its id is in id then.
ends() {
	id=$1
	ended=$(user alice "SELECT status, error_code
		FROM bambi_wait('$id')")
}

generate() {
	ends "$(user alice "SELECT bambi_generate('$2', 'gateway/$1', '${3:-{\}}')")"
}

message_has() {
	[[ "$(user alice "SELECT error_message FROM bambi_generations
		WHERE id = '$id'")" == *"$1"* ]]
}

of_generation() {
	user alice "SELECT $1 FROM bambi_generations WHERE id = '$id'"
}

pictures() {
	user alice "SELECT format, width, height FROM bambi_images
		WHERE generation_id = '$id' ORDER BY position"
}

# The last call that the mock has seen.
last_call() {
	tail -n 1 "$SCRATCH/ledger" | "$venv/bin/python" -c "
import json, sys
call = json.load(sys.stdin)
print(*[call[name] for name in sys.argv[1:]])" "$@"
}

calls() {
	wc -l <"$SCRATCH/ledger"
}

# What the proxy was asked for; itself, it may ask more than once.
requests() {
	grep -c '"POST /v1/images/' "$SCRATCH/proxy.log"
}

try_pictures() {
	local png='png|1024|1024'

	check 'a key is tried when it is added' wait_until 120 key_is alice valid
	generate picture 'a fawn in the snow' \
		'{"size": "1024x1024", "quality": "low"}'
	is 'a picture is generated' 'succeeded|' "$ended"
	is 'the picture is stored' "$png" "$(pictures)"
	check 'its tokens were read' [ "$(of_generation tokens_used)" -gt 196 ]
	is 'and cost what is listed' t "$(operator "
		SELECT cost = round(((usage->>'text_input')::numeric * 5 +
		                     (usage->>'image_output')::numeric * 30) / 1000000, 6)
		  FROM bambi.usage_events
		 WHERE generation_id = '$id'")"

	generate picture 'three fawns' '{"n": 3, "quality": "low"}'
	is 'three pictures are generated' 'succeeded|' "$ended"
	is 'and stored' "$png $png $png" "$(pictures | xargs)"

	generate dall-e-3 'a fawn'
	is 'base64 is asked for, and given' 'succeeded|' "$ended"
	is 'what nobody counted costs nobody knows what' '|' \
		"$(of_generation 'tokens_used, cost')"
	generate dall-e-3 'a fawn' '{"response_format": "url"}'
	is 'an address behind the proxy is not fetched' 'failed|address_refused' "$ended"
	check 'as it is not of the proxy' \
		message_has "not one of the provider's image hosts"
}

try_edits() {
	generate picture 'a fawn' '{"quality": "low"}'
	ends "$(user alice "SELECT bambi_edit('with antlers',
		ARRAY[bambi_image('$id')]::bytea[], model => 'gateway/picture',
		parameters => '{\"quality\": \"low\", \"n\": 2}')")"
	is 'a picture is edited, through a form' 'succeeded|' "$ended"
	is 'the edits are stored' 2 "$(pictures | grep -c '^png|')"
	is 'one picture went in' 1 "$(last_call inputs | grep -o "'" |
		wc -l | awk '{ print $1 / 2 }')"
	check 'its tokens have a price' \
		[ "$(of_generation 'cost > 0')" = t ]

	ends "$(user alice "SELECT bambi_edit('both', ARRAY[bambi_image('$id', 1),
		bambi_image('$id', 2)]::bytea[], model => 'gateway/picture')")"
	is 'two pictures are edited' 'succeeded|' "$ended"
	is 'and both went in' 2 "$(last_call inputs | grep -o "'" |
		wc -l | awk '{ print $1 / 2 }')"
}

try_refusals() {
	local before

	generate nowhere 'a fawn'
	is 'a model that the proxy has not' 'failed|model_not_found' "$ended"
	check 'is told in its words' message_has 'Invalid model name'
	generate picture 'a fawn' '{"size": "17x17"}'
	is 'what the provider refuses is passed on' 'failed|bad_request' "$ended"
	check 'with its reason' message_has 'must be multiples of 16'
	generate picture 'a fawn [[mock block=violence]]'
	is 'so is a refusal of the prompt' 'failed|content_blocked' "$ended"
	generate picture 'a fawn [[mock fault=openai-429-insufficient_quota]]'
	is 'and that there is no money' 'failed|quota_exhausted' "$ended"
	is 'which is not asked again' 1 "$(of_generation attempts)"

	# upstream asks the proxy not to ask again, which it does not pass on
	before=$(requests)
	generate picture \
		'a fawn [[mock fault=openai-429-should-not-retry times=1]]'
	is 'a rate limit is waited for' 'succeeded|' "$ended"
	is 'and asked again once' $((before + 2)) "$(requests)"
	before=$(requests)
	generate picture 'a fawn [[mock fault=openai-500-server_error]]'
	is 'a server that failed may have drawn' \
		'uncertain|provider_unavailable' "$ended"
	is 'and is not asked again' $((before + 1)) "$(requests)"

	generate locked 'a fawn'
	is "the proxy's own key is refused" 'failed|unknown' "$ended"
	is 'which says nothing about the key of the user' valid \
		"$(key_status alice)"
}

try_keys() {
	local before

	before=$(calls)
	sign_up bob
	add_key bob "$wrong_key"
	check 'a wrong key is refused by the proxy, without a generation' \
		wait_until 120 key_is bob rejected
	check 'and generates nothing' fails_with 'no usable key' \
		user bob "SELECT bambi_generate('a fawn', 'gateway/picture')"
	is 'and nothing went further' "$before" "$(calls)"
}

# Where something has been written down.
find_key() {
	grep -rlF -e "$1" "$SCRATCH"/{proxy.log,mock.log,ledger,cluster/log} || true
}

try_logs() {
	check 'the proxy has logged the calls' \
		grep -q 'POST /v1/images/generations HTTP/1.1" 200' \
		"$SCRATCH/proxy.log"
	check 'forms, too' grep -q 'POST /v1/images/edits HTTP/1.1" 200' \
		"$SCRATCH/proxy.log"
	check 'and the refusal' grep -q 'GET /v1/models HTTP/1.1" 401' \
		"$SCRATCH/proxy.log"
	is 'no key is in anything that was logged' '' \
		"$(find_key "$key")$(find_key "$wrong_key")"
}

check 'bambi is installed' install_bambi
check 'the proxy is installed' install_proxy
check 'the mock provider runs' start_mock
check 'the proxy runs' start_proxy
cluster_make "$cluster" bambi "bambi.shutdown_grace = '1s'" \
	"log_statement = 'none'"
cluster_start "$cluster"
createdb bambi
operator 'CREATE EXTENSION bambi CASCADE' >/dev/null
operator 'SELECT bambi_setup()' >/dev/null
operator 'UPDATE bambi.plans SET generations_per_period = NULL,
	generations_per_minute = NULL, max_in_flight = NULL'
add_provider
check 'the courier offers its key' wait_until 120 has_sealing_key
sign_up alice
add_key alice "$key"

try_pictures
try_edits
try_refusals
try_keys
try_logs

echo "1..$number"
exit $((bad > 0))
