/*-------------------------------------------------------------------------
 *
 * sigv4.c
 *		AWS Signature Version 4: signs requests, and makes URLs that are
 *		signed already.
 *
 * libcurl signs requests too, but cannot make signed URLs.
 *
 * The canonical request is never written down: it is only hashed, piece by
 * piece.  The hard part is that both sides must agree on every byte of it,
 * so headers are signed in the order in which the engine sends them.
 *
 *-------------------------------------------------------------------------
 */
#include "sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "percent.h"

#define ALGORITHM	"AWS4-HMAC-SHA256"
#define HASH_SIZE	32
#define HEX_SIZE	(2 * HASH_SIZE + 1)

/* A header, or a piece of the query, in the order of the signature. */
typedef struct Pair
{
	const char *name;			/* of a header: lower case */
	const char *value;
	size_t		place;			/* where it came from */
} Pair;

/* All that a signature is about. */
typedef struct Canonical
{
	const char *method;
	const char *path;
	Pair	   *query;
	size_t		query_count;
	Pair	   *headers;
	size_t		header_count;
	const char *signed_headers;
	const char *payload;
} Canonical;

/* When, for what: "20150830T123600Z", "20150830/us-east-1/s3/aws4_request". */
typedef struct Scope
{
	char		time[17];
	char		day[9];
	const char *text;
} Scope;

static Scope make_scope(Arena *arena, const SigV4 *signer);
static const char *split_url(Arena *arena, const char *url,
							 const char **path, const char **query);
static void split_query(Arena *arena, Canonical *canonical,
						const char *query);
static void take_headers(Arena *arena, Canonical *canonical,
						 const Header *headers, const char *host);
static void make_signature(Arena *arena, const SigV4 *signer,
						   const Scope *scope, const Canonical *canonical,
						   char signature[HEX_SIZE]);
static void print_hex(const uint8_t hash[HASH_SIZE], char hex[HEX_SIZE]);

void
sigv4_sign(Exchange *x, const SigV4 *signer, const char *payload)
{
	Request    *request = &x->request;
	Scope		scope = make_scope(x->arena, signer);
	Canonical	canonical = {.method = request->method};
	char		computed[HEX_SIZE];
	char		signature[HEX_SIZE];
	const char *host;
	const char *query;
	const char *text;

	exchange_header(x, "x-amz-date", scope.time);
	if (signer->session_token != NULL)
		exchange_secret_header(x, "x-amz-security-token", "",
							   signer->session_token);
	if (payload != NULL)
		exchange_header(x, "x-amz-content-sha256", payload);
	else
	{
		uint8_t		hash[HASH_SIZE];

		if (EVP_Digest(request->body != NULL ? request->body : "",
					   request->body_len, hash, NULL, EVP_sha256(),
					   NULL) != 1)
			abort();
		print_hex(hash, computed);
		payload = computed;
	}

	host = split_url(x->arena, request->url, &canonical.path, &query);
	split_query(x->arena, &canonical, query);
	take_headers(x->arena, &canonical, request->headers, host);
	canonical.payload = payload;
	make_signature(x->arena, signer, &scope, &canonical, signature);

	text = arena_printf(x->arena, ALGORITHM " Credential=%s/%s, "
						"SignedHeaders=%s, Signature=%s", signer->access_key,
						scope.text, canonical.signed_headers, signature);
	exchange_header(x, "Authorization", text);
}

char *
sigv4_presign(Arena *arena, const SigV4 *signer, const char *method,
			  const char *url, const char *payload, int64_t expires)
{
	Scope		scope = make_scope(arena, signer);
	Canonical	canonical = {.method = method};
	char		signature[HEX_SIZE];
	const char *host;
	const char *query;
	const char *credential;
	const char *token = "";

	credential = percent_encode(arena, arena_printf(arena, "%s/%s",
													signer->access_key,
													scope.text), false);

	/* of no use to anybody without the key, and AWS wants it here */
	if (signer->session_token != NULL)
		token = arena_printf(arena, "&X-Amz-Security-Token=%s",
							 percent_encode(arena, (const char *)
											signer->session_token->bytes,
											false));
	url = arena_printf(arena, "%s%cX-Amz-Algorithm=" ALGORITHM
					   "&X-Amz-Credential=%s&X-Amz-Date=%s"
					   "&X-Amz-Expires=%lld%s&X-Amz-SignedHeaders=host",
					   url, strchr(url, '?') != NULL ? '&' : '?', credential,
					   scope.time, (long long) expires, token);

	host = split_url(arena, url, &canonical.path, &query);
	split_query(arena, &canonical, query);
	take_headers(arena, &canonical, NULL, host);
	canonical.payload = payload;
	make_signature(arena, signer, &scope, &canonical, signature);
	return arena_printf(arena, "%s&X-Amz-Signature=%s", url, signature);
}

