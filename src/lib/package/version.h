/* Versions of packages: order, and the rules by which an application names the one that it wants.
 *
 * A release version is 1 to 3 numbers ("2.0.1"), then perhaps a pre-release ("-rc1"), a rebuild ("-r2") and
 * build metadata ("+x"). The order is SemVer's, but a rebuild is newer than what it rebuilds: 1.0.0-rc1
 * < 1.0.0 < 1.0.0-r1 < 1.0.0-r2 < 1.0.1. (InnerStack contract, section 7.) */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

#define VERSION_LENGTH_MAX 64

/* 0, or −EINVAL (refused) when 'version' is no release version. Versions become parts of file names, so that
 * only [0-9A-Za-z.+-] is allowed. */
int version_check(const char *version, struct error *e);

/* Below, equal to or above 0 as 'a' is older than, as old as or newer than 'b'. Build metadata does not
 * count. What is no release version is older than all that are. */
int version_compare(const char *a, const char *b);

/* 0, or −EINVAL (refused) when 'rule' is neither empty nor a release version. */
int version_rule_check(const char *rule, struct error *e);

/* Whether 'version' satisfies the rule: "" takes any, one or two numbers are a prefix ("2.0" takes 2.0.x),
 * everything else is that very version ("1.0.1" does not take 1.0.1-r1). */
bool version_matches(const char *rule, const char *version);

/* The version without its rebuild suffix ("1.0.1-r1" → "1.0.1"). The caller frees. */
char *version_without_rebuild(const char *version);
