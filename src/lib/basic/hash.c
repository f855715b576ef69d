/* Implements hash.h. */
#include "lib/basic/hash.h"

#define PRIME UINT64_C(0x100000001b3)

uint64_t fnv1a(uint64_t begin, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t hash = begin;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * PRIME;
    return hash;
}
