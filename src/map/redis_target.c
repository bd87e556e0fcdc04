/*
 * redis_target.c - where Redis is, and as whom we come                (driver)
 *
 * The same for the sentinels, which speak Redis's protocol and have users of
 * their own.
 */
#include "map/redis_inside.h"

#include "base/mem.h"
#include "net/tls.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two sets of settings for the same thing. */
struct login {
	const char *user, *user_setting;
	const char *password_file, *password_setting;
};

static int
password_read(struct redis_target *target, const struct login *login, struct fault *fault_r)
{
	const char *path = login->password_file, *setting = login->password_setting;
	char *text = xcalloc(1, REDIS_PASSWORD_MAX_BYTES + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;
	struct stat st;
	ssize_t len = 0;

	if (fd == -1 || fstat(fd, &st) == -1) {
		fault_set_errno(fault_r, VERDICT_PERM, "%s: %s", setting, path);
		goto out;
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & S_IROTH) != 0) {
		fault_set(fault_r, VERDICT_PERM,
		    "%s: %s is %s: make it a file of mode 0640 or less", setting, path,
		    S_ISREG(st.st_mode) ? "readable by everybody" : "no file");
		goto out;
	}
	if ((len = read(fd, text, REDIS_PASSWORD_MAX_BYTES)) == -1) {
		fault_set_errno(fault_r, VERDICT_PERM, "%s: %s", setting, path);
		goto out;
	}
	len = (ssize_t)strcspn(text, "\r\n");
	if (len == 0) {
		fault_set(fault_r, VERDICT_PERM, "%s: the first line of %s is empty", setting,
		    path);
		goto out;
	}
	target->password = text;
	target->password_len = (size_t)len;
	text = NULL;
	rc = 0;
out:
	if (fd != -1)
		close(fd);
	if (text != NULL)
		explicit_bzero(text, REDIS_PASSWORD_MAX_BYTES);
	free(text);
	return rc;
}

static int
login_read(struct redis_target *target, const struct login *login, struct fault *fault_r)
{
	if (login->user != NULL && login->user[0] != '\0')
		target->user = xstrdup(login->user);
	if (login->password_file != NULL && login->password_file[0] != '\0' &&
	    password_read(target, login, fault_r) == -1)
		return -1;
	if (target->user != NULL && target->password == NULL)
		return fault_set(fault_r, VERDICT_PERM, "%s is set, and %s is not",
		    login->user_setting, login->password_setting);
	return 0;
}

static int
trust_read(struct redis_target *target, const struct redis_tls_settings *tls, struct fault *fault_r)
{
	if (!target->endpoint.tls)
		return 0;
	if (tls->server_name != NULL && tls->server_name[0] != '\0')
		target->server_name = xstrdup(tls->server_name);
	target->tls = tls_context_new_client(tls->ca_file, tls->cert_file, tls->key_file, fault_r);
	return target->tls != NULL ? 0 : -1;
}

static int
address_read(struct redis_target *target, const struct settings *settings, struct fault *fault_r)
{
	const struct redis_settings *redis = &settings->redis;
	char *private_url;
	int rc;

	if (redis->sentinel_count > 0) {
		target->master = xstrdup(redis->sentinel_master);
		target->endpoint =
		    (struct endpoint){.kind = ENDPOINT_INET, .tls = redis->sentinel_tls};
		target->name =
		    xasprintf("an unknown address (master %s by sentinel)", target->master);
		return 0;
	}
	if (redis->url != NULL) {
		rc = endpoint_parse_redis(redis->url, &target->endpoint, fault_r);
	} else {
		private_url = xasprintf("unix://%s/redis.sock", settings->state_dir);
		rc = endpoint_parse_redis(private_url, &target->endpoint, fault_r);
		free(private_url);
	}
	if (rc == -1)
		return -1;
	target->name = xstrdup(endpoint_name(&target->endpoint));
	return 0;
}

struct redis_target *
redis_target_new(const struct settings *settings, struct fault *fault_r)
{
	const struct redis_settings *redis = &settings->redis;
	struct login login = {
	    redis->user, "redis.user", redis->password_file, "redis.password_file"};
	struct redis_target *target = xnew(struct redis_target);

	target->what = "Redis";
	target->when_refused = " refuses redis.user and redis.password_file: ";
	target->when_missing = " wants a password, set redis.password_file: ";
	target->connect_ms = (uint64_t)redis->connect_timeout_ms;
	if (address_read(target, settings, fault_r) == -1 ||
	    login_read(target, &login, fault_r) == -1 ||
	    trust_read(target, &redis->tls, fault_r) == -1)
		redis_target_free(&target);
	return target;
}

static int
sentinel_read(struct redis_target *target, const char *address, bool tls, struct fault *fault_r)
{
	char *text = xasprintf("inet:%s", address);
	int rc = endpoint_parse(text, &target->endpoint, fault_r);

	free(text);
	if (rc == -1)
		return -1;
	target->endpoint.tls = tls;
	target->name = xstrdup(endpoint_name(&target->endpoint));
	return 0;
}

struct redis_target *
redis_target_new_sentinel(const struct settings *settings, size_t i, uint64_t connect_ms,
    struct fault *fault_r)
{
	const struct redis_settings *redis = &settings->redis;
	struct login login = {redis->sentinel_user, "redis.sentinel_user",
	    redis->sentinel_password_file, "redis.sentinel_password_file"};
	struct redis_target *target = xnew(struct redis_target);

	target->what = "Sentinel";
	target->when_refused = " refuses redis.sentinel_user and redis.sentinel_password_file: ";
	target->when_missing = " wants a password, set redis.sentinel_password_file: ";
	target->connect_ms = connect_ms;
	if (sentinel_read(target, redis->sentinels[i], redis->sentinel_tls, fault_r) == -1 ||
	    login_read(target, &login, fault_r) == -1 ||
	    trust_read(target, &redis->tls, fault_r) == -1)
		redis_target_free(&target);
	return target;
}

void
redis_target_free(struct redis_target **target)
{
	if (*target == NULL)
		return;
	if ((*target)->password != NULL)
		explicit_bzero((*target)->password, REDIS_PASSWORD_MAX_BYTES);
	free((*target)->password);
	tls_context_free(&(*target)->tls);
	free((*target)->server_name);
	free((*target)->name);
	free((*target)->user);
	free((*target)->master);
	free(*target);
	*target = NULL;
}

const char *
redis_target_name(const struct redis_target *target)
{
	return target->name;
}

const char *
redis_target_address(const struct redis_target *target)
{
	if (target->endpoint.kind == ENDPOINT_UNIX)
		return "";
	return endpoint_name(&target->endpoint) + strlen("inet:");
}

void
redis_target_move(struct redis_target *target, const struct endpoint *address)
{
	bool tls = target->endpoint.tls;

	target->endpoint = *address;
	target->endpoint.tls = tls;
	free(target->name);
	target->name =
	    xasprintf("%s (master %s by sentinel)", endpoint_name(address), target->master);
}

bool
redis_target_is_at(const struct redis_target *target, const struct endpoint *address)
{
	return strcmp(target->endpoint.host, address->host) == 0 &&
	       strcmp(target->endpoint.port, address->port) == 0;
}
