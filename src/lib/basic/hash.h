/* FNV-1a, 64 bits: a hash that tells our own texts apart. Whoever chooses the text can make two that have the
 * same hash: where others write the text, take SHA-256. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FNV1A_BEGIN UINT64_C(0xcbf29ce484222325)

/* Continues the hash 'begin' with more bytes; a hash begins as FNV1A_BEGIN. */
uint64_t fnv1a(uint64_t begin, const void *data, size_t size);
