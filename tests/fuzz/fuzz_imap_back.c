/*
 * fuzz_imap_back.c - what an IMAP backend says before the login stands
 *
 * The first byte chooses the login. Fed whole and byte by byte: what the backend hears
 * must be the same, and so must the outcome. STARTTLS only byte by byte.
 */
#include "front/imap_back.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct credentials logins[] = {
    {.mechanism = MECHANISM_PLAIN, .authcid = {"ann", 3}, .secret = {"secret", 6}},
    {.mechanism = MECHANISM_LOGIN, .authcid = {"\xc3\xa4", 2}, .secret = {"\xc3\xb6\"", 3}},
    {.mechanism = MECHANISM_PLAIN,
	.authzid = {"bob", 3},
	.authcid = {"ann", 3},
	.secret = {"secret", 6}},
    {.mechanism = MECHANISM_XOAUTH2, .authcid = {"ann", 3}, .secret = {"token", 5}},
    {.mechanism = MECHANISM_SCRAM_SHA_1, .authcid = {"ann", 3}, .secret = {"n,,n=ann,r=x", 12}},
};

static enum back_step
feed(const struct back_task *task, const uint8_t *data, size_t size, size_t piece, struct buf *out)
{
	struct back *back = imap_back_new(task);
	enum back_step step = BACK_WAIT;
	struct buf in = BUF_INIT;
	struct fault fault;

	for (size_t at = 0; at < size && step == BACK_WAIT; at += piece) {
		buf_add(&in, data + at, size - at < piece ? size - at : piece);
		while ((step = imap_back_next(back, &in, out, &fault)) == BACK_TLS ||
		       step == BACK_CHALLENGE) {
			if (step == BACK_TLS) {
				must(buf_len(&in) == 0);
				imap_back_tls(back, out);
			} else {
				buf_add_str(out, back->text);
				imap_back_respond(back, STR("eA=="), out);
			}
		}
	}
	if (step == BACK_ACCEPTED)
		buf_add_str(out, back->untagged);
	if (step == BACK_ACCEPTED || step == BACK_REFUSED)
		buf_add_str(out, back->text);
	imap_back_quit(back, out);
	imap_back_free(back);
	buf_fini(&in);
	return step;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct caller caller = {.client_ip = "192.0.2.7",
	    .local_ip = "198.51.100.1",
	    .session = "0123456789abcdef",
	    .ttl = 4};
	struct back_task task = {.caller = &caller, .host = "mx.test"};
	struct buf whole = BUF_INIT, single = BUF_INIT;
	enum back_step step;

	if (size == 0)
		return 0;
	task.credentials = &logins[(data[0] & 7) % ARRAY_LEN(logins)];
	task.way = data[0] & 8 ? CALLER_ID : CALLER_NONE;
	task.start_tls = data[0] & 16;
	task.is_safe = !(data[0] & 32);
	step = feed(&task, data + 1, size - 1, 1, &single);
	if (!task.start_tls) {
		must(feed(&task, data + 1, size - 1, size, &whole) == step);
		must(str_eq(buf_str(&whole), buf_str(&single)));
	}
	buf_fini(&whole);
	buf_fini(&single);
	return 0;
}
