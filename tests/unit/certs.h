/*
 * certs.h - certificates for tests, made on the spot, each its own authority
 */
#ifndef TESTS_CERTS_H
#define TESTS_CERTS_H

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

enum { CERTS_MOST = 16, CERT_LIFE_S = 7200 };

struct certs {
	char *dir;
	char files[CERTS_MOST][64];
	size_t count;
};

static inline void
certs_begin(struct certs *certs)
{
	*certs = (struct certs){.dir = strdup("/tmp/test_certs.XXXXXX")};
	assert_non_null(mkdtemp(certs->dir));
}

static inline void
certs_end(struct certs *certs)
{
	while (certs->count > 0)
		unlink(certs->files[--certs->count]);
	rmdir(certs->dir);
	free(certs->dir);
}

/* A file with a certificate whose common name is "name", and its key. names: SAN, or NULL. */
static inline const char *
certs_add(struct certs *certs, const char *name, EVP_PKEY *key, const char *names, long lives_s)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);
	X509_EXTENSION *extension;
	char *path = certs->files[certs->count++];
	FILE *file;

	assert_true(certs->count <= CERTS_MOST);
	snprintf(path, sizeof(certs->files[0]), "%s/%zu.pem", certs->dir, certs->count);
	file = fopen(path, "w");
	assert_non_null(file);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)certs->count);
	X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(cert), lives_s);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
	    0);
	X509_set_issuer_name(cert, subject);
	if (names != NULL) {
		extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
		X509_add_ext(cert, extension, -1);
		X509_EXTENSION_free(extension);
	}
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, cert), 1);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	X509_free(cert);
	return path;
}

/* The same with a fresh key: "P-256", or RSA where kind is "RSA". */
static inline const char *
certs_make(struct certs *certs, const char *name, const char *kind, const char *names)
{
	EVP_PKEY *key = strcmp(kind, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen(kind);
	const char *path = certs_add(certs, name, key, names, CERT_LIFE_S);

	EVP_PKEY_free(key);
	return path;
}

static inline X509 *
certs_read(const char *path)
{
	FILE *file = fopen(path, "r");
	X509 *cert;

	assert_non_null(file);
	cert = PEM_read_X509(file, NULL, NULL, NULL);
	assert_non_null(cert);
	fclose(file);
	return cert;
}

#endif
