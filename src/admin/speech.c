/*
 * speech.c - enough of four protocols to log in and out               (driver)
 */
#include "admin/speech.h"

#include "base/log.h"
#include "base/mem.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MOST_BYTES = 64 * 1024, LINES_MOST = 1000, HOST_NAME_BYTES = 256 };

const char *const speech_names[SERVICE_COUNT] = {
    [SERVICE_IMAP] = "imap",
    [SERVICE_POP3] = "pop3",
    [SERVICE_SUBMISSION] = "submission",
    [SERVICE_SIEVE] = "sieve",
};

/* What is said; NULL: nothing, it comes by itself. is_list: the answer ends with a dot. */
static const struct {
	const char *words, *start_tls, *plain, *leave;
	const char *has_tls, *has_plain;
	bool words_are_list, words_follow_tls;
} ways[SERVICE_COUNT] = {
    [SERVICE_IMAP] = {"x CAPABILITY\r\n", "x STARTTLS\r\n", "x AUTHENTICATE PLAIN\r\n",
	"x LOGOUT\r\n", "STARTTLS", "AUTH=PLAIN", false, false},
    [SERVICE_POP3] = {"CAPA\r\n", "STLS\r\n", "AUTH PLAIN\r\n", "QUIT\r\n", "STLS", "PLAIN", true,
	false},
    [SERVICE_SUBMISSION] = {NULL, "STARTTLS\r\n", "AUTH PLAIN\r\n", "QUIT\r\n", "STARTTLS", "PLAIN",
	false, false},
    [SERVICE_SIEVE] = {"CAPABILITY\r\n", "STARTTLS\r\n", NULL, "LOGOUT\r\n", "STARTTLS", "PLAIN",
	false, true},
};

/* ---- lines */

static enum speech_line
imap_line(struct str line)
{
	if (str_starts(line, "x OK") || str_starts(line, "* OK") || str_starts(line, "* PREAUTH"))
		return SPEECH_YES;
	if (str_starts(line, "+"))
		return SPEECH_GO_ON;
	return str_starts(line, "* ") && !str_starts(line, "* BYE") ? SPEECH_MORE : SPEECH_NO;
}

static enum speech_line
pop3_line(struct str line, bool is_list)
{
	if (is_list && str_is(line, "."))
		return SPEECH_YES;
	if (str_starts(line, "-ERR"))
		return SPEECH_NO;
	if (is_list)
		return SPEECH_MORE;
	if (str_starts(line, "+OK"))
		return SPEECH_YES;
	return str_starts(line, "+ ") ? SPEECH_GO_ON : SPEECH_NO;
}

static enum speech_line
smtp_line(struct str line)
{
	if (line.len >= 4 && line.ptr[3] == '-')
		return SPEECH_MORE;
	if (line.len < 3)
		return SPEECH_NO;
	return line.ptr[0] == '2' ? SPEECH_YES : line.ptr[0] == '3' ? SPEECH_GO_ON : SPEECH_NO;
}

static enum speech_line
sieve_line(struct str line)
{
	if (str_starts(line, "OK"))
		return SPEECH_YES;
	return str_starts(line, "NO") || str_starts(line, "BYE") ? SPEECH_NO : SPEECH_MORE;
}

enum speech_line
speech_line(enum service_protocol protocol, struct str line, bool is_list)
{
	switch (protocol) {
	case SERVICE_IMAP:
		return imap_line(line);
	case SERVICE_POP3:
		return pop3_line(line, is_list);
	case SERVICE_SUBMISSION:
		return smtp_line(line);
	case SERVICE_SIEVE:
		return sieve_line(line);
	case SERVICE_COUNT:
		break;
	}
	return SPEECH_NO;
}

/* ---- answers */

/* Reads to the end of an answer. words: its lines, each with a space behind it; or NULL. */
static int
answer(struct speech *speech, bool is_list, struct buf *words, enum speech_line *end_r,
    struct fault *fault_r)
{
	struct str line;

	for (size_t i = 0; i < LINES_MOST; i++) {
		if (talk_line(speech->talk, &line, fault_r) == -1)
			return -1;
		buf_clear(&speech->last);
		buf_add_str(&speech->last, line);
		if (words != NULL) {
			buf_add_str(words, line);
			buf_add_byte(words, ' ');
			if (buf_len(words) > WORDS_MOST_BYTES)
				break;
		}
		*end_r = speech_line(speech->protocol, line, is_list);
		/* An untagged OK ends IMAP's greeting, and nothing else. */
		if (*end_r == SPEECH_YES && speech->protocol == SERVICE_IMAP &&
		    speech->has_greeted && !str_starts(line, "x "))
			*end_r = SPEECH_MORE;
		if (*end_r != SPEECH_MORE)
			return 0;
	}
	return fault_set(fault_r, VERDICT_TEMP, "an answer without end");
}

static int
refused(const struct speech *speech, struct fault *fault_r)
{
	return fault_set(fault_r, VERDICT_PERM, "it says %s", log_quote(buf_str(&speech->last)));
}

