/* Computes when a cron expression matches next. */
#pragma once

#include <stdint.h>

#include "lib/cron/cron.h"
#include "lib/cron/tz.h"

#define CRON_NEVER INT64_MAX

/* Returns the first second after 'after' (unix time) whose local time matches, or CRON_NEVER if none does in
 * 12 years. Thus a local time that is skipped when the clock is advanced matches on no such day, and one that
 * is repeated matches twice. NULL is UTC. The expression is not an "@every". */
int64_t cron_next(const struct cron *cron, const struct tz *tz, int64_t after);
