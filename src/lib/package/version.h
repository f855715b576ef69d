/* Compares versions of packages, and matches them with the rules by which an application selects one.
 *
 * A release version consists of 1 to 3 numbers ("2.0.1") and, optionally, a pre-release ("-rc1"), a
 * rebuild ("-r2") and build metadata ("+x"). The order is SemVer's, but a rebuild is newer than the
 * version it rebuilds: 1.0.0-rc1 < 1.0.0 < 1.0.0-r1 < 1.0.0-r2 < 1.0.1. (InnerStack contract, section 7.) */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

#define VERSION_LENGTH_MAX 64

/* Returns 0, or −EINVAL (refused) if 'version' is not a release version. Versions become parts of file
 * names, so only [0-9A-Za-z.+-] is allowed. */
int version_check(const char *version, struct error *e);

/* Returns a number below, equal to or above 0 if 'a' is older than, as old as or newer than 'b'. Build
 * metadata is ignored. Text that is not a release version is older than every release version. */
int version_compare(const char *a, const char *b);

/* Returns 0, or −EINVAL (refused) if 'rule' is neither empty nor a release version. */
int version_rule_check(const char *rule, struct error *e);

/* Reports whether 'version' satisfies the rule: "" accepts any version, one or two numbers are a prefix
 * ("2.0" accepts 2.0.x), any other rule accepts only the same version ("1.0.1" does not accept 1.0.1-r1). */
bool version_matches(const char *rule, const char *version);

/* Returns the version without its rebuild suffix ("1.0.1-r1" → "1.0.1"). The caller frees it. */
char *version_without_rebuild(const char *version);
