/*
 * check_complete.h - splitmx check --complete DOMAIN                  (driver)
 */
#ifndef ADMIN_CHECK_COMPLETE_H
#define ADMIN_CHECK_COMPLETE_H

#include "admin/admin.h"

/* Paths of sockets in a map are relative to this one, where nobody names another. */
#define CHECK_QUEUE_DIRECTORY "/var/spool/postfix"

/* Rows for the options of check. */
/* clang-format off */
#define CHECK_COMPLETE_OPTIONS \
	{"complete", "DOMAIN", "compare what the map knows of a domain with what its servers take"}, \
	{"map", "NAME", "with --complete: the map whose texts name the servers"}, \
	{"sender", "ADDRESS", "with --complete: the sender; else the null one"}, \
	{"addresses", "FILE", "with --complete: ask for these as well, one in a line"}, \
	{"queue-directory", "DIRECTORY", "with --complete: where relative sockets are (" CHECK_QUEUE_DIRECTORY ")"}
/* clang-format on */

/* The settings are there. A sysexits code; everything was said. */
int check_complete(struct admin *admin);

#endif
