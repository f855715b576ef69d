/* Descriptions of the served interfaces for server reflection: a FileDescriptorSet of all files in proto/,
 * which protoc makes at build time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

extern const uint8_t inapi_descriptors[];
extern const size_t inapi_descriptors_size;
