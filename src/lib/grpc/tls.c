/* TLS by OpenSSL; see tls.h. */
#include "lib/grpc/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"

struct grpc_tls_settings {
    SSL_CTX *context;
};

struct grpc_tls {
    SSL *ssl;
    bool read_wants_write, write_wants_read, established;
};

static const unsigned char protocols[] = "\2h2";

static int fail(struct error *e, const char *what)
{
    /* OpenSSL keeps a queue; its last entry says what is wrong for those who know it. */
    char text[256] = "unknown error";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return error_fail(e, EPROTO, "TLS: %s: %s", what, text);
}

static int fail_file(struct error *e, const char *path, const char *what)
{
    fail(e, what);
    return error_prefix(e, "'%s'", path);
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *in, unsigned in_size, void *userdata)
{
    (void)ssl, (void)userdata;
    return SSL_select_next_proto((unsigned char **)out, out_size, protocols, sizeof protocols - 1, in,
                                 in_size) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int load(SSL_CTX *c, bool server, const char *certificate, const char *key, const char *ca,
                struct error *e)
{
    if (certificate && SSL_CTX_use_certificate_chain_file(c, certificate) != 1)
        return fail_file(e, certificate, "no certificate that can be used");
    if (key &&
        (SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(c) != 1))
        return fail_file(e, key, "no key that fits the certificate");
    if (ca && SSL_CTX_load_verify_locations(c, ca, NULL) != 1)
        return fail_file(e, ca, "no certificates that can be used");
    if (server ? !certificate || !key : !ca)
        return error_refuse(
            e, EINVAL, server ? "TLS: a server needs a certificate and a key" : "TLS: a client needs a CA");
    return 0;
}

int grpc_tls_settings_new(bool server, const char *certificate_file, const char *key_file,
                          const char *ca_file, struct grpc_tls_settings **ret, struct error *e)
{
    SSL_CTX *c = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!c)
        return fail(e, "cannot begin");
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    int r = load(c, server, certificate_file, key_file, ca_file, e);
    if (r < 0) {
        SSL_CTX_free(c);
        return r;
    }
    if (server)
        SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
    else
        SSL_CTX_set_alpn_protos(c, protocols, sizeof protocols - 1);
    SSL_CTX_set_verify(c, ca_file ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
                       NULL);
    *ret = xcalloc(1, sizeof **ret);
    (*ret)->context = c;
    return 0;
}

void grpc_tls_settings_free(struct grpc_tls_settings *settings)
{
    if (!settings)
        return;
    SSL_CTX_free(settings->context);
    free(settings);
}

int grpc_tls_new(struct grpc_tls_settings *settings, int fd, bool server, const char *expect,
                 struct grpc_tls **ret, struct error *e)
{
    SSL *ssl = SSL_new(settings->context);
    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return fail(e, "cannot begin");
    }
    if (expect && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), expect) != 1 &&
        (SSL_set1_host(ssl, expect) != 1 || SSL_set_tlsext_host_name(ssl, expect) != 1)) {
        SSL_free(ssl);
        return fail(e, "cannot say who is expected");
    }
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    *ret = xcalloc(1, sizeof **ret);
    (*ret)->ssl = ssl;
    return 0;
}

void grpc_tls_free(struct grpc_tls *tls)
{
    if (!tls)
        return;
    if (tls->established)
        SSL_shutdown(tls->ssl);
    SSL_free(tls->ssl);
    ERR_clear_error();
    free(tls);
}

/* What SSL_read and SSL_write mean by their result. */
static ssize_t result(struct grpc_tls *tls, int n, bool reading, struct error *e)
{
    if (n > 0) {
        const unsigned char *protocol;
        unsigned size = 0;
        if (tls->established)
            return n;
        tls->established = true;
        SSL_get0_alpn_selected(tls->ssl, &protocol, &size);
        return size == 2 && memcmp(protocol, "h2", 2) == 0
                   ? n
                   : error_fail(e, EPROTO, "TLS: the peer does not speak HTTP/2");
    }
    int errnum = errno;
    switch (SSL_get_error(tls->ssl, n)) {
    case SSL_ERROR_WANT_WRITE:
        tls->read_wants_write = reading;
        return -EAGAIN;
    case SSL_ERROR_WANT_READ:
        tls->write_wants_read = !reading;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        tls->established = false;
        return errnum ? error_os(e, errnum, "TLS") : 0;
    default:
        tls->established = false; /* nothing may be sent any more */
        return fail(e, "cannot go on");
    }
}

ssize_t grpc_tls_read(struct grpc_tls *tls, void *data, size_t size, struct error *e)
{
    tls->read_wants_write = false;
    errno = 0;
    return result(tls, SSL_read(tls->ssl, data, (int)size), true, e);
}

ssize_t grpc_tls_write(struct grpc_tls *tls, const void *data, size_t size, struct error *e)
{
    tls->write_wants_read = false;
    errno = 0;
    return result(tls, SSL_write(tls->ssl, data, (int)size), false, e);
}

bool grpc_tls_read_wants_write(const struct grpc_tls *tls)
{
    return tls->read_wants_write;
}

bool grpc_tls_write_wants_read(const struct grpc_tls *tls)
{
    return tls->write_wants_read;
}
