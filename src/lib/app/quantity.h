/* Parses the quantities of a manifest: "500m" CPUs, "512Mi" bytes. */
#pragma once

#include "lib/basic/error.h"

/* Parses a number of CPUs, "500m", "1" or "0.5", into millicores. Returns 0; −EINVAL (refused) for another
 * unit or a value finer than a thousandth of a CPU; −ERANGE (refused) for one out of range. The message
 * quotes the text. */
int app_parse_cpu(const char *text, int64_t *ret_millicores, struct error *e);

/* Parses a number of bytes, "512Mi", "10Gi", "1.5G" or "1048576", rounded up to a whole byte. Ki Mi Gi Ti
 * Pi are powers of 1024, k M G T P of 1000. Returns errors like app_parse_cpu(). */
int app_parse_memory(const char *text, int64_t *ret_bytes, struct error *e);
