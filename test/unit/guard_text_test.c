/*-------------------------------------------------------------------------
 *
 * guard_text_test.c
 *		A call that carries a key is known by its text, and what looks like a
 *		key is withheld; comments and other names are nobody's call.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

/* a file of the extension, which needs nothing of the server */
#include "../../src/extension/guard_text.c"
#include "check.h"

static const char *const calls[] = {
	"SELECT bambi_add_key('openai', 'k')",
	"select BAMBI_Replace_Key ('x', 'k')",
	"SELECT \"public\".\"bambi_add_key\"(\"provider\" := $1)",
	"SELECT bambi_internal.add_key('openai', 'k', NULL, NULL)",
	"SELECT bambi_add_key /* a */ -- b\n ('k')",
	"SELECT '--', bambi_add_key('k')",
	"SELECT '''--', bambi_add_key('k')",
	"SELECT E'\\'--', bambi_add_key('k')",
	"SELECT $a$--$a$, bambi_add_key('k')",
	"SELECT 'a\\'/*', bambi_add_key('k'), '*/'",
	"SELECT 'a\\' --', bambi_add_key('k')",
	"SELECT \"--\", bambi_add_key('k')",
	"SELECT 1 -- a\n, bambi_add_key('k')",
	"SELECT /* /* */ */ bambi_add_key('k')",
	"DO $$BEGIN PERFORM bambi_add_key('k'); END$$",
	"DO 'BEGIN PERFORM bambi_add_key(''k''); END'",
	"SELECT U&\"bambi\\005Fadd_key\"('k')",
	"SELECT u&\"bambi!005Fadd_key\" UESCAPE '!' ('k')",
	"SELECT bambi_add_key('unterminated",
	"SELECT bambi_add_key(",
	"prepare: PREPARE p AS SELECT bambi_add_key($1, $2)",
	"AUDIT: SESSION,1,1,READ,SELECT,,,\"SELECT bambi_add_key('k')\",<none>",
};

static const char *const no_calls[] = {
	"",
	"SELECT 1",
	"DROP TABLE a -- bambi_add_key('k')",
	"DROP TABLE a /* bambi_add_key('k') */",
	"DROP TABLE a /* /* */ bambi_add_key('k') */",
	"SELECT bambi_add_keys('k')",
	"SELECT my_bambi_add_key('k')",
	"SELECT bambi_remove_key('k')",
	"SELECT bambi_add_key",
	"SELECT 'bambi_add_key' FROM pg_proc",
	"GRANT EXECUTE ON FUNCTION bambi_add_key(text, text) TO a",
	"COMMENT ON FUNCTION \"public\" . \"bambi_add_key\"(text) IS 'add_key'",
	"PL/pgSQL function bambi_add_key(text,text) line 1",
	"SELECT U&\"d\\0061ta\" FROM a",
};

/* A text, and what is left of it. */
static const char *const tokens[][2] = {
	{"'sk-12345678'", "'<withheld>'"},
	{"'sk-proj-_aB3.xyz/+='", "'<withheld>'"},
	{"xai-12345678 AIza12345678 AQ.12345678",
	"<withheld> <withheld> <withheld>"},
	{"hvs.12345678,AKIA12345678,whsec_12345678,ya29.12345678",
	"<withheld>,<withheld>,<withheld>,<withheld>"},
	{"E'\\nsk-12345678'", "E'\\n<withheld>'"},
	{"name_sk-12345678", "name_<withheld>"},
	{"a\xc3\xa4 sk-12345678 \xc3\xa4", "a\xc3\xa4 <withheld> \xc3\xa4"},
};

static const char *const no_tokens[] = {
	"", "sk-", "sk-1234567", "task-12345678", "desk-12345678", "ask",
	"xai", "SK-12345678", "AKIA1234567",
};

static const char *const bytes[] = {
	":constvalue 15 [ 60 0 0 0 115 107 45 49 50 51 52 53 54 55 56 ]",
	":constvalue 12 [ 97 115 107 45 49 50 51 52 53 54 55 56 ]",
	/* parentheses: one text, as clang would ask */
	("   {CONST\n   :constvalue 15 [ 60 0 0 0\n    115 107 4\n   5 49 50 5\n"
	 "   1 52 \n   53 54 55\n    56 ]"),
	"[ -61 -92 32 115 107 45 49 50 51 52 53 54 55 56",
};

static const char *const no_bytes[] = {
	"", "[", "[ ", "[ 115 107 4\n5", "[ 115 107 45 49 50 51 5\n 2 53 54 5 56 ]",
	"[ 115 107 45 ]", "[ a 115 107 45 49 50 51 52 53 54 55 56 ]",
	"115 107 45 49 50 51 52 53 54 55 56",
};

static void
check_tokens(void)
{
	for (size_t i = 0; i < LENGTH(tokens); i++)
	{
		char	   *copy = strdup(tokens[i][0]);

		CHECK(bambi_text_has_token(copy), "has a token: %s", copy);
		bambi_text_withhold_tokens(copy);
		CHECK(strcmp(copy, tokens[i][1]) == 0, "is left: %s", copy);
		CHECK(!bambi_text_has_token(copy), "and has none: %s", copy);
		free(copy);
	}
	for (size_t i = 0; i < LENGTH(no_tokens); i++)
	{
		char	   *copy = strdup(no_tokens[i]);

		bambi_text_withhold_tokens(copy);
		CHECK(!bambi_text_has_token(copy) && strcmp(copy, no_tokens[i]) == 0,
			  "stays as it is: \"%s\"", copy);
		free(copy);
	}
}

/* Where a list is cut into pieces, no token is lost. */
static void
check_pieces(void)
{
	static const char token[] = " sk-12345678";
	int			missed = 0;

	for (int before = 0; before < 3 * PIECE; before++)
	{
		char		list[4 * 4 * PIECE] = "[";
		char	   *end = list + 1;

		for (int i = 0; i < before; i++)
			end += sprintf(end, " 98");
		for (int i = 0; token[i]; i++)
			end += sprintf(end, " %d", token[i]);
		if (!bambi_text_has_token_bytes(list))
			missed++;
	}
	CHECK(missed == 0, "a token is found wherever it is in a long list");
}

int
main(void)
{
	for (size_t i = 0; i < LENGTH(calls); i++)
		CHECK(bambi_text_calls_guarded(calls[i]), "is a call: %s", calls[i]);
	for (size_t i = 0; i < LENGTH(no_calls); i++)
		CHECK(!bambi_text_calls_guarded(no_calls[i]), "is none: %s",
			  no_calls[i]);
	check_tokens();
	for (size_t i = 0; i < LENGTH(bytes); i++)
		CHECK(bambi_text_has_token_bytes(bytes[i]), "has a token: %s",
			  bytes[i]);
	for (size_t i = 0; i < LENGTH(no_bytes); i++)
		CHECK(!bambi_text_has_token_bytes(no_bytes[i]), "has none: %s",
			  no_bytes[i]);
	check_pieces();
	return check_done();
}
