/*-------------------------------------------------------------------------
 *
 * vault.c
 *		The key service of HashiCorp Vault and OpenBao: an RSA key of their
 *		transit engine, which never leaves them.
 *
 * Their transit engine knows one way to unwrap with an RSA key unless it is
 * told otherwise, OAEP with SHA-256 for both hashes and no label, which is
 * RSA-OAEP-256; so it takes what was wrapped elsewhere, with the version of
 * the key written before it.
 *
 * The token is the operator's, from a file that somebody else keeps fresh, or
 * our own, by an AppRole.  Either is renewed at each opening, which comes
 * before two thirds of its life are over; one of ours that cannot be renewed
 * any more is followed by another one.
 *
 * As in the API documentation of Vault: "Transit secrets engine", "AppRole
 * auth method", "Token auth method".
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "../secret_json.h"
#include "../url.h"
#include "public_key.h"
#include "remote.h"

#define WHO				"Vault"
#define A_FILE			"a file"
#define NO_TOKEN		"there is no token for " WHO

/* What keys, mounts and namespaces may be called here. */
#define NAME			REMOTE_LETTERS "._-"
#define MAX_PATH		100
#define MAX_VERSION		9		/* digits */

/* Batch tokens are the longest. */
#define MAX_TOKEN		4096

enum
{
	START,
	RENEWED,
	LOGGED_IN,
	KEY_READ
};

/* What is needed to unwrap. */
static Arena *arena;
static const Secret *token;
static const char *token_of;	/* whom it was given to, and where */
static const char *token_address;	/* nobody else may see it */
static int64_t token_life;		/* seconds that it was first given */
static bool token_is_renewable;

/* The same while it is being opened. */
typedef struct Place
{
	const char *problem;
	const char *address;
	const char *mount;
	const char *key;
	const char *namespace;
} Place;

static Next ask_renewal(Exchange *x);
static Next ask_login(Exchange *x);
static Next ask_key(Exchange *x);
static Next read_renewal(Exchange *x, SealingKey *key);
static Next read_login(Exchange *x, SealingKey *key);
static Next read_key(Exchange *x, SealingKey *key);

/* ---- settings ---- */

/* A path of names, without the slashes at its ends; NULL if it is none. */
static const char *
read_path(Exchange *x, const char *setting, const char *otherwise)
{
	const char *text = remote_setting(x, setting);
	const char *name;
	size_t		len;

	if (text == NULL)
		text = otherwise;
	text += strspn(text, "/");
	len = strlen(text);
	while (len > 0 && text[len - 1] == '/')
		len--;
	text = arena_strndup(x->arena, text, len);
	for (name = text; len <= MAX_PATH; name += strcspn(name, "/") + 1)
	{
		size_t		name_len = strcspn(name, "/");

		if (!remote_is_made_of(name, name_len, NAME) || name[0] == '.')
			return NULL;
		if (name[name_len] == '\0')
			return text;
	}
	return NULL;
}

static Place
read_place(Exchange *x)
{
	Place		place = {.namespace = NULL};

	place.address = remote_setting(x, "vault_address");
	if (place.address == NULL)
		place.problem = "bambi.vault_address is not set";
	else if (!url_is_base(place.address))
		place.problem = "bambi.vault_address is no address such as "
			"\"https://vault.example.com:8200\"";

	place.mount = read_path(x, "vault_mount", "transit");
	if (place.mount == NULL)
		place.problem = "bambi.vault_mount is no path such as \"transit\"";
	if (remote_setting(x, "vault_key") == NULL)
		place.problem = "bambi.vault_key is not set";
	else
	{
		place.key = read_path(x, "vault_key", "");
		if (place.key == NULL || strchr(place.key, '/') != NULL)
			place.problem = "bambi.vault_key is no name of a key";
	}
	if (remote_setting(x, "vault_namespace") != NULL)
	{
		place.namespace = read_path(x, "vault_namespace", "");
		if (place.namespace == NULL)
			place.problem = "bambi.vault_namespace is no path such as "
				"\"team/images\"";
	}
	return place;
}

