/* Users and passwords for repositories, from a file in the form of netrc (curl, ftp): machine NAME login USER
 * password PASSWORD.
 *
 * They are given to the configured repositories alone, by the host of their URL, and never to where a
 * redirect leads. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

struct credentials;

/* Reads the file, as root and before the jail. Refused unless it is a regular file, no link, without rights
 * for group and others, of root or of 'uid'; and naming the line where it is not understood. Messages never
 * have what stands in it. */
int credentials_read(const char *path, uid_t uid, struct credentials **ret, struct error *e);
void credentials_free(struct credentials *c);

/* From text, for credentials_read() and tests; 'path' is for messages. */
int credentials_parse(const char *text, const char *path, struct credentials **ret, struct error *e);

/* Those for the host of a URL (borrowed), first those that name its port, too. False: there are none, or the
 * URL has its own. */
bool credentials_find(const struct credentials *c, const char *url, const char **ret_user,
                      const char **ret_password);
