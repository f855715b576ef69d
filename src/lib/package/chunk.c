/* Implements chunk.h. */
#include "lib/package/chunk.h"

#include <zlib.h>

uint32_t chunk_crc32(const void *data, size_t size)
{
    return (uint32_t)crc32_z(0, data, size);
}
