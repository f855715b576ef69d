/* The answer of a call; see call_answer.h. */
#include "lib/grpc/call_answer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/grpc/call.h"
#include "lib/grpc/server-types.h"

static ssize_t read_output(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
                           uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
    (void)userdata;
    struct grpc_call *call = source->ptr;
    ssize_t n = grpc_output_read(&call->output, to, size, flags);
    call_recount_output(call);
    if (call->waiting && grpc_output_pending(&call->output) == 0)
        grpc_connection_wake(call->connection);
    if (n < 0 || !(*flags & NGHTTP2_DATA_FLAG_EOF))
        return n;
    char status[12];
    _cleanup_free_ char *text = call->text ? grpc_message_encode(call->text) : NULL;
    snprintf(status, sizeof status, "%d", call->status);
    nghttp2_nv trailers[] = {
        {(uint8_t *)"grpc-status", (uint8_t *)status, 11, strlen(status), NGHTTP2_NV_FLAG_NO_COPY_NAME},
        {(uint8_t *)"grpc-message", (uint8_t *)text, 12, text ? strlen(text) : 0,
         NGHTTP2_NV_FLAG_NO_COPY_NAME},
    };
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(session, stream, trailers, text ? 2 : 1) == 0
               ? n
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

#define HEADER(n, v)                                                                                         \
    {                                                                                                        \
        (uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NO_COPY_NAME                   \
    }

/* Sends the headers that precede messages. */
static void respond(struct grpc_call *call)
{
    const nghttp2_nv headers[] = {HEADER(":status", "200"), HEADER("content-type", "application/grpc")};
    const nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_output};
    call->responded = true;
    nghttp2_submit_response(call->connection->session, call->stream, headers, ARRAY_SIZE(headers), &provider);
}

/* Sends headers that are the whole response. */
static void respond_trailers_only(struct grpc_call *call)
{
    char status[12];
    _cleanup_free_ char *text = grpc_message_encode(call->text ?: "");
    snprintf(status, sizeof status, "%d", call->status);
    const nghttp2_nv headers[] = {HEADER(":status", "200"), HEADER("content-type", "application/grpc"),
                                  HEADER("grpc-status", status), HEADER("grpc-message", text)};
    call->responded = true;
    nghttp2_submit_response(call->connection->session, call->stream, headers, ARRAY_SIZE(headers), NULL);
}

/* Sends a response with an HTTP status to a request that is not gRPC. */
void call_respond_http(struct grpc_call *call, const char *status)
{
    const nghttp2_nv headers[] = {HEADER(":status", status)};
    call->answered = call->responded = true;
    call_observe(call, GRPC_INTERNAL);
    nghttp2_submit_response(call->connection->session, call->stream, headers, ARRAY_SIZE(headers), NULL);
    call_arm(call, call->server->options.answer_timeout_usec);
}

static bool may_send(struct grpc_call *call, const ProtobufCMessage *message)
{
    return grpc_output_pending(&call->output) <= call->server->options.unsent_max &&
           server_has_room(call->connection, protobuf_c_message_get_packed_size(message));
}

static void send_message(struct grpc_call *call, const ProtobufCMessage *message)
{
    grpc_output_add(&call->output, message);
    call_recount_output(call);
    /* The size of the message is known too late to refuse it. If the peer has used up its budget, its next
     * message is refused. */
    (void)server_pays(call->connection, (unsigned)(grpc_output_pending(&call->output) >> 10));
    if (call->responded)
        nghttp2_session_resume_data(call->connection->session, call->stream);
    else
        respond(call);
    grpc_connection_kick(call->connection);
}

void grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message)
{
    assert(!call->answered);
    struct grpc_connection *c = call->connection;
    if (may_send(call, message)) {
        send_message(call, message);
        return;
    }
    log_debug("%s: does not read its responses: call reset", c->peer);
    nghttp2_submit_rst_stream(c->session, 0, call->stream, NGHTTP2_ENHANCE_YOUR_CALM);
    grpc_connection_kick(c);
}

void grpc_call_finish(struct grpc_call *call, int status, const char *text)
{
    assert(!call->answered);
    call->answered = true;
    call->on_gone = NULL;
    call->status = status;
    call->text = xstrdup_null(text);
    call->output.last = true;
    if (call->responded)
        nghttp2_session_resume_data(call->connection->session, call->stream);
    else
        respond_trailers_only(call);
    call_observe(call, status);
    call_forget_request(call);
    call_arm(call, call->server->options.answer_timeout_usec);
    grpc_connection_kick(call->connection);
}

void grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message)
{
    if (may_send(call, message)) {
        send_message(call, message);
        grpc_call_finish(call, GRPC_OK, NULL);
    } else
        grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, HOLDS_TOO_MUCH);
}

/* Resets the stream if the caller has not ended its request, because the rest is not needed. nghttp2 drops
 * headers that are queued together with RST_STREAM, so this happens after they were sent. */
void call_sent_end(void *stream)
{
    struct grpc_call *call = stream;
    if (!call->ended)
        nghttp2_submit_rst_stream(call->connection->session, 0, call->stream, NGHTTP2_NO_ERROR);
}
