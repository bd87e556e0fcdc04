/*
 * doctor_back.c - the map is an older state of itself                 (driver)
 */
#include "admin/doctor_back.h"

#include "admin/confirming.h"
#include "admin/edit.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { EPOCH_MOST = 1LL << 53 }; /* what a JSON number holds */

struct acceptance {
	struct admin *admin;
	char id[HEAD_ID_BYTES]; /* of the map that we asked about */
	uint64_t known; /* the highest epoch that anybody knows to be on every server */
};

void
doctor_back(struct doctor *doctor)
{
	const struct client *client = doctor->admin->client;
	uint64_t known = client_went_back(client);

	if (known > 0)
		doctor_say(doctor, FINDING_BACK, STR("map"),
		    "it went back: it is at epoch %" PRIu64 ", and this host knows of %" PRIu64
		    ". Nodes that know of more refuse it, and no command writes to it. If there "
		    "is a better copy, or another Redis server has one, use that; else run splitmx "
		    "doctor --hold on every host that changes were made from, then splitmx doctor "
		    "--accept on the one that knows of most",
		    client_map(client)->head.epoch, known);
}

static int
refuse_unheld(const struct doctor_journal *journal)
{
	const struct doctor_lost *first = NULL;
	size_t count = 0;

	for (size_t i = 0; i < journal->lost_count; i++) {
		if (journal->lost[i].is_held)
			continue;
		first = first == NULL ? &journal->lost[i] : first;
		count++;
	}
	if (count == 0)
		return 0;
	return admin_fail(journal->doctor->admin, EX_NOPERM,
	    "%zu accounts are lost and nothing holds them, as %s: --hold does; nothing was accepted",
	    count, log_quote(buf_str(&first->name)));
}

static int
ask(const struct doctor_journal *journal, const struct acceptance *acceptance)
{
	return admin_confirm(acceptance->admin,
	    "The map is at epoch %" PRIu64 " and was at %" PRIu64
	    ". What was changed between is gone; %zu accounts are held for it, and %zu changes of "
	    "many accounts cannot be. Have you run splitmx doctor --hold on every host that changes "
	    "were made from, and shall nodes serve this map as it is?",
	    client_map(acceptance->admin->client)->head.epoch, acceptance->known,
	    journal->lost_count, journal->unnamed);
}

static int
raise_epoch(void *ctx, struct edit *edit)
{
	const struct acceptance *acceptance = ctx;

	if (strcmp(edit->head.id, acceptance->id) != 0)
		return admin_fail(acceptance->admin, EX_TEMPFAIL,
		    "Redis has another map now: nothing was accepted");
	if (edit->head.epoch > acceptance->known)
		return EDIT_NOTHING;
	edit_put(edit, "epoch", "%" PRIu64, acceptance->known + 1);
	return 0;
}

static int
say(const struct admin *admin, const struct seal *seal, const struct confirming *confirming)
{
	if (admin->json) {
		json_t *object =
		    json_pack("{s:s, s:I}", "result", seal->epoch > 0 ? "accepted" : "unchanged",
			"epoch", (json_int_t)client_map(admin->client)->head.epoch);

		if (seal->epoch > 0)
			confirming_json(confirming, object);
		admin_print_json(object);
	} else if (seal->epoch == 0) {
		printf("map: unchanged, epoch %" PRIu64 "\n",
		    client_map(admin->client)->head.epoch);
	} else {
		printf("map: accepted (epoch %" PRIu64 ")%s\n", seal->epoch,
		    confirming_words(confirming));
	}
	if (confirming->result == NULL || confirm_is_done(confirming->result))
		return 0;
	/* Not with confirming_end(): a barrier for everything would give up what is lost. */
	return admin_fail(admin, EX_TEMPFAIL,
	    "the map is accepted, and not every node has said that it follows: splitmx status shows "
	    "which, and splitmx doctor --hold confirms the holds");
}

static int
accept_map(struct acceptance *acceptance)
{
	struct admin *admin = acceptance->admin;
	struct confirming confirming;
	struct seal seal;
	int code = confirming_init(&confirming, admin);

	if (code != 0)
		return code;
	code = edit_head(admin, "accept", raise_epoch, acceptance, &seal);
	if (code == 0) {
		confirming_wait(&confirming, &seal, NULL, 0);
		code = say(admin, &seal, &confirming);
	}
	confirming_fini(&confirming);
	return code;
}

int
doctor_accept(const struct doctor_journal *journal)
{
	struct admin *admin = journal->doctor->admin;
	struct acceptance acceptance = {.admin = admin, .known = client_went_back(admin->client)};
	long long epoch;
	struct fault fault;
	int code;

	if (args_number(&admin->args, "epoch", 1, EPOCH_MOST, 0, &epoch, &fault) == -1)
		return admin_usage(admin, "%s", fault.text);
	if ((uint64_t)epoch > acceptance.known)
		acceptance.known = (uint64_t)epoch;
	memcpy(acceptance.id, client_map(admin->client)->head.id, sizeof(acceptance.id));
	if (client_map(admin->client)->head.epoch > acceptance.known) {
		admin_note(admin, "the map has not gone back: nothing is there to be accepted");
		return 0;
	}
	if ((code = refuse_unheld(journal)) != 0 || (code = ask(journal, &acceptance)) != 0)
		return code;
	return accept_map(&acceptance);
}
