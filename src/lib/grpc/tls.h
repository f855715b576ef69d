/* TLS below HTTP/2, by GnuTLS, for zones that want it: off unless configured. Both sides may show a
 * certificate. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

struct grpc_tls_settings;
struct grpc_tls;

/* Files are PEM. A server needs certificate and key; a client may have them (then it shows them). With
 * 'ca_file' the peer is verified against it: a server then takes clients that show a certificate alone. A
 * client must have one. Strings may be NULL. */
int grpc_tls_settings_new(bool server, const char *certificate_file, const char *key_file,
                          const char *ca_file, struct grpc_tls_settings **ret, struct error *e);
void grpc_tls_settings_free(struct grpc_tls_settings *settings);

/* A session on a socket (borrowed). Clients name whom they expect: a host name or an address, which the
 * certificate must name. */
int grpc_tls_new(struct grpc_tls_settings *settings, int fd, bool server, const char *expect,
                 struct grpc_tls **ret, struct error *e);
void grpc_tls_free(struct grpc_tls *tls);

/* As recv and send on a non-blocking socket, but with negative errnos; −EPROTO: 'e' says what is wrong. The
 * handshake is done within. What was given to a write that returned −EAGAIN must be given again. */
ssize_t grpc_tls_read(struct grpc_tls *tls, void *data, size_t size, struct error *e);
ssize_t grpc_tls_write(struct grpc_tls *tls, const void *data, size_t size, struct error *e);
/* Whether the last read waits until the socket can be written to, the last write until there is something to
 * read. */
bool grpc_tls_read_wants_write(const struct grpc_tls *tls);
bool grpc_tls_write_wants_read(const struct grpc_tls *tls);
