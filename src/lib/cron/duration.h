/* Parses durations in the form of the Go language: "1h30m", "1.5h", "90s". */
#pragma once

#include <stdint.h>

/* Parses a positive duration and cuts it to whole seconds, but to no less than 1. Returns 0, −EINVAL for
 * another form, or −ERANGE for a duration that is not positive or is longer than a hundred years. */
int duration_parse(const char *text, int64_t *ret_seconds);
