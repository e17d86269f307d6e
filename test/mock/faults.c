/*-------------------------------------------------------------------------
 *
 * faults.c
 *		Reads fixtures, directives in prompts and the rules for all calls.
 *
 * A directive that is not understood is an error, never ignored: a test with a
 * misspelt fault would pass.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "faults.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo.h"

#define MAX_FIXTURES	256
#define MAX_RULES		16
#define TALLY_BUCKETS	4096

typedef struct Rule
{
	Plan		plan;
	double		rate;
} Rule;

/* How often a prompt with times= was seen. */
typedef struct Tally
{
	uint64_t	prompt;
	long		seen;
	struct Tally *next;
} Tally;

static Fixture fixtures[MAX_FIXTURES];
static int	fixture_count;
static Rule rules[MAX_RULES];
static int	rule_count;
static Tally *tallies[TALLY_BUCKETS];
static char complaint[256];

static const char *
complain(const char *what, const char *word)
{
	snprintf(complaint, sizeof(complaint), "mock directive: %s \"%.100s\"",
			 what, word);
	return complaint;
}

/* ---- fixtures ---- */

/* Where nobody knows, the worst: a refusal is free, anything else is not. */
static bool
may_be_charged(const char *charged, int status)
{
	if (strcmp(charged, "unknown") == 0)
		return status < 400 || status >= 500;
	return strcmp(charged, "yes") == 0;
}

static void
read_fixture(Fixture *f, const json_t *row)
{
	const char *raw = json_string_value(json_object_get(row, "raw_body"));
	json_t	   *expect = json_object_get(row, "expect");
	const char *charged = json_string_value(json_object_get(expect, "charged"));
	char		lines[1024] = "";
	size_t		length = 0;
	bool		has_type = false;
	const char *name;
	json_t	   *value;

	json_object_foreach(json_object_get(row, "headers"), name, value)
	{
		length += snprintf(lines + length, sizeof(lines) - length,
						   "%s: %s\r\n", name, json_string_value(value));
		has_type |= strcmp(name, "content-type") == 0;
	}
	if (!has_type)
		snprintf(lines + length, sizeof(lines) - length,
				 "content-type: application/json\r\n");
	f->id = strdup(json_string_value(json_object_get(row, "id")));
	f->status = json_integer_value(json_object_get(row, "status"));
	f->headers = strdup(lines);
	f->body = raw != NULL ? strdup(raw) :
		json_dumps(json_object_get(row, "body"), JSON_COMPACT | JSON_ENCODE_ANY);
	f->charged = may_be_charged(charged != NULL ? charged : "no", f->status);
}

bool
faults_load(const char *path)
{
	json_t	   *file = json_load_file(path, 0, NULL);
	json_t	   *row;
	size_t		i;

	json_array_foreach(json_object_get(file, "http"), i, row)
	{
		if (fixture_count < MAX_FIXTURES)
			read_fixture(&fixtures[fixture_count++], row);
	}
	json_decref(file);
	return fixture_count > 0;
}

const Fixture *
fixture_find(const char *id)
{
	for (int i = 0; i < fixture_count; i++)
		if (strcmp(fixtures[i].id, id) == 0)
			return &fixtures[i];
	return NULL;
}

/* ---- one word of a directive, from a prompt or from JSON ---- */

typedef struct Choice
{
	const char *name;
	const char *value;
	size_t		member;			/* an enum of the plan */
	unsigned	choice;
} Choice;

