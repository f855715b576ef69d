/* The request of a call: its messages, and who has to wait with them; see call_message.h. */
#include "lib/grpc/call_message.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/grpc/call.h"
#include "lib/grpc/call_answer.h"
#include "lib/grpc/server-types.h"

static void hand_over(struct grpc_call *call, const ProtobufCMessage *in)
{
    struct error e = ERROR_INIT;
    if (!server_pays(call->connection, GRPC_MESSAGE_COST)) {
        grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "this address calls too often: try again later");
        return;
    }
    grpc_connection_useful(call->connection);
    if (call->method->handler(call, in, call->service->userdata, &e) < 0 && !call->answered)
        grpc_call_finish(call, GRPC_UNKNOWN, e.message);
}

static void unpack_and_hand_over(struct grpc_call *call, const uint8_t *data, size_t size)
{
    struct error e = ERROR_INIT;
    _cleanup_message_ ProtobufCMessage *in = NULL;
    int r = grpc_message_unpack(call->method->in, data, size, call->server->options.memory_max, &in, &e);
    if (r < 0)
        grpc_call_finish(call, r == -EMSGSIZE ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL, e.message);
    else
        hand_over(call, in);
}

/* Reports whether messages of a stream must wait because its caller has not read the responses to the
 * previous ones. */
static bool must_wait(const struct grpc_call *call)
{
    return call->method->flags & GRPC_STREAMS_BOTH && grpc_output_pending(&call->output) > 0;
}

static int on_message(uint8_t *data, size_t size, size_t room, void *userdata)
{
    struct grpc_call *call = userdata;
    if (call->method->flags & GRPC_STREAMS_BOTH) {
        unpack_and_hand_over(call, data, size);
        if (!call->answered)
            call_arm(call, call->server->options.request_timeout_usec);
    } else if (call->request) {
        grpc_call_finish(call, GRPC_INTERNAL, "more than one message for a method that takes one");
    } else {
        call->request = data;
        call->request_size = size;
        call->request_room = room;
        return 0;
    }
    call_give_back_message(call, room);
    free(data);
    return call->answered ? -ECANCELED : must_wait(call);
}

/* Parses bytes of a request. Returns how many were consumed. */
static size_t feed(struct grpc_call *call, const uint8_t *data, size_t size)
{
    struct error e = ERROR_INIT;
    int r = grpc_frames_feed(&call->frames, data, size, on_message, call, &e);
    if (call->frames.size > WINDOW_FIRST && !call->large && !call->answered) {
        call->large = true;
        nghttp2_session_set_local_window_size(call->connection->session, 0, call->stream, WINDOW_LARGE);
    }
    if (r < 0 && !call->answered)
        grpc_call_finish(call, r == -EMSGSIZE ? GRPC_RESOURCE_EXHAUSTED : GRPC_UNIMPLEMENTED, e.message);
    return call->answered ? size : call->frames.taken;
}

static void keep_waiting(struct grpc_call *call, const uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    if (!call_hold(call, size)) {
        grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, HOLDS_TOO_MUCH);
        return;
    }
    call->waiting = xrealloc(call->waiting, call->waiting_size + size, 1);
    memcpy(call->waiting + call->waiting_size, data, size);
    call->waiting_size += size;
}

ssize_t call_data(void *stream, const uint8_t *data, size_t size)
{
    struct grpc_call *call = stream;
    /* The call is answered: the rest of its request is discarded. */
    if (call->answered)
        return (ssize_t)size;
    size_t done = call->waiting || must_wait(call) ? 0 : feed(call, data, size);
    keep_waiting(call, data + done, size - done);
    return (ssize_t)(call->answered ? size : done);
}

/* Handles the end of a request whose messages are all processed. */
static void request_complete(struct grpc_call *call)
{
    call_arm(call, 0);
    if (!grpc_frames_at_boundary(&call->frames))
        grpc_call_finish(call, GRPC_INTERNAL, "the request is cut off");
    else if (call->method->flags & GRPC_STREAMS_BOTH)
        hand_over(call, NULL);
    else if (!call->request)
        grpc_call_finish(call, GRPC_INTERNAL, "the request has no message");
    else {
        unpack_and_hand_over(call, call->request, call->request_size);
        call_forget_request(call);
    }
}

void call_end(void *stream)
{
    struct grpc_call *call = stream;
    call->ended = true;
    if (!call->answered && !call->waiting)
        request_complete(call);
}

void call_wake(struct grpc_call *call)
{
    if (!call->waiting)
        return;
    size_t size = call->waiting_size, done = size;
    if (!call->answered)
        done = must_wait(call) ? 0 : feed(call, call->waiting, size);
    if (done == 0)
        return;
    memmove(call->waiting, call->waiting + done, size - done);
    call_give_back(call, done);
    call->waiting_size = size - done;
    if (done == size)
        call_forget_waiting(call);
    grpc_connection_consumed(call->connection, call->stream, done);
    if (call->ended && !call->answered && !call->waiting)
        request_complete(call);
}
