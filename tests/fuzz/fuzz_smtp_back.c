/*
 * fuzz_smtp_back.c - what a submission backend says before the login stands
 *
 * The first byte chooses the login. Fed whole and byte by byte: what the backend hears
 * must be the same, and so must the outcome. STARTTLS only byte by byte.
 */
#include "front/smtp_back.h"

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

/* Nothing that is passed on to a client can be more than the lines of a reply. */
static void
check_text(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == '\r')
			must(i + 1 < text.len && text.ptr[i + 1] == '\n');
		else
			must((c == '\n' && i > 0 && text.ptr[i - 1] == '\r') || c >= ' ');
	}
}

static enum back_step
feed(const struct back_task *task, const uint8_t *data, size_t size, size_t piece, struct buf *out)
{
	struct back *back = smtp_back_new(task);
	enum back_step step = BACK_WAIT;
	struct buf in = BUF_INIT;
	struct fault fault;

	for (size_t at = 0; at < size && step == BACK_WAIT; at += piece) {
		buf_add(&in, data + at, size - at < piece ? size - at : piece);
		while ((step = smtp_back_next(back, &in, out, &fault)) == BACK_TLS ||
		       step == BACK_CHALLENGE) {
			if (step == BACK_TLS) {
				must(buf_len(&in) == 0);
				smtp_back_tls(back, out);
			} else {
				check_text(back->text);
				buf_add_str(out, back->text);
				smtp_back_respond(back, STR("eA=="), out);
			}
		}
	}
	if (step == BACK_ACCEPTED || step == BACK_REFUSED) {
		check_text(back->text);
		buf_add_str(out, back->text);
	}
	smtp_back_quit(back, out);
	smtp_back_free(back);
	buf_fini(&in);
	return step;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct caller caller = {.client_ip = "192.0.2.7",
	    .local_ip = "2001:db8::1",
	    .session = "0123456789abcdef",
	    .ttl = 4};
	struct back_task task = {.caller = &caller, .host = "mx.test", .hello = STR("pc.test")};
	struct buf whole = BUF_INIT, single = BUF_INIT;
	enum back_step step;

	if (size == 0)
		return 0;
	task.credentials = &logins[(data[0] & 7) % ARRAY_LEN(logins)];
	task.way = data[0] & 8 ? CALLER_XCLIENT : CALLER_NONE;
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
