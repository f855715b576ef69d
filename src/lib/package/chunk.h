/* The chunks in which a zone hands packages over (InnerStack contract, section 7). */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* CRC-32 as IEEE 802.3 has it, of a chunk's data. */
uint32_t chunk_crc32(const void *data, size_t size);
