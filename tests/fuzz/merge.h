/* Declares what the fuzz targets of config-merge share. The input is a file, an ASCII record separator
 * (0x1e), and a value.
 *
 * What is merged can be merged again, which changes nothing, and a value that can be read can be merged into
 * an empty file. A failure has a message, and its line and column are in the text. */
#pragma once

#include "fuzz.h"
#include "inagent/config/merge.h"

static inline void merge_input(enum config_format format, const uint8_t *data, size_t size)
{
    const uint8_t *separator = size > 0 ? memchr(data, 0x1e, size) : NULL;
    size_t n = separator ? (size_t)(separator - data) : size, result_size, again_size;
    char *old = text_of(data, n),
         *value = text_of(separator ? separator + 1 : data, separator ? size - n - 1 : size);
    char *result = NULL, *again = NULL;
    struct error e = ERROR_INIT;
    if (config_merge(format, "file", old, n, "value", value, &result, &result_size, &e) < 0) {
        must(e.errnum != 0 && *e.message);
        if (strstr(e.message, "read back") || strstr(e.message, "in place"))
            fprintf(stderr, "%s\n", e.message);
        /* The check of the result is for errors of the parsers that are not known. */
        must(!strstr(e.message, "read back") && !strstr(e.message, "cannot be merged in place"));
    } else {
        must(strlen(result) == result_size);
        must(config_merge(format, "result", result, result_size, "value", value, &again, &again_size, &e) ==
             0);
        must(again_size == result_size && memcmp(again, result, result_size) == 0);
        free(again);
        must(config_merge(format, "empty", "", 0, "value", value, &again, &again_size, &e) == 0);
    }
    free(again);
    free(result);
    free(value);
    free(old);
}
