/*-------------------------------------------------------------------------
 *
 * document.c
 *		JSON documents, also of text that is no UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include "document.h"

#include <stdlib.h>
#include <string.h>

json_t *
document_text(const char *text)
{
	json_t	   *string;
	char	   *ascii;

	if (text == NULL)
		return json_null();
	string = json_string(text);
	if (string != NULL)
		return string;
	ascii = strdup(text);
	for (char *c = ascii; *c != '\0'; c++)
		if ((unsigned char) *c >= 0x80)
			*c = '?';
	string = json_string(ascii);
	free(ascii);
	return string;
}

void
document_answer(Connection *c, int status, const char *headers,
				json_t *document)
{
	char	   *text = json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY);

	answer_bytes(c, text, strlen(text));
	connection_answer(c, status, headers, 0);
	free(text);
	json_decref(document);
}
