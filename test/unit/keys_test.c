/*-------------------------------------------------------------------------
 *
 * keys_test.c
 *		A courier whose key service comes, goes and takes its tokens back:
 *		generations wait for it and run later, and log in once for all.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "../../src/courier/keyservices/public_key.h"
#include "check.h"

/* Our service takes longer for each where it is watched; the courier does not. */
#ifdef IS_WATCHED
#define JOBS	20
#else
#define JOBS	100
#endif

#define SANDBOX \
	"{\"user\":\"" DRIVER_USER "\",\"tries\":1,\"provider\":\"sandbox\"," \
	"\"adapter\":\"sandbox\",\"base_url\":\"\",\"networks\":[]," \
	"\"settings\":{},\"model\":\"sandbox\",\"prompt\":\"a fawn\"," \
	"\"parameters\":{\"size\":\"16x16\"},\"store\":\"database\"}"

/* More refusals than there are requests. */
#define WITHOUT_END	1000000

/* Together more than what the key service may take. */
#define SERVICE_MS	3000
#define PROVIDER_MS	9000

/* ---- a Vault, and a provider, as far as they are needed ---- */

static EVP_PKEY *master_key;
static char *master_pem;		/* as JSON */
static int	listener;
static int	port;

/* shared with its threads */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int	logins;
static int	unwrapped;
static int	refusals;			/* of how many requests from now on, by 503 */
static int	token = 1;			/* the one that is good */
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static bool is_holding;			/* what is to be unwrapped */
static int	held;
static bool is_silent;			/* to who logs in */

static bool
unwrap(const char *body, char *answer)
{
	const char *base64 = strstr(body, "vault:v1:");
	uint8_t		wrapped[600];
	uint8_t		cek[600];
	char		text[64];
	size_t		len = sizeof(cek);
	EVP_PKEY_CTX *context;
	bool		is_good;

	if (base64 == NULL ||
		EVP_DecodeBlock(wrapped, (const uint8_t *) base64 + 9, 512) != 384)
		return false;
	context = EVP_PKEY_CTX_new(master_key, NULL);
	is_good = EVP_PKEY_decrypt_init(context) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
		EVP_PKEY_decrypt(context, cek, &len, wrapped, 384) == 1;
	EVP_PKEY_CTX_free(context);
	if (!is_good)
		return false;
	EVP_EncodeBlock((uint8_t *) text, cek, (int) len);
	sprintf(answer, "{\"data\":{\"plaintext\":\"%s\"}}", text);
	return true;
}

/* The status; what it says goes to answer. */
static int
decide(const char *request, const char *body, char *answer)
{
	const char *shown = strstr(request, "X-Vault-Token: hvs.token");
	int			status = 200;

	if (strstr(request, "GET /v1/models HTTP") != NULL)
	{
		driver_sleep(PROVIDER_MS);
		strcpy(answer, "{\"object\":\"list\",\"data\":[]}");
		return 200;
	}
	strcpy(answer, "{}");
	pthread_mutex_lock(&mutex);
	if (refusals > 0)
	{
		refusals--;
		status = 503;
	}
	else if (strstr(request, "/login HTTP") != NULL)
	{
		logins++;
		while (is_silent)
			pthread_cond_wait(&turned, &mutex);
		sprintf(answer, "{\"auth\":{\"client_token\":\"hvs.token%d\","
				"\"lease_duration\":3600,\"renewable\":true}}", token);
	}
	else if (shown == NULL || atoi(shown + 24) != token)
		status = 403;
	else if (strstr(request, "/keys/bambi HTTP") != NULL)
		sprintf(answer, "{\"data\":{\"type\":\"rsa-3072\","
				"\"latest_version\":1,\"keys\":{\"1\":{\"public_key\":%s}}}}",
				master_pem);
	else if (strstr(request, "/decrypt/bambi HTTP") != NULL)
	{
		held++;
		while (is_holding)
			pthread_cond_wait(&turned, &mutex);
		held--;
		if (unwrap(body, answer))
			unwrapped++;
		else
			status = 500;
	}
	pthread_mutex_unlock(&mutex);
	return status;
}

