/*-------------------------------------------------------------------------
 *
 * errors_test.c
 *		Every recorded error and network event means to the adapter of its
 *		provider what the fixtures say: what is wrong, whether the same
 *		request may go again by itself and when, and whether it was paid for.
 *
 * A provider needs only rows in the fixtures: those of "http" are answers,
 * those of "transport" are driven through all providers, and each row of
 * "providers" tells how an adapter is asked:
 *
 *	provider, apis	the "http" rows that it stands for
 *	adapter, base_url, model, settings
 *	key				a text; an object is a service account's key, to which a
 *					private key and an address of its own are added
 *	login			the good answer to a request that is not the paid one:
 *					its api (of "http" rows that answer such a request
 *					instead), status and body
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/courier/retry.h"
#include "check.h"
#include "play.h"

/* Requests of one play: no provider logs in and asks so often. */
#define MAX_REQUESTS	6

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

static const struct
{
	const char *id;
	Transport	transport;
	bool		wrote;
}			events[] =

{
	{"net-dns", TRANSPORT_DNS, false},
	{"net-refused", TRANSPORT_REFUSED, false},
	{"net-connect-timeout", TRANSPORT_CONNECT_TIMEOUT, false},
	{"net-tls", TRANSPORT_TLS, false},
	{"net-read-timeout", TRANSPORT_TIMEOUT, true},
	{"net-reset-after-send", TRANSPORT_RESET, true},
	{"net-reset-midbody", TRANSPORT_RESET_BODY, true},
};

static const char *
text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text != NULL ? text : "";
}

static bool
has_api(const json_t *provider, const char *api)
{
	size_t		i;
	json_t	   *value;

	json_array_foreach(json_object_get(provider, "apis"), i, value)
	{
		if (strcmp(json_string_value(value), api) == 0)
			return true;
	}
	return false;
}

/* How the adapter of an "http" row is asked, or NULL. */
static const json_t *
find_provider(const json_t *providers, const json_t *row)
{
	size_t		i;
	json_t	   *provider;

	json_array_foreach(providers, i, provider)
	{
		if (strcmp(text_of(provider, "provider"),
				   text_of(row, "provider")) == 0 &&
			has_api(provider, text_of(row, "api")))
			return provider;
	}
	return NULL;
}

/* malloc'ed; a service account is another one for each id. */
static char *
make_key(const json_t *provider, const char *id)
{
	json_t	   *key = json_object_get(provider, "key");
	char	   *text;

	if (json_is_string(key))
		return strdup(json_string_value(key));
	key = json_deep_copy(key);
	json_object_set_new(key, "private_key", json_string(play_private_key()));
	json_object_set_new(key, "client_email",
						json_sprintf("%s@p1.iam.gserviceaccount.com", id));
	text = json_dumps(key, JSON_COMPACT);
	json_decref(key);
	return text;
}

/*
 * Asks; false if the adapter is not there or sends nothing.  key is given
 * away.
 */
static bool
ask(Play *play, const json_t *provider, const char *id, char **key)
{
	const ProviderAdapter *adapter = provider_find(text_of(provider,
														   "adapter"));
	json_t	   *settings = json_deep_copy(json_object_get(provider,
														  "settings"));
	bool		is_sent;

	*key = make_key(provider, id);
	play_begin(play, adapter, text_of(provider, "base_url"), *key,
			   text_of(provider, "model"), json_object(),
			   settings != NULL ? settings : json_object(), NULL);
	is_sent = adapter != NULL && play_step(play) == NEXT_SEND;
	CHECK(is_sent, "%s: adapter \"%s\" sends a request", id,
		  text_of(provider, "adapter"));
	return is_sent;
}

/* Answers from a row, or from "login". */
static Next
answer(Play *play, const json_t *row)
{
	const char *raw = json_string_value(json_object_get(row, "raw_body"));
	char	   *dumped = NULL;
	Next		next;

	if (raw == NULL)
		dumped = json_dumps(json_object_get(row, "body"), JSON_ENCODE_ANY);
	play_reply_headers(play, json_object_get(row, "headers"));
	next = play_answer(play, json_integer_value(json_object_get(row,
																"status")),
					   raw != NULL ? raw : dumped, 7);
	free(dumped);
	return next;
}

/* Logs in as often as the adapter wants to; false if it does not go on. */
static bool
reach_paid_request(Play *play, const json_t *provider)
{
	const json_t *login = json_object_get(provider, "login");

	for (int i = 0; i < MAX_REQUESTS && !play->x.request.is_paid; i++)
	{
		if (login == NULL || answer(play, login) != NEXT_SEND)
			return false;
	}
	return play->x.request.is_paid;
}