/* "what" is said, and must be answered so. */
static int
ask(struct speech *speech, const char *what, enum speech_line want, struct fault *fault_r)
{
	enum speech_line end;

	talk_say(speech->talk, str_of(what));
	if (answer(speech, false, NULL, &end, fault_r) == -1)
		return -1;
	return end == want ? 0 : refused(speech, fault_r);
}

/* What comes, or is asked for, as words. */
static int
take_words(struct speech *speech, bool is_list, struct fault *fault_r)
{
	enum speech_line end;

	buf_clear(&speech->words);
	if (answer(speech, is_list, &speech->words, &end, fault_r) == -1)
		return -1;
	speech->takes_xclient |= speech_has(speech, "XCLIENT");
	return end == SPEECH_YES ? 0 : refused(speech, fault_r);
}

int
speech_greeting(struct speech *speech, struct fault *fault_r)
{
	int rc = take_words(speech, false, fault_r);

	speech->has_greeted = true;
	return rc;
}

int
speech_ask_words(struct speech *speech, struct fault *fault_r)
{
	struct buf hello = BUF_INIT;
	char host[HOST_NAME_BYTES] = "localhost";

	if (ways[speech->protocol].words != NULL) {
		talk_say(speech->talk, str_of(ways[speech->protocol].words));
	} else {
		if (gethostname(host, sizeof(host) - 1) == -1)
			memcpy(host, "localhost", sizeof("localhost"));
		buf_addf(&hello, "EHLO %s\r\n", host);
		talk_say(speech->talk, buf_str(&hello));
		buf_fini(&hello);
	}
	return take_words(speech, ways[speech->protocol].words_are_list, fault_r);
}

int
speech_start_tls(struct speech *speech, struct tls_context *tls, const char *server_name,
    struct fault *fault_r)
{
	if (!speech_has(speech, ways[speech->protocol].has_tls))
		return fault_set(fault_r, VERDICT_PERM, "it does not announce %s",
		    ways[speech->protocol].has_tls);
	if (ask(speech, ways[speech->protocol].start_tls, SPEECH_YES, fault_r) == -1 ||
	    talk_start_tls(speech->talk, tls, server_name, fault_r) == -1)
		return -1;
	return ways[speech->protocol].words_follow_tls ? take_words(speech, false, fault_r)
						       : speech_ask_words(speech, fault_r);
}

/* ---- logging in */

/* RFC 4616, in base64. */
static void
add_plain(struct buf *out, const char *login, struct str password)
{
	struct buf plain = {.secret = true};
	size_t len;
	char *room;

	buf_add_byte(&plain, '\0');
	buf_add_text(&plain, login);
	buf_add_byte(&plain, '\0');
	buf_add_str(&plain, password);
	len = sodium_base64_ENCODED_LEN(buf_len(&plain), sodium_base64_VARIANT_ORIGINAL);
	room = buf_room(out, len);
	sodium_bin2base64(room, len, (const unsigned char *)buf_str(&plain).ptr, buf_len(&plain),
	    sodium_base64_VARIANT_ORIGINAL);
	buf_added(out, len - 1);
	buf_wipe(&plain);
}

int
speech_login(struct speech *speech, const char *login, struct str password, struct fault *fault_r)
{
	struct buf line = {.secret = true};
	enum speech_line end;
	int rc = -1;

	if (!speech_has(speech, ways[speech->protocol].has_plain))
		return fault_set(fault_r, VERDICT_PERM, "it does not announce PLAIN");
	if (ways[speech->protocol].plain != NULL) {
		if (ask(speech, ways[speech->protocol].plain, SPEECH_GO_ON, fault_r) == -1)
			return -1;
		add_plain(&line, login, password);
		buf_add_text(&line, "\r\n");
	} else {
		buf_add_text(&line, "AUTHENTICATE \"PLAIN\" \"");
		add_plain(&line, login, password);
		buf_add_text(&line, "\"\r\n");
	}
	talk_say(speech->talk, buf_str(&line));
	talk_be_patient(speech->talk, TALK_LOGIN_MS);
	buf_wipe(&line);
	if (answer(speech, false, NULL, &end, fault_r) == 0)
		rc = end == SPEECH_YES ? 0 : refused(speech, fault_r);
	return rc;
}

void
speech_leave(struct speech *speech)
{
	struct fault fault;

	ask(speech, ways[speech->protocol].leave, SPEECH_YES, &fault); /* whatever it answers */
}

void
speech_fini(struct speech *speech)
{
	buf_fini(&speech->words);
	buf_fini(&speech->last);
}

bool
speech_has(const struct speech *speech, const char *word)
{
	static const char apart[] = " \t\"()[],";
	struct str words = buf_str(&speech->words);
	size_t len = strlen(word), end;

	for (size_t at = 0; at + len <= words.len; at++) {
		end = at + len;
		if (str_is_nocase(str_make(words.ptr + at, len), word) &&
		    (at == 0 || words.ptr[at - 1] == '-' /* 250-AUTH */ ||
			strchr(apart, words.ptr[at - 1]) != NULL) &&
		    (end == words.len || strchr(apart, words.ptr[end]) != NULL))
			return true;
	}
	return false;
}