/* What a login is done with, but for the secret id: others can follow it. */
static const char *
login_name(Exchange *x, const Secret *role)
{
	const char *namespace = remote_setting(x, "vault_namespace");
	const char *mount = remote_setting(x, "vault_approle_mount");

	return arena_printf(x->arena, "%s %s %s %s",
						exchange_setting(x, "vault_address"),
						namespace != NULL ? namespace : "",
						mount != NULL ? mount : "", (char *) role->bytes);
}

/* Visible characters only: it becomes part of a header, or of JSON. */
static bool
is_plain(const Secret *secret)
{
	size_t		i;

	for (i = 0; i < secret->len; i++)
	{
		if (secret->bytes[i] <= ' ' || secret->bytes[i] >= 0x7f ||
			secret->bytes[i] == '"' || secret->bytes[i] == '\\')
			return false;
	}
	return secret->len > 0 && secret->len <= MAX_TOKEN;
}

/* ---- requests ---- */

/* Every request says to which namespace, and that no page made it. */
static void
add_headers(Exchange *x, const Place *place)
{
	if (place->namespace != NULL)
		exchange_header(x, "X-Vault-Namespace", place->namespace);
	exchange_header(x, "X-Vault-Request", "true");
}

/* The token goes to the place it is for, and into what is said of it never. */
static void
add_token(Exchange *x)
{
	x->secret = secret_create(x->arena, token->bytes, token->len);
	exchange_secret_header(x, "X-Vault-Token", "", x->secret);
}

/*
 * The first thing that is wrong, by its own words, of which the first line
 * may be no more than "1 error occurred:"; a copy.
 */
static const char *
read_error(Exchange *x, const json_t *json)
{
	const char *says =
	json_string_value(json_array_get(json_object_get(json, "errors"), 0));
	const char *bullet;

	if (says == NULL)
		return NULL;
	bullet = strstr(says, "\n\t* ");
	if (bullet != NULL)
		says = bullet + strlen("\n\t* ");
	return arena_strndup(x->arena, says, strcspn(says, "\n"));
}

/* Down or sealed, and what passes by itself. */
static bool
is_passing(const Exchange *x)
{
	return x->reply.status == 429 || x->reply.status >= 500;
}

static Next
fail(Exchange *x, const char *says)
{
	return remote_fail(x, WHO, says, is_passing(x));
}

static void
forget(void)
{
	if (arena != NULL)
		arena_destroy(arena);
	arena = NULL;
	token = NULL;
	token_of = NULL;
	token_address = NULL;
	token_life = 0;
	token_is_renewable = false;
}

static void
keep_token(const Exchange *x, const Secret *given, const char *whose,
		   int64_t life, bool is_renewable)
{
	Arena	   *fresh = arena_create();
	Secret	   *copy = secret_create(fresh, given->bytes, given->len);
	const char *name = arena_strdup(fresh, whose);

	forget();
	arena = fresh;
	token = copy;
	token_of = name;
	token_address = arena_strdup(fresh, exchange_setting(x, "vault_address"));
	token_life = life;
	token_is_renewable = is_renewable;
}

/* ---- opening ---- */

static Next
start(Exchange *x)
{
	Place		place = read_place(x);
	Secret	   *secret;

	if (place.problem != NULL)
		return remote_fail_setup(x, place.problem);
	if (read_path(x, "vault_approle_mount", "approle") == NULL)
		return remote_fail_setup(x, "bambi.vault_approle_mount is no path "
								 "such as \"approle\"");

	if (remote_setting(x, "vault_token_file") != NULL)
	{
		secret = remote_read_file(x, "vault_token_file");
		if (secret == NULL)
			return NEXT_FAIL;
		if (!is_plain(secret))
			return remote_fail_setup(x, "the file of bambi.vault_token_file "
									 "holds no token");
		keep_token(x, secret, A_FILE, 0, true);
		return ask_renewal(x);
	}
	if (remote_setting(x, "vault_role_id_file") == NULL)
		return remote_fail_setup(x, "neither bambi.vault_token_file nor "
								 "bambi.vault_role_id_file is set");
	secret = remote_read_file(x, "vault_role_id_file");
	if (secret == NULL)
		return NEXT_FAIL;
	if (token != NULL && token_is_renewable &&
		strcmp(token_of, login_name(x, secret)) == 0)
		return ask_renewal(x);
	return ask_login(x);
}

