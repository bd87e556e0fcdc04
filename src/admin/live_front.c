/*
 * live_front.c - splitmx check --live: the servers, and the front      (driver)
 *
 * Each address of each service, and each listener: is somebody there, is it who it
 * should be, and what does it announce?
 */
#include "admin/live_reach.h"

/* ---- servers */

static void
check_service(struct live *live, const struct destination_settings *destination,
    const struct service_settings *service, const char *address)
{
	struct reach reach = {0};
	int rc = reach_service(&reach, live, service, address);

	if (rc == 0)
		live_say(live, LIVE_GOOD, "server", NULL, "%s at %s, %s, from %s: %s, announces %s",
		    speech_names[service->protocol], destination->name, address,
		    talk_from(reach.talk), reach_tls(&reach), buf_cstr(&reach.speech.words));
	else
		live_say(live, LIVE_BAD, "server",
		    buf_len(&reach.fix) > 0 ? buf_cstr(&reach.fix) : NULL, "%s at %s, %s: %s",
		    speech_names[service->protocol], destination->name, address, reach.fault.text);
	if (rc == 0)
		speech_leave(&reach.speech);
	reach_close(&reach);
}

void
live_servers(struct live *live)
{
	const struct settings *settings = live->admin->settings;

	for (size_t i = 0; i < settings->destination_count; i++) {
		const struct destination_settings *destination = &settings->destinations[i];

		for (size_t j = 0; j < destination->service_count; j++) {
			const struct service_settings *service = &destination->services[j];

			for (size_t k = 0; k < service->address_count; k++)
				check_service(live, destination, service, service->addresses[k]);
		}
	}
}

void
live_front(struct live *live)
{
	const struct frontd_settings *frontd = &live->admin->settings->frontd;

	for (size_t i = 0; i < frontd->listen_count; i++) {
		const struct front_listen_settings *listen = &frontd->listen[i];
		struct reach reach = {0};
		int rc = reach_listener(&reach, live, listen);

		if (rc == 0) {
			live_say(live, LIVE_GOOD, "front", NULL, "%s at %s: %s, announces %s",
			    speech_names[listen->protocol], listen->address, reach_tls(&reach),
			    buf_cstr(&reach.speech.words));
			speech_leave(&reach.speech);
		} else {
			live_say(live, LIVE_BAD, "front",
			    buf_len(&reach.fix) > 0
				? buf_cstr(&reach.fix)
				: "is splitmx-frontd running? see \"splitmx status\" and its log",
			    "%s at %s: %s", speech_names[listen->protocol], listen->address,
			    reach.fault.text);
		}
		reach_close(&reach);
	}
}
