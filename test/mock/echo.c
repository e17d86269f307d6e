/*-------------------------------------------------------------------------
 *
 * echo.c
 *		Refuses a call and gives back its key, in one disguise or another.
 *
 * The status is 400, not 401, so that the key stays good for the next call.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "echo.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "document.h"

/* Of a key in eight characters for each of its own. */
#define MAX_ECHO	(8 * sizeof(((Request *) 0)->bearer))

/* Each character by itself; or NULL, and the key is treated as a whole. */
typedef struct Form
{
	const char *name;
	const char *each;
} Form;

static const Form forms[] = {
	{"whole", "%c"},
	{"spaced", "%c "},
	{"percent", "%%%02X"},
	{"json", "\\u%04x"},
	{"html", "&#%d;"},
	{"hex", "%02x"},
	{"masked", NULL},
	{"upper", NULL},
	{"base64", NULL},
	{"bearer", NULL},
};

static const Form *
find_form(const char *name)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

bool
echo_knows(const char *form)
{
	return find_form(form) != NULL;
}

static void
disguise(const char *form, const char *key, char *out)
{
	const char *each = find_form(form)->each;
	size_t		length = strlen(key);

	if (each != NULL)
	{
		*out = '\0';
		for (; *key != '\0'; key++)
			out += sprintf(out, each, (unsigned char) *key);
	}
	else if (strcmp(form, "masked") == 0)
		sprintf(out, "%.8s***%s", key, key + (length > 8 ? length - 8 : 0));
	else if (strcmp(form, "bearer") == 0)
		sprintf(out, "Authorization: Bearer %s", key);
	else if (strcmp(form, "base64") == 0)
		EVP_EncodeBlock((unsigned char *) out, (const unsigned char *) key,
						(int) length);
	else
	{
		do
			*out++ = (char) toupper((unsigned char) *key);
		while (*key++ != '\0');
	}
}

void
echo_answer(Connection *c, const Request *request, const char *form)
{
	const char *key = request->bearer[0] != '\0' ? request->bearer :
	request->api_key;
	char		echo[MAX_ECHO];
	char		message[MAX_ECHO + 64];
	char		headers[1024];

	disguise(form, key, echo);
	snprintf(message, sizeof(message), "The key %s was refused.", echo);
	snprintf(headers, sizeof(headers),
			 "content-type: application/json\r\n"
			 "x-request-id: req_%.400s\r\nx-your-key: %.400s\r\n", echo, echo);
	document_answer(c, 400, headers,
					json_pack("{s:{s:o, s:s, s:s}}", "error",
							  "message", document_text(message),
							  "type", "invalid_request_error",
							  "status", "INVALID_ARGUMENT"));
}
