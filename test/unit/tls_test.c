/*-------------------------------------------------------------------------
 *
 * tls_test.c
 *		A key goes to nobody whose certificate does not prove who he is: the
 *		call ends in the handshake, before a byte of the request.
 *
 * Certificates are made here, and each has a server of its own, which counts
 * what it could decrypt.  The courier trusts one CA of the test, as
 * bambi.ca_file would have it.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include <pthread.h>
#include <stdatomic.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "check.h"

#define DAY		(24 * 60 * 60)

#define PNG \
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA" \
	"WjR9awAAAABJRU5ErkJggg=="
#define ANSWER \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" \
	"Content-Length: %zu\r\n\r\n%s"
#define PICTURES "{\"data\":[{\"b64_json\":\"" PNG "\"}]}"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

typedef struct Identity
{
	EVP_PKEY   *key;
	X509	   *certificate;
} Identity;

typedef enum Issuer
{
	BY_CA,
	BY_ITSELF,
	BY_STRANGER,				/* a CA that nobody trusts */
	BY_LEAF,					/* a good certificate that is no CA */
	BY_MIDDLE,					/* an intermediate CA, which is shown */
	BY_ABSENT_MIDDLE			/* the same, not shown */
} Issuer;

/* What a server shows and speaks. */
typedef struct Kind
{
	const char *name;
	bool		is_good;
	Issuer		issuer;
	const char *names;			/* subjectAltName */
	const char *usage;			/* extendedKeyUsage, or NULL */
	int			from_days;
	int			to_days;
	bool		is_weak;		/* signed with SHA-1 */
	int			version;		/* of TLS; 0: any */
} Kind;

#define HERE	"IP:127.0.0.1"

static const Kind kinds[] = {
	{"a good one", true, BY_CA, HERE, NULL, -1, 1, false, 0},
	{"a good one with TLS 1.2", true, BY_CA, HERE, "serverAuth", -1, 1, false,
	TLS1_2_VERSION},
	{"one of an intermediate CA", true, BY_MIDDLE, HERE, NULL, -1, 1, false,
	0},
	{"a self-signed one", false, BY_ITSELF, HERE, NULL, -1, 1, false, 0},
	{"an expired one", false, BY_CA, HERE, NULL, -2, -1, false, 0},
	{"one of tomorrow", false, BY_CA, HERE, NULL, 1, 2, false, 0},
	{"one of another address", false, BY_CA, "IP:127.0.0.2", NULL, -1, 1,
	false, 0},
	{"one of a name", false, BY_CA, "DNS:api.example.com", NULL, -1, 1, false,
	0},
	{"one of a name that looks like the address", false, BY_CA,
	"DNS:127.0.0.1,DNS:*", NULL, -1, 1, false, 0},
	{"one of an unknown CA", false, BY_STRANGER, HERE, NULL, -1, 1, false, 0},
	{"one of somebody who is no CA", false, BY_LEAF, HERE, NULL, -1, 1, false,
	0},
	{"one of an intermediate CA that is not shown", false, BY_ABSENT_MIDDLE,
	HERE, NULL, -1, 1, false, 0},
	{"one for clients only", false, BY_CA, HERE, "clientAuth", -1, 1, false,
	0},
	{"one signed with SHA-1", false, BY_CA, HERE, NULL, -1, 1, true, 0},
	{"a good one with TLS 1.1", false, BY_CA, HERE, NULL, -1, 1, false,
	TLS1_1_VERSION},
	{"a good one with TLS 1.0", false, BY_CA, HERE, NULL, -1, 1, false,
	TLS1_VERSION},
};

typedef struct Server
{
	SSL_CTX    *context;
	int			listener;
	int			port;
	atomic_int	connections;
	atomic_int	decrypted;		/* bytes of requests */
} Server;

typedef struct Connection
{
	Server	   *server;
	int			fd;
} Connection;

static Identity ca;
static Identity stranger;
static Identity leaf;
static Identity middle;
static Server servers[lengthof(kinds)];
static Courier courier;
static char ca_path[64];

/* ---- certificates ---- */

static void
add_extension(X509 * certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	if (extension == NULL || X509_add_ext(certificate, extension, -1) != 1)
		driver_die(value);
	X509_EXTENSION_free(extension);
}

/* issuer NULL: itself; names NULL: a CA. */
static Identity
make_identity(const char *subject, const Identity *issuer, const Kind *kind)
{
	static long serial = 1;
	Identity	made = {EVP_EC_gen("P-256"), X509_new()};
	X509_NAME  *name = X509_get_subject_name(made.certificate);
	const Identity *by = issuer != NULL ? issuer : &made;

	X509_set_version(made.certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(made.certificate),
					kind != NULL ? (long) kind->from_days * DAY : -DAY);
	X509_gmtime_adj(X509_getm_notAfter(made.certificate),
					kind != NULL ? (long) kind->to_days * DAY : DAY);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
							   (const unsigned char *) subject, -1, -1, 0);
	X509_set_issuer_name(made.certificate,
						 X509_get_subject_name(by->certificate));
	X509_set_pubkey(made.certificate, made.key);
	add_extension(made.certificate, NID_basic_constraints,
				  kind == NULL ? "critical,CA:TRUE" : "CA:FALSE");
	if (kind != NULL)
		add_extension(made.certificate, NID_subject_alt_name, kind->names);
	if (kind != NULL && kind->usage != NULL)
		add_extension(made.certificate, NID_ext_key_usage, kind->usage);
	if (X509_sign(made.certificate, by->key, kind != NULL && kind->is_weak ?
				  EVP_sha1() : EVP_sha256()) == 0)
		driver_die("X509_sign");
	return made;
}

