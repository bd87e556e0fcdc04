/*
 * live_reach.c - to a server or to the front, up to the login         (driver)
 */
#include "admin/live_reach.h"

#include "base/mem.h"
#include "net/cidr.h"
#include "net/proxy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOST_NAME_BYTES = 256 };

static const char wrong_certificate[] =
    "see ca_file, server_name and pins of this service; with verify = false it would protect from "
    "listeners only";

void
reach_trust(struct buf *fix, const struct service_settings *service, const char *front)
{
	bool is_smtp = service->protocol == SERVICE_SUBMISSION;

	switch (service->caller) {
	case SERVICE_CALLER_PROXY:
		buf_addf(fix,
		    is_smtp
			? "for that listener of Postfix: smtpd_upstream_proxy_protocol = "
			  "haproxy, and let nobody else than %s reach it"
			: "in dovecot.conf: haproxy_trusted_networks = %s, and haproxy = yes in "
			  "that inet_listener",
		    front);
		break;
	case SERVICE_CALLER_XCLIENT:
		buf_addf(fix,
		    is_smtp ? "in Postfix's main.cf: smtpd_authorized_xclient_hosts = %s"
			    : "in dovecot.conf: login_trusted_networks = %s",
		    front);
		break;
	case SERVICE_CALLER_ID:
		buf_addf(fix, "in dovecot.conf: login_trusted_networks = %s", front);
		break;
	case SERVICE_CALLER_NONE:
		buf_add_text(fix, "caller is \"none\": this server is told of nobody");
		break;
	}
}

/* ---- what both have in common */

static int
open_talk(struct reach *reach, struct live *live, const char *address, const char *from,
    struct endpoint *endpoint_r)
{
	if (endpoint_parse(address, endpoint_r, &reach->fault) == -1)
		return -1;
	reach->talk = talk_open(live->loop, endpoint_r, from, &reach->fault);
	reach->speech.talk = reach->talk;
	return reach->talk != NULL ? 0 : -1;
}

/* Of a connection that stands for itself: it has to begin with a header all the same. */
static void
say_proxy(struct reach *reach)
{
	struct sockaddr_storage nobody = {0};
	struct buf header = BUF_INIT;

	proxy_add_v2(&header, &nobody, &nobody, NULL);
	talk_say(reach->talk, buf_str(&header));
	buf_fini(&header);
}

/* From the greeting to what is announced, with TLS as it is to be. */
static int
hear(struct reach *reach, enum tls_mode mode, struct tls_context *tls, const char *name,
    const char *tls_fix)
{
	struct speech *speech = &reach->speech;

	if (mode == TLS_MODE_IMPLICIT &&
	    talk_start_tls(reach->talk, tls, name, &reach->fault) == -1)
		goto not_safe;
	if (speech_greeting(speech, &reach->fault) == -1 ||
	    speech_ask_words(speech, &reach->fault) == -1)
		return -1;
	if (mode == TLS_MODE_STARTTLS && speech_start_tls(speech, tls, name, &reach->fault) == -1)
		goto not_safe;
	return 0;
not_safe:
	buf_add_text(&reach->fix, tls_fix);
	return -1;
}

/* ---- a server */

static int
load_tls(const struct service_settings *service, struct tls_context **tls_r, struct fault *fault_r)
{
	*tls_r = NULL;
	if (service->tls == TLS_MODE_NONE)
		return 0;
	*tls_r = tls_context_new_client(service->ca_file, service->cert_file, service->key_file,
	    fault_r);
	if (*tls_r == NULL)
		return -1;
	if (!service->verify)
		tls_context_trust_anybody(*tls_r);
	if (service->pin_count > 0)
		return tls_context_pin(*tls_r, TLS_PINS_BESIDES, service->pins, service->pin_count,
		    fault_r);
	return 0;
}

