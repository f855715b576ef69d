/* What is served, described: a FileDescriptorSet of all files in proto/, made by protoc at build time. For
 * server reflection. */
#pragma once

#include <stddef.h>
#include <stdint.h>

extern const uint8_t inapi_descriptors[];
extern const size_t inapi_descriptors_size;
