/*
 * node.c - who this process is among the map's readers                (driver)
 *
 * nodes/policyd-0.lock is the lock, nodes/policyd-0 the memory: "run RUN" where
 * one has begun, and "entered MAP GRACE DRAIN" or "left". It is replaced as a whole, so the lock
 * cannot be on it. One that cannot be understood says nothing: the node enters
 * the roster again as if for the first time, which is always right.
 */
#include "map/node.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "map/head.h"
#include "map/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 512 };

struct memory {
	char run[ROSTER_RUN_BYTES];
	char map_id[HEAD_ID_BYTES]; /* "" = not surely in any roster */
	uint32_t grace_ms, drain_ms;
};

struct node {
	char *dir, *instance, *role, *path, *id;
	int lock; /* -1: no slot */
	char run[ROSTER_RUN_BYTES], last_run[ROSTER_RUN_BYTES];
	struct memory written;
	node_drop_fn *drop_fn; /* NULL: nobody keeps the slot's files */
	void *drop_ctx;
};

struct node *
node_new(const char *state_dir, const char *instance, const char *role)
{
	struct node *node = xnew(struct node);
	unsigned char raw[8];

	node->dir = xasprintf("%s/nodes", state_dir);
	node->instance = xstrdup(instance);
	node->role = xstrdup(role);
	node->lock = -1;
	randombytes_buf(raw, sizeof(raw));
	sodium_bin2hex(node->run, sizeof(node->run), raw, sizeof(raw));
	return node;
}

void
node_free(struct node **node)
{
	if (*node == NULL)
		return;
	if ((*node)->lock != -1)
		close((*node)->lock);
	free((*node)->dir);
	free((*node)->instance);
	free((*node)->role);
	free((*node)->path);
	free((*node)->id);
	free(*node);
	*node = NULL;
}

/* ---- the memory */

static struct str
word_next(struct str *rest)
{
	struct str word = str_make(rest->ptr, str_find(*rest, ' '));

	*rest = str_from(*rest, word.len < rest->len ? word.len + 1 : word.len);
	return word;
}

/* "MAP GRACE DRAIN" */
static bool
entered_read(struct str rest, struct memory *memory)
{
	struct str id = word_next(&rest);
	uint64_t grace_ms, drain_ms;

	if (!str_number(word_next(&rest), GRACE_MOST_MS, &grace_ms) ||
	    !str_number(word_next(&rest), DRAIN_MOST_MS, &drain_ms) || rest.len > 0 ||
	    !head_word_read(id, memory->map_id, sizeof(memory->map_id)))
		return false;
	memory->grace_ms = (uint32_t)grace_ms;
	memory->drain_ms = (uint32_t)drain_ms;
	return true;
}

static bool
memory_parse(struct str rest, struct memory *memory_r)
{
	bool have_run = true, have_state = false;

	*memory_r = (struct memory){0};
	while (rest.len > 0) {
		size_t end = str_find(rest, '\n');
		struct str line = str_make(rest.ptr, end);

		if (end == rest.len)
			return false; /* no line ends here: it was cut */
		if (str_starts(line, "run "))
			have_run =
			    head_word_read(str_from(line, 4), memory_r->run, sizeof(memory_r->run));
		else if (str_starts(line, "entered "))
			have_state = entered_read(str_from(line, 8), memory_r);
		else
			have_state = str_is(line, "left");
		rest = str_from(rest, end + 1);
	}
	return have_run && have_state;
}

static int
memory_read(const char *path, struct memory *memory_r, struct fault *fault_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[FILE_MAX_BYTES];
	ssize_t len;

	*memory_r = (struct memory){0};
	if (fd == -1)
		return errno == ENOENT ? 0 : fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
	len = read(fd, text, sizeof(text));
	close(fd);
	if (len == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
	if (!memory_parse(str_make(text, (size_t)len), memory_r)) {
		*memory_r = (struct memory){0};
		log_warning("node_forgot", "path=%s why=%s", path,
		    log_quote(
			STR("damaged: this node enters the roster as if for the first time")));
	}
	return 0;
}

static int
memory_write(struct node *node, const struct memory *memory, struct fault *fault_r)
{
	struct buf text = BUF_INIT;
	int rc;

	must(node->lock != -1);
	if (memory->run[0] != '\0') {
		buf_add_text(&text, "run ");
		buf_add_text(&text, memory->run);
		buf_add_byte(&text, '\n');
	}
	if (memory->map_id[0] == '\0') {
		buf_add_text(&text, "left\n");
	} else {
		buf_add_text(&text, "entered ");
		buf_add_text(&text, memory->map_id);
		buf_add_byte(&text, ' ');
		buf_add_u64(&text, memory->grace_ms);
		buf_add_byte(&text, ' ');
		buf_add_u64(&text, memory->drain_ms);
		buf_add_byte(&text, '\n');
	}
	rc = state_replace(node->dir, node->path, buf_str(&text), fault_r);
	buf_fini(&text);
	if (rc == 0)
		node->written = *memory;
	return rc;
}

/* ---- the slot */

/* 1 it is ours, 0 somebody else's, -1 and *fault_r. */
static int
slot_try(struct node *node, unsigned slot, struct fault *fault_r)
{
	char *path = xasprintf("%s/%s-%u.lock", node->dir, node->role, slot);
	int fd = state_open(node->dir, path, O_RDWR | O_CREAT), rc = -1;

	if (fd == -1) {
		fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
	} else if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		node->lock = fd;
		rc = 1;
	} else {
		if (errno == EWOULDBLOCK)
			rc = 0;
		else
			fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
		close(fd);
	}
	free(path);
	return rc;
}