/* It announces what the front needs to say who is calling. */
static int
check_caller(struct reach *reach, const struct service_settings *service)
{
	if (service->caller != SERVICE_CALLER_XCLIENT || reach->speech.takes_xclient)
		return 0;
	reach_trust(&reach->fix, service, talk_from(reach->talk));
	return fault_set(&reach->fault, VERDICT_PERM,
	    "it does not announce XCLIENT to %s: it would not believe the front who is calling",
	    talk_from(reach->talk));
}

int
reach_service(struct reach *reach, struct live *live, const struct service_settings *service,
    const char *address)
{
	struct endpoint endpoint;
	struct tls_context *tls;
	const char *name;
	int rc = -1;

	reach->speech.protocol = service->protocol;
	if (load_tls(service, &tls, &reach->fault) == -1 ||
	    open_talk(reach, live, address, NULL, &endpoint) == -1)
		goto out;
	if (service->caller == SERVICE_CALLER_PROXY)
		say_proxy(reach);
	name = service->server_name != NULL ? service->server_name : endpoint.host;
	rc = hear(reach, service->tls, tls, name, wrong_certificate);
	if (rc == -1 && service->caller == SERVICE_CALLER_PROXY && buf_len(&reach->fix) == 0)
		reach_trust(&reach->fix, service, talk_from(reach->talk));
	if (rc == 0)
		rc = check_caller(reach, service);
out:
	tls_context_free(&tls);
	return rc;
}

/* ---- the front */

/* Listeners on all addresses are asked on this host. */
static char *
dialled(const char *address)
{
	static const char *const everywhere[][2] = {
	    {"inet:0.0.0.0:", "inet:127.0.0.1:"}, {"inet:[::]:", "inet:[::1]:"}};

	for (size_t i = 0; i < ARRAY_LEN(everywhere); i++)
		if (str_starts(str_of(address), everywhere[i][0]))
			return xasprintf("%s%s", everywhere[i][1],
			    address + strlen(everywhere[i][0]));
	return xstrdup(address);
}

static bool
wants_proxy(const struct front_listen_settings *listen, const struct talk *talk)
{
	struct sockaddr_storage own;
	struct cidr cidr;
	struct fault unused;

	talk_address(talk, &own);
	for (size_t i = 0; i < listen->proxy_from_count; i++)
		if (cidr_parse(listen->proxy_from[i], &cidr, &unused) == 0 && cidr_has(&cidr, &own))
			return true;
	return false;
}

int
reach_listener(struct reach *reach, struct live *live, const struct front_listen_settings *listen)
{
	char *address = dialled(listen->address), host[HOST_NAME_BYTES] = "localhost";
	const char *name = live->front_name;
	struct tls_context *tls = NULL;
	struct endpoint endpoint;
	int rc = -1;

	if (name == NULL)
		name = live->admin->settings->frontd.host_name;
	if (name == NULL && gethostname(host, sizeof(host) - 1) == 0)
		name = host;
	reach->speech.protocol = listen->protocol;
	tls = tls_context_new_client(live->ca_file, NULL, NULL, &reach->fault);
	if (tls == NULL || open_talk(reach, live, address, live->from, &endpoint) == -1)
		goto out;
	if (wants_proxy(listen, reach->talk))
		say_proxy(reach);
	rc = hear(reach, listen->tls, tls, name != NULL ? name : host,
	    "clients would not believe frontd.certificates either; --ca-file names an authority of "
	    "your own, --front-name the name that clients connect to");
out:
	tls_context_free(&tls);
	free(address);
	return rc;
}

void
reach_close(struct reach *reach)
{
	speech_fini(&reach->speech);
	talk_close(&reach->talk);
	buf_fini(&reach->fix);
}

const char *
reach_tls(const struct reach *reach)
{
	static char text[32];
	const char *version = talk_tls(reach->talk);
	struct buf buf = BUF_INIT;

	if (version == NULL)
		return "no TLS";
	buf_addf(&buf, "TLS %s", version);
	memcpy(text, buf_cstr(&buf),
	    buf_len(&buf) < sizeof(text) ? buf_len(&buf) + 1 : sizeof(text));
	text[sizeof(text) - 1] = '\0';
	buf_fini(&buf);
	return text;
}
