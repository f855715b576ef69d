/* Turns a message into a call of the server. */
#pragma once

#include "lib/varlink/stream.h"

/* Handles one message of a connection ('userdata'); a stream_message_fn. */
int connection_message(struct stream *stream, json_t *message, void *userdata);