static int
slot_take(struct node *node, unsigned slot, struct fault *fault_r)
{
	free(node->path);
	free(node->id);
	node->path = xasprintf("%s/%s-%u", node->dir, node->role, slot);
	node->id = xasprintf("%s/%s/%u", node->instance, node->role, slot);
	if (memory_read(node->path, &node->written, fault_r) == 0) {
		memcpy(node->last_run, node->written.run, sizeof(node->last_run));
		return 0;
	}
	close(node->lock);
	node->lock = -1;
	return -1;
}

int
node_hold(struct node *node, struct fault *fault_r)
{
	if (node->lock != -1)
		return 0;
	if (state_make_dir(node->dir) == -1)
		return fault_set_errno(fault_r, VERDICT_TEMP, "%s", node->dir);
	for (unsigned slot = 0; slot < NODE_SLOTS_MOST; slot++) {
		int rc = slot_try(node, slot, fault_r);

		if (rc != 0)
			return rc == 1 ? slot_take(node, slot, fault_r) : -1;
	}
	return fault_set(fault_r, VERDICT_TEMP, "%s: all %d slots of %s are taken", node->dir,
	    NODE_SLOTS_MOST, node->role);
}

const char *
node_id(const struct node *node)
{
	return node->lock != -1 ? node->id : "";
}

const char *
node_role(const struct node *node)
{
	return node->role;
}

const char *
node_run(const struct node *node)
{
	return node->run;
}

const char *
node_last_run(const struct node *node)
{
	return node->last_run;
}

char *
node_path(const struct node *node, const char *what)
{
	must(node->lock != -1);
	return xasprintf("%s.%s", node->path, what);
}

/* ---- in the roster, or not */

bool
node_has_entered(const struct node *node, const char *map_id, uint32_t grace_ms, uint32_t drain_ms)
{
	return node->lock != -1 && strcmp(node->written.map_id, map_id) == 0 &&
	       node->written.grace_ms >= grace_ms && node->written.drain_ms >= drain_ms;
}

int
node_note_begun(struct node *node, struct fault *fault_r)
{
	struct memory memory = node->written;

	if (strcmp(memory.run, node->run) == 0)
		return 0;
	memcpy(memory.run, node->run, sizeof(memory.run));
	return memory_write(node, &memory, fault_r);
}

int
node_note_entered(struct node *node, const char *map_id, uint32_t grace_ms, uint32_t drain_ms,
    struct fault *fault_r)
{
	struct memory memory = {.grace_ms = grace_ms, .drain_ms = drain_ms};

	memcpy(memory.run, node->written.run, sizeof(memory.run));
	must(head_word_read(str_of(map_id), memory.map_id, sizeof(memory.map_id)));
	if (memcmp(&memory, &node->written, sizeof(memory)) == 0)
		return 0;
	return memory_write(node, &memory, fault_r);
}

static int
files_remove(const struct node *node, struct fault *fault_r)
{
	static const char *const whats[] = {"snapshot", "tombs"};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(whats); i++) {
		char *path = node_path(node, whats[i]);

		if (unlink(path) == -1 && errno != ENOENT)
			rc = fault_set_errno(fault_r, VERDICT_TEMP, "%s", path);
		free(path);
	}
	if (rc == 0 && state_sync_dir(node->dir) == -1)
		rc = fault_set_errno(fault_r, VERDICT_TEMP, "%s", node->dir);
	return rc;
}

static int
memory_drop(const struct node *node, bool all, struct fault *fault_r)
{
	return node->drop_fn != NULL ? node->drop_fn(node->drop_ctx, all, fault_r)
				     : files_remove(node, fault_r);
}

void
node_set_keeper(struct node *node, node_drop_fn *fn, void *ctx)
{
	node->drop_fn = fn;
	node->drop_ctx = ctx;
}

int
node_drop_memory(const struct node *node, struct fault *fault_r)
{
	return memory_drop(node, true, fault_r);
}

int
node_note_left(struct node *node, struct fault *fault_r)
{
	struct memory memory = {0};

	if (memory_drop(node, false, fault_r) == -1)
		return -1;
	memcpy(memory.run, node->written.run, sizeof(memory.run));
	if (memcmp(&memory, &node->written, sizeof(memory)) == 0)
		return 0;
	return memory_write(node, &memory, fault_r);
}
