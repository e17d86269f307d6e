/*-------------------------------------------------------------------------
 *
 * web.c
 *		What PostgREST tells a transaction by settings, read without trust.
 *
 * PostgREST leaves the settings of a request behind as empty strings, so
 * empty is missing.  Nothing here may throw for a text that it is given: a
 * claim that is no JSON is no identity, not an error in every query.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "settings.h"
#include "web.h"

/* The server's parser recurses, and gives up by throwing. */
#define MAX_JSON_DEPTH	64

const char *
bambi_setting_or_null(const char *name)
{
	const char *value = GetConfigOption(name, true, false);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool
is_named(const char *list, const char *role)
{
	char	   *copy = pstrdup(list);
	List	   *names;
	ListCell   *cell;
	bool		found = false;

	if (SplitIdentifierString(copy, ',', &names))
	{
		foreach(cell, names)
		{
			if (strcmp(lfirst(cell), role) == 0)
				found = true;
		}
	}
	list_free(names);
	pfree(copy);
	return found;
}

/* Asked for every row that a policy looks at, so the answer is kept. */
bool
bambi_session_is_authenticator(void)
{
	static Oid	known_role = InvalidOid;
	static char *known_list = NULL;
	static bool known_answer = false;

	Oid			role = GetSessionUserId();
	const char *list = bambi_authenticators ? bambi_authenticators : "";
	char	   *name;

	if (role == known_role && known_list && strcmp(list, known_list) == 0)
		return known_answer;

	name = GetUserNameFromId(role, true);
	known_role = InvalidOid;
	if (known_list)
		pfree(known_list);
	known_list = MemoryContextStrdup(TopMemoryContext, list);
	known_answer = name != NULL && is_named(list, name);
	known_role = role;
	return known_answer;
}

bool
bambi_web_request_is(const char *path_prefix)
{
	const char *path;

	if (!bambi_session_is_authenticator())
		return false;
	path = bambi_setting_or_null("request.path");
	return path != NULL &&
		strncmp(path, path_prefix, strlen(path_prefix)) == 0;
}

char *
bambi_web_header(const char *name)
{
	const char *headers;

	if (!bambi_session_is_authenticator())
		return NULL;
	headers = bambi_setting_or_null("request.headers");
	return headers ? bambi_json_string_member(headers, name) : NULL;
}

void
bambi_web_answer(const char *status, const char *headers)
{
	if (status)
		(void) set_config_option("response.status", status, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
								 false);
	if (headers)
		(void) set_config_option("response.headers", headers, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
								 false);
}

static JsonLexContext *
lexer_of(const char *json)
{
	/*
	 * Without unescaping: that converts between encodings, which may throw.
	 * The lexer does not change its input.
	 */
#if PG_VERSION_NUM >= 170000
	return makeJsonLexContextCstringLen(NULL, json, strlen(json),
										GetDatabaseEncoding(), false);
#else
	return makeJsonLexContextCstringLen(unconstify(char *, json), strlen(json),
										GetDatabaseEncoding(), false);
#endif
}

static bool
is_shallow(const char *json)
{
	JsonLexContext *lex = lexer_of(json);
	int			depth = 0;

	for (;;)
	{
		if (json_lex(lex) != JSON_SUCCESS)
			return false;
		if (lex->token_type == JSON_TOKEN_END)
			return true;
		if (lex->token_type == JSON_TOKEN_OBJECT_START ||
			lex->token_type == JSON_TOKEN_ARRAY_START)
			depth++;
		else if (lex->token_type == JSON_TOKEN_OBJECT_END ||
				 lex->token_type == JSON_TOKEN_ARRAY_END)
			depth--;
		if (depth > MAX_JSON_DEPTH)
			return false;
	}
}

/* The text of a string token between its quotes. */
static char *
token_text(JsonLexContext *lex)
{
	int			length = lex->token_terminator - lex->token_start - 2;

	return pnstrdup(lex->token_start + 1, Max(length, 0));
}

char *
bambi_json_string_member(const char *json, const char *name)
{
	JsonLexContext *lex;
	int			depth = 0;
	bool		at_name = false;
	bool		is_wanted = false;
	char	   *found = NULL;

	if (!is_shallow(json) ||
		pg_parse_json(lexer_of(json), &nullSemAction) != JSON_SUCCESS)
		return NULL;

	/* It is JSON; so a string after "{" or "," on the first level is a name. */
	lex = lexer_of(json);
	while (json_lex(lex) == JSON_SUCCESS &&
		   lex->token_type != JSON_TOKEN_END)
	{
		switch (lex->token_type)
		{
			case JSON_TOKEN_OBJECT_START:
				at_name = ++depth == 1;
				break;
			case JSON_TOKEN_ARRAY_START:
				if (depth++ == 0)
					return NULL;
				break;
			case JSON_TOKEN_OBJECT_END:
			case JSON_TOKEN_ARRAY_END:
				depth--;
				break;
			case JSON_TOKEN_COMMA:
				at_name = depth == 1;
				is_wanted = false;
				continue;
			case JSON_TOKEN_COLON:
				continue;
			case JSON_TOKEN_STRING:
				if (depth == 1 && at_name)
				{
					is_wanted = strcmp(token_text(lex), name) == 0;
					at_name = false;
					/* as jsonb does, the last of equal names counts */
					if (is_wanted)
						found = NULL;
					continue;
				}
				if (depth == 1 && is_wanted)
					found = token_text(lex);
				break;
			default:
				break;
		}
		if (depth == 1 && !at_name)
			is_wanted = false;
	}
	return found && strchr(found, '\\') == NULL ? found : NULL;
}