static Next
ask_renewal(Exchange *x)
{
	Place		place = read_place(x);

	exchange_post(x, arena_printf(x->arena, "%s/v1/auth/token/renew-self",
								  place.address), json_object());
	add_headers(x, &place);
	add_token(x);
	x->step = RENEWED;
	return remote_send(x);
}

/* Before two thirds of its life are over, and not too seldom. */
static int
good_for(int64_t life)
{
	if (life <= 0 || life * 2 / 3 > REMOTE_GOOD_FOR)
		return REMOTE_GOOD_FOR;
	return life > 1 ? (int) (life * 2 / 3) : 1;
}

static Next
read_renewal(Exchange *x, SealingKey *key)
{
	bool		is_ours = strcmp(token_of, A_FILE) != 0;
	json_t	   *json = remote_take_json(x);
	const json_t *auth = json_object_get(json, "auth");
	int64_t		life =
	json_integer_value(json_object_get(auth, "lease_duration"));
	const char *says = read_error(x, json);

	secret_json_release(json);
	key->good_for = REMOTE_GOOD_FOR;
	if (x->reply.status == 200)
		key->good_for = good_for(life);
	else if (is_passing(x))
		return fail(x, says);

	/* what comes to its end, or is revoked, or was never to be renewed */
	if (is_ours && (x->reply.status != 200 || life * 2 < token_life))
		return ask_login(x);
	return ask_key(x);
}

static Next
ask_login(Exchange *x)
{
	static const char *const parts[] = {
		"{\"role_id\":\"", "\",\"secret_id\":\"", "\"}"
	};
	Place		place = read_place(x);
	Secret	   *role = remote_read_file(x, "vault_role_id_file");
	Secret	   *secret_id;
	Secret	   *body;
	char	   *at;

	if (role == NULL)
		return NEXT_FAIL;
	secret_id = remote_read_file(x, "vault_secret_id_file");
	if (secret_id == NULL)
		return NEXT_FAIL;
	if (!is_plain(role) || !is_plain(secret_id))
		return remote_fail_setup(x, "the files of bambi.vault_role_id_file "
								 "and bambi.vault_secret_id_file hold no ids");

	/* by hand: a JSON library would leave copies of it */
	body = secret_create(x->arena, NULL, strlen(parts[0]) + role->len +
						 strlen(parts[1]) + secret_id->len +
						 strlen(parts[2]));
	at = (char *) body->bytes;
	at = stpcpy(at, parts[0]);
	at = stpcpy(at, (char *) role->bytes);
	at = stpcpy(at, parts[1]);
	at = stpcpy(at, (char *) secret_id->bytes);
	stpcpy(at, parts[2]);

	exchange_put(x, arena_printf(x->arena, "%s/v1/auth/%s/login",
								 place.address,
								 read_path(x, "vault_approle_mount",
										   "approle")),
				 "application/json", body->bytes, body->len);
	x->request.method = "POST";
	add_headers(x, &place);
	x->secret = secret_id;
	x->step = LOGGED_IN;
	return remote_send(x);
}

static Next
read_login(Exchange *x, SealingKey *key)
{
	Secret	   *role = remote_read_file(x, "vault_role_id_file");
	json_t	   *json = remote_take_json(x);
	const json_t *auth = json_object_get(json, "auth");
	const char *text =
	json_string_value(json_object_get(auth, "client_token"));
	int64_t		life =
	json_integer_value(json_object_get(auth, "lease_duration"));
	const char *says = read_error(x, json);
	Secret		given = {.bytes = (uint8_t *) text,.len = 0};
	bool		is_token = false;

	if (text != NULL)
	{
		given.len = strlen(text);
		is_token = is_plain(&given);
	}
	if (x->reply.status == 200 && is_token && role != NULL)
		keep_token(x, &given, login_name(x, role), life,
				   json_is_true(json_object_get(auth, "renewable")));
	secret_json_release(json);
	if (role == NULL)
		return NEXT_FAIL;
	if (x->reply.status != 200)
		return remote_fail(x, "the AppRole login at " WHO, says,
						   is_passing(x));
	if (!is_token)
		return remote_fail_setup(x, "the answer of " WHO " to the AppRole "
								 "login holds no token");
	key->good_for = good_for(life);
	return ask_key(x);
}

