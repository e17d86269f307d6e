/*-------------------------------------------------------------------------
 *
 * exchange.c
 *		What all adapters need to make a request and to read a reply.
 *
 *-------------------------------------------------------------------------
 */
#include "exchange.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base64.h"
#include "body.h"
#include "scrub.h"

/* Most requests fit, and are then printed once. */
#define USUAL_BODY_SIZE	1024

static void add_header(Exchange *x, const char *name, const char *value,
					   bool is_secret);

static void
release_json(void *object)
{
	json_decref(object);
}

static void
begin(Exchange *x, const char *method, const char *path)
{
	memset(&x->request, 0, sizeof(x->request));
	x->request.method = method;
	x->request.url = arena_printf(x->arena, "%s%s", x->base_url, path);
}

void
exchange_get(Exchange *x, const char *path)
{
	begin(x, "GET", path);
}

void
exchange_post(Exchange *x, const char *path, json_t *body)
{
	size_t		size = USUAL_BODY_SIZE;
	char	   *text = arena_alloc(x->arena, size);
	size_t		len = json_dumpb(body, text, size, JSON_COMPACT);

	begin(x, "POST", path);
	if (len > size)
	{
		text = arena_alloc(x->arena, len);
		json_dumpb(body, text, len, JSON_COMPACT);
	}
	json_decref(body);
	x->request.body = text;
	x->request.body_len = len;
	exchange_header(x, "Content-Type", "application/json");
}

void
exchange_put(Exchange *x, const char *path, const char *media_type,
			 const void *bytes, size_t len)
{
	begin(x, "PUT", path);
	x->request.body = bytes;
	x->request.body_len = len;
	exchange_header(x, "Content-Type", media_type);
}

void
exchange_method(Exchange *x, const char *method, const char *path)
{
	begin(x, method, path);
}

void
exchange_form(Exchange *x, const char *path)
{
	begin(x, "POST", path);
}

static FormPart *
add_part(Exchange *x, const char *name)
{
	FormPart   *part = arena_alloc(x->arena, sizeof(FormPart));
	FormPart  **end = &x->request.form;

	while (*end != NULL)
		end = &(*end)->next;
	part->name = arena_strdup(x->arena, name);
	*end = part;
	return part;
}

void
exchange_form_text(Exchange *x, const char *name, const char *value)
{
	FormPart   *part = add_part(x, name);

	part->bytes = arena_strdup(x->arena, value);
	part->len = strlen(value);
}

void
exchange_form_file(Exchange *x, const char *name, const char *file_name,
				   const char *media_type, const void *bytes, size_t len)
{
	FormPart   *part = add_part(x, name);

	part->file_name = arena_strdup(x->arena, file_name);
	part->media_type = arena_strdup(x->arena, media_type);
	part->bytes = bytes;
	part->len = len;
}

void
exchange_header(Exchange *x, const char *name, const char *value)
{
	add_header(x, name, value, false);
}

void
exchange_secret_header(Exchange *x, const char *name, const char *prefix,
					   const Secret *secret)
{
	size_t		prefix_len = strlen(prefix);
	Secret	   *value;

	/* a Secret again, so that the arena wipes this copy too */
	value = secret_create(x->arena, NULL, prefix_len + secret->len);
	memcpy(value->bytes, prefix, prefix_len);
	memcpy(value->bytes + prefix_len, secret->bytes, secret->len);
	add_header(x, name, (const char *) value->bytes, true);
}

void
exchange_bearer(Exchange *x)
{
	if (x->secret != NULL)
		exchange_secret_header(x, "Authorization", "Bearer ", x->secret);
}

static void
add_header(Exchange *x, const char *name, const char *value, bool is_secret)
{
	Header	   *header = arena_alloc(x->arena, sizeof(Header));

	header->name = arena_strdup(x->arena, name);
	header->value = is_secret ? value : arena_strdup(x->arena, value);
	header->is_secret = is_secret;
	header->next = x->request.headers;
	x->request.headers = header;
}

const char *
exchange_reply_header(const Exchange *x, const char *name)
{
	const Header *header;

	for (header = x->reply.headers; header != NULL; header = header->next)
	{
		if (strcmp(header->name, name) == 0)
			return header->value;
	}
	return NULL;
}

const char *
exchange_setting(const Exchange *x, const char *name)
{
	return json_string_value(json_object_get(x->settings, name));
}

const json_t *
exchange_operator_setting(const Exchange *x, const char *name)
{
	return json_object_get(x->operator_settings, name);
}

