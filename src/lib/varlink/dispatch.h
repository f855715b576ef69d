/* Turns a message into a call of the server. */
#pragma once

#include "lib/varlink/stream.h"

int connection_message(struct stream *stream, json_t *message, void *userdata);
