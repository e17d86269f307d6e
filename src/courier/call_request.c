/*-------------------------------------------------------------------------
 *
 * call_request.c
 *		What is sent: the head and the body of a request.
 *
 *-------------------------------------------------------------------------
 */
#include "call.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* A line of the head; false if it would be two. */
static bool
add_header(Call *call, const Header *header)
{
	size_t		name_len = strlen(header->name);
	size_t		value_len = strlen(header->value);
	size_t		size = name_len + value_len + 3;
	char		line[256];
	char	   *text = size <= sizeof(line) ? line : malloc(size);
	struct curl_slist *list = NULL;

	if (text == NULL)
		abort();
	memcpy(text, header->name, name_len);
	memcpy(text + name_len, ": ", 2);
	memcpy(text + name_len + 2, header->value, value_len + 1);
	if (strpbrk(text, "\r\n") == NULL)
		list = curl_slist_append(call->headers, text);
	OPENSSL_cleanse(text, size);
	if (text != line)
		free(text);
	if (list != NULL)
		call->headers = list;
	return list != NULL;
}

/* Where libcurl is in a part that lies in somebody else's memory. */
typedef struct FormReader
{
	const FormPart *part;
	size_t		at;
} FormReader;

static size_t
read_part(char *to, size_t size, size_t count, void *context)
{
	FormReader *reader = context;
	size_t		len = reader->part->len - reader->at;

	if (len > size * count)
		len = size * count;
	memcpy(to, (const char *) reader->part->bytes + reader->at, len);
	reader->at += len;
	return len;
}

static int
seek_part(void *context, curl_off_t offset, int origin)
{
	FormReader *reader = context;

	if (origin != SEEK_SET || offset < 0 ||
		(size_t) offset > reader->part->len)
		return CURL_SEEKFUNC_FAIL;
	reader->at = (size_t) offset;
	return CURL_SEEKFUNC_OK;
}

static bool
add_form(Call *call, const FormPart *part)
{
	call->mime = curl_mime_init(call->easy);
	for (; call->mime != NULL && part != NULL; part = part->next)
	{
		curl_mimepart *to = curl_mime_addpart(call->mime);
		FormReader *reader = arena_alloc(call->x->arena, sizeof(FormReader));

		/* not copied: the bytes outlive the call */
		reader->part = part;
		if (to == NULL || curl_mime_name(to, part->name) != CURLE_OK ||
			curl_mime_data_cb(to, (curl_off_t) part->len, read_part,
							  seek_part, NULL, reader) != CURLE_OK ||
			(part->file_name != NULL &&
			 (curl_mime_filename(to, part->file_name) != CURLE_OK ||
			  curl_mime_type(to, part->media_type) != CURLE_OK)))
			return false;
	}
	return call->mime != NULL &&
		curl_easy_setopt(call->easy, CURLOPT_MIMEPOST, call->mime) == CURLE_OK;
}

bool
call_set_request(Call *call)
{
	static const Header no_expect = {.name = "Expect",.value = ""};
	const Request *request = &call->x->request;
	const Header *header;
	CURL	   *easy = call->easy;

	if (request->is_channel)
	{
		curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
		curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_path);
		return true;
	}
	for (header = request->headers; header != NULL; header = header->next)
	{
		if (!add_header(call, header))
			return false;
	}
	if (!add_header(call, &no_expect))
		return false;
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);

	if (request->form != NULL)
		return add_form(call, request->form);
	if (request->body != NULL)
	{
		/* not copied: the bytes outlive the call */
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
						 (curl_off_t) request->body_len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
	}
	else
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
					 strcmp(request->method,
							request->body != NULL ? "POST" : "GET") == 0 ?
					 NULL : request->method);
	return true;
}

void
call_clear_request(Call *call)
{
	CURL	   *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
	if (call->mime != NULL)
	{
		curl_easy_setopt(easy, CURLOPT_MIMEPOST, NULL);
		curl_mime_free(call->mime);
	}
	curl_slist_free_all(call->headers);
}