json_t *
exchange_base64(const char *prefix, const void *bytes, size_t len)
{
	size_t		prefix_len = strlen(prefix);
	char	   *text;
	size_t		text_len;
	json_t	   *json;

	if (len > INT_MAX / 2)
		return NULL;
	text = malloc(prefix_len + BASE64_ENCODED(len) + 1);
	if (text == NULL)
		return NULL;
	memcpy(text, prefix, prefix_len);
	text_len = prefix_len +
		(size_t) EVP_EncodeBlock((unsigned char *) text + prefix_len, bytes,
								 (int) len);
	json = json_stringn_nocheck(text, text_len);
	free(text);
	return json;
}

json_t *
exchange_json(Exchange *x)
{
	json_t	   *json;

	if (x->reply.body == NULL ||
		!body_depth_is_fine(x->reply.body, x->reply.body_len))
		return NULL;
	json = json_loadb(x->reply.body, x->reply.body_len, JSON_ALLOW_NUL, NULL);
	if (json != NULL)
		arena_on_destroy(x->arena, release_json, json);
	return json;
}

int
exchange_picture_index(const Exchange *x, const json_t *value)
{
	const char *text = json_string_value(value);
	int			index;

	/* there are no more than ten */
	if (text == NULL || text[0] < '0' || text[0] > '9' || text[1] != '\0')
		return -1;
	index = text[0] - '0';
	return index < x->reply.picture_count ? index : -1;
}

long
exchange_count(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	json_int_t	count = json_integer_value(value);

	if (!json_is_integer(value) || count < 0 || count > INT_MAX)
		return -1;
	return (long) count;
}

char *
exchange_scrub(Exchange *x, const char *text, size_t max_len)
{
	char	   *copy = arena_alloc(x->arena, max_len + 1);

	scrub_text(copy, max_len + 1, text, x->secret);
	return copy;
}

Next
exchange_fail(Exchange *x, FaultClass class, const char *message)
{
	memset(&x->fault, 0, sizeof(x->fault));
	x->fault.class = class;
	scrub_text(x->fault.message, sizeof(x->fault.message), message,
			   x->secret);
	return NEXT_FAIL;
}

Next
exchange_fail_transport(Exchange *x)
{
	/* by Transport; what was written to the wire may have cost money */
	static const struct
	{
		FaultClass	class;
		const char *message;
	}			faults[] =
	{
		[TRANSPORT_OK] = {FAULT_UNKNOWN, "the answer was not understood"},
		[TRANSPORT_DNS] = {FAULT_PROVIDER_UNAVAILABLE,
		"the name of the provider's host does not resolve"},
		[TRANSPORT_REFUSED] = {FAULT_PROVIDER_UNAVAILABLE,
		"the provider's host could not be reached"},
		[TRANSPORT_CONNECT_TIMEOUT] = {FAULT_TIMEOUT,
		"the connection to the provider timed out"},
		[TRANSPORT_TLS] = {FAULT_PROVIDER_UNAVAILABLE,
		"the provider's certificate or TLS handshake failed"},
		[TRANSPORT_ADDRESS] = {FAULT_ADDRESS_REFUSED,
		"the address of the provider's host is not allowed"},
		[TRANSPORT_TIMEOUT] = {FAULT_TIMEOUT,
		"the provider did not answer in time"},
		[TRANSPORT_RESET] = {FAULT_PROVIDER_UNAVAILABLE,
		"the connection was lost before the answer came"},
		[TRANSPORT_RESET_BODY] = {FAULT_PROVIDER_UNAVAILABLE,
		"the connection was lost inside the answer"},
		[TRANSPORT_TOO_LARGE] = {FAULT_RESPONSE_TOO_LARGE,
		"the answer is larger than bambi.max_response_bytes allows"},
		[TRANSPORT_CANCELLED] = {FAULT_CANCELLED, "cancelled before sending"},
		[TRANSPORT_OTHER] = {FAULT_PROVIDER_UNAVAILABLE,
		"the call to the provider failed"},
	};
	Transport	transport = x->reply.transport;

	exchange_fail(x, faults[transport].class, faults[transport].message);
	if (x->reply.wrote)
	{
		x->fault.may_have_cost = x->request.is_paid;
		x->fault.charged = x->request.is_paid ? CHARGED_UNKNOWN : CHARGED_NO;
		x->fault.may_repeat = !x->request.is_paid;

		/* whoever has begun to answer has done the work */
		if (transport == TRANSPORT_RESET_BODY && x->request.is_paid)
			x->fault.charged = CHARGED_YES;
	}
	else
		x->fault.may_repeat = transport != TRANSPORT_TLS &&
			transport != TRANSPORT_ADDRESS &&
			transport != TRANSPORT_CANCELLED;
	return NEXT_FAIL;
}

void
exchange_clear_reply(Exchange *x)
{
	int			i;

	for (i = 0; i < x->reply.picture_count; i++)
		free(x->reply.pictures[i].bytes);
	memset(&x->reply, 0, sizeof(x->reply));
}