static void
write_ca(const Identity *trusted)
{
	FILE	   *file = fopen(ca_path, "w");

	if (file == NULL || PEM_write_X509(file, trusted->certificate) != 1 ||
		fclose(file) != 0)
		driver_die(ca_path);
}

static void
free_identity(Identity *identity)
{
	EVP_PKEY_free(identity->key);
	X509_free(identity->certificate);
}

/* ---- servers ---- */

static void *
serve(void *arg)
{
	Connection *connection = arg;
	Server	   *server = connection->server;
	SSL		   *ssl = SSL_new(server->context);
	char		request[8192];
	int			len = 0;
	int			n;

	SSL_set_accept_state(ssl);
	SSL_set_fd(ssl, connection->fd);
	while ((n = SSL_read(ssl, request + len,
						 (int) sizeof(request) - 1 - len)) > 0)
	{
		const char *length;
		const char *end;

		server->decrypted += n;
		len += n;
		request[len] = '\0';
		length = strstr(request, "Content-Length: ");
		end = strstr(request, "\r\n\r\n");
		if (end == NULL || length == NULL ||
			request + len < end + 4 + atol(length + 16))
			continue;
		n = snprintf(request, sizeof(request), ANSWER, strlen(PICTURES),
					 PICTURES);
		SSL_write(ssl, request, n);
		len = 0;
	}
	SSL_free(ssl);
	close(connection->fd);
	free(connection);
	return NULL;
}

static void *
accept_all(void *arg)
{
	Server	   *server = arg;
	int			fd;

	while ((fd = accept(server->listener, NULL, NULL)) >= 0)
	{
		Connection *connection = malloc(sizeof(Connection));
		pthread_t	thread;

		server->connections++;
		connection->server = server;
		connection->fd = fd;
		pthread_create(&thread, NULL, serve, connection);
		pthread_detach(thread);
	}
	return NULL;
}

static void
listen_here(Server *server)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	socklen_t	len = sizeof(address);
	pthread_t	thread;

	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->listener, (struct sockaddr *) &address, len) != 0 ||
		listen(server->listener, 64) != 0 ||
		getsockname(server->listener, (struct sockaddr *) &address,
					&len) != 0)
		driver_die("listen");
	server->port = ntohs(address.sin_port);
	pthread_create(&thread, NULL, accept_all, server);
}

static void
start_server(Server *server, const Kind *kind)
{
	const Identity *const issuers[] = {
		[BY_CA] = &ca,
		[BY_ITSELF] = NULL,
		[BY_STRANGER] = &stranger,
		[BY_LEAF] = &leaf,
		[BY_MIDDLE] = &middle,
		[BY_ABSENT_MIDDLE] = &middle
	};
	Identity	shown = make_identity("server", issuers[kind->issuer], kind);

	server->context = SSL_CTX_new(TLS_server_method());
	/* the server would do anything; it is the client that must not */
	SSL_CTX_set_security_level(server->context, 0);
	SSL_CTX_set_min_proto_version(server->context, kind->version);
	SSL_CTX_set_max_proto_version(server->context, kind->version);
	if (SSL_CTX_use_certificate(server->context, shown.certificate) != 1 ||
		SSL_CTX_use_PrivateKey(server->context, shown.key) != 1)
		driver_die(kind->name);
	if (kind->issuer == BY_MIDDLE || kind->issuer == BY_LEAF)
		SSL_CTX_add1_chain_cert(server->context,
								issuers[kind->issuer]->certificate);
	free_identity(&shown);
	listen_here(server);
}

/* ---- jobs ---- */

static void
configure(const char *ca_file)
{
	char		more[128];

	snprintf(more, sizeof(more), ",\"ca_file\":\"%s\"", ca_file);
	driver_configure(&courier, more);
}

