/*-------------------------------------------------------------------------
 *
 * guard_text_fuzz.c
 *		Whatever a client sends as a statement is judged; once tokens are
 *		withheld there are none, and the text is no longer than it was.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>

/* a file of the extension, which needs nothing of the server */
#include "../../src/extension/guard_text.c"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size + 1);
	size_t		length;
	bool		had_token;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	length = strlen(text);

	(void) bambi_text_calls_guarded(text);
	(void) bambi_text_has_token_bytes(text);
	had_token = bambi_text_has_token(text);
	bambi_text_withhold_tokens(text);
	if (bambi_text_has_token(text) ||
		had_token != (strlen(text) < length))
		abort();
	free(text);
	return 0;
}