static Next
ask_key(Exchange *x)
{
	Place		place = read_place(x);

	exchange_get(x, arena_printf(x->arena, "%s/v1/%s/keys/%s", place.address,
								 place.mount, place.key));
	add_headers(x, &place);
	add_token(x);
	x->step = KEY_READ;
	return remote_send(x);
}

/* What is wrong with the key, or NULL; the version that is newest. */
static const char *
take_key(Exchange *x, const json_t *data, SealingKey *key, int64_t *version)
{
	const char *type = json_string_value(json_object_get(data, "type"));
	const json_t *newest;
	const char *pem;
	char	   *name;
	EVP_PKEY   *public_key;

	if (type == NULL)
		return " is not described as a key is";
	if (strcmp(type, "rsa-3072") != 0 && strcmp(type, "rsa-4096") != 0)
		return " must be of type rsa-3072 or rsa-4096";
	*version = json_integer_value(json_object_get(data, "latest_version"));
	name = arena_printf(x->arena, "%lld", (long long) *version);
	newest = json_object_get(json_object_get(data, "keys"), name);
	pem = json_string_value(json_object_get(newest, "public_key"));
	if (*version < 1 || strlen(name) > MAX_VERSION || pem == NULL)
		return " has no newest version with a public key";
	public_key = public_key_read_pem(pem);
	if (public_key == NULL)
		return " has a public key that is none of 3072 bits or more";
	key->public_pem = public_key_print(x->arena, public_key);
	EVP_PKEY_free(public_key);
	return key->public_pem != NULL ? NULL : " cannot be written";
}

static Next
read_key(Exchange *x, SealingKey *key)
{
	Place		place = read_place(x);
	json_t	   *json = remote_take_json(x);
	const char *says = read_error(x, json);
	const char *problem = NULL;
	const char *kid;
	int64_t		version = 0;

	if (x->reply.status == 200)
		problem = take_key(x, json_object_get(json, "data"), key, &version);
	secret_json_release(json);
	if (x->reply.status == 404 && says == NULL)
		problem = " does not exist";
	if (problem != NULL)
		return remote_fail_setup(x, arena_printf(x->arena, "the key \"%s\" of "
												 WHO "'s mount \"%s\"%s",
												 place.key, place.mount,
												 problem));
	if (x->reply.status != 200)
		return fail(x, says);

	kid = arena_printf(x->arena, "vault:%s/%s:%lld", place.mount, place.key,
					   (long long) version);
	if (strlen(kid) > JWE_MAX_NAME)
		return remote_fail_setup(x, "bambi.vault_mount and bambi.vault_key "
								 "are too long");
	strcpy(key->kid, kid);
	return NEXT_DONE;
}

static Next
open_vault(Exchange *x, SealingKey *key)
{
	if (x->step == START)
		return start(x);
	if (!remote_is_answered(x))
		return remote_fail_transport(x, WHO);
	if (x->step == RENEWED)
		return read_renewal(x, key);
	if (x->step == LOGGED_IN)
		return read_login(x, key);
	return read_key(x, key);
}

/* ---- unwrapping ---- */

/*
 * "vault:<mount>/<key>:<version>": the key by its name, the version by what
 * stands behind it.  Any key of the mount will do, so that another one can
 * become the key to seal to; nothing that leads elsewhere will.
 */
static bool
read_kid(Exchange *x, const Place *place, const char *kid, const char **key,
		 const char **version)
{
	const char *prefix = arena_printf(x->arena, "vault:%s/", place->mount);
	const char *colon;

	if (strncmp(kid, prefix, strlen(prefix)) != 0)
		return false;
	kid += strlen(prefix);
	colon = strchr(kid, ':');
	if (colon == NULL || kid[0] == '.' ||
		!remote_is_made_of(kid, (size_t) (colon - kid), NAME) ||
		!remote_is_made_of(colon + 1, strlen(colon + 1), REMOTE_DIGITS) ||
		strlen(colon + 1) > MAX_VERSION)
		return false;
	*key = arena_strndup(x->arena, kid, (size_t) (colon - kid));
	*version = colon + 1;
	return true;
}