/* One connection, and one request after the other. */
static void *
serve(void *argument)
{
	int			fd = (int) (intptr_t) argument;
	char		request[8192];
	char		answer[4096];
	char		reply[5000];
	size_t		len = 0;
	ssize_t		n;

	while ((n = read(fd, request + len, sizeof(request) - 1 - len)) > 0)
	{
		char	   *body;
		const char *length;
		size_t		body_len;
		int			reply_len;

		len += (size_t) n;
		request[len] = '\0';
		body = strstr(request, "\r\n\r\n");
		if (body == NULL)
			continue;
		body += 4;
		length = strstr(request, "Content-Length: ");
		body_len = length != NULL && length < body ?
			(size_t) atoi(length + 16) : 0;
		if (len < (size_t) (body - request) + body_len)
			continue;
		len = 0;
		reply_len = snprintf(reply, sizeof(reply), "HTTP/1.1 %d X\r\n"
							 "Content-Length: ",
							 decide(request, body, answer));
		reply_len += snprintf(reply + reply_len,
							  sizeof(reply) - (size_t) reply_len,
							  "%zu\r\n\r\n%s", strlen(answer), answer);
		if (write(fd, reply, (size_t) reply_len) != reply_len)
			break;
	}
	close(fd);
	return NULL;
}

static void *
accept_all(void *argument)
{
	int			fd;

	(void) argument;
	while ((fd = accept(listener, NULL, NULL)) >= 0)
	{
		pthread_t	thread;

		pthread_create(&thread, NULL, serve, (void *) (intptr_t) fd);
		pthread_detach(thread);
	}
	return NULL;
}

/* A port where nobody listens yet. */
static void
take_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		getsockname(listener, (struct sockaddr *) &address, &len) != 0)
		driver_die("bind");
	port = ntohs(address.sin_port);
}

/* ---- the courier ---- */

static Courier courier;
static char *sealed[JOBS];
static uint64_t sequence;

static void
send_settings(const char *key_service, const char *directory)
{
	char		settings[1024];

	snprintf(settings, sizeof(settings),
			 "{\"database\":\"test\",\"data_directory\":\"/var\","
			 "\"key_service\":\"%s\",\"vault_address\":"
			 "\"http://127.0.0.1:%d\",\"vault_key\":\"bambi\","
			 "\"vault_role_id_file\":\"%s/id\","
			 "\"vault_secret_id_file\":\"%s/id\","
			 "\"key_service_networks\":\"127.0.0.1/32\"}", key_service, port,
			 directory, directory);
	driver_send(&courier, FRAME_SETTINGS, 0, "", settings);
}

static const char *
await_word(const char *name)
{
	static char word[1024];
	Frame		frame;
	json_t	   *json;

	word[0] = '\0';
	while (word[0] == '\0' &&
		   driver_await(courier.fd, FRAME_SEALING_KEY, &frame))
	{
		json = driver_json(&frame);
		snprintf(word, sizeof(word), "%s", driver_text(json, name));
		json_decref(json);
	}
	return word;
}

/* New keys, so that no data key is remembered. */
static void
seal_all(const char *pem)
{
	for (int i = 0; i < JOBS; i++)
	{
		free(sealed[i]);
		sealed[i] = malloc(JWE_MAX_COMPACT);
		if (sealed[i] == NULL ||
			jwe_seal(pem, "vault:transit/bambi:1", DRIVER_USER, "sandbox",
					 (const uint8_t *) DRIVER_KEY, strlen(DRIVER_KEY),
					 sealed[i], JWE_MAX_COMPACT) != JWE_OK)
			driver_die("jwe_seal");
	}
}

static void
begin(int count)
{
	sequence++;
	for (int i = 0; i < count; i++)
		driver_send(&courier, FRAME_JOB, sequence << 16 | (uint64_t) i,
					sealed[i], SANDBOX);
}

/* Of count that were begun, how many end like this. */
static int
await(int count, FrameResult result, const char *words)
{
	Frame		frame;
	int			ended = 0;

	for (int i = 0; i < count; i++)
	{
		if (!driver_await(courier.fd, FRAME_OUTCOME, &frame))
			driver_die("no outcome");
		if (frame.head.status == result && strstr(frame.json, words) != NULL)
			ended++;
		else
			printf("# %u %s\n", frame.head.status, frame.json);
		driver_send(&courier, FRAME_TAKEN, frame.head.tag, "", "");
	}
	return ended;
}

