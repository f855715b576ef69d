/* Implements tls.h with GnuTLS. */
#include "lib/grpc/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

/* Bytes of one handshake message, such as the certificate chain of a peer that is not authenticated yet. */
#define HANDSHAKE_MAX (32 * 1024)

struct grpc_tls_settings {
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    bool verifies;
};

struct grpc_tls {
    gnutls_session_t session;
    gnutls_typed_vdata_st expected[2];
    char *host;
    bool established, failed, read_wants_write, write_wants_read;
};

static int fail(struct error *e, int code, const char *what)
{
    return error_fail(e, EPROTO, "TLS: %s: %s", what, gnutls_strerror(code));
}

/* --- settings --- */

/* Checks that a file can be read, because GnuTLS reports every error as "error while reading file". */
static int check_readable(const char *path, struct error *e)
{
    return !path || access(path, R_OK) == 0
               ? 0
               : error_refuse(e, errno, "TLS: cannot read '%s': %s", path, strerrordesc_np(errno));
}

static int load(struct grpc_tls_settings *s, bool server, const char *certificate, const char *key,
                const char *ca, struct error *e)
{
    if (server ? !certificate || !key : !ca)
        return error_refuse(e, EINVAL, "TLS: a %s",
                            server ? "server needs a certificate and a key" : "client needs a CA");
    if (!certificate != !key)
        return error_refuse(e, EINVAL, "TLS: certificate and key go together");
    if (check_readable(certificate, e) < 0 || check_readable(key, e) < 0 || check_readable(ca, e) < 0)
        return -e->errnum;
    int r = certificate
                ? gnutls_certificate_set_x509_key_file(s->credentials, certificate, key, GNUTLS_X509_FMT_PEM)
                : 0;
    if (r < 0)
        return error_refuse(e, EINVAL, "TLS: cannot use '%s' with the key '%s': %s", certificate, key,
                            gnutls_strerror(r));
    r = ca ? gnutls_certificate_set_x509_trust_file(s->credentials, ca, GNUTLS_X509_FMT_PEM) : 1;
    if (r <= 0)
        return error_refuse(e, EINVAL, "TLS: no certificates to trust in '%s'%s%s", ca, r < 0 ? ": " : "",
                            r < 0 ? gnutls_strerror(r) : "");
    return 0;
}

int grpc_tls_settings_new(bool server, const char *certificate_file, const char *key_file,
                          const char *ca_file, struct grpc_tls_settings **ret, struct error *e)
{
    struct grpc_tls_settings *s = xcalloc(1, sizeof *s);
    s->verifies = ca_file;
    int r = gnutls_certificate_allocate_credentials(&s->credentials);
    if (r >= 0)
        r = gnutls_priority_init(&s->priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%NO_TICKETS",
                                 NULL);
    r = r < 0 ? fail(e, r, "cannot begin") : load(s, server, certificate_file, key_file, ca_file, e);
    if (r < 0) {
        grpc_tls_settings_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void grpc_tls_settings_free(struct grpc_tls_settings *s)
{
    if (!s)
        return;
    if (s->credentials)
        gnutls_certificate_free_credentials(s->credentials);
    if (s->priority)
        gnutls_priority_deinit(s->priority);
    free(s);
}

/* --- sessions --- */

static void expect_peer(struct grpc_tls *tls, bool server, const char *host)
{
    uint8_t address[16];
    size_t n = 0;
    tls->expected[n++] = (gnutls_typed_vdata_st){
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *)(server ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER),
    };
    if (host) {
        bool numeric = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
        tls->host = xstrdup(host);
        tls->expected[n++] =
            (gnutls_typed_vdata_st){.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)tls->host};
        if (!numeric)
            gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, host, strlen(host));
    }
    gnutls_session_set_verify_cert2(tls->session, tls->expected, (unsigned)n, 0);
}