static Next
ask_unwrap(Exchange *x, const char *kid, const uint8_t *wrapped,
		   size_t wrapped_len)
{
	Place		place = read_place(x);
	const char *key;
	const char *version;
	const char *prefix;

	if (place.problem != NULL)
		return remote_fail_setup(x, place.problem);
	if (token == NULL || strcmp(token_address, place.address) != 0)
	{
		remote_fail_setup(x, NO_TOKEN);
		x->fault.may_repeat = true;
		return NEXT_FAIL;
	}
	if (!read_kid(x, &place, kid, &key, &version))
		return exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);

	prefix = arena_printf(x->arena, "vault:v%s:", version);
	exchange_post(x, arena_printf(x->arena, "%s/v1/%s/decrypt/%s",
								  place.address, place.mount, key),
				  json_pack("{s:o}", "ciphertext",
							exchange_base64(prefix, wrapped, wrapped_len)));
	add_headers(x, &place);
	add_token(x);
	x->step = 1;
	return remote_send(x);
}

/*
 * Whether it is the ciphertext that is wrong: of the wrong length, tampered
 * with (500, by its words alone), or of a version that is not there any more.
 */
static bool
is_unreadable(const Exchange *x, const char *says)
{
	return says != NULL &&
		(strstr(says, "failed to RSA decrypt the ciphertext") != NULL ||
		 (x->reply.status == 400 &&
		  (strstr(says, "invalid ciphertext") != NULL ||
		   strstr(says, "ciphertext or signature version") != NULL ||
		   strstr(says, "ciphertext version") != NULL)));
}

static Next
unwrap(Exchange *x, const char *kid, const uint8_t *wrapped,
	   size_t wrapped_len, uint8_t cek[JWE_CEK_SIZE])
{
	json_t	   *json;
	const char *says;
	const json_t *plaintext;
	Next		next;

	if (x->step == 0)
		return ask_unwrap(x, kid, wrapped, wrapped_len);
	if (!remote_is_answered(x))
		return remote_fail_transport(x, WHO);
	json = remote_take_json(x);
	says = read_error(x, json);
	plaintext = json_object_get(json_object_get(json, "data"), "plaintext");
	if (x->reply.status == 200 && json_is_string(plaintext))
		next = remote_take_cek(x, json_string_value(plaintext), cek);
	else if (is_unreadable(x, says))
		next = exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);
	else
		/* 403: another token may be allowed what this one is not any more */
		next = remote_fail(x, WHO, says, is_passing(x) ||
						   x->reply.status == 403);
	secret_json_release(json);
	return next;
}

/* ---- a new version ---- */

static Next
ask_rotation(Exchange *x)
{
	Place		place = read_place(x);

	if (place.problem != NULL)
		return remote_fail_setup(x, place.problem);
	if (token == NULL || strcmp(token_address, place.address) != 0)
		return remote_fail_setup(x, NO_TOKEN);
	exchange_post(x, arena_printf(x->arena, "%s/v1/%s/keys/%s/rotate",
								  place.address, place.mount, place.key),
				  json_object());
	add_headers(x, &place);
	add_token(x);
	x->step = 1;
	return remote_send(x);
}

/* 204 of Vault; OpenBao answers 200, with the key. */
static Next
rotate(Exchange *x)
{
	json_t	   *json;
	const char *says;

	if (x->step == 0)
		return ask_rotation(x);
	if (!remote_is_answered(x))
		return remote_fail_transport(x, WHO);
	json = remote_take_json(x);
	says = read_error(x, json);
	secret_json_release(json);
	if (x->reply.status == 200 || x->reply.status == 204)
		return NEXT_DONE;
	return fail(x, says);
}

const KeyServiceAdapter keyservice_vault = {
	.name = "vault",
	.open = open_vault,
	.unwrap = unwrap,
	.rotate = rotate,
	.forget = forget,
};