/* Whether a call to the server succeeds; otherwise it must end as refused. */
static bool
is_accepted(const Server *server, const char *what)
{
	static uint64_t tag;
	int			decrypted = server->decrypted;
	char		json[1024];
	Frame		frame;
	bool		succeeded;

	snprintf(json, sizeof(json),
			 "{\"user\":\"" DRIVER_USER "\",\"tries\":1,"
			 "\"provider\":\"openai\",\"adapter\":\"openai\","
			 "\"base_url\":\"https://127.0.0.1:%d/v1\","
			 "\"networks\":[\"127.0.0.1/32\"],\"settings\":{},"
			 "\"model\":\"gpt-image-1\",\"prompt\":\"a fawn\","
			 "\"parameters\":{},\"store\":\"database\"}", server->port);
	driver_send(&courier, FRAME_JOB, ++tag, courier.sealed, json);
	if (!driver_await(courier.fd, FRAME_OUTCOME, &frame))
		driver_die("no outcome");
	succeeded = frame.head.status == RESULT_SUCCEEDED;
	if (!succeeded)
	{
		CHECK(frame.head.status == RESULT_FAILED &&
			  (frame.head.flags & FRAME_FLAG_WROTE) == 0 &&
			  strstr(frame.json, "\"code\":\"provider_unavailable\"") != NULL &&
			  strstr(frame.json, "certificate or TLS handshake") != NULL,
			  "%s: ends as a failed handshake", what);
		CHECK(server->decrypted == decrypted,
			  "%s: not a byte of the request was sent", what);
	}
	driver_send(&courier, FRAME_TAKEN, frame.head.tag, "", "");
	return succeeded;
}

static void
check_kinds(void)
{
	int			bad = 0;
	int			decrypted = 0;

	for (size_t i = 0; i < lengthof(kinds); i++)
	{
		const Kind *kind = &kinds[i];

		CHECK(is_accepted(&servers[i], kind->name) == kind->is_good,
			  "%s is %s", kind->name, kind->is_good ? "accepted" : "refused");
		CHECK(servers[i].connections > 0, "%s was shown", kind->name);
		if (kind->is_good)
		{
			CHECK(servers[i].decrypted > 0, "%s gets the request",
				  kind->name);
			continue;
		}
		bad++;
		decrypted += servers[i].decrypted;
	}
	printf("# counted: %d bad servers decrypted %d bytes\n", bad, decrypted);
}

/* Trust ends with the setting, also on a connection that is kept. */
static void
check_settings(void)
{
	Server	   *good = &servers[0];
	char		missing[80];

	snprintf(missing, sizeof(missing), "%s.missing", ca_path);
	configure(missing);
	CHECK(!is_accepted(good, "a ca_file that is not there"),
		  "without the file of CAs nobody is trusted");
	configure("");
	CHECK(!is_accepted(good, "the system's CAs"),
		  "the CA of the test is none of the system's");
	configure(ca_path);
	CHECK(is_accepted(good, "the CA again"), "the CA is trusted again");
	write_ca(&stranger);
	configure(ca_path);
	CHECK(!is_accepted(good, "another CA in the same file"),
		  "a CA that was taken out of the file is not trusted any more");
	CHECK(is_accepted(&servers[9], "the new CA"),
		  "the one that took its place is");
}

/* Bytes that the courier has read so far. */
static long
bytes_read(void)
{
	char		path[64];
	long		bytes = -1;
	FILE	   *file;

	snprintf(path, sizeof(path), "/proc/%d/io", (int) driver_pid(&courier));
	file = fopen(path, "r");
	if (file == NULL || fscanf(file, "rchar: %ld", &bytes) != 1)
		driver_die(path);
	fclose(file);
	return bytes;
}

/* To parse the system's CAs takes twenty times as long as a handshake. */
static void
check_cache(void)
{
	const char *systems = curl_version_info(CURLVERSION_NOW)->cainfo;
	int			connections = servers[0].connections;
	struct stat st;
	long		before;
	long		after;

	if (stat(systems, &st) != 0)
		driver_die(systems);
	configure("");
	before = bytes_read();
	for (int i = 0; i < 8; i++)
		is_accepted(&servers[0], "the system's CAs, again");
	after = bytes_read();
	CHECK(servers[0].connections == connections + 8,
		  "a call that was refused leaves no connection");
	CHECK(after - before >= st.st_size && after - before < 2 * st.st_size,
		  "eight connections read the system's CAs once");
}

int
main(void)
{
	Kind		ordinary = {"", true, BY_CA, HERE, NULL, -1, 1, false, 0};

	signal(SIGPIPE, SIG_IGN);
	snprintf(ca_path, sizeof(ca_path), "/tmp/bambi-unit-%d-ca.pem",
			 (int) getpid());
	ca = make_identity("CA of the test", NULL, NULL);
	stranger = make_identity("CA of a stranger", NULL, NULL);
	middle = make_identity("intermediate CA", &ca, NULL);
	leaf = make_identity("somebody", &ca, &ordinary);
	for (size_t i = 0; i < lengthof(kinds); i++)
		start_server(&servers[i], &kinds[i]);
	write_ca(&ca);
	courier = driver_start();
	configure(ca_path);

	check_kinds();
	check_settings();
	check_cache();

	close(courier.fd);
	courier.fd = -1;
	CHECK(driver_wait(&courier) == 0, "the courier ends well");
	driver_clean(&courier);
	driver_forget_key();
	unlink(ca_path);
	free_identity(&ca);
	free_identity(&stranger);
	free_identity(&middle);
	free_identity(&leaf);
	return check_done();
}
