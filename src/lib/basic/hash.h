/* Hashes with FNV-1a, 64 bits, to tell texts of hostlet apart. An author of the text can construct two
 * texts with the same hash: for texts of other programs, use SHA-256. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FNV1A_BEGIN UINT64_C(0xcbf29ce484222325)

/* Continues the hash 'begin' with 'size' more bytes and returns the result. The first call passes
 * FNV1A_BEGIN. */
uint64_t fnv1a(uint64_t begin, const void *data, size_t size);
