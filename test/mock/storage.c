/*-------------------------------------------------------------------------
 *
 * storage.c
 *		Keeps objects and gives them to whom the contract of Supabase Storage
 *		would give them.
 *
 * The real one answers nearly every error with status 400 and puts the status
 * that it means into the body, as text; so does this one.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "storage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "document.h"
#include "form.h"
#include "ledger.h"

#define BUCKETS			4096
#define MAX_NAME		1024	/* bucket and path */
#define LONGEST_LIFE	(10 * 365 * 86400L)
#define JSON			"content-type: application/json; charset=utf-8\r\n"

typedef struct Object
{
	char	   *name;			/* bucket/path, decoded */
	char		media_type[128];
	uint64_t	number;
	Blob	   *bytes;
	struct Object *next;
} Object;

typedef enum DownKind
{
	DOWN_NOT,
	DOWN_503,
	DOWN_RESET
} DownKind;

static Object *objects[BUCKETS];
static uint64_t put_count;
static DownKind down;
static long down_times;			/* -1: until it is up again */

/* ---- answers ---- */

static void
answer_fault(Connection *c, const char *status, const char *error,
			 const char *message)
{
	answer_text(c, "{\"statusCode\":\"%s\",\"error\":\"%s\",\"message\":"
				"\"%s\"}", status, error, message);
	connection_answer(c, 400, JSON, 0);
}

static void
answer_missing(Connection *c)
{
	answer_fault(c, "404", "not_found", "Object not found");
}

static bool
is_down(Connection *c)
{
	DownKind	kind = down;

	if (kind == DOWN_NOT || down_times == 0)
		return false;
	if (down_times > 0)
		down_times--;
	if (kind == DOWN_RESET)
		connection_reset(c);
	else
	{
		answer_text(c, "{\"message\":\"name resolution failed\"}");
		connection_answer(c, 503, JSON, 0);
	}
	return true;
}

/* ---- objects ---- */

static Object **
find(const char *name)
{
	uint64_t	h = 14695981039346656037ULL;
	Object	  **o;

	for (const char *at = name; *at != '\0'; at++)
		h = (h ^ (unsigned char) *at) * 1099511628211ULL;
	for (o = &objects[h % BUCKETS]; *o != NULL; o = &(*o)->next)
		if (strcmp((*o)->name, name) == 0)
			break;
	return o;
}

static bool
erase(const char *name)
{
	Object	  **place = find(name);
	Object	   *o = *place;

	if (o == NULL)
		return false;
	*place = o->next;
	blob_release(o->bytes);
	free(o->name);
	free(o);
	stats.erases++;
	return true;
}

static Blob *
copy_body(const Request *request)
{
	Blob	   *blob = malloc(sizeof(Blob) + request->body_length);

	if (blob == NULL)
		abort();
	blob->references = 1;
	blob->length = request->body_length;
	memcpy(blob->data, request->body, request->body_length);
	return blob;
}

/* Is there a path behind the bucket, and no step out of it? */
static bool
is_name(const char *name)
{
	const char *path = strchr(name, '/');

	return path != NULL && path[1] != '\0' && path != name &&
		strstr(name, "//") == NULL && strstr(name, "..") == NULL;
}

static bool
has_bucket(Connection *c, const char *name)
{
	if (strncmp(name, "missing", 7) != 0)
		return true;
	answer_fault(c, "404", "Bucket not found", "Bucket not found");
	return false;
}

static void
put(Connection *c, const Request *request, const char *name)
{
	bool		replaces = request->upserts ||
	strcmp(request->method, "PUT") == 0;
	Object	  **place = find(name);
	Object	   *o = *place;
	char		id[40];

	if (!has_bucket(c, name))
		return;
	if (!is_name(name))
	{
		answer_fault(c, "400", "InvalidKey", "Invalid key");
		return;
	}
	if (o != NULL && !replaces)
	{
		answer_fault(c, "409", "Duplicate", "The resource already exists");
		return;
	}
	if (o == NULL)
	{
		o = *place = calloc(1, sizeof(Object));
		o->name = strdup(name);
	}
	else
		blob_release(o->bytes);
	o->bytes = copy_body(request);
	o->number = ++put_count;
	snprintf(o->media_type, sizeof(o->media_type), "%.127s",
			 request->content_type);
	stats.puts++;
	snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012" PRIx64, o->number);
	document_answer(c, 200, JSON, json_pack("{s:o,s:s}", "Key",
											document_text(name), "Id", id));
}

