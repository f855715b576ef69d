/* Contains the descriptions of the served interfaces for server reflection: a FileDescriptorSet of the .proto
 * files below proto/, which protoc-c makes at build time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

extern const uint8_t inapi_descriptors[];
extern const size_t inapi_descriptors_size;
