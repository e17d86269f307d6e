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

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIXTURES	256
#define MAX_RULES		16
#define MAX_WORD		128
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

static bool
read_number(const char *value, long *number)
{
	char	   *end;

	*number = strtol(value, &end, 10);
	return end != value && *end == '\0' && *number >= 0;
}

static const char *
read_word(Plan *plan, const char *name, const char *value)
{
	bool		is_known = true;

	if (strcmp(name, "fault") == 0)
		is_known = (plan->fixture = fixture_find(value)) != NULL;
	else if (strcmp(name, "delay") == 0)
		is_known = read_number(value, &plan->delay_ms);
	else if (strcmp(name, "bytes") == 0)
		is_known = read_number(value, &plan->picture_bytes);
	else if (strcmp(name, "times") == 0)
		is_known = read_number(value, &plan->times);
	else if (strcmp(name, "hold") == 0)
		plan->hold = true;
	else if (strcmp(name, "reset") == 0 && strcmp(value, "before") == 0)
		plan->reset = RESET_BEFORE;
	else if (strcmp(name, "reset") == 0 && strcmp(value, "after") == 0)
		plan->reset = RESET_AFTER;
	else if (strcmp(name, "reset") == 0 && strcmp(value, "body") == 0)
		plan->reset = RESET_BODY;
	else if (strcmp(name, "stale") == 0 && strcmp(value, "") == 0)
		plan->stale = STALE_NEXT;
	else if (strcmp(name, "stale") == 0 && strcmp(value, "idle") == 0)
		plan->stale = STALE_IDLE;
	else if (strcmp(name, "charged") == 0 && strcmp(value, "no") == 0)
		plan->charged = CHARGED_NO;
	else if (strcmp(name, "charged") == 0 && strcmp(value, "yes") == 0)
		plan->charged = CHARGED_YES;
	else
		return complain("unknown word", name);
	return is_known ? NULL : complain("bad value", value);
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
		size_t		length = strcspn(*text, " ]");

		if (length >= sizeof(word))
			return complain("too long", *text);
		memcpy(word, *text, length);
		word[length] = '\0';
		*text += length + (**text != ']' && (*text)[length] == ' ');
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
	static const Plan nothing = {.times = -1};
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
	Rule		rule = {.plan.times = -1,.rate = 1};
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