static const Choice choices[] = {
	{"reset", "before", offsetof(Plan, reset), RESET_BEFORE},
	{"reset", "after", offsetof(Plan, reset), RESET_AFTER},
	{"reset", "body", offsetof(Plan, reset), RESET_BODY},
	{"stale", "", offsetof(Plan, stale), STALE_NEXT},
	{"stale", "idle", offsetof(Plan, stale), STALE_IDLE},
	{"charged", "no", offsetof(Plan, charged), CHARGED_NO},
	{"charged", "yes", offsetof(Plan, charged), CHARGED_YES},
	{"stream", "error", offsetof(Plan, stream_end), STREAM_ERROR},
	{"stream", "silent", offsetof(Plan, stream_end), STREAM_SILENT},
	{"answer", "url", offsetof(Plan, form), FORM_URL},
	{"answer", "b64", offsetof(Plan, form), FORM_BASE64},
	{"picture", "missing", offsetof(Plan, address), ADDRESS_MISSING},
	{"picture", "slow", offsetof(Plan, address), ADDRESS_SLOW},
	{"picture", "endless", offsetof(Plan, address), ADDRESS_ENDLESS},
	{"picture", "oversized", offsetof(Plan, address), ADDRESS_OVERSIZED},
	{"picture", "truncated", offsetof(Plan, address), ADDRESS_TRUNCATED},
	{"bad", "endless", offsetof(Plan, bad), BAD_ENDLESS},
	{"bad", "head", offsetof(Plan, bad), BAD_HEAD},
	{"bad", "truncated", offsetof(Plan, bad), BAD_TRUNCATED},
	{"bad", "oversized", offsetof(Plan, bad), BAD_OVERSIZED},
	{"bad", "gzip-bomb", offsetof(Plan, bad), BAD_GZIP_BOMB},
	{"bad", "slow-body", offsetof(Plan, bad), BAD_SLOW_BODY},
	{"bad", "json", offsetof(Plan, bad), BAD_JSON},
	{"bad", "deep", offsetof(Plan, bad), BAD_DEEP},
	{"bad", "empty-200", offsetof(Plan, bad), BAD_EMPTY_200},
	{"bad", "status-999", offsetof(Plan, bad), BAD_STATUS_999},
	{"bad", "garbage", offsetof(Plan, bad), BAD_GARBAGE},
	{"bad", "base64", offsetof(Plan, bad), BAD_BASE64},
	{"bad", "not-a-picture", offsetof(Plan, bad), BAD_NOT_A_PICTURE},
	{"bad", "huge-header-png", offsetof(Plan, bad), BAD_HUGE_PNG},
	{"bad", "huge-header-jpeg", offsetof(Plan, bad), BAD_HUGE_JPEG},
	{"bad", "gif", offsetof(Plan, bad), BAD_GIF},
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static bool
read_choice(Plan *plan, const char *name, const char *value)
{
	for (size_t i = 0; i < COUNT(choices); i++)
	{
		const Choice *c = &choices[i];

		if (strcmp(c->name, name) != 0 || strcmp(c->value, value) != 0)
			continue;
		memcpy((char *) plan + c->member, &c->choice, sizeof(c->choice));
		return true;
	}
	return false;
}

static bool
read_number(const char *value, long *number)
{
	char	   *end;

	*number = strtol(value, &end, 10);
	return end != value && *end == '\0' && *number >= 0;
}

static bool
read_text(const char *value, char *text, size_t size)
{
	return value[0] != '\0' &&
		snprintf(text, size, "%s", value) < (int) size;
}

static bool
read_tokens(const char *value, Plan *plan)
{
	char		rest;

	plan->has_tokens = sscanf(value, "%ld,%ld,%ld,%ld%c", &plan->tokens[0],
							  &plan->tokens[1], &plan->tokens[2],
							  &plan->tokens[3], &rest) == 4;
	return plan->has_tokens;
}

/* Those words of which the value is not one of a few. */
static bool
read_value(Plan *plan, const char *name, const char *value, bool *is_good)
{
	if (strcmp(name, "fault") == 0)
		*is_good = (plan->fixture = fixture_find(value)) != NULL;
	else if (strcmp(name, "delay") == 0)
		*is_good = read_number(value, &plan->delay_ms);
	else if (strcmp(name, "bytes") == 0)
		*is_good = read_number(value, &plan->picture_bytes);
	else if (strcmp(name, "comment") == 0)
		*is_good = read_text(value, plan->comment, sizeof(plan->comment));
	else if (strcmp(name, "times") == 0)
		*is_good = read_number(value, &plan->times);
	else if (strcmp(name, "pause") == 0)
		*is_good = read_number(value, &plan->pause_ms);
	else if (strcmp(name, "ticks") == 0)
		*is_good = read_number(value, &plan->ticks);
	else if (strcmp(name, "tokens") == 0)
		*is_good = read_tokens(value, plan);
	else if (strcmp(name, "pending") == 0)
		*is_good = read_number(value, &plan->pending);
	else if (strcmp(name, "block") == 0)
		*is_good = read_text(value, plan->block, sizeof(plan->block));
	else if (strcmp(name, "finish") == 0)
		*is_good = read_text(value, plan->finish, sizeof(plan->finish));
	else if (strcmp(name, "echo") == 0)
		*is_good = echo_knows(value) &&
			read_text(value, plan->echo, sizeof(plan->echo));
	else if (strcmp(name, "hold") == 0)
		plan->hold = true;
	else if (strcmp(name, "thought") == 0)
		plan->thought = true;
	else if (strcmp(name, "deferred") == 0)
		*is_good = plan->deferred_fails = strcmp(value, "failed") == 0;
	else if (strcmp(name, "picture") == 0 &&
			 strncmp(value, "redirect:", 9) == 0)
		*is_good = read_number(value + 9, &plan->redirects);
	else if (strcmp(name, "picture") == 0 &&
			 strncmp(value, "redirect-to:", 12) == 0)
		*is_good = read_text(value + 12, plan->redirect_to,
							 sizeof(plan->redirect_to));
	else
		return false;
	return true;
}

static const char *
read_word(Plan *plan, const char *name, const char *value)
{
	bool		is_good = true;

	if (read_choice(plan, name, value))
		return NULL;
	if (read_value(plan, name, value, &is_good))
		return is_good ? NULL : complain("bad value", value);
	for (size_t i = 0; i < COUNT(choices); i++)
		if (strcmp(choices[i].name, name) == 0)
			return complain("bad value", value);
	return complain("unknown word", name);
}

const char *
plan_name(const Plan *plan)
{
	static char name[64];

	if (plan->fixture != NULL && plan->reset == RESET_NEVER)
		return plan->fixture->id;
	for (size_t i = 0; i < COUNT(choices); i++)
	{
		const Choice *c = &choices[i];

		if (!(strcmp(c->name, "reset") == 0 && c->choice == plan->reset) &&
			!(strcmp(c->name, "bad") == 0 && c->choice == plan->bad))
			continue;
		snprintf(name, sizeof(name), "%s=%s", c->name, c->value);
		return name;
	}
	if (plan->block[0] != '\0')
		snprintf(name, sizeof(name), "block=%s", plan->block);
	else if (plan->finish[0] != '\0')
		snprintf(name, sizeof(name), "finish=%s", plan->finish);
	else if (plan->echo[0] != '\0')
		snprintf(name, sizeof(name), "echo=%s", plan->echo);
	else
		return NULL;
	return name;
}

/* ---- prompts ---- */

static uint64_t
hash(const char *text)
{
	uint64_t	h = 14695981039346656037ULL;

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char) *text) * 1099511628211ULL;
	return h;
}

