/* What the fuzz targets share. libFuzzer calls LLVMFuzzerTestOneInput(), which it does not declare. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that every input must have; assert() that no NDEBUG takes away. */
#define must(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* The input as text with a final NUL that it does not own; the caller frees. */
static inline char *text_of(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    must(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}