static int
run(int count, FrameResult result, const char *words)
{
	begin(count);
	return await(count, result, words);
}

/* With the mutex. */
static void
await_holding(void)
{
	for (int left = PATIENCE_MS; held == 0; left -= 5)
	{
		if (left <= 0)
			driver_die("nothing is to be unwrapped");
		pthread_mutex_unlock(&mutex);
		driver_sleep(5);
		pthread_mutex_lock(&mutex);
	}
}

/* Until each of so many was refused. */
static void
await_refusals(int count)
{
	bool		are_enough = false;

	for (int left = PATIENCE_MS; !are_enough; left -= 5)
	{
		if (left <= 0)
			driver_die("too little was refused");
		driver_sleep(5);
		pthread_mutex_lock(&mutex);
		are_enough = refusals <= WITHOUT_END - count;
		pthread_mutex_unlock(&mutex);
	}
}

static void
stop_holding(void)
{
	pthread_mutex_lock(&mutex);
	is_holding = false;
	pthread_cond_broadcast(&turned);
	pthread_mutex_unlock(&mutex);
}

/* The provider has its own time, however long the key took. */
static void
test_slow_check(const char *pem)
{
	char		errand[512];
	Frame		frame;

	snprintf(errand, sizeof(errand),
			 "{\"kind\":\"validate\",\"user\":\"" DRIVER_USER "\","
			 "\"provider\":\"sandbox\",\"adapter\":\"openai\","
			 "\"base_url\":\"http://127.0.0.1:%d/v1\","
			 "\"networks\":[\"127.0.0.1/32\"],\"settings\":{}}", port);
	seal_all(pem);
	pthread_mutex_lock(&mutex);
	is_holding = true;
	driver_send(&courier, FRAME_ERRAND, ++sequence << 16, sealed[0], errand);
	await_holding();
	pthread_mutex_unlock(&mutex);
	driver_sleep(SERVICE_MS);
	stop_holding();
	CHECK(driver_await(courier.fd, FRAME_ERRAND_DONE, &frame) &&
		  strstr(frame.json, "\"state\":\"valid\"") != NULL,
		  "a key is checked, though it took long to open");
}

/* While one is being unwrapped, the service is taken away, and comes back. */
static void
test_change(const char *pem, const char *directory)
{
	seal_all(pem);
	pthread_mutex_lock(&mutex);
	is_holding = true;
	begin(1);
	await_holding();
	send_settings("", directory);
	pthread_mutex_unlock(&mutex);
	await_word("error");
	stop_holding();
	CHECK(await(1, RESULT_WAIT, "key_service_down") == 1,
		  "what a service was asked waits if there is none any more");
	send_settings("vault", directory);
	await_word("kid");
	CHECK(run(1, RESULT_SUCCEEDED, "") == 1, "until there is one again");
}

static void
set_silent(bool is_so)
{
	pthread_mutex_lock(&mutex);
	is_silent = is_so;
	pthread_cond_broadcast(&turned);
	pthread_mutex_unlock(&mutex);
}

/* A service that takes what is said to it, and says nothing. */
static void
test_silence(const char *directory)
{
	set_silent(true);
	send_settings("vault", directory);
	CHECK(strcmp(await_word("error"), "Vault did not answer in time") == 0,
		  "a service that does not answer is told");
	set_silent(false);
	CHECK(strcmp(await_word("kid"), "vault:transit/bambi:1") == 0,
		  "and that it does again");
}

/* The machine stands still while they sleep, until their time is over. */
static void
test_standstill(const char *pem)
{
	pid_t		pid = driver_pid(&courier);

	seal_all(pem);
	pthread_mutex_lock(&mutex);
	refusals = WITHOUT_END;
	pthread_mutex_unlock(&mutex);
	begin(JOBS);
	await_refusals(JOBS);
	driver_sleep(20);			/* between the first try and the second */
	kill(pid, SIGSTOP);
	driver_sleep(10500);
	kill(pid, SIGCONT);
	CHECK(await(JOBS, RESULT_WAIT, "key_service_down") == JOBS,
		  "who sleeps past the deadline waits like the others");
	pthread_mutex_lock(&mutex);
	refusals = 0;
	pthread_mutex_unlock(&mutex);
}

