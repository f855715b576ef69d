/* Runs TLS below HTTP/2, with GnuTLS, for zones that are configured for it. Both sides may show a
 * certificate. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

struct grpc_tls_settings;
struct grpc_tls;

/* Loads the settings from PEM files; strings may be NULL. A server needs a certificate and its key; for a
 * client they are optional. With 'ca_file', which a client needs, the peer's certificate is verified; a
 * server then refuses clients without a certificate. Returns 0 or a negative errno. */
int grpc_tls_settings_new(bool server, const char *certificate_file, const char *key_file,
                          const char *ca_file, struct grpc_tls_settings **ret, struct error *e);
void grpc_tls_settings_free(struct grpc_tls_settings *settings);

/* Creates a session on a socket (borrowed). 'expect' is the host name or address that the server's
 * certificate must contain; servers pass NULL. Returns 0 or a negative errno. */
int grpc_tls_new(struct grpc_tls_settings *settings, int fd, bool server, const char *expect,
                 struct grpc_tls **ret, struct error *e);
void grpc_tls_free(struct grpc_tls *tls);

/* Work as recv() and send() on a non-blocking socket, but return negative errnos; for −EPROTO 'e' is the
 * reason. They perform the handshake first. After a write has returned −EAGAIN, the same data must be passed
 * again. */
ssize_t grpc_tls_read(struct grpc_tls *tls, void *data, size_t size, struct error *e);
ssize_t grpc_tls_write(struct grpc_tls *tls, const void *data, size_t size, struct error *e);
/* Report whether the last read waits until the socket is writable, and whether the last write waits until it
 * is readable. */
bool grpc_tls_read_wants_write(const struct grpc_tls *tls);
bool grpc_tls_write_wants_read(const struct grpc_tls *tls);