static Scope
make_scope(Arena *arena, const SigV4 *signer)
{
	time_t		now = (time_t) signer->now;
	struct tm	utc;
	Scope		scope;

	gmtime_r(&now, &utc);
	if (strftime(scope.time, sizeof(scope.time), "%Y%m%dT%H%M%SZ",
				 &utc) == 0)
		abort();
	memcpy(scope.day, scope.time, 8);
	scope.day[8] = '\0';
	scope.text = arena_printf(arena, "%s/%s/%s/aws4_request", scope.day,
							  signer->region, signer->service);
	return scope;
}

/* The host as it stands in the header Host: the usual port is left out. */
static const char *
split_url(Arena *arena, const char *url, const char **path,
		  const char **query)
{
	const char *host = strstr(url, "://");
	const char *usual = strncasecmp(url, "https:", 6) == 0 ? ":443" : ":80";
	size_t		len;
	size_t		path_len;

	host = host != NULL ? host + 3 : url;
	len = strcspn(host, "/?");
	*path = host + len;
	path_len = strcspn(*path, "?");
	*query = (*path)[path_len] == '?' ? *path + path_len + 1 : "";
	*path = path_len > 0 ? arena_strndup(arena, *path, path_len) : "/";

	if (len > strlen(usual) &&
		strncmp(host + len - strlen(usual), usual, strlen(usual)) == 0)
		len -= strlen(usual);
	return arena_strndup(arena, host, len);
}

static int
compare_query(const void *a, const void *b)
{
	const Pair *left = a;
	const Pair *right = b;
	int			order = strcmp(left->name, right->name);

	return order != 0 ? order : strcmp(left->value, right->value);
}

static void
split_query(Arena *arena, Canonical *canonical, const char *query)
{
	size_t		count = 0;
	size_t		most = 1;
	const char *c;

	for (c = query; *c != '\0'; c++)
		most += *c == '&';
	canonical->query = arena_alloc(arena, most * sizeof(Pair));
	while (*query != '\0')
	{
		size_t		len = strcspn(query, "&");
		char	   *name = arena_strndup(arena, query, len);
		char	   *equals = strchr(name, '=');

		if (equals != NULL)
			*equals++ = '\0';
		canonical->query[count].name = name;
		canonical->query[count++].value = equals != NULL ? equals : "";
		query += len + (query[len] == '&');
	}
	canonical->query_count = count;
	qsort(canonical->query, count, sizeof(Pair), compare_query);
}

/* Those of one name stay in their order: their values are joined. */
static int
compare_headers(const void *a, const void *b)
{
	const Pair *left = a;
	const Pair *right = b;
	int			order = strcmp(left->name, right->name);

	return order != 0 ? order :
		(left->place > right->place) - (left->place < right->place);
}

/* Sorts them, host among them, and names them in signed_headers. */
static void
take_headers(Arena *arena, Canonical *canonical, const Header *headers,
			 const char *host)
{
	const Header *header;
	size_t		count = 1;
	size_t		names_len = 0;
	size_t		i;
	char	   *names;

	for (header = headers; header != NULL; header = header->next)
		count++;
	canonical->headers = arena_alloc(arena, count * sizeof(Pair));
	canonical->headers[0] = (Pair)
	{
		"host", host, 0
	};
	for (header = headers, i = 1; header != NULL; header = header->next, i++)
	{
		char	   *name = arena_strdup(arena, header->name);
		char	   *c;

		for (c = name; *c != '\0'; c++)
		{
			if (*c >= 'A' && *c <= 'Z')
				*c = (char) (*c - 'A' + 'a');
		}
		canonical->headers[i] = (Pair)
		{
			name, header->value, i
		};
	}
	canonical->header_count = count;
	qsort(canonical->headers, count, sizeof(Pair), compare_headers);

	for (i = 0; i < count; i++)
		names_len += strlen(canonical->headers[i].name) + 1;
	names = arena_alloc(arena, names_len + 1);
	canonical->signed_headers = names;
	for (i = 0; i < count; i++)
	{
		const char *name = canonical->headers[i].name;

		if (i > 0 && strcmp(name, canonical->headers[i - 1].name) == 0)
			continue;
		names += sprintf(names, "%s%s", i > 0 ? ";" : "", name);
	}
}

