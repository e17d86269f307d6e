/*-------------------------------------------------------------------------
 *
 * guard_text.c
 *		What in a text must not be seen: calls that carry a key, and what looks
 *		like one.
 *
 * The server logs statements before it has understood them, or because it
 * could not; then the text is all there is to judge by.  This knows of SQL
 * what is needed to tell comments from the rest, and no more.
 *
 *-------------------------------------------------------------------------
 */
#include "guard_text.h"

#include <string.h>

/* How keys and secrets begin: of providers, Google, Vault, AWS, webhooks. */
static const char *const beginnings[] = {
	"sk-", "xai-", "AIza", "AQ.", "hvs.", "AKIA", "whsec_", "ya29."
};

/*
 * So much has to follow.  No token may be shorter than BAMBI_WITHHELD, which
 * takes its place.
 */
#define SHORTEST_REST	8

/* So far from its name a parenthesis is looked for. */
#define LONGEST_GAP		1000

/* A dumped list is looked through in pieces of this size. */
#define PIECE			256
#define OVERLAP			32

static const char *const guarded[] = {
	"bambi_add_key", "bambi_replace_key", "add_key", "replace_key"
};

/* Before a name, they say that it is not called. */
static const char *const kinds[] = {"function", "procedure", "routine"};

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

/* isalpha() and its like ask the locale. */
static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alphanumeric(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_of_word(char c)
{
	return is_alphanumeric(c) || c == '_' || c == '$' || (c & 0x80);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Length of the word if the text begins with it, in any case, or 0. */
static size_t
begins_with_word(const char *text, const char *word)
{
	size_t		length = 0;

	for (; word[length]; length++)
	{
		if (lower(text[length]) != word[length])
			return 0;
	}
	return is_of_word(text[length]) ? 0 : length;
}

/* ---- tokens */

/* Where a token at p ends, or NULL. */
static const char *
end_of_token(const char *text, const char *p)
{
	size_t		length = 0;
	const char *end;

	/* not within a word, but \nsk-... is one after a line's end */
	if (p > text &&is_alphanumeric(p[-1]) &&
		!(p - text >=2 && p[-2] == '\\'))
		return NULL;
	for (size_t i = 0; length == 0 && i < LENGTH(beginnings); i++)
	{
		if (strncmp(p, beginnings[i], strlen(beginnings[i])) == 0)
			length = strlen(beginnings[i]);
	}
	if (length == 0)
		return NULL;
	end = p + length;
	while (is_alphanumeric(*end) || (*end && strchr("-_.+/=~", *end)))
		end++;
	return end - p >= (ptrdiff_t) (length + SHORTEST_REST) ? end : NULL;
}

/*
 * The next token from p on, or NULL.  A statement may have megabytes: two
 * characters say nearly always that there is none.
 */
static const char *
find_token(const char *text, const char *p, const char **end)
{
	static const bool is_first[256] = {
		['s'] = true,['x'] = true,['A'] = true,['h'] = true,['w'] = true,
		['y'] = true
	};
	static const bool is_second[256] = {
		['k'] = true,['a'] = true,['I'] = true,['Q'] = true,['K'] = true,
		['v'] = true,['h'] = true
	};

	for (; *p; p++)
	{
		/* no && here, which would be guessed wrong at every tenth letter */
		if (!(is_first[(unsigned char) p[0]] & is_second[(unsigned char) p[1]]))
			continue;
		*end = end_of_token(text, p);
		if (*end)
			return p;
	}
	return NULL;
}

bool
bambi_text_has_token(const char *text)
{
	const char *end;

	return find_token(text, text, &end) != NULL;
}

void
bambi_text_withhold_tokens(char *text)
{
	const char *from = text;
	char	   *to = text;
	const char *end;
	const char *token;

	/* text before "to" is finished; nothing of it is looked at again */
	while ((token = find_token(from, from, &end)) != NULL)
	{
		memmove(to, from, token - from);
		to += token - from;
		memcpy(to, BAMBI_WITHHELD, strlen(BAMBI_WITHHELD));
		to += strlen(BAMBI_WITHHELD);
		from = end;
	}
	memmove(to, from, strlen(from) + 1);
}

/*
 * Past the end of a line and the indentation of the next one.  With
 * debug_pretty_print, lines end after so many characters, even in a number.
 */
static const char *
skip_line_end(const char *p, size_t indentation)
{
	if (*p != '\n')
		return p;
	for (p++; indentation > 0 && *p == ' '; indentation--)
		p++;
	return p;
}

/* The next number of a list, or -1 at its end.  Bytes are dumped signed. */
static int
read_byte(const char **list, size_t indentation)
{
	const char *p = skip_line_end(*list, indentation);
	int			value = 0;
	bool		is_negative;
	bool		is_number;

	while (*p == ' ')
		p = skip_line_end(p + 1, indentation);
	is_negative = *p == '-';
	if (is_negative)
		p = skip_line_end(p + 1, indentation);
	is_number = is_digit(*p);
	while (is_digit(*p))
	{
		if (value < 1000)
			value = value * 10 + (*p - '0');
		p = skip_line_end(p + 1, indentation);
	}
	*list = p;
	if (!is_number)
		return -1;
	return (is_negative ? -value : value) & 0xff;
}

/* Whether a list that begins at p has a token; where it ends. */
static bool
list_has_token(const char **p, size_t indentation)
{
	char		piece[PIECE + 1];
	size_t		length = 0;
	bool		is_first = true;
	int			byte;

	while ((byte = read_byte(p, indentation)) >= 0)
	{
		/* zeros, and the length before a text, are no part of a word */
		piece[length++] = byte && !is_first ? (char) byte : ' ';
		is_first = false;
		if (length < PIECE)
			continue;
		piece[length] = '\0';
		if (bambi_text_has_token(piece))
			return true;
		memmove(piece, piece + PIECE - OVERLAP, OVERLAP);
		length = OVERLAP;
	}
	piece[length] = '\0';
	return bambi_text_has_token(piece);
}

bool
bambi_text_has_token_bytes(const char *text)
{
	size_t		indentation = strspn(text, " ");

	for (const char *p = text; (p = strpbrk(p, "[\n")) != NULL;)
	{
		if (*p++ == '\n')
			indentation = strspn(p, " ");
		else if (list_has_token(&p, indentation))
			return true;
	}
	return false;
}

/* ---- calls */

/*
 * Whether a parenthesis follows, after spaces, comments and the quote that
 * ends a name.  A gap without an end in sight is taken for one that has it.
 */
static bool
is_before_parenthesis(const char *p)
{
	char		comment = 0;

	for (int i = 0; i < LONGEST_GAP; i++, p++)
	{
		if (*p == '\0')
			return false;
		if (comment == '-')
			comment = *p == '\n' || *p == '\r' ? 0 : '-';
		else if (comment == '*')
		{
			if (p[0] == '*' && p[1] == '/')
				comment = 0, p++;
		}
		else if (p[0] == '-' && p[1] == '-')
			comment = '-';
		else if (p[0] == '/' && p[1] == '*')
			comment = '*', p++;
		else if (*p == '(')
			return true;
		else if (!is_space(*p) && *p != '"')
			return false;
	}
	return true;
}

/* Whether the word before a possibly qualified name says what it is. */
static bool
is_named_as_object(const char *text, const char *p)
{
	for (;;)
	{
		const char *end;

		while (p > text &&(is_space(p[-1]) || p[-1] == '"'))
			p--;
		end = p;
		if (p > text &&p[-1] == '.')
		{
			p--;
			while (p > text &&is_space(p[-1]))
				p--;
			while (p > text &&(is_of_word(p[-1]) || p[-1] == '"'))
				p--;
			continue;
		}
		while (p > text &&is_of_word(p[-1]))
			p--;
		for (size_t i = 0; i < LENGTH(kinds); i++)
		{
			if (begins_with_word(p, kinds[i]) == (size_t) (end - p) && end > p)
				return true;
		}
		return false;
	}
}

/* A name written U&"\0062ambi..." may be any. */
static bool
is_escaped_call(const char *p)
{
	const char *end;

	if ((*p != 'U' && *p != 'u') || p[1] != '&' || p[2] != '"')
		return false;
	end = strchr(p + 3, '"');
	if (end == NULL)
		return true;
	if (is_before_parenthesis(end))
		return true;
	for (end++; is_space(*end); end++)
		;
	return begins_with_word(end, "uescape");
}

static bool
is_guarded_call(const char *text, const char *p)
{
	if (p > text &&is_of_word(p[-1]))
		return false;
	for (size_t i = 0; i < LENGTH(guarded); i++)
	{
		size_t		length = begins_with_word(p, guarded[i]);

		if (length > 0 && is_before_parenthesis(p + length))
			return !is_named_as_object(text, p);
	}
	return is_escaped_call(p);
}

/* Past a comment that begins at p, or p.  Comments nest. */
static const char *
skip_comment(const char *p)
{
	int			depth = 0;

	if (p[0] == '-' && p[1] == '-')
		return p + strcspn(p, "\r\n");
	if (p[0] != '/' || p[1] != '*')
		return p;
	while (*p)
	{
		if (p[0] == '/' && p[1] == '*')
			depth++, p += 2;
		else if (p[0] == '*' && p[1] == '/')
		{
			p += 2;
			if (--depth == 0)
				break;
		}
		else
			p++;
	}
	return p;
}

/* Length of $$ or $tag$ at p, or 0. */
static size_t
dollar_quote(const char *text, const char *p)
{
	size_t		length = 1;

	if (*p != '$' || (p > text &&is_of_word(p[-1])))
		return 0;
	while (p[length] != '$' && is_of_word(p[length]))
		length++;
	return p[length] == '$' ? length + 1 : 0;
}

/* Where what begins at p ends: a string, a quoted name, or one character. */
static const char *
end_of_piece(const char *text, const char *p, bool has_backslashes)
{
	size_t		dollars = dollar_quote(text, p);
	char		quote = *p;
	bool		has_escapes;

	if (dollars > 0)
	{
		const char *end = p + dollars;

		while ((end = strchr(end, '$')) != NULL)
		{
			if (strncmp(end, p, dollars) == 0)
				return end + dollars;
			end++;
		}
		return p + strlen(p);
	}
	if (quote != '\'' && quote != '"')
		return p + 1;

	has_escapes = quote == '\'' &&
		(has_backslashes ||
		 (p > text &&lower(p[-1]) == 'e' &&
		  !(p - text >=2 && is_of_word(p[-2]))));

	for (p++; *p && *p != quote; p++)
	{
		if (has_escapes && p[0] == '\\' && p[1])
			p++;
	}
	return *p ? p + 1 : p;
}

/* Whether it is worth the while: nearly no text has any of these. */
static bool
may_call_guarded(const char *text)
{
	for (const char *p = text; (p = strpbrk(p, "_&")) != NULL; p++)
	{
		if (p[0] == '&' && p[1] == '"')
			return true;
		if (begins_with_word(p, "_key"))
			return true;
	}
	return false;
}

static bool
finds_call(const char *text, bool has_backslashes)
{
	const char *p = text;

	while (*p)
	{
		const char *end = skip_comment(p);

		if (end > p)
		{
			p = end;
			continue;
		}
		for (end = end_of_piece(text, p, has_backslashes); p < end; p++)
		{
			if (is_guarded_call(text, p))
				return true;
		}
	}
	return false;
}

/*
 * Where a string ends depends on standard_conforming_strings, which the text
 * may have been read without, or have set itself.
 */
bool
bambi_text_calls_guarded(const char *text)
{
	return may_call_guarded(text) &&
		(finds_call(text, false) ||
		 (strstr(text, "\\'") != NULL && finds_call(text, true)));
}
