/* Computes the checksums of the chunks in which a zone transfers packages (InnerStack contract, section
 * 7). */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Returns the CRC-32 (IEEE 802.3) of a chunk's data. */
uint32_t chunk_crc32(const void *data, size_t size);