static void
add(EVP_MD_CTX *digest, const char *text, size_t len)
{
	if (EVP_DigestUpdate(digest, text, len) != 1)
		abort();
}

static void
add_text(EVP_MD_CTX *digest, const char *text)
{
	add(digest, text, strlen(text));
}

/* Without spaces around it, and with single ones inside. */
static void
add_value(EVP_MD_CTX *digest, const char *value)
{
	value += strspn(value, " \t");
	while (*value != '\0')
	{
		size_t		word = strcspn(value, " \t");
		size_t		space = strspn(value + word, " \t");

		add(digest, value, word);
		if (value[word + space] != '\0')
			add(digest, " ", 1);
		value += word + space;
	}
}

/* The hash of the canonical request. */
static void
hash_canonical(const Canonical *canonical, uint8_t hash[HASH_SIZE])
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	size_t		i;

	if (digest == NULL ||
		EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		abort();
	add_text(digest, canonical->method);
	add_text(digest, "\n");
	add_text(digest, canonical->path);
	add_text(digest, "\n");
	for (i = 0; i < canonical->query_count; i++)
	{
		add_text(digest, i > 0 ? "&" : "");
		add_text(digest, canonical->query[i].name);
		add_text(digest, "=");
		add_text(digest, canonical->query[i].value);
	}
	for (i = 0; i < canonical->header_count; i++)
	{
		const Pair *header = &canonical->headers[i];

		if (i > 0 && strcmp(header->name, header[-1].name) == 0)
			add_text(digest, ",");
		else
		{
			add_text(digest, "\n");
			add_text(digest, header->name);
			add_text(digest, ":");
		}
		add_value(digest, header->value);
	}
	add_text(digest, "\n\n");
	add_text(digest, canonical->signed_headers);
	add_text(digest, "\n");
	add_text(digest, canonical->payload);
	if (EVP_DigestFinal_ex(digest, hash, NULL) != 1)
		abort();
	EVP_MD_CTX_free(digest);
}

static void
authenticate(const uint8_t *key, size_t key_len, const char *text,
			 uint8_t out[HASH_SIZE])
{
	uint8_t		code[HASH_SIZE];	/* out may be the key */

	if (HMAC(EVP_sha256(), key, (int) key_len, (const uint8_t *) text,
			 strlen(text), code, NULL) == NULL)
		abort();
	memcpy(out, code, HASH_SIZE);
	OPENSSL_cleanse(code, sizeof(code));
}

static void
make_signature(Arena *arena, const SigV4 *signer, const Scope *scope,
			   const Canonical *canonical, char signature[HEX_SIZE])
{
	Secret	   *seed = secret_create(arena, NULL,
									 4 + signer->secret_key->len);
	uint8_t		key[HASH_SIZE];
	uint8_t		hash[HASH_SIZE];
	char		hex[HEX_SIZE];

	hash_canonical(canonical, hash);
	print_hex(hash, hex);

	memcpy(seed->bytes, "AWS4", 4);
	memcpy(seed->bytes + 4, signer->secret_key->bytes,
		   signer->secret_key->len);
	authenticate(seed->bytes, seed->len, scope->day, key);
	secret_wipe(seed);
	authenticate(key, sizeof(key), signer->region, key);
	authenticate(key, sizeof(key), signer->service, key);
	authenticate(key, sizeof(key), "aws4_request", key);
	authenticate(key, sizeof(key),
				 arena_printf(arena, ALGORITHM "\n%s\n%s\n%s", scope->time,
							  scope->text, hex), hash);
	OPENSSL_cleanse(key, sizeof(key));
	print_hex(hash, signature);
}

static void
print_hex(const uint8_t hash[HASH_SIZE], char hex[HEX_SIZE])
{
	int			i;

	for (i = 0; i < HASH_SIZE; i++)
		sprintf(hex + 2 * i, "%02x", hash[i]);
}