/* The row's answer each time it is asked for; how that ends. */
static Next
play_row(Play *play, const json_t *provider, const json_t *row)
{
	const json_t *login = json_object_get(provider, "login");
	bool		is_login = strcmp(text_of(row, "api"),
								  text_of(login, "api")) == 0;
	Next		next = NEXT_SEND;

	for (int i = 0; i < MAX_REQUESTS && next == NEXT_SEND; i++)
	{
		if (!is_login && !reach_paid_request(play, provider))
			return NEXT_SEND;
		next = answer(play, row);
	}
	return next;
}

static void
check_fault(const char *id, const Fault *fault, const json_t *expect,
			const char *key)
{
	const char *class = text_of(expect, "class");
	const char *charged = text_of(expect, "charged");
	bool		repeats = json_is_true(json_object_get(expect, "auto_retry"));
	double		after = json_number_value(json_object_get(expect,
														  "retry_after_s"));
	char	   *head = strndup(key, 6);

	CHECK(fault->class != FAULT_NONE &&
		  strcmp(fault_code(fault->class), class) == 0,
		  "%s: class is %s", id, class);
	CHECK(fault->retry_after_ms == (long) (after * 1000),
		  "%s: hint is %ld ms", id, fault->retry_after_ms);
	CHECK((retry_delay_ms(fault, 1, 0) >= 0) == repeats,
		  "%s: %s repeated by itself", id, repeats ? "is" : "is not");
	CHECK(strcmp(fault_charged_name(fault->charged), charged) == 0,
		  "%s: charged is %s", id, charged);
	CHECK(fault->message[0] != '\0' && strstr(fault->message, head) == NULL,
		  "%s: has a message without the key", id);
	free(head);
}

static void
check_answer(const json_t *providers, const json_t *row)
{
	const char *id = text_of(row, "id");
	const json_t *expect = json_object_get(row, "expect");
	const char *request_id =
	json_string_value(json_object_get(json_object_get(row, "headers"),
									  "x-request-id"));
	const json_t *provider = find_provider(providers, row);
	char	   *key = NULL;
	Play		play;
	Next		next;

	CHECK(provider != NULL, "%s: it is known how to ask for it", id);
	if (provider == NULL)
		return;
	if (ask(&play, provider, id, &key))
	{
		next = play_row(&play, provider, row);
		if (strcmp(text_of(expect, "class"), "success") == 0)
			CHECK(next == NEXT_DONE && play.outcome.picture_count > 0,
				  "%s: succeeds", id);
		else
		{
			CHECK(next == NEXT_FAIL, "%s: fails", id);
			check_fault(id, &play.x.fault, expect, key);
		}
		if (request_id != NULL)
			CHECK(play.outcome.provider_request_id != NULL &&
				  strcmp(play.outcome.provider_request_id, request_id) == 0,
				  "%s: the request id is kept", id);
	}
	play_end(&play);
	free(key);
}

static void
check_event(const json_t *provider, const json_t *row)
{
	const char *event = text_of(row, "id");
	bool		is_known = false;

	for (size_t i = 0; i < lengthof(events); i++)
	{
		char		id[128];
		char	   *key = NULL;
		Play		play;

		if (strcmp(events[i].id, event) != 0)
			continue;
		is_known = true;
		snprintf(id, sizeof(id), "%s-%s-%s", text_of(provider, "provider"),
				 text_of(provider, "adapter"), event);
		if (ask(&play, provider, id, &key) &&
			reach_paid_request(&play, provider))
		{
			CHECK(play_lose(&play, events[i].transport,
							events[i].wrote) == NEXT_FAIL, "%s: fails", id);
			check_fault(id, &play.x.fault, json_object_get(row, "expect"),
						key);
			CHECK(play.x.fault.may_have_cost == events[i].wrote,
				  "%s: %s have cost", id, events[i].wrote ? "may" : "cannot");
		}
		else
			CHECK(false, "%s: a paid request is reached", id);
		play_end(&play);
		free(key);
	}
	CHECK(is_known, "the test knows the event %s", event);
}

int
main(void)
{
	json_t	   *fixtures = json_load_file(FIXTURES "error-fixtures.json", 0,
										  NULL);
	json_t	   *providers = json_object_get(fixtures, "providers");
	size_t		i;
	size_t		j;
	json_t	   *row;
	json_t	   *provider;

	CHECK(json_array_size(providers) > 0 &&
		  json_array_size(json_object_get(fixtures, "http")) >= 36 &&
		  json_array_size(json_object_get(fixtures, "transport")) ==
		  lengthof(events), "the fixtures are there");
	json_array_foreach(json_object_get(fixtures, "http"), i, row)
		check_answer(providers, row);
	json_array_foreach(providers, i, provider)
	{
		json_array_foreach(json_object_get(fixtures, "transport"), j, row)
			check_event(provider, row);
	}
	json_decref(fixtures);
	return check_done();
}
