/* Checks names of entries in an archive and converts them to one form.
 *
 * The author of an archive is not trusted. These functions check names as text; the kernel ensures at
 * their use (openat2) that none leads through a symbolic link. */
#pragma once

#include "lib/basic/error.h"
#include "lib/package/limits.h"

/* Removes "./" at the start, within and at the end of 'raw', and doubled or trailing slashes; "" is the
 * root ("."). Refuses absolute names, "..", empty and overlong names, with a message that names the entry.
 * The caller frees *ret. */
int entry_name_normalise(const char *raw, const struct package_limits *limits, char **ret, struct error *e);

/* Returns a name for a message: characters that are not printable, quotes and backslashes as \xNN, cut
 * after 200 bytes. The caller frees it. */
char *entry_printable(const char *name);
