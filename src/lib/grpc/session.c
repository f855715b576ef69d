/* Implements session.h: the callbacks of nghttp2, which call hooks, and its memory allocation, which is
 * counted. */
#include "lib/grpc/session.h"

#include <errno.h>

#include <malloc.h>
#include <stdlib.h>

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

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct grpc_connection *c = userdata;
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
    ssize_t done = stream ? c->hooks->data(stream, data, size) : (ssize_t)size;
    if (done < 0)
        nghttp2_submit_rst_stream(c->session, 0, stream_id, NGHTTP2_CANCEL);
    /* The connection's window is opened at once, so that a stream whose data waits does not block the
     * others. */
    nghttp2_session_consume_connection(c->session, size);
    if (done > 0)
        nghttp2_session_consume_stream(c->session, stream_id, (size_t)done);
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

/* Memory that a peer can make nghttp2 use (streams, including closed ones, header tables, frames to be sent)
 * is counted in the account of its connection (account.h). */

static void *counted(struct grpc_connection *c, void *p)
{
    if (p)
        grpc_account_add(&c->account, malloc_usable_size(p));
    return p;
}

static void uncount(struct grpc_connection *c, void *p)
{
    if (p)
        grpc_account_sub(&c->account, malloc_usable_size(p));
}

static void *mem_malloc(size_t size, void *userdata)
{
    return counted(userdata, malloc(size));
}

static void mem_free(void *p, void *userdata)
{
    uncount(userdata, p);
    free(p);
}

static void *mem_calloc(size_t n, size_t size, void *userdata)
{
    return counted(userdata, calloc(n, size));
}

static void *mem_realloc(void *p, size_t size, void *userdata)
{
    size_t before = p ? malloc_usable_size(p) : 0;
    void *moved = realloc(p, size);
    if (!moved)
        return NULL;
    struct grpc_connection *c = userdata;
    grpc_account_sub(&c->account, before);
    return counted(c, moved);
}

static int say_settings(struct grpc_connection *c, const struct grpc_connection_options *o)
{
    nghttp2_settings_entry all[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH,
         /* Only clients may send it: it is the first entry, which servers leave out. */
         0},
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
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_mem memory = {c, mem_malloc, mem_free, mem_calloc, mem_realloc};
    int r = o->server ? nghttp2_session_server_new3(&c->session, callbacks, c, option, &memory)
                      : nghttp2_session_client_new3(&c->session, callbacks, c, option, &memory);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (r == 0)
        r = say_settings(c, o);
    return r == 0 ? 0 : r == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EIO;
}

void session_free(struct grpc_connection *c)
{
    /* It does not close the remaining streams: their owners do. */
    nghttp2_session_del(c->session);
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