static void
give(Connection *c, const char *name)
{
	Object	   *o = *find(name);
	char		headers[256];

	if (!has_bucket(c, name))
		return;
	if (o == NULL)
	{
		answer_missing(c);
		return;
	}
	snprintf(headers, sizeof(headers), "content-type: %s\r\netag: \"%" PRIu64
			 "\"\r\n", o->media_type, o->number);
	o->bytes->references++;
	answer_blob(c, o->bytes);
	connection_answer(c, 200, headers, 0);
}

/* ---- signed addresses ---- */

/* "end.digest": nothing has to be remembered but the secret. */
static void
sign(const char *name, int64_t end, char token[128])
{
	static unsigned char secret[32];
	static bool has_secret;
	unsigned char digest[EVP_MAX_MD_SIZE];
	char		text[MAX_NAME + 128];
	int			length;

	if (!has_secret)
		RAND_bytes(secret, sizeof(secret));
	has_secret = true;
	memcpy(text, secret, sizeof(secret));
	length = snprintf(text + sizeof(secret), sizeof(text) - sizeof(secret),
					  "%" PRId64 "/%s", end, name);
	EVP_Digest(text, sizeof(secret) + length, digest, NULL, EVP_sha256(),
			   NULL);
	length = sprintf(token, "%" PRId64 ".", end);
	for (int i = 0; i < 16; i++)
		length += sprintf(token + length, "%02x", digest[i]);
}

static void
make_address(Connection *c, const Request *request, const char *name,
			 const char *path)
{
	json_t	   *body = json_loadb(request->body, request->body_length, 0, NULL);
	json_int_t	life = json_integer_value(json_object_get(body, "expiresIn"));
	char		token[128];

	json_decref(body);
	if (!has_bucket(c, name))
		return;
	if (life <= 0 || life > LONGEST_LIFE)
		answer_fault(c, "400", "InvalidRequest",
					 "body/expiresIn must be >= 1");
	else if (*find(name) == NULL)
		answer_missing(c);
	else
	{
		sign(name, now_us() / 1000000 + life, token);
		answer_text(c, "{\"signedURL\":\"/object/sign/%s?token=%s\"}", path,
					token);
		connection_answer(c, 200, JSON, 0);
	}
}

static void
give_signed(Connection *c, const Request *request, const char *name)
{
	char		token[128];
	char		right[128];
	int64_t		end;

	form_value(request->query, strlen(request->query), "token", token,
			   sizeof(token));
	end = strtoll(token, NULL, 10);
	sign(name, end, right);
	if (strcmp(token, right) != 0)
		answer_fault(c, "400", "InvalidJWT", "signature verification failed");
	else if (end <= now_us() / 1000000)
		answer_fault(c, "400", "InvalidJWT",
					 "\\\"exp\\\" claim timestamp check failed");
	else
		give(c, name);
}

/* ---- requests ---- */

/* DELETE object/BUCKET with {"prefixes": [PATH, ...]} */
static void
erase_many(Connection *c, const Request *request, const char *bucket)
{
	json_t	   *body = json_loadb(request->body, request->body_length, 0, NULL);
	json_t	   *prefixes = json_object_get(body, "prefixes");
	json_t	   *prefix;
	json_t	   *gone = json_array();
	size_t		i;

	json_array_foreach(prefixes, i, prefix)
	{
		const char *path = json_string_value(prefix);
		char		name[MAX_NAME];

		if (path != NULL &&
			snprintf(name, sizeof(name), "%s/%s", bucket, path) <
			(int) sizeof(name) && erase(name))
			json_array_append_new(gone, json_pack("{s:o,s:s}", "bucket_id",
												  document_text(bucket),
												  "name", path));
	}
	json_decref(body);
	document_answer(c, 200, JSON, gone);
}

