/* Names of entries in an archive: what is accepted, in one form.
 *
 * An archive is written by a stranger. Names are checked here as text; that no name leads through a symbolic
 * link is seen to by the kernel when they are used (openat2). */
#pragma once

#include "lib/basic/error.h"
#include "lib/package/limits.h"

/* 'raw' without "./" before, within and after it, and without doubled or trailing slashes; "" for the root
 * itself ("."). Absolute names, "..", empty and overlong names are refused, naming the entry. The caller
 * frees *ret. */
int entry_name_normalise(const char *raw, const struct package_limits *limits, char **ret, struct error *e);

/* A name for a message: what is not printable, quotes and backslashes as \xNN, and not more than 200 bytes of
 * it. The caller frees. */
char *entry_printable(const char *name);
