/* Reads users and passwords for repositories from a file in the format of netrc (curl, ftp): machine NAME
 * login USER password PASSWORD.
 *
 * They are sent only to the configured repositories, found by the host of their URL, and never to the target
 * of a redirect. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

struct credentials;

/* Reads the file; called as root, before the jail. Refuses a file that is a symbolic link, is not regular,
 * gives rights to group or others, belongs neither to root nor to 'uid', is larger than 64 KiB, contains a
 * NUL byte, or has a syntax error, whose line the error names. Errors never contain text of the file. Returns
 * 0 or a negative errno. */
int credentials_read(const char *path, uid_t uid, struct credentials **ret, struct error *e);
void credentials_free(struct credentials *c);

/* Parses the text, for credentials_read() and tests; 'path' is for messages. Returns 0 or −EINVAL
 * (refused). */
int credentials_parse(const char *text, const char *path, struct credentials **ret, struct error *e);

/* Finds the credentials for the host of a URL (borrowed); an entry with the URL's port is preferred. Returns
 * false if there are none or the URL contains its own. */
bool credentials_find(const struct credentials *c, const char *url, const char **ret_user,
                      const char **ret_password);