int grpc_tls_new(struct grpc_tls_settings *settings, int fd, bool server, const char *expect,
                 struct grpc_tls **ret, struct error *e)
{
    static const gnutls_datum_t protocol = {(unsigned char *)"h2", 2};
    struct grpc_tls *tls = xcalloc(1, sizeof *tls);
    int r = gnutls_init(&tls->session,
                        (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (r < 0) {
        free(tls);
        return fail(e, r, "cannot begin");
    }
    gnutls_transport_set_int(tls->session, fd);
    r = gnutls_priority_set(tls->session, settings->priority);
    if (r >= 0)
        r = gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, settings->credentials);
    if (r >= 0)
        r = gnutls_alpn_set_protocols(tls->session, &protocol, 1, GNUTLS_ALPN_MANDATORY);
    if (r < 0) {
        grpc_tls_free(tls);
        return fail(e, r, "cannot begin");
    }
    if (server)
        gnutls_handshake_set_max_packet_length(tls->session, HANDSHAKE_MAX);
    if (server)
        gnutls_certificate_server_set_request(tls->session,
                                              settings->verifies ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    if (settings->verifies)
        expect_peer(tls, server, expect);
    *ret = tls;
    return 0;
}

void grpc_tls_free(struct grpc_tls *tls)
{
    if (!tls)
        return;
    if (tls->established && !tls->failed)
        gnutls_bye(tls->session, GNUTLS_SHUT_WR);
    gnutls_deinit(tls->session);
    free(tls->host);
    free(tls);
}

/* Translates a result of GnuTLS into a byte count or a negative errno. */
static ssize_t result(struct grpc_tls *tls, ssize_t r, bool reading, struct error *e)
{
    if (r >= 0)
        return r;
    if (r == GNUTLS_E_INTERRUPTED)
        return -EINTR;
    if (r == GNUTLS_E_AGAIN) {
        bool writing = gnutls_record_get_direction(tls->session) == 1;
        tls->read_wants_write |= reading && writing;
        tls->write_wants_read |= !reading && !writing;
        return -EAGAIN;
    }
    /* No further bytes may be sent. */
    tls->failed = true;
    if (r == GNUTLS_E_PREMATURE_TERMINATION)
        return reading ? 0 : error_fail(e, ECONNRESET, "closed the connection");
    if (r == GNUTLS_E_FATAL_ALERT_RECEIVED || r == GNUTLS_E_WARNING_ALERT_RECEIVED)
        return error_fail(e, EPROTO, "TLS: alert from the peer: %s",
                          gnutls_alert_get_name(gnutls_alert_get(tls->session)));
    if (r == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
        gnutls_datum_t text = {NULL, 0};
        gnutls_certificate_verification_status_print(gnutls_session_get_verify_cert_status(tls->session),
                                                     GNUTLS_CRT_X509, &text, 0);
        /* The text ends as in "The certificate is NOT trusted. …unknown. ". */
        while (text.size > 0 && strchr(" .", text.data[text.size - 1]))
            text.size--;
        error_fail(e, EPROTO, "TLS: %.*s", (int)text.size, text.data ? (char *)text.data : "");
        gnutls_free(text.data);
        return -EPROTO;
    }
    return fail(e, (int)r, "the connection failed");
}

/* Performs the handshake. Returns 0 when it has ended, or a negative errno. */
static ssize_t shake_hands(struct grpc_tls *tls, bool reading, struct error *e)
{
    if (tls->established)
        return 0;
    if (tls->failed)
        return error_fail(e, EPROTO, "TLS: the handshake failed");
    int r = gnutls_handshake(tls->session);
    if (r == GNUTLS_E_SUCCESS)
        tls->established = true;
    else if (r != GNUTLS_E_AGAIN && r != GNUTLS_E_INTERRUPTED)
        gnutls_alert_send_appropriate(tls->session, r);
    return result(tls, r, reading, e);
}

ssize_t grpc_tls_read(struct grpc_tls *tls, void *data, size_t size, struct error *e)
{
    tls->read_wants_write = false;
    ssize_t r = shake_hands(tls, true, e);
    return r < 0 ? r : result(tls, gnutls_record_recv(tls->session, data, size), true, e);
}

ssize_t grpc_tls_write(struct grpc_tls *tls, const void *data, size_t size, struct error *e)
{
    tls->write_wants_read = false;
    ssize_t r = shake_hands(tls, false, e);
    return r < 0 ? r : result(tls, gnutls_record_send(tls->session, data, size), false, e);
}

bool grpc_tls_read_wants_write(const struct grpc_tls *tls)
{
    return tls->read_wants_write;
}

bool grpc_tls_write_wants_read(const struct grpc_tls *tls)
{
    return tls->write_wants_read;
}
