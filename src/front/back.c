/*
 * back.c - what all back machines do alike                           (machine)
 */
#include "front/back.h"

#include "base/log.h"

#include <sodium.h>

enum back_step
back_broken(struct fault *fault_r, enum verdict verdict, const char *why, struct str line)
{
	if (line.len > 0)
		fault_set(fault_r, verdict, "%s: %s", why, log_quote(line));
	else
		fault_set(fault_r, verdict, "%s", why);
	return BACK_BROKEN;
}

enum back_step
back_unable(struct fault *fault_r, const char *why)
{
	return back_broken(fault_r, VERDICT_PERM, why, STR(""));
}

struct str
back_name(const struct back_task *task)
{
	return task->login.len > 0 ? task->login : task->credentials->authcid;
}

void
back_forget_offer(struct back *back)
{
	offer_free(&back->offer);
	back->offer = offer_new();
}

void
back_say_base64(struct str bytes, struct buf *out)
{
	size_t len = sodium_base64_ENCODED_LEN(bytes.len, sodium_base64_VARIANT_ORIGINAL);
	char *room = buf_room(out, len);

	if (room == NULL)
		return;
	sodium_bin2base64(room, len, (const unsigned char *)bytes.ptr, bytes.len,
	    sodium_base64_VARIANT_ORIGINAL);
	buf_added(out, len - 1); /* without its NUL */
	buf_add_text(out, "\r\n");
}
