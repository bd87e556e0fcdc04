/*
 * tls_bio.c - between OpenSSL and a descriptor                        (driver)
 *
 * OpenSSL reads and writes through a BIO of our own, because its socket BIO
 * writes with write(2), and a peer that has gone must not raise SIGPIPE. And a
 * handshake may have begun in bytes that were read already.
 */
#include "net/tls_inside.h"

#include "base/mem.h"

#include <openssl/bio.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int
bio_write(BIO *bio, const char *bytes, size_t len, size_t *len_r)
{
	const struct tls *tls = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = send(tls->fd, bytes, len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		BIO_set_retry_write(bio);
	*len_r = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static size_t
read_early(struct tls *tls, char *bytes, size_t size)
{
	size_t len = tls->early_len - tls->early_at;

	if (len > size)
		len = size;
	memcpy(bytes, tls->early + tls->early_at, len);
	tls->early_at += len;
	if (tls->early_at == tls->early_len) {
		free(tls->early);
		tls->early = NULL;
	}
	return len;
}

static int
bio_read(BIO *bio, char *bytes, size_t size, size_t *len_r)
{
	struct tls *tls = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (tls->early != NULL) {
		*len_r = read_early(tls, bytes, size);
		return 1;
	}
	do
		n = recv(tls->fd, bytes, size, 0);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		BIO_set_retry_read(bio);
	else if (n == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	*len_r = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static long
bio_ctrl(BIO *bio, int what, long number, void *ptr)
{
	if (what == BIO_CTRL_EOF)
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	return what == BIO_CTRL_FLUSH; /* nothing is kept back here */
}

BIO *
tls_bio_new(struct tls *tls)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
		must(method != NULL);
		BIO_meth_set_write_ex(method, bio_write);
		BIO_meth_set_read_ex(method, bio_read);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	bio = BIO_new(method);
	must(bio != NULL);
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	return bio;
}