static void
write_id(const char *directory)
{
	char		path[128];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/id", directory);
	umask(077);
	file = fopen(path, "w");
	if (file == NULL || fputs("an-id\n", file) < 0 || fclose(file) != 0)
		driver_die(path);
}

int
main(void)
{
	char		directory[] = "/tmp/bambi-unit-XXXXXX";
	Arena	   *arena = arena_create();
	json_t	   *json;
	char	   *pem;
	pthread_t	thread;
	int			before;
	int			tries;

	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(directory) == NULL)
		return 1;
	write_id(directory);
	master_key = EVP_RSA_gen(3072);
	pem = public_key_print(arena, master_key);
	json = json_string(pem);
	master_pem = json_dumps(json, JSON_ENCODE_ANY);
	json_decref(json);
	seal_all(pem);
	take_port();
	courier = driver_start();

	send_settings("vault", directory);
	CHECK(strcmp(await_word("error"), "Vault could not be reached") == 0,
		  "a service that is not there is told");
	CHECK(run(3, RESULT_WAIT, "key_service_down") == 3,
		  "and generations wait");

	if (listen(listener, 128) != 0)
		driver_die("listen");
	pthread_create(&thread, NULL, accept_all, NULL);
	CHECK(strcmp(await_word("kid"), "vault:transit/bambi:1") == 0,
		  "once it is there it is opened, though nobody asked");
	CHECK(run(JOBS, RESULT_SUCCEEDED, "") == JOBS && unwrapped == JOBS,
		  "and they run");
	run(1, RESULT_SUCCEEDED, "");
	before = unwrapped;
	CHECK(run(1, RESULT_SUCCEEDED, "") == 1 && unwrapped == before,
		  "a data key that was just unwrapped is remembered");

	seal_all(pem);
	pthread_mutex_lock(&mutex);
	refusals = 2;
	pthread_mutex_unlock(&mutex);
	CHECK(run(1, RESULT_SUCCEEDED, "") == 1,
		  "what is refused twice is asked for a third time");

	seal_all(pem);
	pthread_mutex_lock(&mutex);
	token++;
	logins = 0;
	pthread_mutex_unlock(&mutex);
	CHECK(run(JOBS, RESULT_SUCCEEDED, "") == JOBS && logins == 1,
		  "a token that was taken back costs one login for all, and nobody "
		  "waits");

	seal_all(pem);
	pthread_mutex_lock(&mutex);
	refusals = WITHOUT_END;
	pthread_mutex_unlock(&mutex);
	CHECK(run(JOBS, RESULT_WAIT, "key_service_down") == JOBS,
		  "all wait while it answers nothing but 503");
	pthread_mutex_lock(&mutex);
	CHECK(refusals > WITHOUT_END - 4 * JOBS, "and each has asked a few times");
	refusals = 0;
	pthread_mutex_unlock(&mutex);
	for (tries = 0; tries < 100 && run(1, RESULT_SUCCEEDED, "") == 0; tries++)
		driver_sleep(100);
	CHECK(tries < 100 && run(JOBS, RESULT_SUCCEEDED, "") == JOBS,
		  "whoever asks again finds it open, and they run");

	test_change(pem, directory);
	test_slow_check(pem);
	test_silence(directory);
	test_standstill(pem);
	close(courier.fd);
	CHECK(driver_wait(&courier) == 0, "the courier ends");
	driver_clean(&courier);
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
	for (int i = 0; i < JOBS; i++)
		free(sealed[i]);
	free(master_pem);
	EVP_PKEY_free(master_key);
	arena_destroy(arena);
	snprintf(courier.directory, sizeof(courier.directory), "%s/id",
			 directory);
	unlink(courier.directory);
	CHECK(rmdir(directory) == 0, "no other file was made");
	return check_done();
}