/* Counts this call; has the prompt been seen less than times before? */
static bool
still_applies(const char *prompt, long times)
{
	uint64_t	key = hash(prompt);
	Tally	  **bucket = &tallies[key % TALLY_BUCKETS];
	Tally	   *t;

	for (t = *bucket; t != NULL && t->prompt != key; t = t->next)
		;
	if (t == NULL)
	{
		t = calloc(1, sizeof(Tally));
		t->prompt = key;
		t->next = *bucket;
		*bucket = t;
	}
	return t->seen++ < times;
}

/* Reads the words up to the closing brackets; *text is moved behind them. */
static const char *
read_directive(Plan *plan, const char **text)
{
	const char *end = strstr(*text, "]]");

	if (end == NULL)
		return complain("not closed", *text);
	while (*text < end)
	{
		char		word[MAX_WORD];
		const char *wrong;
		char	   *value;
		size_t		length = strcspn(*text, " ");

		if (length > (size_t) (end - *text))
			length = end - *text;
		if (length >= sizeof(word))
			return complain("too long", *text);
		memcpy(word, *text, length);
		word[length] = '\0';
		*text += length + ((*text)[length] == ' ');
		if (length == 0)
			continue;
		value = strchr(word, '=');
		if (value != NULL)
			*value++ = '\0';
		wrong = read_word(plan, word, value != NULL ? value : "");
		if (wrong != NULL)
			return wrong;
	}
	*text = end + 2;
	return NULL;
}

