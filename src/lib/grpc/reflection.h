/* Serves server reflection (grpc.reflection.v1alpha and v1), for clients that have no proto files. */
#pragma once

#include "lib/grpc/server.h"

struct grpc_reflection;

/* Adds both services to 'server', which must be freed before grpc_reflection_free(). 'descriptors' (borrowed)
 * is a FileDescriptorSet. */
struct grpc_reflection *grpc_reflection_new(struct grpc_server *server, const uint8_t *descriptors,
                                            size_t size);
void grpc_reflection_free(struct grpc_reflection *reflection);
