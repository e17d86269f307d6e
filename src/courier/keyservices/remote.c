/*-------------------------------------------------------------------------
 *
 * remote.c
 *		What the key services behind a network have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "remote.h"

#include <string.h>

#include <openssl/crypto.h>

#include "../base64.h"
#include "../retry.h"
#include "../../protocol/secret_file.h"
#include "../secret_json.h"

/* Rule C5. */
#define CONNECT_MS		3000
#define MAX_ANSWER		(64 * 1024)

/* Of what a service says of itself. */
#define MAX_SAYS		200

const char *
remote_setting(const Exchange *x, const char *name)
{
	const char *text = exchange_setting(x, name);

	return text != NULL && text[0] != '\0' ? text : NULL;
}

Secret *
remote_read_file(Exchange *x, const char *setting)
{
	const char *path = remote_setting(x, setting);
	uint8_t		bytes[SECRET_FILE_MAX];
	const char *problem;
	size_t		len = 0;
	Secret	   *secret = NULL;

	problem = path == NULL ? " is not named" :
		secret_file_read(path, exchange_setting(x, "data_directory"), bytes,
						 &len);

	/* an editor's newline belongs to no secret */
	while (problem == NULL && len > 0 &&
		   strchr(" \t\r\n", bytes[len - 1]) != NULL)
		len--;
	if (problem == NULL && len == 0)
		problem = " is empty";
	if (problem == NULL)
		secret = secret_create(x->arena, bytes, len);
	else
		remote_fail_setup(x, arena_printf(x->arena,
										  "the file of bambi.%s%s", setting,
										  problem));
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return secret;
}

Next
remote_send(Exchange *x)
{
	x->request.connect_ms = CONNECT_MS;
	x->request.max_bytes = MAX_ANSWER;
	return NEXT_SEND;
}

Next
remote_fail_setup(Exchange *x, const char *problem)
{
	return exchange_fail(x, FAULT_KEY_SERVICE_DOWN, problem);
}

Next
remote_fail(Exchange *x, const char *who, const char *says, bool may_repeat)
{
	exchange_fail(x, FAULT_KEY_SERVICE_DOWN,
				  arena_printf(x->arena, "%s answered %ld%s%.*s", who,
							   x->reply.status, says != NULL ? ": " : "",
							   MAX_SAYS, says != NULL ? says : ""));
	x->fault.may_repeat = may_repeat;
	x->fault.retry_after_ms =
		retry_hint_ms(NULL, exchange_reply_header(x, "retry-after"),
					  exchange_reply_header(x, "date"));
	return NEXT_FAIL;
}

bool
remote_is_answered(const Exchange *x)
{
	return x->reply.transport == TRANSPORT_OK &&
		(x->reply.status < 300 || x->reply.status > 399);
}

Next
remote_fail_transport(Exchange *x, const char *who)
{
	/* by Transport */
	static const struct
	{
		const char *says;
		bool		may_repeat;
	}			faults[] =
	{
		[TRANSPORT_OK] = {" sent us to another address, where nothing of "
		"ours goes", false},
		[TRANSPORT_DNS] = {"'s host has a name that does not resolve", true},
		[TRANSPORT_REFUSED] = {" could not be reached", true},
		[TRANSPORT_CONNECT_TIMEOUT] = {" could not be reached in time", true},
		[TRANSPORT_TLS] = {"'s certificate or TLS handshake failed", false},
		[TRANSPORT_ADDRESS] = {" is at an address that is neither public nor "
			"in bambi.key_service_networks, or not over https",
		false},
		[TRANSPORT_TIMEOUT] = {" did not answer in time", true},
		[TRANSPORT_RESET] = {" closed the connection", true},
		[TRANSPORT_RESET_BODY] = {" closed the connection inside its answer",
		true},
		[TRANSPORT_TOO_LARGE] = {" gave an answer that is too large", false},
		[TRANSPORT_CANCELLED] = {" was not asked", false},
		[TRANSPORT_OTHER] = {" could not be asked", true},
	};
	Transport	transport = x->reply.transport;

	exchange_fail(x, FAULT_KEY_SERVICE_DOWN,
				  arena_printf(x->arena, "%s%s", who,
							   faults[transport].says));
	x->fault.may_repeat = faults[transport].may_repeat;
	return NEXT_FAIL;
}

json_t *
remote_take_json(Exchange *x)
{
	json_t	   *json = NULL;

	if (x->reply.body == NULL)
		return NULL;
	json = secret_json_parse(x->reply.body, x->reply.body_len);

	/* the buffer itself is plain memory, and nobody reads it again */
	OPENSSL_cleanse((char *) x->reply.body, x->reply.body_len);
	return json;
}

Next
remote_take_cek(Exchange *x, const char *base64, uint8_t cek[JWE_CEK_SIZE])
{
	Base64		decoder = {.count = 0};
	uint8_t		bytes[BASE64_DECODED_MAX(BASE64_ENCODED(JWE_CEK_SIZE))];
	size_t		len = 0;
	bool		is_cek = base64 != NULL &&
	strlen(base64) == BASE64_ENCODED(JWE_CEK_SIZE);

	if (is_cek)
		len = base64_decode(&decoder, base64, strlen(base64), bytes);
	is_cek = is_cek && base64_is_whole(&decoder) && len == JWE_CEK_SIZE;
	if (is_cek)
		memcpy(cek, bytes, JWE_CEK_SIZE);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(&decoder, sizeof(decoder));
	return is_cek ? NEXT_DONE : exchange_fail(x, FAULT_KEY_UNREADABLE, NULL);
}

bool
remote_is_made_of(const char *text, size_t len, const char *characters)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if (text[i] == '\0' || strchr(characters, text[i]) == NULL)
			return false;
	}
	return len > 0;
}
