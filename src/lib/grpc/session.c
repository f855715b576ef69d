/* nghttp2's callbacks: frames become hooks, and a peer that sends frames for their own sake is sent away. */
#include "lib/grpc/session.h"

#include <errno.h>

#include "lib/basic/log.h"

/* Frames that make us work and bring nothing: so many in so long a time are nobody's need. */
#define CONTROL_FRAMES_MAX  2000
#define CONTROL_FRAMES_TIME (10 * USEC_PER_SEC)

static void *object_of(struct grpc_connection *c, int32_t stream)
{
    return stream > 0 ? nghttp2_session_get_stream_user_data(c->session, stream) : NULL;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    (void)session;
    struct grpc_connection *c = userdata;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    c->hooks->begin(c, frame->hd.stream_id);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *userdata)
{
    (void)session, (void)flags;
    struct grpc_connection *c = userdata;
    void *stream = object_of(c, frame->hd.stream_id);
    if (frame->hd.type != NGHTTP2_HEADERS || !stream)
        return 0;
    return c->hooks->header(stream, (const char *)name, name_size, (const char *)value, value_size) < 0
               ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
               : 0;
}

static void count_control(struct grpc_connection *c, const nghttp2_frame *frame)
{
    bool empty_data = frame->hd.type == NGHTTP2_DATA && frame->hd.length == 0 &&
                      !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    if (!empty_data && frame->hd.type != NGHTTP2_PING && frame->hd.type != NGHTTP2_SETTINGS &&
        frame->hd.type != NGHTTP2_PRIORITY && frame->hd.type != NGHTTP2_RST_STREAM)
        return;
    if (c->last_read > c->control_since + CONTROL_FRAMES_TIME) {
        c->control_since = c->last_read;
        c->control_frames = 0;
    }
    if (++c->control_frames != CONTROL_FRAMES_MAX)
        return;
    log_debug("%s: floods, sent away", c->peer);
    nghttp2_session_terminate_session(c->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct grpc_connection *c = userdata;
    count_control(c, frame);
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        c->settled = true;
        return 0;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK && memcmp(frame->ping.opaque_data, GRPC_PING_DRAIN, 8) == 0 &&
            c->farewell) {
            c->farewell = false;
            session_goaway(c);
        }
        return 0;
    case NGHTTP2_GOAWAY:
        c->draining = true;
        if (c->hooks->goaway)
            c->hooks->goaway(c);
        return 0;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        break;
    default:
        return 0;
    }
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    void *stream = object_of(c, frame->hd.stream_id);
    if (stream && frame->hd.type == NGHTTP2_HEADERS)
        c->hooks->headers(stream, end);
    stream = end ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id) : NULL;
    if (stream)
        c->hooks->end(stream);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t size, void *userdata)
{
    (void)session, (void)flags;
    struct grpc_connection *c = userdata;
    void *stream = object_of(c, stream_id);
    if (stream && c->hooks->data(stream, data, size) < 0)
        nghttp2_submit_rst_stream(c->session, 0, stream_id, NGHTTP2_CANCEL);
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    (void)session;
    struct grpc_connection *c = userdata;
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    void *stream = ends ? object_of(c, frame->hd.stream_id) : NULL;
    if (stream)
        c->hooks->sent_end(stream);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *userdata)
{
    struct grpc_connection *c = userdata;
    void *stream = object_of(c, stream_id);
    if (stream) {
        nghttp2_session_set_stream_user_data(session, stream_id, NULL);
        c->hooks->closed(stream, code);
    }
    return 0;
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        abort();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return callbacks;
}

static int say_settings(struct grpc_connection *c, const struct grpc_connection_options *o)
{
    nghttp2_settings_entry all[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH,
         0}, /* clients alone may say it: it stands first and is left out by servers */
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o->window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, o->header_list_max},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o->streams_max},
    };
    int r = nghttp2_submit_settings(c->session, 0, all + o->server, ARRAY_SIZE(all) - o->server);
    if (r == 0)
        r = nghttp2_session_set_local_window_size(c->session, 0, 0, (int32_t)o->window_all);
    return r;
}

int session_new(struct grpc_connection *c, const struct grpc_connection_options *o)
{
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *option = NULL;
    if (nghttp2_option_new(&option) != 0)
        abort();
    nghttp2_option_set_max_settings(option, 32);
    int r = o->server ? nghttp2_session_server_new2(&c->session, callbacks, c, option)
                      : nghttp2_session_client_new2(&c->session, callbacks, c, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (r == 0)
        r = say_settings(c, o);
    return r == 0 ? 0 : r == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EIO;
}

void session_free(struct grpc_connection *c)
{
    nghttp2_session_del(c->session); /* says nothing of streams that are left: their owners end them */
    c->session = NULL;
}

void session_goaway(struct grpc_connection *c)
{
    c->draining = true;
    if (c->streams == 0)
        nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
    else
        nghttp2_submit_goaway(c->session, 0, nghttp2_session_get_last_proc_stream_id(c->session),
                              NGHTTP2_NO_ERROR, NULL, 0);
}