static bool
happens(Rule *rule)
{
	if (rule->plan.times == 0 ||
		(rule->rate < 1 && drand48() >= rule->rate))
		return false;
	if (rule->plan.times > 0)
		rule->plan.times--;
	return true;
}

const char *
faults_plan(const char *prompt, Plan *plan)
{
	static const Plan nothing = {.times = -1,.pending = 1,.ticks = -1};
	const char *text = strstr(prompt, "[[mock ");

	*plan = nothing;
	if (text == NULL)
	{
		for (int i = 0; i < rule_count; i++)
			if (rules[i].plan.reset != RESET_BEFORE && happens(&rules[i]))
			{
				*plan = rules[i].plan;
				break;
			}
		return NULL;
	}
	for (; text != NULL; text = strstr(text, "[[mock "))
	{
		const char *wrong;

		text += strlen("[[mock ");
		wrong = read_directive(plan, &text);
		if (wrong != NULL)
			return wrong;
	}
	if (plan->reset == RESET_BEFORE)
		return complain("only for all calls:", "reset=before");
	if (plan->times >= 0 && !still_applies(prompt, plan->times))
		*plan = nothing;
	return NULL;
}

/* ---- all calls ---- */

bool
faults_may_reset_before(void)
{
	for (int i = 0; i < rule_count; i++)
		if (rules[i].plan.reset == RESET_BEFORE && rules[i].plan.times != 0)
			return true;
	return false;
}

bool
faults_reset_before(void)
{
	for (int i = 0; i < rule_count; i++)
		if (rules[i].plan.reset == RESET_BEFORE && happens(&rules[i]))
			return true;
	return false;
}

static const char *
add_rule(const json_t *wish)
{
	Rule		rule = {.plan.times = -1,.plan.pending = 1,.plan.ticks = -1,
	.rate = 1};
	const char *name;
	json_t	   *value;

	if (!json_is_object(wish))
		return complain("not an object", "");
	if (json_is_true(json_object_get(wish, "clear")))
	{
		rule_count = 0;
		return NULL;
	}
	json_object_foreach((json_t *) wish, name, value)
	{
		char		word[MAX_WORD] = "";
		const char *wrong;

		if (strcmp(name, "rate") == 0)
		{
			rule.rate = json_number_value(value);
			continue;
		}
		if (strcmp(name, "seed") == 0)
		{
			srand48(json_integer_value(value));
			continue;
		}
		if (json_is_false(value))
			continue;
		if (json_is_integer(value))
			snprintf(word, sizeof(word), "%lld",
					 (long long) json_integer_value(value));
		else if (json_is_string(value))
			snprintf(word, sizeof(word), "%s", json_string_value(value));
		wrong = read_word(&rule.plan, name, word);
		if (wrong != NULL)
			return wrong;
	}
	if (rule_count == MAX_RULES)
		return complain("too many rules, the most are", "16");
	rules[rule_count++] = rule;
	return NULL;
}

const char *
faults_set(const json_t *wish)
{
	const char *wrong = NULL;
	json_t	   *row;
	size_t		i;

	if (!json_is_array(wish))
		return add_rule(wish);
	json_array_foreach((json_t *) wish, i, row)
	{
		wrong = add_rule(row);
		if (wrong != NULL)
			break;
	}
	return wrong;
}

void
faults_reset(void)
{
	rule_count = 0;
	for (int i = 0; i < TALLY_BUCKETS; i++)
		while (tallies[i] != NULL)
		{
			Tally	   *t = tallies[i];

			tallies[i] = t->next;
			free(t);
		}
}