static void
erase_one(Connection *c, const char *name)
{
	if (!has_bucket(c, name))
		return;
	if (!erase(name))
	{
		answer_missing(c);
		return;
	}
	answer_text(c, "{\"message\":\"Successfully deleted\"}");
	connection_answer(c, 200, JSON, 0);
}

static bool
has_key(Connection *c, const Request *request)
{
	const char *key = request->bearer[0] != '\0' ? request->bearer :
	request->api_key;

	if (key[0] != '\0' && strncmp(key, "invalid", 7) != 0)
		return true;
	answer_fault(c, "403", "Unauthorized", "Invalid Compact JWS");
	return false;
}

/* Takes "prefix" off the name, if it is there. */
static bool
starts(const char **name, const char *prefix)
{
	size_t		length = strlen(prefix);

	if (strncmp(*name, prefix, length) != 0)
		return false;
	*name += length;
	return true;
}

static void
get(Connection *c, const Request *request, const char *name)
{
	if (starts(&name, "public/"))
	{
		if (strncmp(name, "private", 7) == 0)
			answer_fault(c, "404", "Bucket not found", "Bucket not found");
		else
			give(c, name);
	}
	else if (starts(&name, "sign/"))
		give_signed(c, request, name);
	else if (has_key(c, request))
	{
		starts(&name, "authenticated/");
		give(c, name);
	}
}

void
storage_answer(Connection *c, const Request *request, const char *path)
{
	const char *method = request->method;
	char		decoded[MAX_NAME];
	const char *name = decoded;

	if (is_down(c))
		return;
	if (strncmp(path, "/object/", 8) != 0 ||
		snprintf(decoded, sizeof(decoded), "%s", path + 8) >=
		(int) sizeof(decoded) || !percent_decode(decoded))
		answer_fault(c, "404", "not_found", "Route not found");
	else if (strcmp(method, "GET") == 0)
		get(c, request, name);
	else if (!has_key(c, request))
		return;
	else if (strcmp(method, "POST") == 0 && starts(&name, "sign/"))
		make_address(c, request, name, path + 8 + strlen("sign/"));
	else if (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0)
		put(c, request, name);
	else if (strcmp(method, "DELETE") == 0 && strchr(name, '/') == NULL)
		erase_many(c, request, name);
	else if (strcmp(method, "DELETE") == 0)
		erase_one(c, name);
	else
		answer_fault(c, "404", "not_found", "Route not found");
}

/* ---- control ---- */

const char *
storage_set(const json_t *wish)
{
	json_t	   *value = json_object_get(wish, "down");
	const char *word = json_string_value(value);
	json_t	   *times = json_object_get(wish, "times");

	if (json_is_false(value))
		down = DOWN_NOT;
	else if (json_is_true(value) ||
			 (word != NULL && strcmp(word, "503") == 0))
		down = DOWN_503;
	else if (word != NULL && strcmp(word, "reset") == 0)
		down = DOWN_RESET;
	else
		return "down must be true, false, \"503\" or \"reset\"";
	down_times = json_is_integer(times) ? json_integer_value(times) : -1;
	return NULL;
}

void
storage_print(Connection *c)
{
	json_t	   *all = json_array();

	for (int i = 0; i < BUCKETS; i++)
		for (const Object *o = objects[i]; o != NULL; o = o->next)
			json_array_append_new(all, json_pack("{s:o,s:o,s:I}", "name",
												 document_text(o->name),
												 "media_type",
												 document_text(o->media_type),
												 "bytes",
												 (json_int_t) o->bytes->length));
	document_answer(c, 200, JSON, all);
}

void
storage_reset(void)
{
	for (int i = 0; i < BUCKETS; i++)
		while (objects[i] != NULL)
			erase(objects[i]->name);
	put_count = 0;
	down = DOWN_NOT;
}
